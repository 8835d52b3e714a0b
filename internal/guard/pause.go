package guard

import (
	"time"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

const (
	// AnnotationPausedUntil on a webhook configuration lets its failurePolicy be
	// Ignore until an RFC 3339 instant, so that PHI namespaces go on while the
	// operator cannot answer. It counts for no longer than LongestPause.
	AnnotationPausedUntil = "hipaa-operator.io/paused-until"

	// LongestPause bounds a pause. An instant further away than that is no pause:
	// a pause that nobody ends must not become the rule.
	LongestPause = 7 * 24 * time.Hour
)

// pausedUntil is the end of a pause that is in force on an object; zero if none.
func pausedUntil(live client.Object, now time.Time) time.Time {
	until, err := time.Parse(time.RFC3339, live.GetAnnotations()[AnnotationPausedUntil])
	if err != nil || !now.Before(until) || until.Sub(now) > LongestPause {
		return time.Time{}
	}
	return until
}

// during is the manifest as it should be while a pause lasts: nothing but the
// failure policies of webhooks gives way. A zero instant is no pause.
func (m installed) during(pausedUntil time.Time) installed {
	if pausedUntil.IsZero() {
		return m
	}
	switch o := m.object.(type) {
	case *admissionregistrationv1.ValidatingWebhookConfiguration:
		open := o.DeepCopy()
		for i := range open.Webhooks {
			open.Webhooks[i].FailurePolicy = ptr.To(admissionregistrationv1.Ignore)
		}
		m.object = open
	case *admissionregistrationv1.MutatingWebhookConfiguration:
		open := o.DeepCopy()
		for i := range open.Webhooks {
			open.Webhooks[i].FailurePolicy = ptr.To(admissionregistrationv1.Ignore)
		}
		m.object = open
	default:
		return m
	}
	m.tree = opened(m.tree)
	return m
}

func opened(tree *unstructured.Unstructured) *unstructured.Unstructured {
	tree = tree.DeepCopy()
	hooks, _ := tree.Object["webhooks"].([]any)
	for _, hook := range hooks {
		if fields, ok := hook.(map[string]any); ok {
			fields["failurePolicy"] = string(admissionregistrationv1.Ignore)
		}
	}
	return tree
}
