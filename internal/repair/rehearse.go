package repair

import (
	"context"
	"fmt"
	"regexp"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
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

// refusalOf reads the API server's answer to a pod; nil where it is no refusal.
func refusalOf(err error) *refusal {
	switch {
	case apierrors.IsForbidden(err) && quotaSpeaks.MatchString(err.Error()):
		return &refusal{hipaav1.ReasonReplacementPending, "a ResourceQuota has no room for the pod that comes after it", metrics.EvictionHeld, heldRetry}
	case apierrors.IsForbidden(err), apierrors.IsInvalid(err), apierrors.IsBadRequest(err):
		why := "the API server refuses the pod that comes after it (" + string(apierrors.ReasonForError(err)) + ")"
		return &refusal{hipaav1.ReasonReplacementWouldBeRefused, why, metrics.EvictionRefused, refusedRetry}
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
	pod := m.replacement(lost)
	err := n.Client.Create(ctx, pod, client.DryRunAll, client.FieldOwner(hipaav1.FieldOwner), client.DisableReadYourWritesConsistency)
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
