package admission

import (
	"context"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/labels"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
	"github.com/hipaa-operator/hipaa-operator/internal/engine"
	"github.com/hipaa-operator/hipaa-operator/internal/subject"
)

var serviceKind = corev1.SchemeGroupVersion.WithKind("Service")

// validateService judges Services under the rules of every workload that they
// lead to.
func (g *Gate) validateService(ctx context.Context, req admission.Request) (answer, error) {
	return validate(ctx, g, &req, serviceKind, judgeService)
}

func judgeService(ctx context.Context, h *hearing, service *corev1.Service) (engine.Decision, error) {
	return h.afresh(ctx, func() (engine.Decision, error) {
		return h.judge(ctx, h.reachable(service.Spec.Selector), service)
	})
}

// reachable are the workloads that a Service's selector leads to, told by the
// selectors alone: the pods may be created later. A Service without a selector
// leads wherever its endpoints say, so it concerns all of them.
func (h *hearing) reachable(selector map[string]string) []*hipaav1.PHIWorkload {
	if len(selector) == 0 {
		return h.scene.Workloads
	}
	var concerned []*hipaav1.PHIWorkload
	chooses := labels.SelectorFromSet(selector)
	for _, w := range h.scene.Workloads {
		if subject.Selects(w, selector) || chooses.Matches(labels.Set(w.Spec.Selector.MatchLabels)) {
			concerned = append(concerned, w)
		}
	}
	return concerned
}
