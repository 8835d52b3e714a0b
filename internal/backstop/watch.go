package backstop

import (
	"context"
	"fmt"
	"slices"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
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
	// Cache answers.
	Cache client.Reader
	// Mutating is the name of the operator's own configuration.
	Mutating string
}

// Knows reports whether the parameters of a namespace are there, and reflect some
// states.
func (w *Watch) Knows(ctx context.Context, namespace string, states []string) bool {
	var b hipaav1.Backstop
	if err := w.Cache.Get(ctx, types.NamespacedName{Namespace: namespace, Name: hipaav1.BackstopName}, &b, client.UnsafeDisableDeepCopy); err != nil {
		return false
	}
	return !slices.ContainsFunc(states, func(state string) bool { return !slices.Contains(b.Spec.Reflects, state) })
}

// Last reports whether nobody can change a new object of a resource once the operator
// has: the API server calls mutating webhooks in the order of their configurations'
// names.
func (w *Watch) Last(ctx context.Context, resource schema.GroupResource) bool {
	var configurations admissionregistrationv1.MutatingWebhookConfigurationList
	if err := w.Cache.List(ctx, &configurations, client.UnsafeDisableDeepCopy); err != nil {
		return false
	}
	return !slices.ContainsFunc(configurations.Items, func(c admissionregistrationv1.MutatingWebhookConfiguration) bool {
		return c.Name > w.Mutating && slices.ContainsFunc(c.Webhooks, func(webhook admissionregistrationv1.MutatingWebhook) bool {
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
