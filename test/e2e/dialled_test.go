package e2e_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"sync/atomic"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	gomegatypes "github.com/onsi/gomega/types"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/intstr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
	"github.com/hipaa-operator/hipaa-operator/internal/phitest"
)

// server is one that a load balancer leads to, and how often somebody called.
type server struct {
	*httptest.Server
	calls *atomic.Int32
}

func (s server) port() int32 {
	GinkgoHelper()
	at, err := netip.ParseAddrPort(s.Listener.Addr().String())
	Expect(err).NotTo(HaveOccurred())
	return int32(at.Port())
}

// listen serves at an address until the spec ends; without TLS where there is no
// configuration of it.
func listen(address string, configuration *tls.Config, handler http.HandlerFunc) server {
	GinkgoHelper()
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", address)
	Expect(err).NotTo(HaveOccurred())
	s := server{Server: httptest.NewUnstartedServer(handler), calls: &atomic.Int32{}}
	Expect(s.Listener.Close()).To(Succeed())
	s.Listener = listener
	s.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, 0)
	s.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			s.calls.Add(1)
		}
	}
	if configuration == nil {
		s.Start()
	} else {
		s.TLS = configuration
		s.StartTLS()
	}
	DeferCleanup(s.Close)
	return s
}

func speaking(from, to uint16) *tls.Config { return &tls.Config{MinVersion: from, MaxVersion: to} }

func page(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusOK) }

// turning turns callers to the same host by https.
func turning(w http.ResponseWriter, r *http.Request) {
	host, _, err := net.SplitHostPort(r.Host)
	if err != nil {
		host = r.Host
	}
	http.Redirect(w, r, "https://"+host+"/", http.StatusPermanentRedirect)
}

// balanced is a workload to which a load balancer leads from an address, by each port.
func balanced(namespace, address string, ports ...int32) (*hipaav1.PHIWorkload, *corev1.Service) {
	GinkgoHelper()
	phiNamespace(namespace)
	resolving(namespace)
	workload := phitest.Workload("api").Namespace(namespace).Port("http", 8080).From(phitest.FromBlock("198.51.100.0/24")).Obj()
	Expect(admin.Create(ctx, workload)).To(Succeed())
	Eventually(owned(namespace, "hipaa-api")).Should(Succeed())
	return workload, balancer(namespace, "edge", address, ports...)
}

func balancer(namespace, name, address string, ports ...int32) *corev1.Service {
	GinkgoHelper()
	builder := phitest.Service(name).Namespace(namespace).Selecting("app", "api").With(func(s *corev1.Service) {
		s.Spec.Type, s.Spec.ExternalTrafficPolicy = corev1.ServiceTypeLoadBalancer, corev1.ServiceExternalTrafficPolicyLocal
	})
	for i, port := range ports {
		builder.Port(fmt.Sprintf("p%d", i), port, intstr.FromString("http"))
	}
	service := builder.Obj()
	Eventually(func() error { return admin.Create(ctx, service) }).Should(Succeed())
	before := service.DeepCopy()
	service.Status.LoadBalancer.Ingress = []corev1.LoadBalancerIngress{{IP: address}}
	Expect(admin.Status().Patch(ctx, service, client.MergeFrom(before))).To(Succeed())
	return service
}

// answering is a workload behind a load balancer that a server is behind.
func answering(configuration *tls.Config) func(string) *hipaav1.PHIWorkload {
	return func(namespace string) *hipaav1.PHIWorkload {
		GinkgoHelper()
		at := outside()
		workload, _ := balanced(namespace, at, listen(net.JoinHostPort(at, "0"), configuration, page).port())
		return workload
	}
}

// ended is a workload behind a load balancer that shows a certificate which has ended.
func ended(namespace string) *hipaav1.PHIWorkload {
	GinkgoHelper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	Expect(err).NotTo(HaveOccurred())
	end := time.Date(2025, time.December, 1, 0, 0, 0, 0, time.UTC)
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: end.AddDate(-1, 0, 0), NotAfter: end}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	Expect(err).NotTo(HaveOccurred())
	configuration := speaking(tls.VersionTLS12, tls.VersionTLS13)
	configuration.Certificates = []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}
	return answering(configuration)(namespace)
}

var _ = Describe("What callers from outside the cluster reach", func() {
	judged := func(workload *hipaav1.PHIWorkload, controlID string) func() hipaav1.ControlResult {
		return func() hipaav1.ControlResult { return resultOf(workload, controlID) }
	}
	tested := func(verdict hipaav1.Verdict, says string) gomegatypes.GomegaMatcher {
		return And(HaveField("Verdict", verdict), HaveField("Class", hipaav1.EvidenceTested), HaveField("Message", ContainSubstring(says)))
	}

	It("is dialled, again after a change, and not where a profile forbids it", func() {
		at := outside()
		secure := listen(net.JoinHostPort(at, "0"), speaking(tls.VersionTLS12, tls.VersionTLS13), page)
		plain := listen(net.JoinHostPort(at, "0"), nil, turning)
		workload, service := balanced("dialled", at, secure.port(), plain.port())
		Eventually(judged(workload, "tls-minimum-version")).Should(tested(hipaav1.VerdictPass, "spec.ports[0] refuses TLS below 1.2; dialled on "))
		Eventually(judged(workload, "https-redirect")).Should(tested(hipaav1.VerdictPass, "answers nothing in plaintext but where TLS is"))

		By("falling back to what is old, and touching the Service")
		address := secure.Listener.Addr().String()
		secure.Close()
		listen(address, speaking(tls.VersionTLS10, tls.VersionTLS12), page)
		touched := client.RawPatch(types.MergePatchType, []byte(`{"metadata":{"annotations":{"example.org/changed":"true"}}}`))
		Expect(admin.Patch(ctx, service, touched)).To(Succeed())
		Eventually(judged(workload, "tls-minimum-version")).WithTimeout(2 * time.Minute).Should(tested(hipaav1.VerdictFail, "accepted TLS 1.1 when it was dialled on "))
		Eventually(judged(workload, "https-redirect")).Should(tested(hipaav1.VerdictPass, "answers nothing in plaintext"), "a redirect needs no TLS of its own")

		By("forbidding it")
		refused(admin.Create(ctx, phitest.Profile("muddled").Dialled(hipaav1.EdgeProbeNever, 30).Obj(), client.DryRunAll), "says nothing where edgeProbe is Never")
		refused(admin.Create(ctx, phitest.Profile("hasty").Dialled(hipaav1.EdgeProbeDial, 1).Obj(), client.DryRunAll), "edgeProbeMinutes")
		profile := &hipaav1.ComplianceProfile{ObjectMeta: metav1.ObjectMeta{Name: "dialled"}}
		never := client.RawPatch(types.MergePatchType, []byte(`{"spec":{"transmission":{"edgeProbe":"Never"}}}`))
		Expect(admin.Patch(ctx, profile, never)).To(Succeed())
		Eventually(judged(workload, "tls-minimum-version")).Should(And(
			HaveField("Verdict", hipaav1.VerdictUnknown), HaveField("Message", ContainSubstring("shows only to whoever dials it"))))
	})

	It("is not whatever somebody who writes a status points at", func() {
		at := outside()
		inside := listen("127.0.0.1:0", speaking(tls.VersionTLS10, tls.VersionTLS12), page)
		secure := listen(net.JoinHostPort(at, "0"), speaking(tls.VersionTLS12, tls.VersionTLS13), page)
		namespace := "pointing"
		workload, _ := balanced(namespace, "127.0.0.1", inside.port())
		balancer(namespace, "later", at, secure.port())
		Eventually(secure.calls.Load).Should(BeNumerically(">", 3), "what came later has been dialled")
		Expect(inside.calls.Load()).To(BeZero())
		Expect(resultOf(workload, "tls-minimum-version").Verdict).To(Equal(hipaav1.VerdictUnknown))
	})
})
