package guard

import (
	"time"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
)

const (
	// AnnotationPausedUntil on a webhook configuration lets its failurePolicy be
	// Ignore, and on the binding of the backstop its refusals warnings, until an RFC
	// 3339 instant, so that PHI namespaces go on while the operator cannot answer. It counts for no longer than LongestPause.
	AnnotationPausedUntil = "hipaa-operator.io/paused-until"

	// LongestPause bounds a pause as it does that of a profile. An instant further
	// away than that is no pause.
	LongestPause = hipaav1.LongestPause
)

// pauseOn is what a look finds of a pause on an object: nothing if none is in force.
func pauseOn(live client.Object, now time.Time) seen {
	until := pausedUntil(live, now)
	if until.IsZero() {
		return seen{}
	}
	return seen{pausedUntil: until, pausedBy: writerOf(live, AnnotationPausedUntil)}
}

// pausedUntil is the end of a pause that is in force on an object; zero if none.
func pausedUntil(live client.Object, now time.Time) time.Time {
	until, err := time.Parse(time.RFC3339, live.GetAnnotations()[AnnotationPausedUntil])
	if err != nil || !now.Before(until) || until.Sub(now) > LongestPause {
		return time.Time{}
	}
	return until
}

// during is the manifest as it should be while a pause lasts: nothing gives way but the
// failure policies of webhooks, and what a policy does that goes by the parameters of
// each namespace and so holds what the webhooks do. A zero instant is no pause.
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
	case *admissionregistrationv1.ValidatingAdmissionPolicyBinding:
		if o.Spec.ParamRef == nil {
			return m
		}
		open := o.DeepCopy()
		open.Spec.ValidationActions = []admissionregistrationv1.ValidationAction{admissionregistrationv1.Warn, admissionregistrationv1.Audit}
		m.object = open
	default:
		return m
	}
	m.tree = opened(m.tree)
	return m
}

func opened(tree *unstructured.Unstructured) *unstructured.Unstructured {
	tree = tree.DeepCopy()
	if spec, is := tree.Object["spec"].(map[string]any); is {
		spec["validationActions"] = []any{string(admissionregistrationv1.Warn), string(admissionregistrationv1.Audit)}
	}
	hooks, _ := tree.Object["webhooks"].([]any)
	for _, hook := range hooks {
		if fields, ok := hook.(map[string]any); ok {
			fields["failurePolicy"] = string(admissionregistrationv1.Ignore)
		}
	}
	return tree
}
