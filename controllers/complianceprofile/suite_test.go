package complianceprofile_test

import (
	"context"
	"path/filepath"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-logr/logr"
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	eventsv1 "k8s.io/api/events/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	ctrllog "sigs.k8s.io/controller-runtime/pkg/log"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
	"github.com/hipaa-operator/hipaa-operator/controllers"
	"github.com/hipaa-operator/hipaa-operator/controllers/controllerstest"
	"github.com/hipaa-operator/hipaa-operator/internal/control/catalog"
	"github.com/hipaa-operator/hipaa-operator/internal/engine"
)

func TestController(t *testing.T) {
	if missing := controllerstest.MissingAssets(); missing != "" {
		t.Skip(missing)
	}
	RegisterFailHandler(Fail)
	RunSpecs(t, "ComplianceProfiles on a real API server")
}

// guard is told by specs how admission stands.
type guard struct {
	condition atomic.Pointer[metav1.Condition]
	changed   chan event.GenericEvent
}

func (g *guard) Condition(time.Time) metav1.Condition { return *g.condition.Load() }

func (g *guard) becomes(status metav1.ConditionStatus, reason string) {
	g.condition.Store(&metav1.Condition{Status: status, Reason: reason, Message: "as the spec says"})
	select {
	case g.changed <- event.GenericEvent{}:
	default:
	}
}

var (
	cluster   *controllerstest.Cluster
	admission = &guard{changed: make(chan event.GenericEvent, 1)}
)

const (
	patience = 15 * time.Second
	interval = 20 * time.Millisecond
)

var _ = BeforeSuite(func() {
	ctrllog.SetLogger(logr.Discard())
	judge, err := engine.New(catalog.All())
	Expect(err).NotTo(HaveOccurred())
	cluster, err = controllerstest.Start(filepath.Join("..", ".."))
	Expect(err).NotTo(HaveOccurred())
	DeferCleanup(func() error { return cluster.Stop() })
	admission.becomes(metav1.ConditionTrue, hipaav1.ReasonAsInstalled)
	operator, err := cluster.Run(controllers.Dependencies{Engine: judge, Guard: admission, GuardChanged: admission.changed, Clock: clock.RealClock{}})
	Expect(err).NotTo(HaveOccurred())
	DeferCleanup(operator.Stop)
})

func condition(ctx context.Context, p *hipaav1.ComplianceProfile, kind string) func() string {
	return func() string {
		if err := cluster.Admin.Get(ctx, client.ObjectKeyFromObject(p), p); err != nil {
			return err.Error()
		}
		c := meta.FindStatusCondition(p.Status.Conditions, kind)
		if c == nil || p.Status.ObservedGeneration != p.Generation {
			return "none"
		}
		return string(c.Status) + " " + c.Reason
	}
}

// counts are namespaces, workloads and those that preview.
func counts(ctx context.Context, p *hipaav1.ComplianceProfile) func() []int32 {
	return func() []int32 {
		if err := cluster.Admin.Get(ctx, client.ObjectKeyFromObject(p), p); err != nil || p.Status.Namespaces == nil {
			return nil
		}
		return []int32{*p.Status.Namespaces, *p.Status.Workloads, *p.Status.Previewing}
	}
}

func told(ctx context.Context, p *hipaav1.ComplianceProfile) func() []string {
	return func() []string {
		var list eventsv1.EventList
		if err := cluster.Admin.List(ctx, &list, client.InNamespace(metav1.NamespaceDefault)); err != nil {
			return []string{err.Error()}
		}
		var reasons []string
		for i := range list.Items {
			if list.Items[i].Regarding.UID == p.UID {
				reasons = append(reasons, list.Items[i].Reason)
			}
		}
		slices.Sort(reasons)
		return reasons
	}
}

func create[T client.Object](ctx context.Context, object T) T {
	GinkgoHelper()
	Expect(cluster.Admin.Create(ctx, object)).To(Succeed())
	DeferCleanup(func(ctx context.Context) { _ = cluster.Admin.Delete(ctx, object) })
	return object
}

func update(ctx context.Context, p *hipaav1.ComplianceProfile, change func(*hipaav1.ComplianceProfile)) {
	GinkgoHelper()
	Eventually(func() error {
		if err := cluster.Admin.Get(ctx, client.ObjectKeyFromObject(p), p); err != nil {
			return err
		}
		change(p)
		return cluster.Admin.Update(ctx, p)
	}, patience, interval).Should(Succeed())
}
