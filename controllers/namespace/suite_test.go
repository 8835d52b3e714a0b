package namespace_test

import (
	"context"
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
	"github.com/hipaa-operator/hipaa-operator/controllers"
	"github.com/hipaa-operator/hipaa-operator/controllers/controllerstest"
	"github.com/hipaa-operator/hipaa-operator/internal/control/catalog"
	"github.com/hipaa-operator/hipaa-operator/internal/phitest"
)

func TestController(t *testing.T) { controllerstest.RunSuite(t, "Namespaces") }

const (
	patience = controllerstest.Patience
	interval = controllerstest.Interval
	awhile   = controllerstest.Awhile
	deny     = "hipaa-default-deny"
)

var (
	cluster  *controllerstest.Cluster
	operator *controllerstest.Operator
	count    atomic.Int64
)

var _ = BeforeSuite(func() {
	cluster = controllerstest.StartSuite()
	operator = cluster.StartOperator(catalog.All(), controllers.Dependencies{})
})

func newNamespace(ctx context.Context, labels ...string) *corev1.Namespace {
	GinkgoHelper()
	n := phitest.Namespace(fmt.Sprintf("ehr-%d", count.Add(1)))
	for i := 0; i+1 < len(labels); i += 2 {
		n.Label(labels[i], labels[i+1])
	}
	namespace := n.Label("place", n.Obj().Name).Obj()
	return controllerstest.Create(ctx, cluster, namespace)
}

func govern(ctx context.Context, n *corev1.Namespace, mode hipaav1.Mode) *hipaav1.ComplianceProfile {
	GinkgoHelper()
	profile := phitest.Profile(n.Name).Selecting("place", n.Name).Mode(mode).Obj()
	Expect(cluster.Admin.Create(ctx, profile)).To(Succeed())
	DeferCleanup(func(ctx context.Context) { _ = cluster.Admin.Delete(ctx, profile) })
	return profile
}

// owned lists the policies of the namespace.
func owned(ctx context.Context, n *corev1.Namespace) func() []string {
	return func() []string {
		var list networkingv1.NetworkPolicyList
		if err := cluster.Admin.List(ctx, &list, client.InNamespace(n.Name)); err != nil {
			return []string{err.Error()}
		}
		names := []string{}
		for i := range list.Items {
			names = append(names, list.Items[i].Name)
		}
		return names
	}
}

// told lists the events about the namespace, and about what is in it.
func told(ctx context.Context, n *corev1.Namespace) func() []string {
	return func() []string {
		var list eventsv1.EventList
		if err := cluster.Admin.List(ctx, &list); err != nil {
			return []string{err.Error()}
		}
		reasons := []string{}
		for i := range list.Items {
			if list.Items[i].Namespace == n.Name || list.Items[i].Regarding.Kind == "Namespace" && list.Items[i].Regarding.Name == n.Name {
				reasons = append(reasons, list.Items[i].Reason)
			}
		}
		slices.Sort(reasons)
		return reasons
	}
}

func defaultDeny(n *corev1.Namespace) *networkingv1.NetworkPolicy {
	return &networkingv1.NetworkPolicy{ObjectMeta: metav1.ObjectMeta{Namespace: n.Name, Name: deny}}
}

func widen(ctx context.Context, n *corev1.Namespace) {
	GinkgoHelper()
	policy := defaultDeny(n)
	Expect(cluster.Admin.Get(ctx, client.ObjectKeyFromObject(policy), policy)).To(Succeed())
	policy.Spec.Ingress = []networkingv1.NetworkPolicyIngressRule{{}}
	Expect(cluster.Admin.Update(ctx, policy, client.FieldOwner("kubectl-edit"))).To(Succeed())
}

func unlabel(ctx context.Context, n *corev1.Namespace) {
	GinkgoHelper()
	Expect(cluster.Admin.Get(ctx, client.ObjectKeyFromObject(n), n)).To(Succeed())
	delete(n.Labels, hipaav1.LabelPHI)
	Expect(cluster.Admin.Update(ctx, n)).To(Succeed())
}

// declare gives back the label that unlabel took.
func declare(ctx context.Context, n *corev1.Namespace) {
	GinkgoHelper()
	Expect(cluster.Admin.Get(ctx, client.ObjectKeyFromObject(n), n)).To(Succeed())
	n.Labels[hipaav1.LabelPHI] = hipaav1.LabelPHIValue
	Expect(cluster.Admin.Update(ctx, n)).To(Succeed())
}

// force takes a workload away without waiting for its pods.
func force(ctx context.Context, w *hipaav1.PHIWorkload) {
	GinkgoHelper()
	Expect(cluster.Admin.Delete(ctx, w)).To(Succeed())
	Eventually(func() error {
		if err := cluster.Admin.Get(ctx, client.ObjectKeyFromObject(w), w); err != nil {
			return client.IgnoreNotFound(err)
		}
		w.Finalizers = nil
		return cluster.Admin.Update(ctx, w)
	}, patience, interval).Should(Succeed())
}

// change changes a profile, and waits until no pass judges by what it was: the
// controller has one worker, and closing another namespace comes after.
func change(ctx context.Context, profile *hipaav1.ComplianceProfile, how func(*hipaav1.ComplianceProfile)) {
	GinkgoHelper()
	controllerstest.UpdateProfile(ctx, cluster, profile, how)
	other := newNamespace(ctx)
	govern(ctx, other, hipaav1.ModeEnforce)
	Eventually(owned(ctx, other), patience, interval).Should(ConsistOf(deny))
}

func pause(ctx context.Context, profile *hipaav1.ComplianceProfile, until time.Time) {
	GinkgoHelper()
	change(ctx, profile, func(p *hipaav1.ComplianceProfile) {
		p.Spec.Pause = &hipaav1.Pause{Reason: "a migration", Until: metav1.NewTime(until)}
	})
}

// relabel changes a label that means nothing.
func relabel(ctx context.Context, n *corev1.Namespace) {
	GinkgoHelper()
	Expect(cluster.Admin.Get(ctx, client.ObjectKeyFromObject(n), n)).To(Succeed())
	n.Labels["colour"] = fmt.Sprint(count.Add(1))
	Expect(cluster.Admin.Update(ctx, n)).To(Succeed())
}

func ready(ctx context.Context, n *corev1.Namespace, workload string) func() metav1.ConditionStatus {
	return func() metav1.ConditionStatus {
		w := &hipaav1.PHIWorkload{}
		if err := cluster.Admin.Get(ctx, types.NamespacedName{Namespace: n.Name, Name: workload}, w); err != nil {
			return metav1.ConditionStatus(err.Error())
		}
		c := meta.FindStatusCondition(w.Status.Conditions, hipaav1.ConditionReady)
		if c == nil {
			return "none"
		}
		return c.Status
	}
}
