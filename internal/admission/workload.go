package admission

import (
	"context"
	"errors"

	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
	"github.com/hipaa-operator/hipaa-operator/internal/control"
	"github.com/hipaa-operator/hipaa-operator/internal/engine"
)

// validateWorkload judges what people declare, as far as controls ask for it: an update
// is refused only for what it brings. Where no profile governs yet there are no rules to
// hold it against; once there are, its verdicts say what they find.
func (g *Gate) validateWorkload(ctx context.Context, req admission.Request) (answer, error) {
	a, err := validate(ctx, g, &req, workloadKind, judgeDeclaration)
	if errors.Is(err, engine.ErrNoProfile) {
		return permitted(), nil
	}
	return a, err
}

func judgeDeclaration(ctx context.Context, h *hearing, w *hipaav1.PHIWorkload) (engine.Decision, error) {
	m, err := h.matter(ctx, w, w, h.gate.Engine.AdmissionEvidence(control.Workloads))
	if err != nil {
		return engine.Decision{}, err
	}
	return h.gate.Engine.Admit(m.subject, m.ruling), nil
}
