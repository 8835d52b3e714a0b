package subject_test

import (
	"context"
	"fmt"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	toolscache "k8s.io/client-go/tools/cache"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllertest"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
	"github.com/hipaa-operator/hipaa-operator/internal/subject"
)

// events hands out the handler of an informer.
type events struct {
	*controllertest.FakeInformer
	toolscache.ResourceEventHandler
}

func (e *events) AddEventHandler(handler toolscache.ResourceEventHandler) (toolscache.ResourceEventHandlerRegistration, error) {
	e.ResourceEventHandler = handler
	return e.FakeInformer.AddEventHandler(handler)
}

// telling is a cache whose events the test sends, and that counts how often the
// workloads of a namespace are listed: once for each scene that is read.
type telling struct {
	client.WithWatch
	informers map[string]*events
	// whileReading happens in the midst of reading a scene.
	whileReading func()

	mu   sync.Mutex
	read map[string]int
}

func newTelling(t *testing.T, objects ...client.Object) *telling {
	return &telling{WithWatch: reader(t, objects...), informers: map[string]*events{}, read: map[string]int{}}
}

func (c *telling) GetInformer(_ context.Context, object client.Object, _ ...cache.InformerGetOption) (cache.Informer, error) {
	kind := fmt.Sprintf("%T", object)
	if c.informers[kind] == nil {
		c.informers[kind] = &events{FakeInformer: controllertest.NewFakeInformer()}
	}
	return c.informers[kind], nil
}

func (c *telling) List(ctx context.Context, list client.ObjectList, options ...client.ListOption) error {
	err := c.WithWatch.List(ctx, list, options...)
	if _, ofWorkloads := list.(*hipaav1.PHIWorkloadList); ofWorkloads {
		var o client.ListOptions
		o.ApplyOptions(options)
		c.mu.Lock()
		c.read[o.Namespace]++
		c.mu.Unlock()
		if c.whileReading != nil {
			c.whileReading()
		}
	}
	return err
}

func (c *telling) about(object client.Object) toolscache.ResourceEventHandler {
	return c.informers[fmt.Sprintf("%T", object)]
}

func keeping(t *testing.T, cached *telling, live client.Reader) *subject.Loader {
	t.Helper()
	loader, err := subject.Keeping(t.Context(), cached, live)
	if err != nil {
		t.Fatal(err)
	}
	return loader
}

func scene(t *testing.T, loader *subject.Loader, namespace string) *subject.Scene {
	t.Helper()
	sc, err := loader.Scene(t.Context(), namespace)
	if err != nil {
		t.Fatal(err)
	}
	return sc
}

func TestASceneIsKeptUntilSomethingItIsMadeOfChanges(t *testing.T) {
	profile := &hipaav1.ComplianceProfile{ObjectMeta: metav1.ObjectMeta{Name: "strict"}}
	exception := &hipaav1.ControlException{ObjectMeta: metav1.ObjectMeta{Namespace: "ehr", Name: "legacy"}}
	tests := map[string]struct {
		event         func(*telling)
		ehr, pharmacy int
	}{
		"nothing changes":        {event: func(*telling) {}, ehr: 1, pharmacy: 1},
		"a workload is declared": {event: func(c *telling) { c.about(workload("", nil)).OnAdd(workload("portal", nil), false) }, ehr: 2, pharmacy: 1},
		"a workload is judged": {event: func(c *telling) {
			c.about(workload("", nil)).OnUpdate(workload("api", nil), workload("api", nil))
		}, ehr: 2, pharmacy: 1},
		"a workload goes": {event: func(c *telling) { c.about(workload("", nil)).OnDelete(workload("api", nil)) }, ehr: 2, pharmacy: 1},
		"a workload went while nobody watched": {event: func(c *telling) {
			c.about(workload("", nil)).OnDelete(toolscache.DeletedFinalStateUnknown{Key: "ehr/api"})
		}, ehr: 2, pharmacy: 1},
		"something without a name changes": {event: func(c *telling) {
			c.about(workload("", nil)).OnDelete(toolscache.DeletedFinalStateUnknown{Key: "a/b/c"})
		}, ehr: 2, pharmacy: 2},
		"an exception is decided": {event: func(c *telling) { c.about(exception).OnUpdate(exception, exception) }, ehr: 2, pharmacy: 1},
		"a profile changes":       {event: func(c *telling) { c.about(profile).OnUpdate(profile, profile) }, ehr: 2, pharmacy: 2},
		"the namespace changes": {event: func(c *telling) {
			c.about(&corev1.Namespace{}).OnUpdate(phiNamespace("ehr"), phiNamespace("ehr"))
		}, ehr: 2, pharmacy: 1},
		"another namespace changes": {event: func(c *telling) { c.about(&corev1.Namespace{}).OnAdd(phiNamespace("lab"), false) }, ehr: 1, pharmacy: 1},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			cached := newTelling(t, phiNamespace("ehr"), phiNamespace("pharmacy"), profile, workload("api", nil))
			loader := keeping(t, cached, reader(t))
			for _, namespace := range []string{"ehr", "pharmacy", "ehr", "pharmacy"} {
				scene(t, loader, namespace)
			}
			test.event(cached)
			scene(t, loader, "ehr")
			scene(t, loader, "pharmacy")
			if diff := cmp.Diff(map[string]int{"ehr": test.ehr, "pharmacy": test.pharmacy}, cached.read); diff != "" {
				t.Errorf("scenes read (-want +got):\n%s", diff)
			}
		})
	}
}

func TestWhatWasReadLiveIsNotKept(t *testing.T) {
	profile := &hipaav1.ComplianceProfile{ObjectMeta: metav1.ObjectMeta{Name: "strict"}}
	tests := map[string][]client.Object{
		"the namespace":              {profile},
		"the label of the namespace": {profile, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "ehr"}}},
		"the profiles":               {phiNamespace("ehr")},
	}
	for name, cached := range tests {
		t.Run(name, func(t *testing.T) {
			cached := newTelling(t, cached...)
			loader := keeping(t, cached, reader(t, phiNamespace("ehr"), profile))
			scene(t, loader, "ehr")
			scene(t, loader, "ehr")
			if got := cached.read["ehr"]; got != 2 {
				t.Errorf("read the scene %d times, want 2", got)
			}
		})
	}
}

func TestASceneThatChangesWhileItIsReadIsNotKept(t *testing.T) {
	cached := newTelling(t, phiNamespace("ehr"), &hipaav1.ComplianceProfile{ObjectMeta: metav1.ObjectMeta{Name: "strict"}})
	loader := keeping(t, cached, reader(t))
	declared := workload("api", nil)
	cached.whileReading = func() {
		cached.whileReading = nil
		if err := cached.Create(t.Context(), declared); err != nil {
			t.Error(err)
		}
		cached.about(declared).OnAdd(declared, false)
	}
	if got := len(scene(t, loader, "ehr").Workloads); got != 0 {
		t.Fatalf("the first scene has %d workloads: it was not read before the change", got)
	}
	if got := len(scene(t, loader, "ehr").Workloads); got != 1 {
		t.Errorf("%d workloads after the event, want 1", got)
	}
}

func TestASceneIsItsReadersOwn(t *testing.T) {
	cached := newTelling(t, phiNamespace("ehr"), &hipaav1.ComplianceProfile{ObjectMeta: metav1.ObjectMeta{Name: "strict"}})
	loader := keeping(t, cached, reader(t, workload("api", nil)))
	for range 2 { // the one who reads it and the one who gets what was kept
		sc := scene(t, loader, "ehr")
		if err := loader.WorkloadsLive(t.Context(), sc); err != nil || len(sc.Workloads) != 1 {
			t.Fatalf("%d workloads live, want 1: %v", len(sc.Workloads), err)
		}
		if got := len(scene(t, loader, "ehr").Workloads); got != 0 {
			t.Errorf("what one request read live, another sees: %d workloads", got)
		}
	}
}

func TestNoSceneOutlivesAnEventWhileManyRead(t *testing.T) {
	cached := newTelling(t, phiNamespace("ehr"), &hipaav1.ComplianceProfile{ObjectMeta: metav1.ObjectMeta{Name: "strict"}})
	loader := keeping(t, cached, reader(t))
	stop := make(chan struct{})
	var readers sync.WaitGroup
	for range 4 {
		readers.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				if _, err := loader.Scene(t.Context(), "ehr"); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	for i := range 100 {
		declared := workload(fmt.Sprintf("api-%03d", i), nil)
		if err := cached.Create(t.Context(), declared); err != nil {
			t.Fatal(err)
		}
		cached.about(declared).OnAdd(declared, false)
		if got := len(scene(t, loader, "ehr").Workloads); got != i+1 {
			t.Fatalf("%d workloads after event %d", got, i+1)
		}
	}
	close(stop)
	readers.Wait()
}
