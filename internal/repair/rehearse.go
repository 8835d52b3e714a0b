package repair

import (
	"context"
	"fmt"
	"regexp"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
	"github.com/hipaa-operator/hipaa-operator/internal/engine"
	"github.com/hipaa-operator/hipaa-operator/internal/metrics"
)

const (
	// heldRetry is when it is tried again where a PodDisruptionBudget or a
	// ResourceQuota leaves no room: nothing tells when it does.
	heldRetry = 30 * time.Second
	// refusedRetry is when a replacement is rehearsed again that was refused.
	// Templates, Pod Security labels and webhooks of others change unseen.
	refusedRetry = 5 * time.Minute
)

// rehearsalName is the name of every pod that is rehearsed. The operator may apply
// pods of this name and no others, and config/admission lets nobody really make
// one. Both go by the name alone, so nobody else's pods are looked at for it. No
// generated name is ever this one: those end in consonants and digits.
const rehearsalName = "hipaa-operator-rehearsal"

// refusal is why the pod that comes after another one would not be admitted.
type refusal struct {
	reason, message string
	result          metrics.EvictionResult
	retry           time.Duration
}

// quotaSpeaks matches the two refusals of the API server's own that time mends.
// Reason and code are those of every admission plug-in: only the text, which has
// been the same since quotas exist, tells them apart. A webhook's begins otherwise.
var quotaSpeaks = regexp.MustCompile(`^pods "[^"]*" is forbidden: (exceeded quota|status unknown for quota): `)

// twice is what the API server says of a pod that cannot be applied, though it can
// be created: a list names something twice, such as a variable.
const twice = "duplicate entries for key"

// refusalOf reads the API server's answer to a pod; nil where it is no refusal.
func refusalOf(err error) *refusal {
	switch {
	case apierrors.IsForbidden(err) && quotaSpeaks.MatchString(err.Error()):
		return &refusal{hipaav1.ReasonReplacementPending, "a ResourceQuota has no room for the pod that comes after it", metrics.EvictionHeld, heldRetry}
	case apierrors.IsForbidden(err), apierrors.IsInvalid(err), apierrors.IsBadRequest(err):
		why := "the API server refuses the pod that comes after it (" + string(apierrors.ReasonForError(err)) + ")"
		return &refusal{hipaav1.ReasonReplacementWouldBeRefused, why, metrics.EvictionRefused, refusedRetry}
	case err != nil && strings.Contains(err.Error(), twice):
		why := "a list of its template names something twice, such as a variable, and such a pod cannot be rehearsed: mend that, or restart it yourself"
		return &refusal{hipaav1.ReasonReplacementNeedsPerson, why, metrics.EvictionRefused, refusedRetry}
	default:
		return nil
	}
}

// rehearse asks the API server to admit, without creating it, what the controller
// would make in place of a pod, and makes sure that the answer carries the
// safeguards: where the webhook has been bypassed once, it may be so again. Nil is
// no refusal.
func (n *round) rehearse(ctx context.Context, m *maker, lost *corev1.Pod) (*refusal, error) {
	if known := n.refused[m.object.GetUID()]; known != nil {
		return known, nil
	}
	pod, err := n.admitted(ctx, m.replacement(lost))
	if refused := refusalOf(err); refused != nil {
		n.refused[m.object.GetUID()] = refused
		return refused, nil
	}
	if err != nil {
		return nil, fmt.Errorf("rehearsing: %w", err)
	}
	if why := n.judged(pod, false); why != "" {
		why = "admission does not add what it lacks; is the webhook in place? " + why
		return &refusal{hipaav1.ReasonReplacementWouldBeRefused, why, metrics.EvictionRefused, refusedRetry}, nil
	}
	return nil, nil //nolint:nilnil // admitted is an answer
}

// admitted is what the API server makes of a pod, without creating it. It is applied
// because that has a name before it is authorised, and creation has none.
func (n *round) admitted(ctx context.Context, pod *corev1.Pod) (*corev1.Pod, error) {
	pod.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("Pod"))
	content, err := runtime.DefaultUnstructuredConverter.ToUnstructured(pod)
	if err != nil {
		return nil, fmt.Errorf("encoding a pod: %w", err)
	}
	applied := &unstructured.Unstructured{Object: content}
	if err := n.Client.Apply(ctx, client.ApplyConfigurationFromUnstructured(applied),
		client.DryRunAll, client.FieldOwner(hipaav1.FieldOwner), client.DisableReadYourWritesConsistency); err != nil {
		return nil, err
	}
	admitted := &corev1.Pod{}
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(applied.Object, admitted); err != nil {
		return nil, fmt.Errorf("decoding a pod: %w", err)
	}
	return admitted, nil
}

// judged is why the engine would refuse a pod; empty if it would not. Mutated
// asks about the pod as the mutating webhook would leave it.
func (n *round) judged(pod *corev1.Pod, mutated bool) string {
	var d engine.Decision
	if mutated {
		_, _, d = n.Engine.Preview(n.Subject.Of(pod), n.Ruling)
	} else {
		d = n.Engine.Admit(n.Subject.Of(pod), n.Ruling)
	}
	if len(d.Denied) == 0 {
		return ""
	}
	return "admission would refuse the pod that comes after it: " + d.Denied[0].ControlID + ": " + d.Denied[0].Sentence()
}
