// Package controllers is the only list of controllers. Its promise: what one
// process runs is what stands here.
package controllers

import (
	"context"
	"errors"
	"fmt"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/event"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
	"github.com/hipaa-operator/hipaa-operator/controllers/backstop"
	"github.com/hipaa-operator/hipaa-operator/controllers/complianceprofile"
	"github.com/hipaa-operator/hipaa-operator/controllers/controlexception"
	"github.com/hipaa-operator/hipaa-operator/controllers/egress"
	"github.com/hipaa-operator/hipaa-operator/controllers/namespace"
	"github.com/hipaa-operator/hipaa-operator/controllers/phiworkload"
	"github.com/hipaa-operator/hipaa-operator/controllers/vendor"
	"github.com/hipaa-operator/hipaa-operator/internal/control"
	"github.com/hipaa-operator/hipaa-operator/internal/engine"
	"github.com/hipaa-operator/hipaa-operator/internal/metrics"
	"github.com/hipaa-operator/hipaa-operator/internal/prober"
	"github.com/hipaa-operator/hipaa-operator/internal/repair"
	"github.com/hipaa-operator/hipaa-operator/internal/subject"
)

// eventSource names the operator in events; it must be a qualified name.
const eventSource = "hipaa-operator.io/manager"

// Dependencies are what controllers share.
type Dependencies struct {
	// Engine judges.
	Engine *engine.Engine
	// Witness tells who changed something. Optional.
	Witness repair.Witness
	// Guard tells how the operator's admission configuration stands, and
	// GuardChanged when that changes. Optional.
	Guard        complianceprofile.Guard
	GuardChanged <-chan event.GenericEvent
	// Serving tells when the certificate of the operator's webhooks ends. Optional.
	Serving func() (time.Time, error)
	// Secrets tells how API servers store Secrets, Isolation whether the network plugin
	// enforces policies, and EvidenceChanged when either changes. Optional.
	Secrets         func() *control.SecretStorage
	Isolation       func() *control.IsolationResult
	EvidenceChanged <-chan event.GenericEvent
	// Proxy tells what pods get that speaks mutual TLS for them, Sealer seals what it is
	// configured by, and ProxyChanged tells when either is another. Nil where the
	// operator has none.
	Proxy func() (*control.Proxy, error)
	// ProxyImages are those of it that are in order, that of new pods first.
	ProxyImages  []string
	Sealer       phiworkload.Sealer
	ProxyChanged <-chan event.GenericEvent
	Clock        clock.PassiveClock
	// Workers is how many PHIWorkloads are reconciled at once; zero is four.
	Workers int
}

// defaultWorkers keeps two cores busy while some of them wait for the API server.
const defaultWorkers = 4

// Setup adds every controller to the manager.
func Setup(ctx context.Context, mgr ctrl.Manager, d Dependencies) error {
	if d.Workers == 0 {
		d.Workers = defaultWorkers
	}
	c, live := mgr.GetClient(), mgr.GetAPIReader()
	cluster, err := dynamic.NewForConfigAndClient(mgr.GetConfig(), mgr.GetHTTPClient())
	if err != nil {
		return fmt.Errorf("making a client for custom resources: %w", err)
	}
	standing := egress.NewStanding()
	loader := d.loader(mgr, cluster, standing)
	dialler, answered, err := addProber(ctx, mgr, loader)
	if err != nil {
		return err
	}
	owned, err := repair.NewCached(mgr)
	if err != nil {
		return err
	}
	corrector := &repair.Corrector{Client: owned, Live: live, Witness: d.Witness, Clock: d.Clock}
	recorder, census := mgr.GetEventRecorder(eventSource), namespace.NewCensus()

	profiles := &complianceprofile.Reconciler{Client: c, Engine: d.Engine, Guard: d.Guard, Census: census, Events: recorder, Clock: d.Clock}
	if err := profiles.SetupWithManager(ctx, mgr, controller.Options{}, d.GuardChanged, census.Changed()); err != nil {
		return fmt.Errorf("adding controllers: %w", err)
	}
	toVendors, toWorkloads := split(ctx, standing.Changed())
	papers := &vendor.Reconciler{Client: c, Installed: standing.Installed, EgressChanged: toVendors}
	if err := addPapers(ctx, mgr, d, papers); err != nil {
		return err
	}
	namespaces := &namespace.Reconciler{
		Client: owned, Live: live, Loader: loader, Engine: d.Engine, Corrector: corrector, Events: recorder, Census: census, Clock: d.Clock,
	}
	backstops := &backstop.Reconciler{Client: c, Loader: loader, Engine: d.Engine, Clock: d.Clock}
	if err := errors.Join(namespaces.SetupWithManager(ctx, mgr, controller.Options{}), backstops.SetupWithManager(ctx, mgr)); err != nil {
		return fmt.Errorf("adding controllers: %w", err)
	}
	gate := &egress.Reconciler{
		Engine: d.Engine, Loader: loader, Owned: owned, Sealer: d.Sealer, Corrector: corrector, Events: recorder, Standing: standing, Clock: d.Clock,
	}
	proxyChanged, err := addEgress(ctx, mgr, d, gate)
	if err != nil {
		return err
	}
	workloads := &phiworkload.Reconciler{
		Client: c, Live: live, Loader: loader, Engine: d.Engine, Owned: owned, Sealer: d.Sealer, Corrector: corrector,
		ProxyChanged: proxyChanged, EgressChanged: toWorkloads,
		Replacer: &repair.Replacer{Client: c, Live: live, Engine: d.Engine, Clock: d.Clock},
		Prober:   dialler, Answered: answered, EvidenceChanged: d.EvidenceChanged, Events: recorder, Fleet: &metrics.Fleet{}, Clock: d.Clock,
	}
	if err := workloads.SetupWithManager(ctx, mgr, controller.Options{MaxConcurrentReconciles: d.Workers}); err != nil {
		return fmt.Errorf("adding controllers: %w", err)
	}
	return nil
}

// loader reads evidence of all kinds.
func (d *Dependencies) loader(mgr ctrl.Manager, cluster dynamic.Interface, standing *egress.Standing) *subject.Loader {
	return &subject.Loader{
		Cache: mgr.GetCache(), Live: mgr.GetAPIReader(), ConfigMaps: subject.KeepConfigMaps(),
		Resources: subject.WatchResources(d.Engine.ResourceTypes(), d.Engine.Families(), cluster),
		Reports:   subject.WatchReports(d.Engine.ReportTypes(), cluster),
		Serving:   d.Serving,
		Secrets:   d.Secrets,
		Isolation: d.Isolation,
		Egress:    standing.Now,
		Proxy:     d.Proxy, ProxyImages: d.ProxyImages,
	}
}

// addPapers adds what keeps an eye on what people agree to until an end.
func addPapers(ctx context.Context, mgr ctrl.Manager, d Dependencies, vendors *vendor.Reconciler) error {
	c, recorder := mgr.GetClient(), mgr.GetEventRecorder(eventSource)
	exceptions := &controlexception.Reconciler{Client: c, Engine: d.Engine, Events: recorder, Clock: d.Clock}
	if err := exceptions.SetupWithManager(ctx, mgr, controller.Options{}); err != nil {
		return fmt.Errorf("adding controllers: %w", err)
	}
	vendors.Events, vendors.Agreements, vendors.Clock = recorder, &metrics.Agreements{}, d.Clock
	if err := vendors.SetupWithManager(ctx, mgr, controller.Options{}); err != nil {
		return fmt.Errorf("adding controllers: %w", err)
	}
	return nil
}

// addProber adds what dials the edge of the cluster, and tells for which workloads it
// answers something else than before.
func addProber(ctx context.Context, mgr ctrl.Manager, loader *subject.Loader) (*prober.Prober, <-chan event.GenericEvent, error) {
	answered := make(chan event.GenericEvent)
	dialler := prober.New(clock.RealClock{}, loader.Inside, func(workload types.NamespacedName) {
		answer := event.GenericEvent{Object: &hipaav1.PHIWorkload{ObjectMeta: metav1.ObjectMeta{Namespace: workload.Namespace, Name: workload.Name}}}
		select {
		case answered <- answer:
		case <-ctx.Done():
		}
	}, func(e control.Endpoint, d control.Dialled) { metrics.EdgeDialled(e.Ask, d.Answer) })
	loader.Dials = dialler
	if err := mgr.Add(dialler); err != nil {
		return nil, nil, fmt.Errorf("adding the prober: %w", err)
	}
	return dialler, answered, nil
}

// addEgress adds what keeps phi-egress configured, where the operator has proxies. Who
// else has to hear of other proxies hears of them by the channel that it returns.
func addEgress(ctx context.Context, mgr ctrl.Manager, d Dependencies, gate *egress.Reconciler) (<-chan event.GenericEvent, error) {
	if d.Proxy == nil {
		gate.Standing.RuleOut()
		return d.ProxyChanged, nil
	}
	own, others := split(ctx, d.ProxyChanged)
	gate.ProxyChanged = own
	if err := gate.SetupWithManager(ctx, mgr); err != nil {
		return nil, fmt.Errorf("adding controllers: %w", err)
	}
	return others, nil
}

// split tells two of what one is told; one message that waits is enough for each.
func split(ctx context.Context, from <-chan event.GenericEvent) (one, other <-chan event.GenericEvent) {
	if from == nil {
		return nil, nil
	}
	into := [2]chan event.GenericEvent{make(chan event.GenericEvent, 1), make(chan event.GenericEvent, 1)}
	go func() {
		for {
			select {
			case <-ctx.Done():
				return
			case e, open := <-from:
				if !open {
					return
				}
				for _, to := range into {
					select {
					case to <- e:
					default:
					}
				}
			}
		}
	}()
	return into[0], into[1]
}
