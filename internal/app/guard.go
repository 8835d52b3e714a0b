package app

import (
	"fmt"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/manager"

	"github.com/hipaa-operator/hipaa-operator/config"
	"github.com/hipaa-operator/hipaa-operator/internal/guard"
	"github.com/hipaa-operator/hipaa-operator/internal/metrics"
)

// guardWatch shows the guard's state to the controller of profiles.
type guardWatch struct {
	guard   *guard.Guard
	changed bell
}

// Condition is the guard's state as the condition AdmissionGuarded.
func (w *guardWatch) Condition(now time.Time) metav1.Condition {
	state := w.guard.State()
	return state.Condition(now)
}

func addGuard(mgr manager.Manager, o Options) (*guardWatch, error) {
	w := &guardWatch{changed: newBell()}
	g, err := guard.New(guard.Options{
		Manifests:         config.Admission,
		OperatorNamespace: o.Namespace,
		WebhookBaseURL:    o.WebhookBaseURL,
		Cache:             mgr.GetCache(),
		Live:              mgr.GetAPIReader(),
		Writer:            mgr.GetClient(),
		Clock:             clock.RealClock{},
		Events:            mgr.GetEventRecorder("hipaa-operator.io/guard"),
		Restored:          func(ref guard.Ref) { metrics.GuardRestored(ref.Kind) },
		Changed:           w.changed.ring,
	})
	if err != nil {
		return nil, fmt.Errorf("building the admission guard: %w", err)
	}
	w.guard = g
	if err := g.SetupWithManager(mgr); err != nil {
		return nil, err
	}
	return w, nil
}
