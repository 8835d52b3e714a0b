package namespace_test

import (
	"context"
	"fmt"
	"slices"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
	"github.com/hipaa-operator/hipaa-operator/controllers"
	"github.com/hipaa-operator/hipaa-operator/controllers/controllerstest"
	"github.com/hipaa-operator/hipaa-operator/internal/control/catalog"
	"github.com/hipaa-operator/hipaa-operator/internal/phitest"
)

// Nothing refuses these pods: admission is not there, as in a pause or an outage.
var _ = Describe("A pod that nobody declared", Serial, func() {
	var (
		n       *corev1.Namespace
		profile *hipaav1.ComplianceProfile
	)
	// listed is what the profile's status says of the namespace.
	listed := func(ctx context.Context) func() string {
		return func() string {
			if err := cluster.Admin.Get(ctx, client.ObjectKeyFromObject(profile), profile); err != nil {
				return err.Error()
			}
			counts := profile.Status.Undeclared
			if counts == nil {
				return "none"
			}
			return fmt.Sprintf("%d in %d, %s %d", counts.Pods, counts.Namespaces, counts.In[0].Namespace, counts.In[0].Pods)
		}
	}
	// named are the pods that events name, each as often as it is named.
	named := func(ctx context.Context) func() []string {
		return func() []string {
			var list eventsv1.EventList
			if err := cluster.Admin.List(ctx, &list, client.InNamespace(n.Name)); err != nil {
				return []string{err.Error()}
			}
			pods := []string{}
			for i := range list.Items {
				if e := &list.Items[i]; e.Reason == hipaav1.EventPodUndeclared {
					Expect(e.Regarding.Kind).To(Equal("Pod"))
					Expect(e.Series).To(BeNil(), "it is told once")
					pods = append(pods, e.Regarding.Name)
				}
			}
			slices.Sort(pods)
			return pods
		}
	}
	BeforeEach(func(ctx context.Context) {
		n = newNamespace(ctx)
		profile = govern(ctx, n, hipaav1.ModeEnforce)
		Eventually(owned(ctx, n), patience, interval).Should(ConsistOf(deny))
		Expect(listed(ctx)()).To(Equal("none"))
	})
	run := func(ctx context.Context, name, app string) *corev1.Pod {
		GinkgoHelper()
		return controllerstest.Create(ctx, cluster, phitest.Pod(name).Namespace(n.Name).Label("app", app).Obj())
	}

	It("is counted and named once, though the namespace is closed, and until somebody declares it", func(ctx context.Context) {
		w := controllerstest.Create(ctx, cluster, phitest.Workload("web").Namespace(n.Name).Obj())
		run(ctx, "declared", "web")
		run(ctx, "stray-1", "api")
		Eventually(listed(ctx), patience, interval).Should(Equal("1 in 1, " + n.Name + " 1"))
		Eventually(named(ctx), patience, interval).Should(Equal([]string{"stray-1"}))
		second := run(ctx, "stray-2", "api")
		Eventually(listed(ctx), patience, interval).Should(Equal("2 in 1, " + n.Name + " 2"))
		Eventually(named(ctx), patience, interval).Should(Equal([]string{"stray-1", "stray-2"}))
		Expect(profile.Status.Undeclared.In[0].LastCreated.Time).To(BeTemporally("==", second.CreationTimestamp.Time))
		Expect(owned(ctx, n)()).To(ContainElement(deny), "nobody opens a namespace by a pod")

		By("a pod that finishes, and one that leaves the workload that it was declared by")
		second.Status.Phase = corev1.PodSucceeded
		Expect(cluster.Admin.Status().Update(ctx, second)).To(Succeed())
		Eventually(listed(ctx), patience, interval).Should(Equal("1 in 1, " + n.Name + " 1"))
		left := run(ctx, "left", "web")
		controllerstest.Update(ctx, cluster, left, func(p *corev1.Pod) { p.Labels = map[string]string{"app": "free"} })
		Eventually(named(ctx), patience, interval).Should(Equal([]string{"left", "stray-1", "stray-2"}))
		Expect(cluster.Admin.Delete(ctx, left, client.GracePeriodSeconds(0))).To(Succeed())

		controllerstest.Create(ctx, cluster, phitest.Workload("api").Namespace(n.Name).Obj())
		Eventually(listed(ctx), patience, interval).Should(Equal("none"))
		force(ctx, w)
		Eventually(listed(ctx), patience, interval).Should(Equal("1 in 1, " + n.Name + " 1"))
		phitest.ExpectLawfulConditions(GinkgoT(), profile)
	})

	It("makes nobody write while nothing changes, and after a restart only those are named that came meanwhile", func(ctx context.Context) {
		for i := range 30 { // more than are named at once
			run(ctx, fmt.Sprintf("stray-%02d", i), "api")
		}
		Eventually(named(ctx), patience, interval).Should(HaveLen(30))
		Eventually(listed(ctx), patience, interval).Should(Equal("30 in 1, " + n.Name + " 30"))
		before := len(cluster.Writes())
		relabel(ctx, n)
		Consistently(func() []string { return cluster.Writes()[before:] }, 2*awhile, interval).Should(BeEmpty())

		Expect(operator.Stop()).To(Succeed())
		controllerstest.Age(get(ctx, n, "stray-29"))
		run(ctx, "meanwhile", "api")
		Expect(cluster.Admin.Delete(ctx, get(ctx, n, "stray-00"), client.GracePeriodSeconds(0))).To(Succeed())
		operator = cluster.StartOperator(catalog.All(), controllers.Dependencies{})
		Eventually(named(ctx), patience, interval).Should(ContainElement("meanwhile"))
		Consistently(named(ctx), 2*awhile, interval).Should(HaveLen(31))
		Eventually(func() time.Time {
			Expect(listed(ctx)()).To(Equal("30 in 1, " + n.Name + " 30"))
			return profile.Status.Undeclared.In[0].LastCreated.Time
		}, patience, interval).Should(BeTemporally("==", get(ctx, n, "meanwhile").CreationTimestamp.Time))
	})

	It("is reported where a profile lets it in, and where no profile governs, too", func(ctx context.Context) {
		change(ctx, profile, func(p *hipaav1.ComplianceProfile) { p.Spec.UndeclaredPods = hipaav1.UndeclaredPodsAllow })
		run(ctx, "allowed", "api")
		Eventually(named(ctx), patience, interval).Should(Equal([]string{"allowed"}))
		Eventually(listed(ctx), patience, interval).Should(Equal("1 in 1, " + n.Name + " 1"))
		Expect(cluster.Admin.Delete(ctx, profile)).To(Succeed())
		run(ctx, "ungoverned", "api")
		Eventually(named(ctx), patience, interval).Should(Equal([]string{"allowed", "ungoverned"}))
		Expect(operator.Stop()).To(Succeed())
		before := len(cluster.Writes())
		operator = cluster.StartOperator(catalog.All(), controllers.Dependencies{})
		Consistently(func() []string { return cluster.Writes()[before:] }, 2*awhile, interval).ShouldNot(ContainElement(ContainSubstring(n.Name)),
			"no status remembers it, and yet it was told")
		unlabel(ctx, n)
		profile = govern(ctx, newNamespace(ctx), hipaav1.ModeEnforce)
		Consistently(listed(ctx), awhile, interval).Should(Equal("none"))
	})
})

func get(ctx context.Context, n *corev1.Namespace, name string) *corev1.Pod {
	GinkgoHelper()
	pod := &corev1.Pod{}
	Expect(cluster.Admin.Get(ctx, client.ObjectKey{Namespace: n.Name, Name: name}, pod)).To(Succeed())
	return pod
}
