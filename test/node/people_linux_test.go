package node_test

import (
	"crypto/tls"
	"encoding/json"
	"io"
	"maps"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
	"github.com/hipaa-operator/hipaa-operator/internal/phitest"
	"github.com/hipaa-operator/hipaa-operator/internal/proxy/proxytest"
	"github.com/hipaa-operator/hipaa-operator/test/cluster"
)

// staff is a profile that adds an identity provider to those that govern namespaces.
const staff = "staff"

// ward is a town in which people are asked for: a chart in two replicas that know of each other's sessions
// by a Redis, and a portal that calls it.
type ward struct {
	*town

	provider *proxytest.Provider
}

// newWard has an identity provider on the node, and sessions that end after a minute.
func newWard() *ward {
	GinkgoHelper()
	w := &ward{town: foundTown(func() string { return phiNamespace(proxied) })}
	at := nodeAddress()
	l, err := net.Listen("tcp", net.JoinHostPort(at.String(), "0"))
	Expect(err).NotTo(HaveOccurred())
	w.provider = proxytest.NewProviderAt(GinkgoTB(), l)
	port := netip.MustParseAddrPort(l.Addr().String()).Port()
	minute := &metav1.Duration{Duration: time.Minute}
	profile := phitest.Profile(staff).OnlyByName().Mode(hipaav1.ModeAudit).Sessions(time.Minute, time.Hour).
		With(func(p *hipaav1.ComplianceProfileSpec) {
			p.Users = &hipaav1.UserParameters{
				Realms: []hipaav1.Realm{{
					Name: staff, Issuer: w.provider.URL, Audiences: []string{"patient-api"}, Roots: w.provider.Roots(),
					Upstream: l.Addr().String(), CIDRs: []string{netip.PrefixFrom(at, at.BitLen()).String()}, Port: int32(port),
				}},
				Lockout:    &hipaav1.LockoutParameters{Failures: 3, Duration: minute},
				BreakGlass: &hipaav1.BreakGlassParameters{Roles: []string{"clinician"}, Duration: minute},
			}
		}).Obj()
	Expect(admin.Create(ctx, profile)).To(Succeed())
	DeferCleanup(func() { Expect(client.IgnoreNotFound(admin.Delete(ctx, profile))).To(Succeed()) })

	w.add(1, redis(w.namespace), 6379, 6379, phitest.FromWorkload("chart"))
	w.add(2, w.application("chart"), 8080, 80, phitest.FromWorkload("portal"))
	w.add(1, w.application("portal"), 8080, 80)
	w.calls("chart", "sessions")
	w.calls("portal", "chart")
	sessions, chart := w.part("sessions"), w.part("chart")
	sessions.Spec.Ports[0].Protocol, sessions.Spec.Role = hipaav1.PortProtocolTCP, hipaav1.RoleDataStore
	chart.Spec.ProfileRef = &hipaav1.ProfileReference{Name: staff}
	chart.Spec.Users = &hipaav1.WorkloadUsers{
		Realms: []string{staff},
		Replicas: &hipaav1.ReplicaSessions{
			KnowBy: hipaav1.ReplicaKnowledgeStore, Store: &hipaav1.SessionStore{PHIWorkload: hipaav1.PHIWorkloadPeer{Name: "sessions"}},
		},
	}
	w.declare()
	w.start()
	return w
}

// nodeAddress is where pods reach the node.
func nodeAddress() netip.Addr {
	GinkgoHelper()
	at, err := cluster.NodeAddress()
	Expect(err).NotTo(HaveOccurred())
	return at
}

// redis is a pod of a Redis that keeps nothing on disk.
func redis(namespace string) *corev1.Pod {
	pod := phitest.Pod("sessions").Namespace(namespace).Listens("redis", 6379).Obj()
	pod.Spec.EnableServiceLinks = ptr.To(false)
	pod.Spec.SecurityContext.RunAsUser = ptr.To[int64](999)
	pod.Spec.TerminationGracePeriodSeconds = ptr.To[int64](1)
	c := &pod.Spec.Containers[0]
	c.Image, c.ImagePullPolicy = postgresImage, corev1.PullNever
	c.Command = []string{"redis-server", "--protected-mode", "no", "--save", "", "--dir", "/tmp"}
	c.ReadinessProbe = &corev1.Probe{
		ProbeHandler: corev1.ProbeHandler{TCPSocket: &corev1.TCPSocketAction{Port: intstr.FromString("redis")}}, PeriodSeconds: 1,
	}
	return pod
}

// told is how a proxy answered.
type told struct {
	status int
	text   string
	fields http.Header
}

// get asks one replica for something, as the portal does, with fields in pairs.
func (w *ward) get(pod *corev1.Pod, path string, fields ...string) told {
	GinkgoHelper()
	transport := &http.Transport{DisableKeepAlives: true, TLSClientConfig: &tls.Config{
		InsecureSkipVerify: true, MinVersion: tls.VersionTLS13,
		Certificates: []tls.Certificate{tlsOf(certificateUnder(root(), idOf(w.namespace, "portal"), time.Now()))},
	}}
	defer transport.CloseIdleConnections()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://"+listening(pod, 8080).String()+path, http.NoBody)
	Expect(err).NotTo(HaveOccurred())
	for i := 0; i < len(fields); i += 2 {
		r.Header.Set(fields[i], fields[i+1])
	}
	response, err := (&http.Client{Timeout: 10 * time.Second, Transport: transport}).Do(r)
	if err != nil {
		return told{text: err.Error()}
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	Expect(err).NotTo(HaveOccurred())
	return told{response.StatusCode, string(text), response.Header}
}

// as is what a request brings of a user.
func (w *ward) as(user string, change map[string]any) []string {
	GinkgoHelper()
	claims := map[string]any{"sub": user, "sid": user + "-1", "auth_time": time.Now().Unix()}
	maps.Copy(claims, change)
	return []string{"Authorization", "Bearer " + w.provider.Token(time.Now(), claims)}
}

// recorded are the lines that the proxies of a part wrote of one kind.
func (w *ward) recorded(name, kind string) []string {
	GinkgoHelper()
	said, err := kubectl("logs", "-n", w.namespace, "-l", "app="+name, "-c", "phi-proxy", "--tail=-1")
	Expect(err).NotTo(HaveOccurred(), said)
	var lines []string
	for line := range strings.Lines(said) {
		if strings.Contains(line, `"kind":"`+kind+`"`) {
			lines = append(lines, line)
		}
	}
	return lines
}

var _ = Describe("A PHI workload that asks for people", Ordered, ContinueOnFailure, func() {
	var (
		w    *ward
		a, b *corev1.Pod
	)
	const soonest = 3 * time.Minute // the kubelet takes a minute to bring a configuration

	BeforeAll(func() {
		w = newWard()
		pods := w.podsOf("chart")
		Expect(pods).To(HaveLen(2))
		a, b = &pods[0], &pods[1]
		Eventually(func(g Gomega) {
			var chart hipaav1.PHIWorkload
			g.Expect(admin.Get(ctx, key(w.namespace, "chart"), &chart)).To(Succeed())
			g.Expect(chart.Status.Proxy).NotTo(BeNil())
			g.Expect(chart.Status.Proxy.Users).To(Equal(hipaav1.UserAskingShared), "%+v", chart.Status.Conditions)
		}).WithTimeout(soonest).Should(Succeed())
		for _, pod := range []*corev1.Pod{a, b} {
			Eventually(func() int { return w.get(pod, "/busy").status }).WithTimeout(soonest).Should(Equal(http.StatusUnauthorized))
			Eventually(func() int { return w.get(pod, "/busy", w.as("settling", nil)...).status }).WithTimeout(soonest).Should(Equal(http.StatusOK))
		}
	})

	It("lets in nobody without a name, and nobody with a password alone", func() {
		nobody := w.get(a, "/busy")
		Expect(nobody.status).To(Equal(http.StatusUnauthorized))
		Expect(nobody.text).To(And(ContainSubstring("unique-user-identity"), ContainSubstring("164.312(a)(2)(i)")))
		weak := w.get(a, "/busy", w.as("wanda", map[string]any{"amr": []string{"pwd"}})...)
		Expect(weak.status).To(Equal(http.StatusUnauthorized))
		Expect(weak.text).To(ContainSubstring("multi-factor-authentication"))
		Expect(weak.fields.Get("WWW-Authenticate")).To(ContainSubstring("insufficient_user_authentication"))
		Expect(w.get(a, "/busy", w.as("wanda", nil)...).status).To(Equal(http.StatusOK))
		stranger := w.get(a, "/busy", "Authorization", "Bearer "+proxytest.Sign(GinkgoTB(), proxytest.Stranger(GinkgoTB(), "ec"), w.provider.Claims(time.Now(), nil), nil))
		Expect(stranger.status).To(Equal(http.StatusUnauthorized))
		Eventually(w.recorded).WithArguments("chart", "anonymous-refused").ShouldNot(BeEmpty())
	})

	It("locks an idle session at both replicas, counts activity at either, and goes on after who it is was proved anew", func() {
		alice := w.as("alice", nil)
		Expect(w.get(b, "/busy", alice...).status).To(Equal(http.StatusOK))
		// For longer than the limit she is at one replica alone.
		for begun := time.Now(); time.Since(begun) < 75*time.Second; {
			Expect(w.get(a, "/busy", alice...).status).To(Equal(http.StatusOK))
			<-time.After(15 * time.Second)
		}
		Expect(w.get(b, "/busy", alice...).status).To(Equal(http.StatusOK), "what she did at the other replica counts")
		<-time.After(65 * time.Second)
		for _, pod := range []*corev1.Pod{b, a} {
			locked := w.get(pod, "/busy", alice...)
			Expect(locked.status).To(Equal(http.StatusUnauthorized))
			Expect(locked.text).To(And(ContainSubstring("automatic-logoff"), ContainSubstring("locked")))
		}
		Expect(w.get(a, "/busy", w.as("alice", map[string]any{"auth_time": time.Now().Add(-10 * time.Minute).Unix()})...).status).
			To(Equal(http.StatusUnauthorized), "another token of the same login is no return")
		back := w.as("alice", nil)
		for _, pod := range []*corev1.Pod{a, b} {
			Eventually(func() int { return w.get(pod, "/busy", back...).status }).Should(Equal(http.StatusOK))
		}
		Eventually(w.recorded).WithArguments("chart", "logoff").ShouldNot(BeEmpty())
	})

	It("locks a user who goes on proving too little, and that ends by itself", func() {
		for n := range 3 {
			Expect(w.get(a, "/busy", w.as("gus", map[string]any{"amr": []string{"pwd"}, "sid": strconv.Itoa(n)})...).status).To(Equal(http.StatusUnauthorized))
		}
		locked := w.get(a, "/busy", w.as("gus", nil)...)
		Expect(locked.status).To(Equal(http.StatusTooManyRequests))
		Expect(locked.text).To(ContainSubstring("login-lockout"))
		Expect(w.get(a, "/busy", w.as("hugo", nil)...).status).To(Equal(http.StatusOK), "nobody else is locked")
		glass := append(w.as("gus", map[string]any{"roles": []string{"clinician"}}), "X-Phi-Purpose-Of-Use", "BTG", "X-Phi-Reason", "the lock must not cost a life")
		Expect(w.get(a, "/busy", glass...).status).To(Equal(http.StatusOK))
		Eventually(w.recorded).WithArguments("chart", "user-locked").Should(HaveLen(1))
		Eventually(func() int { return w.get(a, "/busy", w.as("gus", nil)...).status }).WithTimeout(2 * time.Minute).Should(Equal(http.StatusOK))
	})

	It("writes down a user who is on more devices at once than one person has, and refuses nobody for it", func() {
		for n := range 4 {
			Expect(w.get(b, "/busy", w.as("lena", map[string]any{"sid": "lena-" + strconv.Itoa(n)})...).status).To(Equal(http.StatusOK))
		}
		Eventually(w.recorded).WithArguments("chart", "credential-shared").Should(ConsistOf(And(ContainSubstring(`"devices":4`), Not(ContainSubstring("lena")))))
		Expect(metric(b, "phi_proxy_shared_credentials_total")).To(Equal(1.0))
	})

	It("opens when the glass is broken while the identity provider is down, and writes down who and why in one place", func() {
		const reason = "patient 7 in cardiac arrest, consent unknown"
		ended := map[string]any{"exp": time.Now().Add(-time.Minute).Unix(), "roles": []string{"clinician"}}
		glass := func(user string, change map[string]any) []string {
			return append(w.as(user, change), "X-Phi-Purpose-Of-Use", "ETREAT", "X-Phi-Reason", reason)
		}
		Expect(w.get(a, "/fields", glass("dr-who", ended)...).status).To(Equal(http.StatusForbidden), "while the provider answers it gives a new token")
		w.provider.Down.Store(true)
		defer w.provider.Down.Store(false)
		// A key that nobody knows has the proxy ask the provider, and find that it is down.
		unknown := "Bearer " + proxytest.Sign(GinkgoTB(), proxytest.Stranger(GinkgoTB(), "unknown"), w.provider.Claims(time.Now(), nil), nil)
		var opened told
		Eventually(func() int {
			w.get(a, "/busy", "Authorization", unknown)
			opened = w.get(a, "/fields", glass("dr-who", ended)...)
			return opened.status
		}).WithTimeout(2 * time.Minute).Should(Equal(http.StatusOK))
		Expect(opened.fields.Get("X-Phi-Emergency-Access")).NotTo(BeEmpty())
		Expect(opened.text).NotTo(Or(ContainSubstring("X-Phi"), ContainSubstring(reason)), "the application hears nothing of it")
		Expect(w.get(a, "/fields", w.as("dr-who", ended)...).status).To(Equal(http.StatusUnauthorized))
		Expect(w.get(a, "/fields", glass("clerk", map[string]any{"exp": time.Now().Add(-time.Minute).Unix()})...).status).To(Equal(http.StatusForbidden), "not everybody may")

		var line struct {
			Subject string `json:"subject"`
			Purpose string `json:"purpose"`
			Reason  string `json:"reason"`
		}
		lines := w.recorded("chart", "emergency")
		Expect(lines).NotTo(BeEmpty())
		Expect(json.Unmarshal([]byte(lines[len(lines)-1]), &line)).To(Succeed())
		Expect(line.Subject).To(Equal("dr-who"))
		Expect(line.Purpose).To(Equal("ETREAT"))
		Expect(line.Reason).To(Equal(reason))
		// Nowhere else: not with the application, in metrics, in status or events.
		metrics, err := request(net.JoinHostPort(a.Status.PodIP, strconv.Itoa(adminPort)), "/metrics", nil)
		Expect(err).NotTo(HaveOccurred())
		elsewhere := metrics
		for _, args := range [][]string{
			{"logs", "-n", w.namespace, "-l", "app=chart", "-c", "app", "--tail=-1"}, {"get", "phiworkloads,configmaps,events", "-n", w.namespace, "-o", "yaml"},
		} {
			said, err := kubectl(args...)
			Expect(err).NotTo(HaveOccurred(), said)
			elsewhere += said
		}
		Expect(elsewhere).NotTo(Or(ContainSubstring("dr-who"), ContainSubstring(reason)))
	})

	It("is judged by what its proxies do", func() {
		Eventually(func(g Gomega) {
			var chart hipaav1.PHIWorkload
			g.Expect(admin.Get(ctx, key(w.namespace, "chart"), &chart)).To(Succeed())
			verdicts := map[string]hipaav1.Verdict{}
			for _, c := range chart.Status.Controls {
				verdicts[c.ID] = c.Verdict
			}
			g.Expect(verdicts).To(And(
				HaveKeyWithValue("unique-user-identity", hipaav1.VerdictPass), HaveKeyWithValue("multi-factor-authentication", hipaav1.VerdictPass),
				HaveKeyWithValue("emergency-access", hipaav1.VerdictPass), HaveKeyWithValue("login-lockout", hipaav1.VerdictUnknown),
			), "nobody states that the provider ends guessing")
		}).Should(Succeed())
	})
})
