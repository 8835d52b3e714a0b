package phiworkload_test

import (
	"context"
	"slices"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
	"github.com/hipaa-operator/hipaa-operator/internal/control"
	"github.com/hipaa-operator/hipaa-operator/internal/injection"
	"github.com/hipaa-operator/hipaa-operator/internal/phitest"
)

var _ = Describe("Pods whose traffic is redirected", Serial, func() {
	var (
		p place
		w *hipaav1.PHIWorkload
	)

	capture := func(ctx context.Context) func() hipaav1.CaptureMode {
		return func() hipaav1.CaptureMode {
			if proxy := p.status(ctx, "web").Proxy; proxy != nil {
				return proxy.Capture
			}
			return "none"
		}
	}
	ports := func(ctx context.Context) func() []int {
		return func() []int {
			var numbers []int
			for _, rule := range p.policy(ctx, "hipaa-web").Spec.Ingress {
				for _, port := range rule.Ports {
					numbers = append(numbers, port.Port.IntValue())
				}
			}
			return numbers
		}
	}
	verdicts := func(ctx context.Context) func() map[string]hipaav1.Verdict {
		return func() map[string]hipaav1.Verdict {
			found := map[string]hipaav1.Verdict{}
			for _, c := range p.status(ctx, "web").Controls {
				if c.ID == "mutual-tls" || c.ID == "pod-hardening" {
					found[c.ID] = c.Verdict
				}
			}
			return found
		}
	}
	running := func(ctx context.Context) (uids []types.UID) {
		for _, pod := range podsOf(ctx, p) {
			if pod.DeletionTimestamp.IsZero() {
				uids = append(uids, pod.UID)
			}
		}
		slices.Sort(uids)
		return uids
	}

	// The ReplicaSet has the template as admission would make it; its pods come as they run.
	BeforeEach(func(ctx context.Context) {
		p = newPlace(ctx, overdue().DNSAt("10.96.0.10/32", 53).With(func(spec *hipaav1.ComplianceProfileSpec) {
			spec.Controls = slices.DeleteFunc(spec.Controls, func(c hipaav1.ControlSetting) bool { return c.ID == "mutual-tls" })
			spec.Transmission = &hipaav1.TransmissionParameters{Proxy: &hipaav1.ProxyParameters{Capture: hipaav1.CaptureRedirect}}
		}))
		w = p.workload("web").Port("http", 8080).From(phitest.FromWorkload("portal")).Obj()
		w.Spec.Transmission = &hipaav1.WorkloadTransmission{Capture: hipaav1.CaptureRedirect}
		create(ctx, w)
		create(ctx, p.workload("portal").To(phitest.ToWorkload("web")).Obj())
		p.settled(ctx, "web")
		s := &control.Subject{Workload: get(ctx, &hipaav1.PHIWorkload{}, p.key("web")), Profile: &control.Profile{}, World: &control.World{Proxy: phitest.Proxy()}}
		s.Profile.Transmission.Proxy = &hipaav1.ProxyParameters{Capture: hipaav1.CaptureRedirect}
		pod := phitest.Pod("web").Of(w).Listens("http", 8080).With(func(pod *corev1.Pod) { pod.Spec.SecurityContext.RunAsUser = ptr.To[int64](65532) }).Obj()
		injection.PlanOf(s).Apply(pod)
		set := replicas(ctx, p, w, 0, pod)
		update(ctx, set, func(set *appsv1.ReplicaSet) {
			set.Spec.Template.Annotations, set.Spec.Replicas = pod.Annotations, ptr.To[int32](2)
		})
		Eventually(func() int { return readyPods(ctx, p) }, patience, interval).Should(Equal(2))
		Eventually(capture(ctx), patience, interval).Should(Equal(hipaav1.CaptureRedirect))
		Eventually(ports(ctx), patience, interval).Should(ConsistOf(8080, 18080))
	})

	It("are judged as they are, and stay, while an operator that has just started has no roots", func(ctx context.Context) {
		Eventually(verdicts(ctx), patience, interval).Should(Equal(map[string]hipaav1.Verdict{"mutual-tls": hipaav1.VerdictPass, "pod-hardening": hipaav1.VerdictPass}))
		before := running(ctx)
		Expect(before).To(HaveLen(2))
		Expect(operator.Stop()).To(Succeed())
		unpublished.Store(true)
		DeferCleanup(func() {
			unpublished.Store(false)
			Expect(operator.Stop()).To(Succeed())
			startOperator()
		})
		startOperator()
		Eventually(verdicts(ctx), patience, interval).Should(Equal(map[string]hipaav1.Verdict{"mutual-tls": hipaav1.VerdictUnknown, "pod-hardening": hipaav1.VerdictPass}))
		Consistently(func() []types.UID { return running(ctx) }, awhile, interval).Should(Equal(before))
		p.becomes(ctx, "web", hipaav1.ConditionPodsProtected, "True PodsAdmitted")
	})

	It("go on where names are asked for again, once the application's own ports are closed", func(ctx context.Context) {
		before := running(ctx)
		update(ctx, w, func(w *hipaav1.PHIWorkload) { w.Spec.Transmission = nil })
		Eventually(capture(ctx), patience, interval).Should(BeEmpty())
		Expect(ports(ctx)()).To(ConsistOf(18080), "before anybody may come without rules")
		Eventually(func() []string {
			var settings []string
			for _, known := range get(ctx, &hipaav1.Backstop{}, p.key(hipaav1.BackstopName)).Spec.Workloads {
				settings = append(settings, known.Controls["pod-hardening"].Settings...)
			}
			return settings
		}, patience, interval).Should(BeEmpty(), "the API server lets no new pod have rules")
		Eventually(verdicts(ctx), patience, interval).Should(Equal(map[string]hipaav1.Verdict{"mutual-tls": hipaav1.VerdictPass, "pod-hardening": hipaav1.VerdictPass}))
		Consistently(func() []types.UID { return running(ctx) }, awhile, interval).Should(Equal(before))
		p.calm(ctx, "web")
		p.lawful(ctx, "web")
	})
})
