package admission_test

import (
	"context"
	"net/http"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/client-go/kubernetes"
	"sigs.k8s.io/controller-runtime/pkg/client"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
	"github.com/hipaa-operator/hipaa-operator/internal/phitest"
)

// caller sends CONNECT requests as somebody, as kubectl and browsers do.
type caller struct {
	*person
	api kubernetes.Interface
}

func callerAs(user string, groups ...string) *caller {
	GinkgoHelper()
	c := impersonating(user, groups...)()
	c.NextProtos = []string{"http/1.1"} // what can be upgraded
	p := personWith(c)
	api, err := kubernetes.NewForConfig(c)
	Expect(err).NotTo(HaveOccurred())
	return &caller{person: p, api: api}
}

// way is one form of request that reaches into a pod.
type way struct {
	verb, resource, subresource, words string
	headers                            http.Header
	query                              map[string]string
	// path is what follows the subresource.
	path string
	// named makes the name in the path from that of the pod or Service.
	named func(string) string
}

func (w way) ask(ctx context.Context, as *caller, ns, name string) error {
	if w.named != nil {
		name = w.named(name)
	}
	request := as.api.CoreV1().RESTClient().Verb(w.verb).Namespace(ns).Resource(w.resource).Name(name).SubResource(w.subresource).Suffix(w.path)
	for key, values := range w.headers {
		request.SetHeader(key, values...)
	}
	for key, value := range w.query {
		request.Param(key, value)
	}
	return request.Do(ctx).Error()
}

var (
	webSocket = http.Header{
		"Connection": {"Upgrade"}, "Upgrade": {"websocket"}, "Sec-Websocket-Version": {"13"},
		"Sec-Websocket-Key": {"dGhlIHNhbXBsZSBub25jZQ=="}, "Sec-Websocket-Protocol": {"v5.channel.k8s.io"},
	}
	spdy    = http.Header{"Connection": {"Upgrade"}, "Upgrade": {"SPDY/3.1"}}
	command = map[string]string{"command": "cat", "stdin": "true", "stdout": "true"}
)

// ways are all forms by which a pod, or a Service of the same name, is reached.
var ways = map[string]way{
	"exec, upgraded to SPDY":            {verb: http.MethodPost, resource: "pods", subresource: "exec", words: "exec into pod", headers: spdy, query: command},
	"exec, by GET, as WebSockets do":    {verb: http.MethodGet, resource: "pods", subresource: "exec", words: "exec into pod", headers: webSocket, query: command},
	"exec, of a container that is none": {verb: http.MethodPost, resource: "pods", subresource: "exec", words: "exec into pod", query: map[string]string{"command": "cat", "container": "none"}},
	"attach":                            {verb: http.MethodPost, resource: "pods", subresource: "attach", words: "attach to pod", headers: spdy},
	"attach, by GET":                    {verb: http.MethodGet, resource: "pods", subresource: "attach", words: "attach to pod", headers: webSocket},
	"port-forward":                      {verb: http.MethodPost, resource: "pods", subresource: "portforward", words: "port-forward to pod", headers: spdy},
	"port-forward, by GET":              {verb: http.MethodGet, resource: "pods", subresource: "portforward", words: "port-forward to pod", headers: webSocket, query: map[string]string{"ports": "8080"}},
	"a request to a pod":                {verb: http.MethodGet, resource: "pods", subresource: "proxy", words: "proxy to pod", path: "patients/4711"},
	"a request to a pod, by port":       {verb: http.MethodPut, resource: "pods", subresource: "proxy", words: "proxy to pod", named: func(n string) string { return n + ":8080" }},
	"a request to a pod, by TLS":        {verb: http.MethodDelete, resource: "pods", subresource: "proxy", words: "proxy to pod", named: func(n string) string { return "https:" + n + ":8443" }},
	"a request to a Service":            {verb: http.MethodPost, resource: "services", subresource: "proxy", words: "proxy to service", path: "patients/4711"},
	"a request to a Service, by port":   {verb: http.MethodGet, resource: "services", subresource: "proxy", words: "proxy to service", named: func(n string) string { return "http:" + n + ":80" }},
}

var _ = Describe("Reaching into a pod", func() {
	var tess *caller
	BeforeEach(func() { tess = callerAs("tess@example.org") })

	// running has a pod and a Service patient-api.
	running := func(ctx context.Context, ns string) {
		GinkgoHelper()
		Expect(admin.Create(ctx, phitest.Pod("patient-api").Namespace(ns).Obj())).To(Succeed())
		Expect(admin.Create(ctx, phitest.Service("patient-api").Namespace(ns).Port("http", 80, intstr.FromString("http")).Obj())).To(Succeed())
	}
	// letIn is the answer to what admission let through of an API server without
	// kubelets and endpoints: it cannot connect.
	letIn := func(err error) {
		GinkgoHelper()
		Expect(err).To(HaveOccurred())
		Expect(apierrors.IsForbidden(err)).To(BeFalse(), "%v", err)
		Expect(err).To(MatchError(Or(
			ContainSubstring("does not have a host assigned"), MatchRegexp(`^services "[a-z-]+" not found$`),
			ContainSubstring("address not allowed"), ContainSubstring("container none is not valid"))))
	}

	for name, w := range ways {
		It("is refused without a grant: "+name, func(ctx SpecContext) {
			ns := namespace(ctx, "enforce")
			declare(ctx, ns, "patient-api")
			running(ctx, ns)
			// At no time is it let in; whose pod it is tells who has seen pod and Service.
			ask := func() error {
				err := w.ask(ctx, tess, ns, "patient-api")
				Expect(apierrors.IsForbidden(err)).To(BeTrue(), "%v", err)
				return err
			}
			Eventually(ask).Should(MatchError(And(
				HavePrefix(`admission webhook "connections.hipaa-operator.io" denied the request: `+w.words+` "patient-api" in PHI namespace "`+ns+`" lacks 1 safeguard (privileged-access)`),
				ContainSubstring("privileged-access  45 CFR 164.312(a)(1): "), ContainSubstring("of PHIWorkload patient-api, which takes a grant"),
				Not(ContainSubstring("4711")))))
		})

		It("is let in with a warning in mode Warn: "+name, func(ctx SpecContext) {
			ns := namespace(ctx, "warn")
			declare(ctx, ns, "patient-api")
			running(ctx, ns)
			letIn(w.ask(ctx, tess, ns, "patient-api"))
			Expect(tess.warned.texts).To(ConsistOf(HavePrefix("privileged-access (45 CFR 164.312(a)(1)): ")))
		})

		It("is nobody's business where there is no PHI: "+name, func(ctx SpecContext) {
			ns := namespaceWithoutPHI(ctx)
			running(ctx, ns)
			letIn(w.ask(ctx, tess, ns, "patient-api"))
			Expect(tess.warned.texts).To(BeEmpty())
		})
	}

	It("is let in with a warning while the workload is Previewing", func(ctx SpecContext) {
		ns := namespace(ctx, "enforce")
		w := declare(ctx, ns, "patient-api")
		running(ctx, ns)
		w.Status.Stage = hipaav1.StagePreviewing
		Expect(as(manager, "system:masters").Status().Update(ctx, w)).To(Succeed())
		Eventually(func() bool {
			return apierrors.IsForbidden(ways["exec, upgraded to SPDY"].ask(ctx, tess, ns, "patient-api"))
		}).Should(BeFalse())
		letIn(ways["exec, upgraded to SPDY"].ask(ctx, tess, ns, "patient-api"))
		Expect(tess.warned.texts).To(ContainElement(ContainSubstring("privileged-access")))
	})

	It("is refused to administrators too", func(ctx SpecContext) {
		ns := namespace(ctx, "enforce")
		declare(ctx, ns, "patient-api")
		running(ctx, ns)
		Expect(ways["exec, upgraded to SPDY"].ask(ctx, callerAs("carl@example.org", "system:masters"), ns, "patient-api")).To(
			MatchError(ContainSubstring("privileged-access")))
	})

	It("is refused where nobody declared the pod, or there is none", func(ctx SpecContext) {
		ns := namespace(ctx, "warn")
		running(ctx, ns)
		var strict corev1.Namespace
		Expect(admin.Get(ctx, client.ObjectKey{Name: ns}, &strict)).To(Succeed())
		strict.Labels["mode"] = "enforce"
		Expect(admin.Update(ctx, &strict)).To(Succeed())
		closeNamespace(ctx, ns)
		for _, pod := range []string{"patient-api", "gone"} {
			Eventually(func() error { return ways["attach"].ask(ctx, tess, ns, pod) }).Should(
				MatchError(And(ContainSubstring("privileged-access"), ContainSubstring("no PHIWorkload claims"))))
		}
	})

	It("takes a grant: asked for, approved by somebody else, for one workload", func(ctx SpecContext) {
		ns := namespace(ctx, "enforce")
		declare(ctx, ns, "patient-api")
		declare(ctx, ns, "patient-db")
		running(ctx, ns)
		Expect(admin.Create(ctx, phitest.Pod("patient-db").Namespace(ns).Obj())).To(Succeed())
		grant := phitest.Exception("change-4711", "patient-api", "privileged-access").Namespace(ns).Expires(metav1.NewTime(time.Now().Add(time.Hour))).Obj()
		Expect(tess.Create(ctx, grant)).To(Succeed())
		Expect(ways["attach"].ask(ctx, tess, ns, "patient-api")).To(MatchError(ContainSubstring("privileged-access")), "nobody has approved it")
		Expect(officer("anna@example.org").Status().Patch(ctx, grant, approve(grant))).To(Succeed())
		Eventually(func() bool { return apierrors.IsForbidden(ways["attach"].ask(ctx, tess, ns, "patient-api")) }).Should(BeFalse())
		for _, w := range ways {
			tess.warned.texts = nil
			letIn(w.ask(ctx, tess, ns, "patient-api"))
			Expect(tess.warned.texts).To(ConsistOf(HaveSuffix("[covered by ControlException change-4711]")))
		}
		Expect(ways["attach"].ask(ctx, tess, ns, "patient-db")).To(MatchError(ContainSubstring("of PHIWorkload patient-db, which takes a grant")))

		By("the same grant lets an ephemeral container in")
		var pod corev1.Pod
		Expect(admin.Get(ctx, client.ObjectKey{Namespace: ns, Name: "patient-api"}, &pod)).To(Succeed())
		pod.Spec.EphemeralContainers = phitest.Pod("x").Debugged("tools").Obj().Spec.EphemeralContainers
		Expect(tess.SubResource("ephemeralcontainers").Update(ctx, &pod)).To(Succeed())
	})

	It("is not what reading logs does", func(ctx SpecContext) {
		ns := namespace(ctx, "enforce")
		declare(ctx, ns, "patient-api")
		running(ctx, ns)
		_, err := tess.api.CoreV1().Pods(ns).GetLogs("patient-api", &corev1.PodLogOptions{}).DoRaw(ctx)
		Expect(apierrors.IsForbidden(err)).To(BeFalse(), "%v", err)
	})
})
