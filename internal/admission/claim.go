package admission

import (
	"context"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
	"github.com/hipaa-operator/hipaa-operator/internal/control"
	"github.com/hipaa-operator/hipaa-operator/internal/engine"
)

var claimKind = corev1.SchemeGroupVersion.WithKind("PersistentVolumeClaim")

// mutateClaim fills in claims as enforced controls ask.
func (g *Gate) mutateClaim(ctx context.Context, req admission.Request) (answer, error) {
	if err := expect(&req, claimKind); err != nil {
		return answer{}, err
	}
	claim, err := decodeNew[corev1.PersistentVolumeClaim](&req)
	if err != nil {
		return answer{}, err
	}
	h, err := g.open(ctx, req.Namespace)
	if err != nil || h == nil {
		return permitted(), err
	}
	filled := claim.DeepCopy()
	if err := h.fill(ctx, filled); err != nil {
		return withoutRules(err)
	}
	return patched(patch(claim, filled)), nil
}

func (h *hearing) fill(ctx context.Context, claim *corev1.PersistentVolumeClaim) error {
	for _, w := range orNamespace(h.scene.Claiming(claim.Labels)) {
		if err := h.fillUnder(ctx, w, claim); err != nil {
			return err
		}
	}
	return nil
}

// fillUnder fills in a claim as one workload's rules ask.
func (h *hearing) fillUnder(ctx context.Context, w *hipaav1.PHIWorkload, claim *corev1.PersistentVolumeClaim) error {
	m, err := h.matter(ctx, w, claim, h.gate.Engine.MutationEvidence(control.Claims))
	if err != nil {
		return err
	}
	h.gate.Engine.Default(m.subject, m.ruling)
	return nil
}

// validateClaim judges claims, under the rules of the workload whose selector
// matches their labels, as those of a StatefulSet do, else of the namespace.
func (g *Gate) validateClaim(ctx context.Context, req admission.Request) (answer, error) {
	return validate(ctx, g, &req, claimKind, judgeClaim)
}

func judgeClaim(ctx context.Context, h *hearing, claim *corev1.PersistentVolumeClaim) (engine.Decision, error) {
	return h.judge(ctx, h.scene.Claiming(claim.Labels), claim)
}
