// Package guard keeps the operator's admission configuration as installed: the
// API server exempts it from admission, so nothing else can. Its promise: a
// change or deletion is put right at once when the leader sees it, is
// told with who did it, and while all is well nothing is written.
package guard

import (
	"context"
	"fmt"
	"io/fs"
	"time"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/tools/events"
	"k8s.io/client-go/util/workqueue"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
	"github.com/hipaa-operator/hipaa-operator/internal/outcome"
)

// +kubebuilder:rbac:groups=admissionregistration.k8s.io,resources=validatingwebhookconfigurations;mutatingwebhookconfigurations;validatingadmissionpolicies;validatingadmissionpolicybindings,verbs=get;list;watch;create
// +kubebuilder:rbac:groups=admissionregistration.k8s.io,resources=validatingwebhookconfigurations;mutatingwebhookconfigurations,resourceNames=hipaa-operator-validating;hipaa-operator-mutating,verbs=update;patch
// +kubebuilder:rbac:groups=admissionregistration.k8s.io,resources=validatingadmissionpolicies;validatingadmissionpolicybindings,resourceNames=hipaa-operator-backstop-parameters;hipaa-operator-backstop-pods;hipaa-operator-backstop-rolebindings;hipaa-operator-backstop-roles;hipaa-operator-backstop-secrets;hipaa-operator-backstop-services;hipaa-operator-continuity-label;hipaa-operator-definitions;hipaa-operator-exceptions;hipaa-operator-issuer-tokens;hipaa-operator-manager-configmaps;hipaa-operator-owned-objects;hipaa-operator-pauses;hipaa-operator-phi-label;hipaa-operator-pod-binding;hipaa-operator-pod-labels;hipaa-operator-profiles;hipaa-operator-rehearsals;hipaa-operator-vendors;hipaa-operator-workloads,verbs=update;patch
// +kubebuilder:rbac:groups="",resources=namespaces,verbs=get;list;watch
// +kubebuilder:rbac:groups=events.k8s.io,resources=events,verbs=create;patch

// Options are what a guard works with.
type Options struct {
	// Manifests are the objects to keep, as YAML files named *.yaml in any folder.
	Manifests fs.FS
	// OperatorNamespace takes the place of hipaa-operator-system in them.
	OperatorNamespace string
	// WebhookBaseURL takes the place of the Service in webhook configurations,
	// where the manager runs beside the cluster; empty leaves them alone.
	WebhookBaseURL string
	// Cache answers while nothing is wrong.
	Cache client.Reader
	// Live is asked before anything is written.
	Live client.Reader
	// Writer restores.
	Writer client.Writer
	// Clock tells when a pause ends.
	Clock clock.PassiveClock
	// Events tells people, about the manager's Deployment.
	Events events.EventRecorder
	// Restored is told every restoration, for metrics. Optional.
	Restored func(Ref)
	// Changed is told when State has changed. It must not block. Optional.
	Changed func()
}

// Guard keeps objects as installed.
type Guard struct {
	Options

	installed map[Ref]installed
	record    *record
}

// New reads the manifests.
func New(options Options) (*Guard, error) {
	manifests, err := readManifests(options.Manifests, options.OperatorNamespace, options.WebhookBaseURL)
	if err != nil {
		return nil, err
	}
	return &Guard{Options: options, installed: manifests, record: newRecord(manifests)}, nil
}

// State is what the guard has seen and done. It is safe to call at any time.
func (g *Guard) State() State { return g.record.state(g.Clock.Now()) }

// SetupWithManager starts guarding with the manager. Only the leader guards: two
// versions of the operator would undo each other's work during an upgrade.
func (g *Guard) SetupWithManager(mgr ctrl.Manager) error {
	c, err := controller.NewTyped("admission-guard", mgr, controller.TypedOptions[Ref]{Reconciler: g})
	if err != nil {
		return fmt.Errorf("building the admission guard: %w", err)
	}
	sources := []source.TypedSource[Ref]{
		// What was deleted while nobody looked sends no event.
		source.TypedFunc[Ref](g.enqueueAll),
		watch(mgr.GetCache(), &admissionregistrationv1.ValidatingWebhookConfiguration{}),
		watch(mgr.GetCache(), &admissionregistrationv1.MutatingWebhookConfiguration{}),
		watch(mgr.GetCache(), &admissionregistrationv1.ValidatingAdmissionPolicy{}),
		watch(mgr.GetCache(), &admissionregistrationv1.ValidatingAdmissionPolicyBinding{}),
	}
	for _, s := range sources {
		if err := c.Watch(s); err != nil {
			return fmt.Errorf("watching admission configuration: %w", err)
		}
	}
	return nil
}

func (g *Guard) enqueueAll(_ context.Context, queue workqueue.TypedRateLimitingInterface[Ref]) error {
	for ref := range g.installed {
		queue.Add(ref)
	}
	return nil
}

func watch[T client.Object](from cache.Cache, kind T) source.TypedSource[Ref] {
	return source.TypedKind(from, kind, handler.TypedEnqueueRequestsFromMapFunc(func(_ context.Context, o T) []Ref {
		return []Ref{refOf(o)}
	}))
}

// Reconcile compares one object with what was installed and puts it right.
func (g *Guard) Reconcile(ctx context.Context, ref Ref) (reconcile.Result, error) {
	manifest, guarded := g.installed[ref]
	if !guarded {
		return reconcile.Result{}, nil
	}
	if found, same, err := g.compare(ctx, g.Cache, manifest); err != nil {
		return reconcile.Result{}, err
	} else if same {
		g.note(ref, found)
		return g.again(found.pausedUntil), nil
	}
	return g.restore(ctx, ref, manifest)
}

// again comes back when a pause ends.
func (g *Guard) again(pausedUntil time.Time) reconcile.Result {
	if pausedUntil.IsZero() {
		return reconcile.Result{}
	}
	return reconcile.Result{RequeueAfter: max(pausedUntil.Sub(g.Clock.Now()), time.Millisecond)}
}

// compare reports whether an object is as it should be now, and the pause on it.
func (g *Guard) compare(ctx context.Context, reader client.Reader, manifest installed) (seen, bool, error) {
	live, err := get(ctx, reader, manifest)
	if err != nil || live == nil {
		return seen{}, false, err
	}
	found := pauseOn(live, g.Clock.Now())
	return found, len(difference(manifest.during(found.pausedUntil), live)) == 0, nil
}

func get(ctx context.Context, reader client.Reader, manifest installed) (client.Object, error) {
	live, ok := manifest.object.DeepCopyObject().(client.Object)
	if !ok {
		return nil, fmt.Errorf("reading %s: it is no object", manifest.ref)
	}
	err := reader.Get(ctx, client.ObjectKeyFromObject(manifest.object), live)
	if apierrors.IsNotFound(err) {
		return nil, nil //nolint:nilnil // an object that is not there is what we look for
	}
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", manifest.ref, err)
	}
	return live, nil
}

// lookAgain is how soon a wrong object is looked at again that was left alone
// because the operator is being removed.
const lookAgain = time.Minute

// restore looks once more, live, and puts right what is still wrong.
func (g *Guard) restore(ctx context.Context, ref Ref, manifest installed) (reconcile.Result, error) {
	live, err := get(ctx, g.Live, manifest)
	if err != nil {
		return reconcile.Result{}, err
	}
	found := seen{changed: []string{wholeObject}, who: unknownWriter}
	if live != nil {
		found = pauseOn(live, g.Clock.Now())
		found.who = lastWriter(live)
		found.changed = difference(manifest.during(found.pausedUntil), live)
		if len(found.changed) == 0 {
			g.note(ref, pauseOn(live, g.Clock.Now()))
			return g.again(found.pausedUntil), nil
		}
	}
	found.since = g.Clock.Now()
	g.note(ref, found)
	if stands, err := g.operatorStands(ctx); err != nil || !stands {
		return reconcile.Result{RequeueAfter: lookAgain}, err
	}
	if err := g.write(ctx, manifest.during(found.pausedUntil), live); err != nil {
		return reconcile.Result{}, err
	}
	g.tell(ctx, ref, found)
	return g.again(found.pausedUntil), nil
}

func (g *Guard) tell(ctx context.Context, ref Ref, found seen) {
	log.FromContext(ctx).Info("Restored admission configuration", "object", ref.String(), "changed", found.changed, "who", found.who)
	g.record.restored(ref, found)
	if g.Changed != nil {
		g.Changed()
	}
	if g.Restored != nil {
		g.Restored(ref)
	}
	if g.Events != nil {
		note := fmt.Sprintf("%s was %s by %s and has been put back", ref, found.what(), found.who)
		outcome.Event{
			Warning: true, Reason: hipaav1.ReasonAdmissionRestored, Action: outcome.Apart("Restore", note), Note: note,
		}.About(g.about(), g.Events)
	}
}

func (g *Guard) note(ref Ref, found seen) {
	if g.record.note(ref, found) && g.Changed != nil {
		g.Changed()
	}
}

// managerDeployment is what events are about: people who ask what happened to the
// operator find them there.
const managerDeployment = "hipaa-operator-manager"

func (g *Guard) about() runtime.Object {
	return &corev1.ObjectReference{APIVersion: "apps/v1", Kind: "Deployment", Name: managerDeployment, Namespace: g.OperatorNamespace}
}
