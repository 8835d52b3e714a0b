package issuer

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-logr/logr"
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"
	clocktesting "k8s.io/utils/clock/testing"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"
	logf "sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/yaml"

	"github.com/hipaa-operator/hipaa-operator/internal/enrol"
	"github.com/hipaa-operator/hipaa-operator/internal/injection"
	"github.com/hipaa-operator/hipaa-operator/internal/phitest"
	"github.com/hipaa-operator/hipaa-operator/internal/pki"
)

func TestIssuer(t *testing.T) {
	if os.Getenv("KUBEBUILDER_ASSETS") == "" {
		t.Skip("needs a real API server: KUBEBUILDER_ASSETS is not set, make test sets it")
	}
	RegisterFailHandler(Fail)
	SetDefaultEventuallyTimeout(30 * time.Second)
	SetDefaultEventuallyPollingInterval(20 * time.Millisecond)
	RunSpecs(t, "The issuer on a real API server")
}

const (
	operatorNamespace = "hipaa-operator-system"
	// here is where the pods of the specs have their addresses, so that requests
	// come from there.
	here = "127.0.0.1"
)

var (
	apiConfig *rest.Config
	// admin is in system:masters: nothing but admission stops it.
	admin client.Client
)

var _ = BeforeSuite(func(ctx SpecContext) {
	logf.SetLogger(logr.Discard())
	config := filepath.Join("..", "..", "config")
	server := &envtest.Environment{CRDDirectoryPaths: []string{filepath.Join(config, "crd", "bases")}, ErrorIfCRDPathMissing: true}
	var err error
	apiConfig, err = server.Start()
	Expect(err).NotTo(HaveOccurred())
	DeferCleanup(func() error { return server.Stop() })
	apiConfig.QPS, apiConfig.Burst = 1000, 1000
	admin, err = newClient(apiConfig)
	Expect(err).NotTo(HaveOccurred())
	Expect(admin.Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: operatorNamespace}})).To(Succeed())
	// The issuer's own manifests and the rights of the manager beside it.
	for _, file := range []string{
		"issuer/service_account.yaml", "issuer/role.yaml", "issuer/binding.yaml", "issuer/root.yaml",
		"rbac/service_account.yaml", "rbac/manager_role.yaml", "rbac/manager_binding.yaml", "rbac/own_namespace.yaml", "rbac/auth_review.yaml",
		"admission/issuer_tokens.yaml",
	} {
		install(ctx, filepath.Join(config, file))
	}
	// A namespace where everything is right, to see when the policy is in force.
	Expect(admin.Create(ctx, &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "probe"}})).To(Succeed())
	Eventually(func() error {
		_, err := mint(ctx, admin, client.ObjectKey{Namespace: "default", Name: "probe"}, nil, enrol.Audience)
		return err
	}).Should(MatchError(ContainSubstring("only nodes get one")))
})

func install(ctx context.Context, file string) {
	GinkgoHelper()
	text, err := os.ReadFile(file)
	Expect(err).NotTo(HaveOccurred())
	for document := range strings.SplitSeq(string(text), "\n---\n") {
		object := &unstructured.Unstructured{}
		Expect(yaml.Unmarshal([]byte(document), &object.Object)).To(Succeed())
		Expect(admin.Create(ctx, object)).To(Succeed(), file)
	}
}

// impersonating is a configuration with the rights of a user and no others.
func impersonating(user string, groups ...string) *rest.Config {
	c := rest.CopyConfig(apiConfig)
	c.Impersonate = rest.ImpersonationConfig{UserName: user, Groups: append(groups, "system:authenticated")}
	return c
}

func as(user string, groups ...string) client.Client {
	GinkgoHelper()
	c, err := newClient(impersonating(user, groups...))
	Expect(err).NotTo(HaveOccurred())
	return c
}

// asAccount has the rights of a ServiceAccount of the operator's namespace.
func asAccount(name string) *rest.Config {
	return impersonating("system:serviceaccount:"+operatorNamespace+":"+name, "system:serviceaccounts", "system:serviceaccounts:"+operatorNamespace)
}

// node asks for tokens as a kubelet does. It may, because envtest has no authorizer
// of nodes: the right is given to the group.
func node() client.Client {
	GinkgoHelper()
	return as("system:node:n", "system:nodes", "system:masters")
}

func mint(ctx context.Context, c client.Client, account client.ObjectKey, pod *corev1.Pod, audience string) (string, error) {
	request := &authenticationv1.TokenRequest{Spec: authenticationv1.TokenRequestSpec{Audiences: []string{audience}}}
	if pod != nil {
		request.Spec.BoundObjectRef = &authenticationv1.BoundObjectReference{Kind: "Pod", APIVersion: "v1", Name: pod.Name, UID: pod.UID}
	}
	err := c.SubResource("token").Create(ctx, &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: account.Namespace, Name: account.Name}}, request)
	return request.Status.Token, err
}

// replica is a running issuer with the rights of its ServiceAccount.
type replica struct {
	address string
	health  string
	metrics string
}

// startReplica runs one until the spec ends, and waits until it can sign.
func startReplica(ctx context.Context, clock *clocktesting.FakeClock, plan pki.Plan) replica {
	GinkgoHelper()
	r, _ := startStoppable(ctx, clock, plan)
	return r
}

// startStoppable is startReplica with a way to end it before.
func startStoppable(ctx context.Context, clock *clocktesting.FakeClock, plan pki.Plan) (replica, func()) {
	GinkgoHelper()
	r := replica{freeAddress(), freeAddress(), freeAddress()}
	o := Options{
		Namespace: operatorNamespace, TrustDomain: domain, Plan: plan, Refresh: time.Minute,
		Address: r.address, HealthAddress: r.health, MetricsAddress: r.metrics,
	}
	Expect(o.complete()).To(Succeed())
	running, cancel := context.WithCancel(context.WithoutCancel(ctx))
	ended := make(chan error, 1)
	go func() { ended <- run(running, asAccount("hipaa-operator-issuer"), o, clock) }()
	stop := sync.OnceFunc(func() {
		cancel()
		Eventually(ended).Should(Receive(BeNil()))
	})
	DeferCleanup(stop)
	Eventually(func() (int, error) {
		// Who lost the race for the first root tries again after a second.
		if clock.HasWaiters() {
			clock.Step(time.Second)
		}
		return status(ctx, "http://"+r.health+"/readyz")
	}).Should(Equal(http.StatusOK))
	Eventually(func() error {
		return admin.Get(ctx, client.ObjectKey{Namespace: operatorNamespace, Name: enrol.BundleName}, &corev1.ConfigMap{})
	}).Should(Succeed())
	return r, stop
}

// whoever asks a port without knowing its certificate.
var whoever = http.Client{Transport: &http.Transport{
	DisableKeepAlives: true,
	TLSClientConfig:   &tls.Config{MinVersion: tls.VersionTLS13, InsecureSkipVerify: true},
}}

func status(ctx context.Context, url string) (int, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return 0, err
	}
	answer, err := whoever.Do(request)
	if err != nil {
		return 0, err
	}
	return answer.StatusCode, answer.Body.Close()
}

func freeAddress() string {
	GinkgoHelper()
	listener, err := net.Listen("tcp", here+":0")
	Expect(err).NotTo(HaveOccurred())
	defer listener.Close()
	return listener.Addr().String()
}

// phiPod is a pod as it should be: of one PHIWorkload, on a node, at our address.
type phiPod struct{ *corev1.Pod }

// account is the ServiceAccount under which it runs.
func (p phiPod) account() client.ObjectKey {
	return client.ObjectKey{Namespace: p.Namespace, Name: p.Spec.ServiceAccountName}
}

func newPod(ctx context.Context) phiPod {
	GinkgoHelper()
	namespace := phitest.Namespace("").Obj()
	namespace.GenerateName = "ehr-"
	delete(namespace.Labels, corev1.LabelMetadataName)
	Expect(admin.Create(ctx, namespace)).To(Succeed())
	workload := phitest.Workload("api").Namespace(namespace.Name).Obj()
	Expect(admin.Create(ctx, workload)).To(Succeed())
	return podIn(ctx, namespace.Name, "api", proxied(workload.UID))
}

// proxied puts the proxy into a pod as admission does.
func proxied(uid types.UID) func(*corev1.Pod) {
	plan := &injection.Plan{
		UID: string(uid), Generation: 1, Image: "phi-proxy:1", ConfigMap: "api-proxy",
		Issuer: "issuer.op.svc", Audience: enrol.Audience, Roots: "roots", NameServers: []netip.AddrPort{netip.MustParseAddrPort("10.96.0.10:53")},
	}
	return plan.Apply
}

// podIn makes a pod under a ServiceAccount, labelled app=account.
func podIn(ctx context.Context, namespace, account string, changes ...func(*corev1.Pod)) phiPod {
	GinkgoHelper()
	Expect(client.IgnoreAlreadyExists(admin.Create(ctx, &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: account}}))).To(Succeed())
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, GenerateName: account + "-", Labels: map[string]string{"app": account}},
		Spec:       corev1.PodSpec{ServiceAccountName: account, NodeName: "n", Containers: []corev1.Container{{Name: "app", Image: "app:1"}}},
	}
	for _, change := range changes {
		change(pod)
	}
	Expect(admin.Create(ctx, pod)).To(Succeed())
	p := phiPod{pod}
	p.at(ctx, here)
	return p
}

// at writes the address of the pod as its kubelet would.
func (p phiPod) at(ctx context.Context, addresses ...string) {
	GinkgoHelper()
	p.Status.Phase, p.Status.PodIPs, p.Status.PodIP = corev1.PodRunning, nil, ""
	for _, address := range addresses {
		p.Status.PodIPs = append(p.Status.PodIPs, corev1.PodIP{IP: address})
		p.Status.PodIP = p.Status.PodIPs[0].IP
	}
	Expect(admin.Status().Update(ctx, p.Pod)).To(Succeed())
}

func (p phiPod) token(ctx context.Context) string {
	GinkgoHelper()
	token, err := mint(ctx, node(), p.account(), p.Pod, enrol.Audience)
	Expect(err).NotTo(HaveOccurred())
	return token
}

// asking is a proxy that asks a replica with a token, until the spec ends.
type asking struct {
	*enrol.Enrolment
	folder string
}

// stillClock tells the time of the issuer and never waits to the end: a spec asks
// anew by a new proxy.
type stillClock struct{ *clocktesting.FakeClock }

func (stillClock) After(time.Duration) <-chan time.Time { return nil }

func ask(ctx context.Context, r replica, clock *clocktesting.FakeClock, token string, trusted pki.Bundle) asking {
	GinkgoHelper()
	a := asking{folder: GinkgoT().TempDir()}
	files := map[string][]byte{"token": []byte(token), "bundle": trusted.PEM()}
	for name, text := range files {
		Expect(os.WriteFile(filepath.Join(a.folder, name), text, 0o600)).To(Succeed())
	}
	var err error
	a.Enrolment, err = enrol.New(enrol.Options{
		URL:        fmt.Sprintf("https://%s.%s.svc", enrol.ServiceName, operatorNamespace),
		TokenFile:  filepath.Join(a.folder, "token"),
		BundleFile: filepath.Join(a.folder, "bundle"),
		Clock:      stillClock{clock},
		Jitter:     func() float64 { return 0 },
		Dial: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, network, r.address)
		},
	})
	Expect(err).NotTo(HaveOccurred())
	running, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		a.Run(running)
	}()
	DeferCleanup(func() {
		cancel()
		Eventually(done).Should(BeClosed())
	})
	Eventually(func() bool { return a.Certificate() != nil || a.LastError() != nil }).Should(BeTrue())
	return a
}

// published is the bundle as the issuer published it.
func published(ctx context.Context) pki.Bundle {
	GinkgoHelper()
	var bundle corev1.ConfigMap
	Expect(admin.Get(ctx, client.ObjectKey{Namespace: operatorNamespace, Name: enrol.BundleName}, &bundle)).To(Succeed())
	roots, err := pki.ParseBundle([]byte(bundle.Data[enrol.BundleKey]))
	Expect(err).NotTo(HaveOccurred())
	return roots
}

// begin empties the Secret and the bundle, so that a spec starts in a new cluster.
func begin(ctx context.Context) {
	GinkgoHelper()
	secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: operatorNamespace, Name: SecretName}}
	Expect(admin.Get(ctx, client.ObjectKeyFromObject(secret), secret)).To(Succeed())
	secret.Data = nil
	Expect(admin.Update(ctx, secret)).To(Succeed())
	Expect(client.IgnoreNotFound(admin.Delete(ctx, &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: operatorNamespace, Name: enrol.BundleName}}))).To(Succeed())
}
