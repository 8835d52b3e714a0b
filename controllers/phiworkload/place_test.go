package phiworkload_test

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
	"github.com/hipaa-operator/hipaa-operator/controllers/controllerstest"
	"github.com/hipaa-operator/hipaa-operator/internal/phitest"
)

var count atomic.Int64

// place is a PHI namespace of its own with a profile of its own.
type place struct{ name string }

func newPlace(ctx context.Context, profile *phitest.ProfileBuilder) place {
	GinkgoHelper()
	p := place{name: fmt.Sprintf("ehr-%d", count.Add(1))}
	create(ctx, phitest.Namespace(p.name).Label("place", p.name).Obj())
	if profile != nil {
		p.profile(ctx, profile)
	}
	return p
}

// base is a profile that leaves to others what needs an admission webhook, unless
// it is told otherwise.
func base(classification ...hipaav1.Mode) *phitest.ProfileBuilder {
	mode := hipaav1.ModeOff
	for _, m := range classification {
		mode = m
	}
	return phitest.Profile("").IsolationStated(metav1.NewTime(time.Now().Add(time.Hour))).
		DNSPods("k8s-app", "kube-dns").Officers().Control("data-classification", mode).Control("jurisdiction-tagging", hipaav1.ModeOff).
		Control("mutual-tls", hipaav1.ModeOff)
}

func (p place) profile(ctx context.Context, b *phitest.ProfileBuilder) *hipaav1.ComplianceProfile {
	GinkgoHelper()
	profile := b.Selecting("place", p.name).Obj()
	profile.Name = p.name
	create(ctx, profile)
	DeferCleanup(func(ctx context.Context) { _ = cluster.Admin.Delete(ctx, profile) })
	return profile
}

// changeProfile changes the profile of the place.
func (p place) changeProfile(ctx context.Context, change func(*hipaav1.ComplianceProfile)) {
	GinkgoHelper()
	controllerstest.UpdateProfile(ctx, cluster, &hipaav1.ComplianceProfile{ObjectMeta: metav1.ObjectMeta{Name: p.name}}, change)
}

func (p place) workload(name string) *phitest.WorkloadBuilder {
	return phitest.Workload(name).Namespace(p.name).Continuity(hipaav1.ContinuityBusiness)
}

func (p place) key(name string) types.NamespacedName {
	return types.NamespacedName{Namespace: p.name, Name: name}
}

func create[T client.Object](ctx context.Context, object T) T {
	GinkgoHelper()
	return controllerstest.Create(ctx, cluster, object)
}

func update[T client.Object](ctx context.Context, object T, change func(T)) {
	GinkgoHelper()
	controllerstest.Update(ctx, cluster, object, change)
}

func events(ctx context.Context, object client.Object) func() []string {
	return cluster.Events(ctx, object)
}

func approve(ctx context.Context, x *hipaav1.ControlException) {
	GinkgoHelper()
	cluster.Approve(ctx, x)
}

func get[T client.Object](ctx context.Context, object T, key types.NamespacedName) T {
	GinkgoHelper()
	Expect(cluster.Admin.Get(ctx, key, object)).To(Succeed())
	return object
}

func exists(ctx context.Context, object client.Object, key types.NamespacedName) bool {
	GinkgoHelper()
	err := cluster.Admin.Get(ctx, key, object)
	Expect(client.IgnoreNotFound(err)).To(Succeed())
	return !apierrors.IsNotFound(err)
}

func (p place) policy(ctx context.Context, name string) *networkingv1.NetworkPolicy {
	GinkgoHelper()
	return get(ctx, &networkingv1.NetworkPolicy{}, p.key(name))
}

// condition is status and reason in one line.
func (p place) condition(ctx context.Context, workload, kind string) func() string {
	return cluster.Condition(ctx, phitest.Workload(workload).Namespace(p.name).Obj(), kind)
}

func (p place) becomes(ctx context.Context, workload, kind, want string) {
	GinkgoHelper()
	Eventually(p.condition(ctx, workload, kind), patience, interval).Should(Equal(want), kind)
}

func (p place) stays(ctx context.Context, workload, kind, want string) {
	GinkgoHelper()
	Consistently(p.condition(ctx, workload, kind), awhile, interval).Should(Equal(want), kind)
}

// ready waits until the operator has done its work for the workload, whatever there
// is in force.
func (p place) ready(ctx context.Context, workload string) {
	GinkgoHelper()
	Eventually(p.condition(ctx, workload, hipaav1.ConditionReady), patience, interval).Should(HavePrefix("True "))
}

// settled waits until the workload is ready and what it owns is there.
func (p place) settled(ctx context.Context, workload string) {
	GinkgoHelper()
	p.ready(ctx, workload)
	p.becomes(ctx, workload, hipaav1.ConditionEnforced, "True Enforced")
	Eventually(func() bool {
		return exists(ctx, &networkingv1.NetworkPolicy{}, p.key("hipaa-"+workload)) && exists(ctx, &networkingv1.NetworkPolicy{}, p.key("hipaa-default-deny"))
	}, patience, interval).Should(BeTrue())
	p.calm(ctx, workload)
}

// calm waits until the status is written no more.
func (p place) calm(ctx context.Context, workload string) {
	GinkgoHelper()
	version, since := "", time.Now()
	Eventually(func() bool {
		now := get(ctx, &hipaav1.PHIWorkload{}, p.key(workload)).ResourceVersion
		if now != version {
			version, since = now, time.Now()
		}
		return time.Since(since) > 300*time.Millisecond
	}, patience, interval).Should(BeTrue())
}

func (p place) status(ctx context.Context, workload string) hipaav1.PHIWorkloadStatus {
	GinkgoHelper()
	return get(ctx, &hipaav1.PHIWorkload{}, p.key(workload)).Status
}

// drift lists the drift of a workload as object, path, who and state.
func (p place) drift(ctx context.Context, workload string) func() []string {
	return func() []string {
		w := &hipaav1.PHIWorkload{}
		if err := cluster.Admin.Get(ctx, p.key(workload), w); err != nil {
			return []string{err.Error()}
		}
		list := []string{}
		for _, d := range w.Status.Drift {
			list = append(list, fmt.Sprintf("%s %s by %s: %s", d.Object, d.Path, d.Who, d.State))
		}
		return list
	}
}

// lawful holds a workload to the laws of conditions.
func (p place) lawful(ctx context.Context, workloads ...string) {
	GinkgoHelper()
	for _, name := range workloads {
		phitest.ExpectLawfulConditions(GinkgoT(), get(ctx, &hipaav1.PHIWorkload{}, p.key(name)))
	}
}

// open lets everybody in to the pods with app=name.
func (p place) open(name, app string) *networkingv1.NetworkPolicy {
	return phitest.Policy(name).Namespace(p.name).Selecting("app", app).Ingress(nil).Obj()
}

func (p place) pod(name string) *phitest.PodBuilder {
	return phitest.Pod(name).Namespace(p.name)
}

func nameOf(p place) types.NamespacedName { return types.NamespacedName{Name: p.name} }

// label sets a label of a namespace; an empty value takes it away.
func label(ctx context.Context, name types.NamespacedName, key, value string) {
	GinkgoHelper()
	update(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name.Name}}, func(n *corev1.Namespace) {
		if value == "" {
			delete(n.Labels, key)
			return
		}
		n.Labels[key] = value
	})
}

func quantity(text string) resource.Quantity { return resource.MustParse(text) }
