package canary

import (
	"context"
	"encoding/pem"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-logr/logr"
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"github.com/onsi/gomega/types"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	clocktesting "k8s.io/utils/clock/testing"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"
	logf "sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/hipaa-operator/hipaa-operator/internal/control"
)

const patient = 30 * time.Second

func TestCanary(t *testing.T) {
	if os.Getenv("KUBEBUILDER_ASSETS") == "" {
		t.Skip("needs a real API server: KUBEBUILDER_ASSETS is not set, make test sets it")
	}
	logf.SetLogger(logr.Discard())
	RegisterFailHandler(Fail)
	SetDefaultEventuallyTimeout(30 * time.Second)
	RunSpecs(t, "The canary of Secrets on real API servers")
}

// cluster is an API server with providers of an encryption configuration; without any
// it has no configuration.
type cluster struct {
	config *rest.Config
	admin  client.Client
	clock  *clocktesting.FakeClock
}

// key is no key of anybody.
const key = `{keys: [{name: key1, secret: c2VjcmV0IGlzIHNlY3VyZSwgb3IgaXMgaXQ/Pz8/Pz8=}]}`

func start(providers string) *cluster {
	GinkgoHelper()
	environment := &envtest.Environment{}
	arguments := environment.ControlPlane.GetAPIServer().Configure()
	if providers != "" {
		file := filepath.Join(GinkgoT().TempDir(), "encryption.yaml")
		text := "apiVersion: apiserver.config.k8s.io/v1\nkind: EncryptionConfiguration\nresources:\n- resources: [secrets]\n  providers: " + providers + "\n"
		Expect(os.WriteFile(file, []byte(text), 0o600)).To(Succeed())
		arguments.Set("encryption-provider-config", file)
	}
	config, err := environment.Start()
	Expect(err).NotTo(HaveOccurred())
	DeferCleanup(environment.Stop)
	admin, err := client.New(config, client.Options{})
	Expect(err).NotTo(HaveOccurred())
	c := &cluster{config: config, admin: admin, clock: clocktesting.NewFakeClock(time.Now())}
	Expect(admin.Create(GinkgoT().Context(), &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: metav1.NamespaceDefault, Name: SecretName}})).To(Succeed())
	Eventually(func(g Gomega) { // the API server writes its lease soon after it serves
		var leases coordinationv1.LeaseList
		g.Expect(admin.List(GinkgoT().Context(), &leases, client.InNamespace(metav1.NamespaceSystem))).To(Succeed())
		g.Expect(leases.Items).NotTo(BeEmpty())
	}, patient).Should(Succeed())
	return c
}

// canary asks as somebody.
func (c *cluster) canary(config *rest.Config, changed func()) *Canary {
	return New(Options{Config: config, Namespace: metav1.NamespaceDefault, Live: c.admin, Clock: c.clock, Changed: changed})
}

func (c *cluster) version() string {
	GinkgoHelper()
	secret := &corev1.Secret{}
	Expect(c.admin.Get(GinkgoT().Context(), client.ObjectKey{Namespace: metav1.NamespaceDefault, Name: SecretName}, secret)).To(Succeed())
	return secret.ResourceVersion
}

// another adds the lease of an API server that cannot be reached.
func (c *cluster) another(name string) {
	GinkgoHelper()
	now := metav1.NewMicroTime(c.clock.Now())
	Expect(c.admin.Create(GinkgoT().Context(), &coordinationv1.Lease{
		ObjectMeta: metav1.ObjectMeta{Namespace: metav1.NamespaceSystem, Name: name, Labels: map[string]string{identityLabel: "kube-apiserver"}},
		Spec:       coordinationv1.LeaseSpec{HolderIdentity: ptr.To(name), LeaseDurationSeconds: ptr.To[int32](3600), RenewTime: &now},
	})).To(Succeed())
}

var _ = Describe("Secrets", func() {
	for name, tc := range map[string]struct {
		providers string
		want      string
	}{
		"without an encryption configuration": {"", control.InTheClear},
		"with one that begins with identity":  {"[{identity: {}}, {aescbc: " + key + "}]", control.InTheClear},
		"with one that begins with aescbc":    {"[{aescbc: " + key + "}, {identity: {}}]", "aescbc"},
		"with one that begins with aesgcm":    {"[{aesgcm: " + key + "}, {identity: {}}]", "aesgcm"},
		"with one that begins with secretbox": {"[{secretbox: " + key + "}, {identity: {}}]", "secretbox"},
	} {
		It("are seen to be stored as they are by an API server "+name, func() {
			c := start(tc.providers)
			canary := c.canary(c.config, nil)
			canary.turn(GinkgoT().Context(), nil)
			Expect(canary.Last()).To(HaveValue(And(HaveField("Providers", []string{tc.want}), HaveField("Servers", 1), HaveField("Problem", ""))))
		})
	}
})

var _ = Describe("The canary", Ordered, func() {
	var c *cluster
	BeforeAll(func() { c = start("[{secretbox: " + key + "}]") })
	// Leases are renewed by the real clock.
	BeforeEach(func() { c.clock.SetTime(time.Now()) })

	It("writes once, and again only after a day or when an API server starts anew", func() {
		changes := 0
		canary := c.canary(c.config, func() { changes++ })
		asked := canary.turn(GinkgoT().Context(), nil)
		first := c.version()
		for range 3 {
			c.clock.Step(look)
			asked = canary.turn(GinkgoT().Context(), asked)
		}
		Expect(c.version()).To(Equal(first))
		asked = canary.turn(GinkgoT().Context(), []string{"before it started anew"})
		second := c.version()
		Expect(second).NotTo(Equal(first))
		canary.last.At = canary.last.At.Add(-anew)
		canary.turn(GinkgoT().Context(), asked)
		Expect(c.version()).NotTo(Equal(second))
		Expect(changes).To(Equal(1), "what is known has not changed")
	})

	It("starts and ends with its context, and asks by its clock", func() {
		ctx, cancel := context.WithCancel(GinkgoT().Context())
		canary := c.canary(c.config, nil)
		before := c.version()
		ended := make(chan error, 1)
		go func() { ended <- canary.Start(ctx) }()
		Eventually(canary.Last, patient).Should(HaveValue(HaveField("Providers", []string{"secretbox"})))
		Expect(c.version()).NotTo(Equal(before))
		Eventually(c.clock.HasWaiters).Should(BeTrue())
		canary.learn(&control.SecretStorage{Problem: "an hour ago", At: c.clock.Now().Add(-again)})
		c.clock.Step(look)
		Eventually(canary.Last, patient).Should(HaveValue(HaveField("Problem", "")))
		cancel()
		Eventually(ended).Should(Receive(BeNil()))
	})

	It("shows nothing where it may not read metrics, and writes nothing then", func() {
		binding := &rbacv1.ClusterRoleBinding{
			ObjectMeta: metav1.ObjectMeta{Name: "writer"}, RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "admin"},
			Subjects: []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: "somebody"}},
		}
		Expect(c.admin.Create(GinkgoT().Context(), binding)).To(Succeed())
		somebody := rest.CopyConfig(c.config)
		somebody.Impersonate = rest.ImpersonationConfig{UserName: "somebody"}
		canary, before := c.canary(somebody, nil), c.version()
		canary.turn(GinkgoT().Context(), nil)
		Expect(canary.Last()).To(HaveValue(And(HaveField("Providers", BeEmpty()), HaveField("Problem", ContainSubstring("may not read the metrics")))))
		Expect(c.version()).To(Equal(before))
	})

	It("shows nothing where its Secret is not there", func() {
		canary := c.canary(c.config, nil)
		canary.Namespace = metav1.NamespaceSystem
		canary.turn(GinkgoT().Context(), nil)
		Expect(canary.Last()).To(HaveValue(HaveField("Problem", ContainSubstring("is not installed"))))
	})

	It("knows no more than one of two API servers where the other cannot be reached", func() {
		c.another("apiserver-other")
		canary := c.canary(c.config, nil)
		asked := canary.turn(GinkgoT().Context(), nil)
		Expect(canary.Last()).To(HaveValue(And(
			HaveField("Providers", []string{"secretbox"}), HaveField("Servers", 2), HaveField("Problem", HavePrefix("1 of 2 API servers showed it")))))
		By("trying again soon, each time twice as late, and within the hour at last")
		for _, wait := range []time.Duration{10 * time.Second, 20 * time.Second, 40 * time.Second} {
			before := c.version()
			c.clock.Step(wait - time.Second)
			asked = canary.turn(GinkgoT().Context(), asked)
			Expect(c.version()).To(Equal(before))
			c.clock.Step(time.Second)
			asked = canary.turn(GinkgoT().Context(), asked)
			Expect(c.version()).NotTo(Equal(before))
		}
		canary.failed = 100
		Expect(canary.due()).To(Equal(time.Hour))
		By("forgetting a server whose lease has ended")
		c.clock.Step(2 * time.Hour)
		canary.turn(GinkgoT().Context(), asked)
		Expect(canary.Last()).NotTo(HaveValue(HaveField("Servers", 2)))
	})
})

var _ = Describe("Several API servers behind one address", func() {
	It("are each asked, and one in the clear is found", func() {
		encrypts, reveals := start("[{secretbox: "+key+"}]"), start("")
		encrypts.another("apiserver-other")
		for name, tc := range map[string]struct {
			choose func(connection, request int) int
			want   types.GomegaMatcher
		}{
			"each connection to another": {
				func(connection, _ int) int { return connection % 2 },
				And(HaveField("Providers", []string{control.InTheClear, "secretbox"}), HaveField("Problem", "")),
			},
			"each request to another": {
				func(_, request int) int { return request % 2 },
				And(HaveField("Providers", BeEmpty()), HaveField("Problem", ContainSubstring("led the writing to another one"))),
			},
			"all to one": {
				func(_, _ int) int { return 0 },
				And(HaveField("Providers", []string{"secretbox"}), HaveField("Problem", HavePrefix("1 of 2"))),
			},
		} {
			By(name)
			canary := encrypts.canary(front(tc.choose, encrypts.config, reveals.config), nil)
			canary.turn(GinkgoT().Context(), nil)
			Expect(canary.Last()).To(HaveValue(tc.want))
		}
	})
})

// front stands before API servers and chooses one for each request, by its number and
// that of its connection.
func front(choose func(connection, request int) int, behind ...*rest.Config) *rest.Config {
	GinkgoHelper()
	proxies := make([]*httputil.ReverseProxy, len(behind))
	for i, config := range behind {
		address, err := url.Parse(config.Host)
		Expect(err).NotTo(HaveOccurred())
		proxies[i] = httputil.NewSingleHostReverseProxy(address)
		proxies[i].Transport, err = rest.TransportFor(config)
		Expect(err).NotTo(HaveOccurred())
	}
	type number struct{}
	var connections, requests atomic.Int64
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		connection, _ := r.Context().Value(number{}).(int)
		proxies[choose(connection, int(requests.Add(1)))].ServeHTTP(w, r)
	}))
	server.Config.ConnContext = func(ctx context.Context, _ net.Conn) context.Context {
		return context.WithValue(ctx, number{}, int(connections.Add(1)))
	}
	server.StartTLS()
	DeferCleanup(server.Close)
	authority := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	return &rest.Config{Host: server.URL, TLSClientConfig: rest.TLSClientConfig{CAData: authority}}
}
