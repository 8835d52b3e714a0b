package witness

import (
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/tools/events"
	"k8s.io/client-go/util/flowcontrol"
	"k8s.io/utils/clock"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
	"github.com/hipaa-operator/hipaa-operator/internal/metrics"
	"github.com/hipaa-operator/hipaa-operator/internal/outcome"
)

// Whoever is refused may try as often as they like. So many attempts are told of one by
// one; beyond that the metric counts them, and the API server's audit log has them.
const (
	attemptsAtOnce    = 100
	attemptsPerSecond = 1
)

// Attempt is a change that a policy refuses.
type Attempt struct {
	// Kind, Namespace and Name are the object. The name is empty where it is not stored:
	// it is whatever the user wrote.
	Kind, Namespace, Name string
	// Operation is CREATE, UPDATE or DELETE.
	Operation string
	// User is who asked, as the API server knows them.
	User string
}

// Attempts tells people of changes that policies refuse: events about the operator's
// own Deployment, and a metric. It is safe for concurrent use.
type Attempts struct {
	events events.EventRecorder
	about  runtime.Object
	limit  flowcontrol.PassiveRateLimiter
}

// NewAttempts tells of attempts about the Deployment of the manager, where people look
// for what happened to the operator.
func NewAttempts(recorder events.EventRecorder, operatorNamespace string, now clock.PassiveClock) *Attempts {
	return &Attempts{
		events: recorder,
		about:  &corev1.ObjectReference{APIVersion: "apps/v1", Kind: "Deployment", Name: managerDeployment, Namespace: operatorNamespace},
		limit:  flowcontrol.NewTokenBucketPassiveRateLimiterWithClock(attemptsPerSecond, attemptsAtOnce, now),
	}
}

const managerDeployment = "hipaa-operator-manager"

// Refused tells of an attempt.
func (t *Attempts) Refused(a Attempt) {
	metrics.GuardRefused(a.Kind)
	if !t.limit.TryAccept() {
		return
	}
	user := a.User
	if len(user) > longestUser {
		user = strings.ToValidUTF8(user[:longestUser], "")
	}
	outcome.Event{
		Warning: true, Reason: hipaav1.EventChangeRefused,
		Action: outcome.Apart(a.Operation, a.User, a.Kind, a.Namespace, a.Name),
		Note:   fmt.Sprintf("%q tried to %s %s and was refused", user, strings.ToLower(a.Operation), a.object()),
	}.About(t.about, t.events)
}

func (a *Attempt) object() string {
	switch {
	case a.Name == "":
		return "a " + a.Kind
	case a.Namespace == "":
		return a.Kind + "/" + a.Name
	default:
		return a.Kind + " " + a.Namespace + "/" + a.Name
	}
}
