package backstop

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	toolscache "k8s.io/client-go/tools/cache"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
	"github.com/hipaa-operator/hipaa-operator/internal/subject"
)

// States name workloads and exceptions as they stand.
func States(workloads []*hipaav1.PHIWorkload, exceptions []*hipaav1.ControlException) []string {
	states := make([]string, 0, len(workloads)+len(exceptions))
	for _, w := range workloads {
		states = append(states, fmt.Sprintf("%.8s.%d", w.UID, w.Generation))
	}
	for _, x := range exceptions {
		decision := hipaav1.Decision("")
		if x.Status.Approval != nil {
			decision = x.Status.Approval.Decision
		}
		states = append(states, fmt.Sprintf("%.8s.%d%s", x.UID, x.Generation, decision))
	}
	return states
}

// Watch sees what the API server goes by. It is safe for concurrent use.
type Watch struct {
	cache client.Reader
	// mutating is the name of the operator's own configuration.
	mutating string
	clock    clock.PassiveClock

	mu sync.Mutex
	// told are the parameters of each namespace that the cache told of last.
	told map[string]told
}

// told is a version of parameters, and since when it is known; zero is since before.
type told struct {
	version string
	since   time.Time
}

// NewWatch watches by a cache, which may be filled later. Mutating is the name of the
// operator's own webhook configuration.
func NewWatch(ctx context.Context, informers subject.Informers, mutating string, c clock.PassiveClock) (*Watch, error) {
	w := &Watch{cache: informers, mutating: mutating, clock: c, told: map[string]told{}}
	informer, err := informers.GetInformer(ctx, &hipaav1.Backstop{})
	if err != nil {
		return nil, fmt.Errorf("watching Backstops: %w", err)
	}
	_, err = informer.AddEventHandler(toolscache.ResourceEventHandlerDetailedFuncs{
		AddFunc: func(object any, initial bool) {
			since := w.clock.Now()
			if initial {
				since = time.Time{}
			}
			w.note(object, since)
		},
		UpdateFunc: func(_, object any) { w.note(object, w.clock.Now()) },
		DeleteFunc: w.forget,
	})
	if err != nil {
		return nil, fmt.Errorf("watching Backstops: %w", err)
	}
	return w, nil
}

func (w *Watch) note(object any, since time.Time) {
	b, ok := object.(*hipaav1.Backstop)
	if !ok {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.told[b.Namespace].version != b.ResourceVersion {
		w.told[b.Namespace] = told{b.ResourceVersion, since}
	}
}

func (w *Watch) forget(object any) {
	name, err := toolscache.DeletionHandlingObjectToName(object)
	if err != nil {
		return // what is still told of is no parameters' version any more
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.told, name.Namespace)
}

// settling is how much later than the operator an API server may learn of parameters.
// Both watch them, and nothing tells how far the other is.
const settling = 200 * time.Millisecond

// Knows reports whether the parameters of a namespace are there, reflect some states,
// and have been so for long enough that API servers go by them.
func (w *Watch) Knows(ctx context.Context, namespace string, states []string) bool {
	var b hipaav1.Backstop
	if err := w.cache.Get(ctx, types.NamespacedName{Namespace: namespace, Name: hipaav1.BackstopName}, &b, client.UnsafeDisableDeepCopy); err != nil {
		return false
	}
	if slices.ContainsFunc(states, func(state string) bool { return !slices.Contains(b.Spec.Reflects, state) }) {
		return false
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	told := w.told[namespace]
	return told.version == b.ResourceVersion && w.clock.Since(told.since) >= settling
}

// Last reports whether nobody can change a new object of a resource once the operator
// has: the API server calls mutating webhooks in the order of their configurations'
// names.
func (w *Watch) Last(ctx context.Context, resource schema.GroupResource) bool {
	var configurations admissionregistrationv1.MutatingWebhookConfigurationList
	if err := w.cache.List(ctx, &configurations, client.UnsafeDisableDeepCopy); err != nil {
		return false
	}
	return !slices.ContainsFunc(configurations.Items, func(c admissionregistrationv1.MutatingWebhookConfiguration) bool {
		return c.Name > w.mutating && slices.ContainsFunc(c.Webhooks, func(webhook admissionregistrationv1.MutatingWebhook) bool {
			return changes(&webhook, resource)
		})
	})
}

func changes(webhook *admissionregistrationv1.MutatingWebhook, resource schema.GroupResource) bool {
	return slices.ContainsFunc(webhook.Rules, func(rule admissionregistrationv1.RuleWithOperations) bool {
		creates := slices.Contains(rule.Operations, admissionregistrationv1.Create) || slices.Contains(rule.Operations, admissionregistrationv1.OperationAll)
		its := slices.ContainsFunc(rule.Resources, func(r string) bool { return r == resource.Resource || r == "*" || r == "*/*" })
		group := slices.Contains(rule.APIGroups, resource.Group) || slices.Contains(rule.APIGroups, "*")
		return creates && its && group
	})
}
