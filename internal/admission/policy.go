package admission

import (
	"context"
	"slices"
	"time"

	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
	"github.com/hipaa-operator/hipaa-operator/internal/engine"
	"github.com/hipaa-operator/hipaa-operator/internal/witness"
)

var policyKind = networkingv1.SchemeGroupVersion.WithKind("NetworkPolicy")

// validatePolicy judges NetworkPolicies under the rules of every workload and of
// the namespace, and remembers who let one in that drift control may ask about.
func (g *Gate) validatePolicy(ctx context.Context, req admission.Request) (answer, error) {
	owned := false
	a, err := validate(ctx, g, &req, policyKind, func(ctx context.Context, h *hearing, policy *networkingv1.NetworkPolicy) (engine.Decision, error) {
		owned = owned || hipaav1.IsOwned(policy)
		return h.afresh(ctx, func() (engine.Decision, error) { return judgePolicy(ctx, h, policy) })
	})
	if err == nil && a.Allowed && (owned || found(a.decision)) {
		g.remember(ctx, &req, req.Name)
	}
	return a, err
}

// judgePolicy asks under every workload about its own pods, and under the namespace
// about those that no workload claims. So a workload that the cache does not have
// yet lets nothing pass: its pods count as claimed by nobody.
func judgePolicy(ctx context.Context, h *hearing, policy *networkingv1.NetworkPolicy) (engine.Decision, error) {
	return h.judge(ctx, append(slices.Clone(h.scene.Workloads), nil), policy)
}

// afresh judges, and where the answer would be no, once more with the workloads
// that the API server has: one may have been applied together with the object.
func (h *hearing) afresh(ctx context.Context, judge func() (engine.Decision, error)) (engine.Decision, error) {
	d, err := judge()
	if err != nil || len(d.Denied) == 0 {
		return d, err
	}
	if err := h.gate.Loader.WorkloadsLive(ctx, h.scene); err != nil {
		return d, err
	}
	return judge()
}

// patienceOfMemory bounds how long a request waits for its author to be written
// down. What is not written by then stays in memory.
const patienceOfMemory = 500 * time.Millisecond

// remember notes who changed an object. It never decides about the change.
func (g *Gate) remember(ctx context.Context, req *admission.Request, name string) {
	if g.Changes == nil || ptr.Deref(req.DryRun, false) {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, patienceOfMemory)
	defer cancel()
	err := g.Changes.Record(ctx, witness.Change{
		ID:        string(req.UID),
		Kind:      req.Kind.Kind,
		Namespace: req.Namespace,
		Name:      name,
		Operation: string(req.Operation),
		User:      req.UserInfo.Username,
		Time:      metav1.NewMicroTime(g.Clock.Now()),
	})
	if err != nil {
		log.FromContext(ctx).Error(err, "Recording who changed an object")
	}
}
