package backstop_test

import (
	"context"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
	"github.com/hipaa-operator/hipaa-operator/controllers"
	"github.com/hipaa-operator/hipaa-operator/controllers/controllerstest"
	"github.com/hipaa-operator/hipaa-operator/internal/backstop"
	"github.com/hipaa-operator/hipaa-operator/internal/control"
	"github.com/hipaa-operator/hipaa-operator/internal/control/catalog"
	"github.com/hipaa-operator/hipaa-operator/internal/injection"
	"github.com/hipaa-operator/hipaa-operator/internal/phitest"
)

var _ = Describe("The API server by itself", func() {
	It("refuses a pod without its safeguards, with every control, citation and remedy in one sentence", func(ctx context.Context) {
		p := newPlace(ctx)
		bad := p.admitted("bad")
		bad.Spec.HostPID, bad.Spec.ServiceAccountName = true, ""
		err := attempt(ctx, bad)()
		Expect(err).To(refusal(`pod in PHI namespace "`+p.name+`" lacks 2 required safeguards: `,
			"pod-hardening (45 CFR 164.312(a)(1)): spec.hostPID is true; make the pod satisfy Pod Security level restricted",
			`unique-service-identity (45 CFR 164.312(a)(2)(i)): spec.serviceAccountName is "default"; create a ServiceAccount`))
		Expect(apierrors.IsForbidden(err)).To(BeTrue())
		Expect(attempt(ctx, p.written("bare"))()).To(refusal("lacks 2 required safeguards", "data-classification (", "jurisdiction-tagging ("), "admission has not seen it")
		Expect(attempt(ctx, p.admitted("whole"))()).To(Succeed())
	})

	It("admits what sets the rules of a redirected pod, if it is the very container, until names are asked for again", func(ctx context.Context) {
		p := newPlace(ctx, func(b *phitest.ProfileBuilder) *phitest.ProfileBuilder {
			return b.With(func(spec *hipaav1.ComplianceProfileSpec) {
				spec.Transmission = &hipaav1.TransmissionParameters{Proxy: &hipaav1.ProxyParameters{Capture: hipaav1.CaptureRedirect}}
			})
		})
		ask := func(how *hipaav1.WorkloadTransmission) {
			controllerstest.Update(ctx, cluster, p.workload, func(w *hipaav1.PHIWorkload) { w.Spec.Transmission = how })
		}
		ask(&hipaav1.WorkloadTransmission{Capture: hipaav1.CaptureRedirect})
		s := control.Subject{Profile: &control.Profile{Tagging: control.DefaultTagging()}, Workload: p.workload, World: &control.World{Proxy: phitest.Proxy()}}
		s.Profile.Transmission.Proxy = &hipaav1.ProxyParameters{Capture: hipaav1.CaptureRedirect}
		redirected := p.admitted("redirected")
		redirected.Spec.SecurityContext.RunAsUser = ptr.To[int64](65532)
		injection.PlanOf(&s).Apply(redirected)
		Eventually(attempt(ctx, redirected), patience, interval).Should(Succeed())
		for _, change := range []func(*corev1.Container){
			func(c *corev1.Container) { c.Image = "registry.example.org/another:1.0.0" },
			func(c *corev1.Container) { c.Args[1] = "--user=65532" },
			func(c *corev1.Container) { c.Command = []string{"sh"} },
			func(c *corev1.Container) { c.Name = "phi-proxy-rulers" },
			func(c *corev1.Container) { c.RestartPolicy = ptr.To(corev1.ContainerRestartPolicyAlways) },
			func(c *corev1.Container) { c.VolumeMounts[0].MountPath = "/phi-proxy" },
			func(c *corev1.Container) { c.VolumeMounts[0].SubPath = "part" },
			func(c *corev1.Container) { c.WorkingDir = "/somewhere" },
			func(c *corev1.Container) {
				c.SecurityContext.Capabilities.Add = []corev1.Capability{"NET_ADMIN", "SYS_ADMIN"}
			},
		} {
			imitation := redirected.DeepCopy()
			change(&imitation.Spec.InitContainers[0])
			Expect(attempt(ctx, imitation)()).To(refusal("pod-hardening (", "a capability other than NET_BIND_SERVICE"))
		}
		beside := redirected.DeepCopy()
		beside.Spec.Containers = append(beside.Spec.Containers, beside.Spec.InitContainers[0])
		beside.Spec.InitContainers = beside.Spec.InitContainers[1:]
		Expect(attempt(ctx, beside)()).To(refusal("pod-hardening (", "a capability other than NET_BIND_SERVICE"))
		ask(nil)
		Eventually(attempt(ctx, redirected), patience, interval).Should(refusal("pod-hardening ("))
	})

	It("refuses a pod that nobody declares, as the profile says", func(ctx context.Context) {
		p := newPlace(ctx)
		Expect(attempt(ctx, phitest.Pod("stray").Namespace(p.name).Obj())()).To(refusal("undeclared-pod (", "declare a PHIWorkload"))
		warned := newPlace(ctx, func(b *phitest.ProfileBuilder) *phitest.ProfileBuilder {
			return b.Undeclared(hipaav1.UndeclaredPodsWarn)
		})
		Expect(attempt(ctx, phitest.Pod("stray").Namespace(warned.name).Obj())()).To(Succeed())
	})

	It("refuses everything where nobody governs, and where nobody has written what is in force", func(ctx context.Context) {
		n := controllerstest.Create(ctx, cluster, phitest.Namespace("ungoverned").Obj())
		Eventually(attempt(ctx, phitest.Pod("p").Namespace(n.Name).Obj()), patience, interval).Should(refusal("ungoverned-namespace (", "no ComplianceProfile"))
	})

	It("asks nothing in mode Audit, and follows the mode", func(ctx context.Context) {
		p := newPlace(ctx, func(b *phitest.ProfileBuilder) *phitest.ProfileBuilder { return b.Mode(hipaav1.ModeAudit) })
		bad := phitest.Pod("bad").Namespace(p.name).Of(p.workload).Unhardened().Obj()
		Expect(attempt(ctx, bad)()).To(Succeed())
		Expect(attempt(ctx, phitest.Pod("stray").Namespace(p.name).Obj())()).To(Succeed())
		strict := newPlace(ctx)
		Expect(attempt(ctx, strict.written("bad"))()).NotTo(Succeed())
		controllerstest.UpdateProfile(ctx, cluster, strict.profile, func(b *hipaav1.ComplianceProfile) { b.Spec.DefaultMode = hipaav1.ModeAudit })
		Eventually(attempt(ctx, strict.written("bad")), patience, interval).Should(Succeed())
	})

	It("refuses Services that expose a workload, and Roles and bindings that nobody could list, new or changed", func(ctx context.Context) {
		p := newPlace(ctx)
		service := phitest.Service("api").Namespace(p.name).Selecting("app", "api").Port("http", 80, intstr.FromInt32(8080)).Obj()
		role := phitest.Role("reader").Namespace(p.name).Allows("", "pods", "get").Documented().Obj()
		binding := phitest.Binding("readers").Namespace(p.name).Group("oidc:readers").Obj()
		for _, lawful := range []client.Object{service, role, binding} {
			Expect(cluster.Admin.Create(ctx, lawful)).To(Succeed())
		}
		changed := func(object client.Object) error { return cluster.Admin.Update(ctx, object, client.DryRunAll) }
		service.Spec.Type = corev1.ServiceTypeNodePort
		Expect(changed(service)).To(refusal(`service in PHI namespace "`+p.name+`" lacks 1 required safeguard: no-public-exposure (`, "spec.type lets callers from outside"))
		role.Rules = append(role.Rules, rbacv1.PolicyRule{APIGroups: []string{""}, Resources: []string{"secrets"}, Verbs: []string{"*"}})
		Expect(changed(role)).To(refusal(`lacks 2 required safeguards: `, "least-privilege-rbac (", `rules.verbs have "*"`, "role-documentation ("))
		binding.Subjects[0].Name = "system:authenticated"
		Expect(changed(binding)).To(refusal("lacks 1 required safeguard: least-privilege-rbac (", "everybody"))
		service.Spec.Type, service.Labels = corev1.ServiceTypeClusterIP, map[string]string{"more": "of-it"}
		Expect(changed(service)).To(Succeed())
	})

	It("asks of Services and Roles where no workload is yet what the profile says", func(ctx context.Context) {
		profile := phitest.Profile("alone").Selecting("place", "alone").Obj()
		controllerstest.Create(ctx, cluster, profile)
		DeferCleanup(func(ctx context.Context) { _ = cluster.Admin.Delete(ctx, profile) })
		controllerstest.Create(ctx, cluster, phitest.Namespace("alone").Label("place", "alone").Obj())
		role := phitest.Role("reader").Namespace("alone").Allows("", "pods", "get").Obj()
		create := func(object client.Object) func() error {
			return func() error {
				object.SetResourceVersion("")
				return cluster.Admin.Create(ctx, object, client.DryRunAll)
			}
		}
		Eventually(create(role), patience, interval).Should(refusal("role-documentation ("))
		documented := phitest.Role("reader").Namespace("alone").Allows("", "pods", "get").Documented().Obj()
		Eventually(create(documented), patience, interval).Should(Succeed())
		exposed := phitest.Service("api").Namespace("alone").Selecting("app", "api").Port("http", 80, intstr.FromInt32(8080)).Obj()
		exposed.Spec.Type = corev1.ServiceTypeLoadBalancer
		Expect(create(exposed)()).To(refusal("no-public-exposure ("))
	})

	It("leaves alone what is no PHI", func(ctx context.Context) {
		n := controllerstest.Create(ctx, cluster, phitest.Namespace("elsewhere").WithoutPHI().Obj())
		Expect(attempt(ctx, phitest.Pod("free").Namespace(n.Name).Unhardened().Obj())()).To(Succeed())
	})

	It("asks ephemeral containers for what is theirs, and the pod for nothing any more", func(ctx context.Context) {
		p := newPlace(ctx, func(b *phitest.ProfileBuilder) *phitest.ProfileBuilder {
			return b.Mode(hipaav1.ModeAudit).Control("privileged-access", hipaav1.ModeOff)
		})
		old := phitest.Pod("old").Namespace(p.name).Of(p.workload).Unhardened().Obj()
		Expect(cluster.Admin.Create(ctx, old)).To(Succeed())
		controllerstest.UpdateProfile(ctx, cluster, p.profile, func(b *hipaav1.ComplianceProfile) {
			b.Spec.DefaultMode = hipaav1.ModeEnforce
			b.Spec.Rollout = &hipaav1.RolloutParameters{EnforceBy: &metav1.Time{Time: time.Now().Add(-time.Minute)}}
		})
		Eventually(p.held(ctx), patience, interval).Should(HaveKeyWithValue("api/pod-hardening", "already"))
		debug := corev1.EphemeralContainer{EphemeralContainerCommon: corev1.EphemeralContainerCommon{Name: "debug", Image: "registry.example.org/debug:1.0.0"}}
		with := func(c *corev1.SecurityContext) func() error {
			return func() error {
				pod := old.DeepCopy()
				one := debug
				one.SecurityContext = c
				pod.Spec.EphemeralContainers = []corev1.EphemeralContainer{one}
				return cluster.Admin.SubResource("ephemeralcontainers").Update(ctx, pod, &client.SubResourceUpdateOptions{UpdateOptions: client.UpdateOptions{DryRun: []string{metav1.DryRunAll}}})
			}
		}
		Expect(with(nil)()).To(refusal("lacks 1 required safeguard: pod-hardening ("))
		Expect(with(&corev1.SecurityContext{
			AllowPrivilegeEscalation: ptr.To(false), RunAsNonRoot: ptr.To(true), Capabilities: &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}},
			SeccompProfile: &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault},
		})()).To(Succeed())
	})
})

var _ = Describe("What the API server goes by", Serial, func() {
	It("is put right when somebody changes, adds to or deletes it, and nothing is written while all is well", func(ctx context.Context) {
		p := newPlace(ctx)
		Eventually(p.held(ctx), patience, interval).Should(HaveKeyWithValue("api/pod-hardening", "already"))
		controllerstest.Update(ctx, cluster, p.parameters(), func(b *hipaav1.Backstop) { b.Spec.Workloads[0].Controls = nil })
		Eventually(p.held(ctx), patience, interval).Should(HaveKeyWithValue("api/pod-hardening", "already"))
		controllerstest.Update(ctx, cluster, p.parameters(), func(b *hipaav1.Backstop) { b.Spec.Ungoverned = true })
		Eventually(func(g Gomega) {
			live := p.parameters()
			g.Expect(cluster.Admin.Get(ctx, client.ObjectKeyFromObject(live), live)).To(Succeed())
			g.Expect(live.Spec.Ungoverned).To(BeFalse())
		}, patience, interval).Should(Succeed())
		Expect(cluster.Admin.Delete(ctx, p.parameters())).To(Succeed())
		Eventually(p.held(ctx), patience, interval).Should(HaveKeyWithValue("api/pod-hardening", "already"))
		written := func() int {
			n := 0
			for _, write := range cluster.Writes() {
				if strings.HasSuffix(write, "/namespaces/"+p.name+"/backstops/"+hipaav1.BackstopName) {
					n++
				}
			}
			return n
		}
		before := written()
		Consistently(written, awhile, interval).Should(Equal(before))
	})

	// The API server cannot watch parameters of a built-in kind again once no binding
	// has used the kind for a second: then no namespace that is new would admit a pod.
	It("is heeded again where its binding was away, as between two installations", func(ctx context.Context) {
		bare := phitest.Pod("bare").Namespace(newPlace(ctx).name).Obj()
		policies := backstop.Policies(catalog.All())
		for _, p := range policies {
			Expect(cluster.Admin.Delete(ctx, p.Binding.DeepCopy())).To(Succeed())
		}
		Eventually(attempt(ctx, bare), patience, interval).Should(Succeed())
		Consistently(attempt(ctx, bare), "3s", interval).Should(Succeed(), "the API server looks for what it no longer needs every second")
		for _, p := range policies {
			Expect(cluster.Admin.Create(ctx, p.Binding)).To(Succeed())
		}
		Eventually(attempt(ctx, bare), patience, interval).Should(refusal(backstop.PodPolicy, "undeclared-pod ("))
		later := newPlace(ctx)
		Eventually(attempt(ctx, later.admitted("whole")), patience, interval).Should(Succeed())
		Expect(attempt(ctx, later.written("bare"))()).To(refusal("data-classification ("))
	})

	It("goes with the namespace's label", func(ctx context.Context) {
		p := newPlace(ctx)
		n := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: p.name}}
		controllerstest.Update(ctx, cluster, n, func(n *corev1.Namespace) { delete(n.Labels, hipaav1.LabelPHI) })
		Eventually(p.held(ctx), patience, interval).Should(HaveKeyWithValue("error", ContainSubstring("not found")))
	})

	It("is left alone where it is somebody else's, in a namespace without PHI", func(ctx context.Context) {
		n := controllerstest.Create(ctx, cluster, phitest.Namespace("measuring").WithoutPHI().Obj())
		others := backstop.Parameters(n.Name, &hipaav1.BackstopSpec{})
		others.Labels = nil
		Expect(cluster.Admin.Create(ctx, others)).To(Succeed())
		Consistently(func() error { return cluster.Admin.Get(ctx, client.ObjectKeyFromObject(others), others) }, awhile, interval).Should(Succeed())
	})

	It("ends exceptions and pauses when they end, whether or not an operator is there", func(ctx context.Context) {
		excused, paused := newPlace(ctx), newPlace(ctx)
		bad := excused.admitted("bad")
		bad.Spec.HostPID = true
		Expect(attempt(ctx, bad)()).To(refusal("pod-hardening ("))
		end := metav1.NewTime(time.Now().Add(8 * time.Second).Truncate(time.Second))
		x := controllerstest.Create(ctx, cluster, phitest.Exception("short", "api", "pod-hardening").Namespace(excused.name).Expires(end).Obj())
		cluster.Approve(ctx, x)
		controllerstest.UpdateProfile(ctx, cluster, paused.profile, func(p *hipaav1.ComplianceProfile) {
			p.Spec.Pause = &hipaav1.Pause{Reason: "a migration", Until: end}
		})
		Eventually(attempt(ctx, bad), patience, interval).Should(Succeed())
		Eventually(attempt(ctx, paused.written("bare")), patience, interval).Should(Succeed())
		Eventually(attempt(ctx, phitest.Pod("stray").Namespace(paused.name).Obj()), patience, interval).Should(Succeed())
		Expect(excused.held(ctx)()).To(HaveKeyWithValue("api/pod-hardening", end.UTC().Format(time.RFC3339)))

		Expect(operator.Stop()).To(Succeed())
		Expect(time.Now()).To(BeTemporally("<", end.Time), "the operator is gone before the end")
		Eventually(attempt(ctx, bad), patience, interval).Should(refusal("pod-hardening ("))
		Expect(time.Now()).To(BeTemporally(">=", end.Time))
		Expect(attempt(ctx, paused.written("bare"))()).To(refusal("data-classification ("))
		Expect(attempt(ctx, phitest.Pod("stray").Namespace(paused.name).Obj())()).To(refusal("undeclared-pod ("))
		operator = cluster.StartOperator(catalog.All(), controllers.Dependencies{ProxyImages: phitest.ProxyImages()})
		Eventually(excused.held(ctx), patience, interval).Should(HaveKeyWithValue("api/pod-hardening", "already"))
	})
})
