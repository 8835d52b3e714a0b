package admission

import (
	"context"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/wait"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
	"github.com/hipaa-operator/hipaa-operator/internal/backstop"
)

// Backstop is what the API server holds by itself. It asks that after the mutating
// webhooks and before the validating ones, and tells one line of it.
type Backstop interface {
	// Knows reports whether it goes by some states of a namespace.
	Knows(ctx context.Context, namespace string, states []string) bool
	// Last reports whether nobody changes new objects of a resource after the operator.
	Last(ctx context.Context, resource schema.GroupResource) bool
}

// How long a new pod waits until the API server knows what admission knows, and how
// often admission looks: a workload and its pod come in one apply.
const (
	untilKnown = 2 * time.Second
	lookEvery  = 10 * time.Millisecond
)

// await waits until the API server goes by the workloads that claim a pod and by what
// excuses them. It would refuse what the operator admits. Who waits too long is told
// by the API server what it misses.
func (h *hearing) await(ctx context.Context, claiming []*hipaav1.PHIWorkload) {
	if h.gate.Backstop == nil {
		return
	}
	states := backstop.States(claiming, h.excusing(claiming))
	_ = wait.PollUntilContextTimeout(ctx, lookEvery, untilKnown, true, func(ctx context.Context) (bool, error) {
		return h.gate.Backstop.Knows(ctx, h.scene.Namespace.Name, states), nil
	})
}

// excusing are the exceptions for some workloads.
func (h *hearing) excusing(workloads []*hipaav1.PHIWorkload) []*hipaav1.ControlException {
	var excusing []*hipaav1.ControlException
	for _, x := range h.scene.Exceptions {
		for _, w := range workloads {
			if x.Spec.WorkloadRef.Name == w.Name {
				excusing = append(excusing, x)
			}
		}
	}
	return excusing
}

// refuseAhead judges a new pod as the validating webhook will, where the API server
// would refuse it before in one line: people get every reason at once. It does so only
// where nobody can mend the pod any more.
func (g *Gate) refuseAhead(ctx context.Context, h *hearing, req *admission.Request, pod *corev1.Pod) (a answer, refused bool, err error) {
	if g.Backstop == nil || !g.Backstop.Last(ctx, corev1.Resource("pods")) {
		return answer{}, false, nil
	}
	d, err := judgePod(ctx, h, pod)
	if err != nil || len(d.Denied) == 0 {
		return answer{}, err != nil, err
	}
	return decided(whatOf(req), d), true, nil
}

// foretell is the same for what nobody writes to but people: it refuses what the
// validating webhook will, and says nothing of anything else. It waits as well until
// the API server goes by the workloads of the namespace.
func (g *Gate) foretell(validate answerer) answerer {
	return func(ctx context.Context, req admission.Request) (answer, error) {
		resource := schema.GroupResource{Group: req.Resource.Group, Resource: req.Resource.Resource}
		if g.Backstop == nil || !g.Backstop.Last(ctx, resource) {
			return permitted(), nil
		}
		a, err := validate(ctx, req)
		if err != nil || !a.Allowed {
			return a, err
		}
		h, err := g.open(ctx, req.Namespace)
		if err != nil || h == nil {
			return permitted(), err
		}
		h.await(ctx, h.scene.Workloads)
		return permitted(), nil
	}
}
