package complianceprofile_test

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	. "github.com/onsi/ginkgo/v2"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
	"github.com/hipaa-operator/hipaa-operator/controllers"
	"github.com/hipaa-operator/hipaa-operator/controllers/controllerstest"
	"github.com/hipaa-operator/hipaa-operator/internal/control/catalog"
)

func TestController(t *testing.T) { controllerstest.RunSuite(t, "ComplianceProfiles") }

const (
	patience = controllerstest.Patience
	interval = controllerstest.Interval
)

var (
	cluster   *controllerstest.Cluster
	admission = &guard{changed: make(chan event.GenericEvent, 1)}
)

var _ = BeforeSuite(func() {
	cluster = controllerstest.StartSuite()
	admission.becomes(metav1.ConditionTrue, hipaav1.ReasonAsInstalled)
	cluster.StartOperator(catalog.All(), controllers.Dependencies{Guard: admission, GuardChanged: admission.changed})
})

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

// counts are namespaces, workloads and those that preview.
func counts(ctx context.Context, p *hipaav1.ComplianceProfile) func() []int32 {
	return func() []int32 {
		if err := cluster.Admin.Get(ctx, client.ObjectKeyFromObject(p), p); err != nil || p.Status.Namespaces == nil {
			return nil
		}
		return []int32{*p.Status.Namespaces, *p.Status.Workloads, *p.Status.Previewing}
	}
}

// create makes an object that goes when the spec ends.
func create[T client.Object](ctx context.Context, object T) T {
	GinkgoHelper()
	DeferCleanup(func(ctx context.Context) { _ = cluster.Admin.Delete(ctx, object) })
	return controllerstest.Create(ctx, cluster, object)
}
