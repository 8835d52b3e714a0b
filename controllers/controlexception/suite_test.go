package controlexception_test

import (
	"context"
	"path/filepath"
	"slices"
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
	ctrllog "sigs.k8s.io/controller-runtime/pkg/log"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
	"github.com/hipaa-operator/hipaa-operator/controllers"
	"github.com/hipaa-operator/hipaa-operator/controllers/controllerstest"
	"github.com/hipaa-operator/hipaa-operator/internal/control/catalog"
	"github.com/hipaa-operator/hipaa-operator/internal/engine"
	"github.com/hipaa-operator/hipaa-operator/internal/phitest"
)

func TestController(t *testing.T) {
	if missing := controllerstest.MissingAssets(); missing != "" {
		t.Skip(missing)
	}
	RegisterFailHandler(Fail)
	RunSpecs(t, "ControlExceptions on a real API server")
}

var cluster *controllerstest.Cluster

const (
	patience  = 15 * time.Second
	interval  = 20 * time.Millisecond
	namespace = phitest.DefaultNamespace
)

var _ = BeforeSuite(func(ctx context.Context) {
	ctrllog.SetLogger(logr.Discard())
	judge, err := engine.New(catalog.All())
	Expect(err).NotTo(HaveOccurred())
	cluster, err = controllerstest.Start(filepath.Join("..", ".."))
	Expect(err).NotTo(HaveOccurred())
	DeferCleanup(func() error { return cluster.Stop() })
	Expect(cluster.Admin.Create(ctx, phitest.Namespace(namespace).Obj())).To(Succeed())
	operator, err := cluster.Run(controllers.Dependencies{Engine: judge, Clock: clock.RealClock{}})
	Expect(err).NotTo(HaveOccurred())
	DeferCleanup(operator.Stop)
})

func exception(name, workload string, left time.Duration) *hipaav1.ControlException {
	return phitest.Exception(name, workload, "pod-hardening").Expires(metav1.NewTime(time.Now().Add(left))).Obj()
}

// approve decides as admission would have stamped it.
func approve(ctx context.Context, x *hipaav1.ControlException) {
	GinkgoHelper()
	Eventually(func() error {
		if err := cluster.Admin.Get(ctx, client.ObjectKeyFromObject(x), x); err != nil {
			return err
		}
		digest, err := x.Spec.Digest()
		if err != nil {
			return err
		}
		w := &hipaav1.PHIWorkload{}
		if err := cluster.Admin.Get(ctx, client.ObjectKey{Namespace: x.Namespace, Name: x.Spec.WorkloadRef.Name}, w); err != nil {
			return err
		}
		now := metav1.Now()
		x.Status.Approval = &hipaav1.Approval{
			Decision: hipaav1.DecisionApproved, Approver: "officer@example.org", Time: &now, SpecDigest: digest, WorkloadUID: string(w.UID),
		}
		return cluster.Admin.Status().Update(ctx, x, client.FieldOwner("officer"))
	}, patience, interval).Should(Succeed())
}

func condition(ctx context.Context, x *hipaav1.ControlException, kind string) func() string {
	return func() string {
		if err := cluster.Admin.Get(ctx, client.ObjectKeyFromObject(x), x); err != nil {
			return err.Error()
		}
		c := meta.FindStatusCondition(x.Status.Conditions, kind)
		if c == nil || x.Status.ObservedGeneration != x.Generation {
			return "none"
		}
		return string(c.Status) + " " + c.Reason
	}
}

func told(ctx context.Context, x *hipaav1.ControlException) func() []string {
	return func() []string {
		var list eventsv1.EventList
		if err := cluster.Admin.List(ctx, &list, client.InNamespace(x.Namespace)); err != nil {
			return []string{err.Error()}
		}
		var reasons []string
		for i := range list.Items {
			if list.Items[i].Regarding.UID == x.UID {
				reasons = append(reasons, list.Items[i].Reason)
			}
		}
		slices.Sort(reasons)
		return reasons
	}
}

func keyOf(object client.Object) client.ObjectKey { return client.ObjectKeyFromObject(object) }
