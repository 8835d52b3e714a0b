package admission_test

import (
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
	"github.com/hipaa-operator/hipaa-operator/internal/phitest"
)

var _ = Describe("A pod in a PHI namespace", func() {
	var (
		ns     string
		tenant *person
	)
	BeforeEach(func(ctx SpecContext) {
		tenant = as("tess@example.org")
		ns = namespace(ctx, "enforce")
		declare(ctx, ns, "patient-api")
	})
	pod := func() *phitest.PodBuilder { return phitest.Pod("patient-api").Namespace(ns) }

	It("is refused with every reason at once, each with its remedy", func(ctx SpecContext) {
		bad := pod().Unhardened().Label(hipaav1.DefaultOwnerKey, "someone-else").With(func(p *corev1.Pod) {
			p.Spec.HostNetwork = true
			p.Spec.Containers[0].SecurityContext = &corev1.SecurityContext{Privileged: ptr.To(true)}
		}).Mounts("data", "no-such-claim").Obj()
		err := tenant.Create(ctx, bad)
		Expect(apierrors.IsForbidden(err)).To(BeTrue(), "%v", err)
		text := err.Error()
		AddReportEntry("refusal", text)
		Expect(text).To(HavePrefix(`admission webhook "pods.hipaa-operator.io" denied the request: pod "patient-api" in PHI namespace "` + ns + `" lacks `))
		for _, want := range []string{"data-classification", "pod-hardening", "volume-encryption", "45 CFR 164.3", "spec.containers[0]", "no-such-claim", "ControlException"} {
			Expect(text).To(ContainSubstring(want))
		}
		lines := strings.Split(text, "\n")
		Expect(len(lines)).To(BeNumerically(">", 5))
		Expect(tenant.Get(ctx, client.ObjectKeyFromObject(bad), &corev1.Pod{})).To(MatchError(apierrors.IsNotFound, "is not there"))
	})

	It("is admitted and labelled when it has its safeguards", func(ctx SpecContext) {
		good := pod().Obj()
		Expect(tenant.Create(ctx, good)).To(Succeed())
		Expect(good.Labels).To(HaveKeyWithValue(hipaav1.LabelWorkload, "patient-api"))
		Expect(good.Labels).To(HaveKeyWithValue(hipaav1.DefaultOwnerKey, phitest.Team))
		Expect(good.Labels).To(HaveKeyWithValue("app", "patient-api"))
		Expect(tenant.warned.texts).To(BeEmpty())
	})

	It("is answered in a dry run as it would be, and nothing is stored", func(ctx SpecContext) {
		good := pod().Obj()
		Expect(tenant.Create(ctx, good, client.DryRunAll)).To(Succeed())
		Expect(good.Labels).To(HaveKeyWithValue(hipaav1.LabelWorkload, "patient-api"))
		Expect(tenant.Create(ctx, pod().Unhardened().Obj(), client.DryRunAll)).To(MatchError(ContainSubstring("pod-hardening")))
		Expect(tenant.Get(ctx, client.ObjectKeyFromObject(good), &corev1.Pod{})).To(MatchError(apierrors.IsNotFound, "is not there"))
	})

	It("of a known application is told when unused sessions end, where a profile asks for it and no care depends on it", func(ctx SpecContext) {
		asks := phitest.Profile(ns).Selecting(corev1.LabelMetadataName, ns).Sessions(10*time.Minute, 0).
			With(func(p *hipaav1.ComplianceProfileSpec) { p.Session.Settings = hipaav1.SessionSettingsComplete }).Obj()
		Expect(admin.Create(ctx, asks)).To(Succeed())
		DeferCleanup(func(ctx SpecContext) { Expect(admin.Delete(ctx, asks)).To(Succeed()) })
		for name, continuity := range map[string]hipaav1.Continuity{"board": hipaav1.ContinuityBusiness, "ward": hipaav1.ContinuityPatientCare} {
			Expect(admin.Create(ctx, phitest.Workload(name).Namespace(ns).Continuity(continuity).From(phitest.FromGateway("ingress-nginx")).Obj())).To(Succeed())
		}
		told := func(name string) func() []corev1.EnvVar {
			return func() []corev1.EnvVar {
				p := phitest.Pod(name).Namespace(ns).With(func(p *corev1.Pod) { p.Spec.Containers[0].Image = "grafana/grafana:12.1.0" }).Obj()
				if err := tenant.Create(ctx, p, client.DryRunAll); err != nil {
					return []corev1.EnvVar{{Name: err.Error()}}
				}
				return p.Spec.Containers[0].Env
			}
		}
		Eventually(told("board")).Should(ConsistOf(corev1.EnvVar{Name: "GF_AUTH_LOGIN_MAXIMUM_INACTIVE_LIFETIME_DURATION", Value: "10m"}))
		Expect(told("ward")()).To(BeEmpty())
	})

	It("is held to the limits of its PHIWorkload where they are shorter, and to none where machines alone are served and its profile takes the team's word", func(ctx SpecContext) {
		behind := func(name string, says hipaav1.WorkloadSession) *hipaav1.PHIWorkload {
			return phitest.Workload(name).Namespace(ns).From(phitest.FromGateway("ingress-nginx")).Session(says).Obj()
		}
		limit := func(d time.Duration) *metav1.Duration { return &metav1.Duration{Duration: d} }
		for message, says := range map[string]hipaav1.WorkloadSession{
			"is required where serves says that no people are served": {Serves: hipaav1.SessionPrincipalsMachines},
			"belongs to serves Machines or MonitoringStream":          {Reason: "nobody signs in here"},
			"limits are those of people's sessions":                   {Serves: hipaav1.SessionPrincipalsMonitoringStream, Reason: "telemetry of ward 4", IdleTimeout: limit(time.Hour)},
			"must be from 1m to 24h":                                  {IdleTimeout: limit(time.Second)},
		} {
			Expect(admin.Create(ctx, behind("odd", says), client.DryRunAll)).To(MatchError(ContainSubstring(message)))
		}
		for name, says := range map[string]hipaav1.WorkloadSession{
			"kiosk": {IdleTimeout: limit(2 * time.Minute), AbsoluteTimeout: limit(time.Hour)}, "office": {IdleTimeout: limit(8 * time.Hour)},
			"feed": {Serves: hipaav1.SessionPrincipalsMachines, Reason: "laboratories send results, each with a certificate"},
		} {
			Expect(admin.Create(ctx, behind(name, says))).To(Succeed())
		}
		attempt := func(name, idle string) error {
			return tenant.Create(ctx, phitest.Pod(name).Namespace(ns).Tells("SESSION_IDLE_TIMEOUT", idle).Obj(), client.DryRunAll)
		}
		Expect(attempt("kiosk", "2m")).To(Succeed())
		Expect(attempt("kiosk", "10m")).To(MatchError(ContainSubstring("is an idle limit of 10m, and the profile asks for 2m")))
		Expect(attempt("office", "10m")).To(Succeed())
		Expect(attempt("office", "1h")).To(MatchError(ContainSubstring("is an idle limit of 1h, and the profile asks for 15m")))
		Expect(attempt("feed", "1h")).To(MatchError(ContainSubstring("that no people are served is its team's word, which the profile does not take")))
		takes := phitest.Profile(ns).Selecting(corev1.LabelMetadataName, ns).Sessions(0, 0).
			With(func(p *hipaav1.ComplianceProfileSpec) { p.Session.WithoutPeople = hipaav1.SessionsWithoutPeopleStated }).Obj()
		Expect(admin.Create(ctx, takes)).To(Succeed())
		DeferCleanup(func(ctx SpecContext) { Expect(admin.Delete(ctx, takes)).To(Succeed()) })
		Eventually(func() error { return attempt("feed", "1h") }).Should(Succeed())
	})

	It("is told to look at its database's certificate only where a volume holds that of the authority", func(ctx SpecContext) {
		asks := phitest.Profile(ns).Selecting(corev1.LabelMetadataName, ns).DatabaseSettingsCompleted().Obj()
		Expect(admin.Create(ctx, asks)).To(Succeed())
		DeferCleanup(func(ctx SpecContext) { Expect(admin.Delete(ctx, asks)).To(Succeed()) })
		for name, key := range map[string]string{"authority": "ca.crt", "another": "root.crt"} {
			Expect(tenant.Create(ctx, &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: ns}, Data: map[string]string{key: "a certificate"}})).To(Succeed())
		}
		mode := func(volume string) func() string {
			return func() string {
				p := pod().With(func(p *corev1.Pod) {
					first := &p.Spec.Containers[0]
					first.Env = append(first.Env, corev1.EnvVar{Name: "PGHOST", Value: "patient-db"}, corev1.EnvVar{Name: "PGSSLROOTCERT", Value: "/run/db/ca.crt"})
					first.VolumeMounts = append(first.VolumeMounts, corev1.VolumeMount{Name: volume, MountPath: "/run/db"})
					p.Spec.Volumes = append(p.Spec.Volumes, corev1.Volume{Name: volume, VolumeSource: corev1.VolumeSource{
						ConfigMap: &corev1.ConfigMapVolumeSource{LocalObjectReference: corev1.LocalObjectReference{Name: volume}},
					}})
				}).Obj()
				if err := tenant.Create(ctx, p, client.DryRunAll); err != nil {
					return err.Error()
				}
				return p.Spec.Containers[0].Env[len(p.Spec.Containers[0].Env)-1].Value
			}
		}
		Eventually(mode("authority")).Should(Equal("verify-full"))
		Expect(mode("another")()).To(And(
			ContainSubstring(`PGSSLMODE is not added: PGSSLROOTCERT names a file that volume "another" does not hold for certain`),
			ContainSubstring("mount the certificate of the server's authority as the file that PGSSLROOTCERT names"),
		))
	})

	It("is refused when no PHIWorkload selects it", func(ctx SpecContext) {
		err := tenant.Create(ctx, phitest.Pod("stranger").Namespace(ns).Obj())
		Expect(err).To(MatchError(And(ContainSubstring("undeclared-pod"), ContainSubstring("declare a PHIWorkload whose selector matches them"))))
	})

	It("is admitted at once after its PHIWorkload, whatever the cache knows", func(ctx SpecContext) {
		fresh := namespace(ctx, "enforce")
		declare(ctx, fresh, "patient-api")
		Expect(tenant.Create(ctx, phitest.Pod("patient-api").Namespace(fresh).Obj())).To(Succeed())
	})

	It("is refused in a namespace that no profile governs, with that sentence", func(ctx SpecContext) {
		ungoverned := namespace(ctx, "nobody")
		declare(ctx, ungoverned, "patient-api")
		err := tenant.Create(ctx, phitest.Pod("patient-api").Namespace(ungoverned).Obj())
		Expect(err).To(MatchError(ContainSubstring("no ComplianceProfile governs the namespace")))
	})

	It("is admitted with warnings in mode Warn", func(ctx SpecContext) {
		warned := namespace(ctx, "warn")
		declare(ctx, warned, "patient-api")
		Expect(tenant.Create(ctx, phitest.Pod("patient-api").Namespace(warned).Unhardened().Obj())).To(Succeed())
		Expect(tenant.warned.texts).To(ContainElement(HavePrefix("pod-hardening (45 CFR 164.312(a)(1)): ")))
	})

	It("is admitted with warnings while its workload is Previewing", func(ctx SpecContext) {
		w := declare(ctx, ns, "legacy")
		w.Status.Stage = hipaav1.StagePreviewing
		Expect(as(manager, "system:masters").Status().Update(ctx, w)).To(Succeed())
		Eventually(func() error {
			return tenant.Create(ctx, phitest.Pod("legacy").Namespace(ns).Unhardened().Obj())
		}).Should(Succeed())
		Expect(tenant.warned.texts).To(ContainElement(ContainSubstring("pod-hardening")))
	})

	Context("that runs", func() {
		var running *corev1.Pod
		BeforeEach(func(ctx SpecContext) {
			running = pod().Obj()
			Expect(tenant.Create(ctx, running)).To(Succeed())
		})

		It("keeps the labels by which it is protected", func(ctx SpecContext) {
			stray := running.DeepCopy()
			stray.Labels["app"] = "elsewhere"
			Expect(tenant.Update(ctx, stray)).To(MatchError(ContainSubstring("undeclared-pod")))
			Expect(tenant.Status().Update(ctx, stray)).To(MatchError(ContainSubstring("undeclared-pod")))
		})

		It("keeps the labels that admission gave it", func(ctx SpecContext) {
			stray := running.DeepCopy()
			stray.Labels[hipaav1.DefaultOwnerKey] = "someone-else"
			Expect(tenant.Update(ctx, stray)).To(MatchError(ContainSubstring("are set at its admission")))
			Expect(tenant.Status().Update(ctx, stray)).To(MatchError(ContainSubstring("are set at its admission")))
			delete(stray.Labels, hipaav1.DefaultOwnerKey)
			delete(stray.Labels, hipaav1.LabelWorkload)
			Expect(tenant.Update(ctx, stray)).To(MatchError(ContainSubstring("are set at its admission")))
		})

		It("may get other labels and annotations", func(ctx SpecContext) {
			running.Labels["team"] = "blue"
			running.Annotations["note"] = "seen"
			Expect(tenant.Update(ctx, running)).To(Succeed())
		})

		It("gets no ephemeral container without safeguards, and none without a grant", func(ctx SpecContext) {
			debugged := running.DeepCopy()
			debugged.Spec.EphemeralContainers = []corev1.EphemeralContainer{{
				EphemeralContainerCommon: corev1.EphemeralContainerCommon{Name: "debug", Image: "registry.example.org/debug:1.0.0"},
			}}
			Expect(tenant.SubResource("ephemeralcontainers").Update(ctx, debugged)).To(MatchError(And(
				ContainSubstring("pod-hardening"), ContainSubstring("privileged-access"), ContainSubstring("ephemeralContainers[0]"))))
			debugged.Spec.EphemeralContainers[0].SecurityContext = running.Spec.Containers[0].SecurityContext
			Expect(tenant.SubResource("ephemeralcontainers").Update(ctx, debugged)).To(MatchError(And(
				ContainSubstring("lacks 1 safeguard (privileged-access)"), ContainSubstring("privileged-access"))))
		})

		It("may be resized", func(ctx SpecContext) {
			resized := phitest.Pod("sized").Namespace(ns).Label("app", "patient-api").With(func(p *corev1.Pod) {
				p.Spec.Containers[0].Resources.Requests = corev1.ResourceList{"memory": resource.MustParse("64Mi")}
			}).Obj()
			Expect(tenant.Create(ctx, resized)).To(Succeed())
			resized.Spec.Containers[0].Resources.Requests["memory"] = resource.MustParse("128Mi")
			Expect(tenant.SubResource("resize").Update(ctx, resized)).To(Succeed())
		})

		It("takes from a Binding where its node stands, and nothing else", func(ctx SpecContext) {
			binding := &corev1.Binding{Target: corev1.ObjectReference{Kind: "Node", Name: "node-1"}}
			binding.Labels = map[string]string{"app": "elsewhere"}
			Expect(tenant.SubResource("binding").Create(ctx, running, binding)).To(MatchError(ContainSubstring("topology.kubernetes.io only")))
			binding.Labels, binding.Annotations = nil, map[string]string{"hipaa-operator.io/x": "y"}
			Expect(tenant.SubResource("binding").Create(ctx, running, binding)).To(MatchError(ContainSubstring("no annotations of hipaa-operator.io")))
			binding.Annotations, binding.Labels = nil, map[string]string{"topology.kubernetes.io/zone": "a"}
			Expect(tenant.SubResource("binding").Create(ctx, running, binding)).To(Succeed())
		})
	})

	It("that was there before may change as long as it gets no worse", func(ctx SpecContext) {
		old := namespace(ctx, "warn")
		declare(ctx, old, "patient-api")
		legacy := phitest.Pod("patient-api").Namespace(old).Unhardened().Obj()
		Expect(tenant.Create(ctx, legacy)).To(Succeed())
		var enforced corev1.Namespace
		Expect(admin.Get(ctx, client.ObjectKey{Name: old}, &enforced)).To(Succeed())
		enforced.Labels["mode"] = "enforce"
		Expect(admin.Update(ctx, &enforced)).To(Succeed())
		closeNamespace(ctx, old)
		Eventually(func() error {
			return tenant.Create(ctx, phitest.Pod("other").Namespace(old).Label("app", "patient-api").Unhardened().Obj(), client.DryRunAll)
		}).Should(MatchError(ContainSubstring("pod-hardening")))

		legacy.Labels["team"] = "blue"
		Expect(tenant.Update(ctx, legacy)).To(Succeed())
		legacy.Labels["app"] = "elsewhere"
		Expect(tenant.Update(ctx, legacy)).To(MatchError(And(ContainSubstring("undeclared-pod"), Not(ContainSubstring("pod-hardening")))))
	})
})
