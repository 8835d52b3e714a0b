package admission

import (
	"context"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
	"github.com/hipaa-operator/hipaa-operator/internal/control"
	"github.com/hipaa-operator/hipaa-operator/internal/engine"
)

var podKind = corev1.SchemeGroupVersion.WithKind("Pod")

// validatePod judges pods, and what later changes them: updates, ephemeral
// containers, resizing, labels.
func (g *Gate) validatePod(ctx context.Context, req admission.Request) (answer, error) {
	return validate(ctx, g, &req, podKind, judgePod)
}

func judgePod(ctx context.Context, h *hearing, pod *corev1.Pod) (engine.Decision, error) {
	claiming, err := h.claiming(ctx, pod)
	if err != nil {
		return engine.Decision{}, err
	}
	if len(claiming) == 0 {
		return h.undeclared(ctx, pod)
	}
	return h.judge(ctx, claiming, pod)
}

func (h *hearing) claiming(ctx context.Context, pod *corev1.Pod) ([]*hipaav1.PHIWorkload, error) {
	return h.gate.Loader.ClaimingLive(ctx, h.scene, pod.Labels)
}

func (h *hearing) undeclared(ctx context.Context, pod *corev1.Pod) (engine.Decision, error) {
	m, err := h.matter(ctx, nil, pod, 0)
	if err != nil {
		return engine.Decision{}, err
	}
	return engine.AdmitUndeclared(m.subject, m.ruling), nil
}

// mutatePod adds what enforced controls add, before anybody judges.
func (g *Gate) mutatePod(ctx context.Context, req admission.Request) (answer, error) {
	if err := expect(&req, podKind); err != nil {
		return answer{}, err
	}
	pod, err := decodeNew[corev1.Pod](&req)
	if err != nil {
		return answer{}, err
	}
	h, err := g.open(ctx, req.Namespace)
	if err != nil || h == nil {
		return permitted(), err
	}
	claiming, err := h.claiming(ctx, pod)
	if err != nil {
		return permitted(), err
	}
	mutated := pod.DeepCopy()
	bare, err := h.mutate(ctx, claiming, mutated)
	if err != nil && g.Backstop == nil {
		return withoutRules(err)
	}
	if err != nil || bare || len(claiming) == 0 {
		if a, refused, err := g.refuseAhead(ctx, h, &req, mutated); refused {
			return a, err
		}
	}
	if err != nil {
		return withoutRules(err)
	}
	h.await(ctx, claiming)
	return patched(patch(pod, mutated)), nil
}

// mutate changes a pod as the workloads that claim it ask, in the order of their
// names. It reports whether the pod then still lacks what the API server asks for by
// itself.
func (h *hearing) mutate(ctx context.Context, claiming []*hipaav1.PHIWorkload, pod *corev1.Pod) (bare bool, err error) {
	matters := make([]matter, len(claiming))
	for i, w := range claiming {
		if matters[i], err = h.matter(ctx, w, pod, h.gate.Engine.MutationEvidence(control.Pods)); err != nil {
			return false, err
		}
		h.gate.Engine.Mutate(matters[i].subject, matters[i].ruling)
	}
	return h.gate.Backstop != nil && slices.ContainsFunc(matters, func(m matter) bool {
		return h.gate.Engine.Foresees(m.subject, m.ruling)
	}), nil
}
