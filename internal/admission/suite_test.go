package admission_test

import (
	"context"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/intstr"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"
	"sigs.k8s.io/controller-runtime/pkg/webhook"
	"sigs.k8s.io/yaml"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
	"github.com/hipaa-operator/hipaa-operator/config"
	"github.com/hipaa-operator/hipaa-operator/internal/admission"
	"github.com/hipaa-operator/hipaa-operator/internal/control"
	"github.com/hipaa-operator/hipaa-operator/internal/control/catalog"
	"github.com/hipaa-operator/hipaa-operator/internal/engine"
	"github.com/hipaa-operator/hipaa-operator/internal/phitest"
	"github.com/hipaa-operator/hipaa-operator/internal/rule"
	"github.com/hipaa-operator/hipaa-operator/internal/subject"
	"github.com/hipaa-operator/hipaa-operator/internal/uses"
	"github.com/hipaa-operator/hipaa-operator/internal/witness"
)

func TestAdmission(t *testing.T) {
	if os.Getenv("KUBEBUILDER_ASSETS") == "" {
		t.Skip("needs a real API server: KUBEBUILDER_ASSETS is not set, make test sets it")
	}
	RegisterFailHandler(Fail)
	SetDefaultEventuallyTimeout(30 * time.Second)
	RunSpecs(t, "Admission on a real API server")
}

// The operator as its manifests name it.
const (
	operatorNamespace = "hipaa-operator-system"
	manager           = "system:serviceaccount:hipaa-operator-system:hipaa-operator-manager"
)

var (
	scheme    = runtime.NewScheme()
	server    *envtest.Environment
	apiConfig *rest.Config
	// admin is in system:masters: nothing but admission stops it.
	admin    client.Client
	gate     *admission.Gate
	book     *witness.Book
	ledger   *uses.Ledger
	attempts = &attemptLog{}
	operator webhooks
)

// webhooks are the running webhook server.
type webhooks struct {
	cancel context.CancelFunc
	done   chan error
}

// start serves the gate where the webhook configurations point.
func (w *webhooks) start() {
	GinkgoHelper()
	options := server.WebhookInstallOptions
	s := webhook.NewServer(webhook.Options{
		Host: options.LocalServingHost, Port: options.LocalServingPort, CertDir: options.LocalServingCertDir,
	})
	gate.Register(s)
	ctx, cancel := context.WithCancel(context.Background())
	w.cancel, w.done = cancel, make(chan error, 1)
	go func() { w.done <- s.Start(ctx) }()
	Eventually(func() error { return s.StartedChecker()(nil) }, 10*time.Second, 20*time.Millisecond).Should(Succeed())
}

func (w *webhooks) stop() {
	GinkgoHelper()
	w.cancel()
	Eventually(w.done, 40*time.Second).Should(Receive(BeNil()))
}

var _ = BeforeSuite(func() {
	Expect(clientgoscheme.AddToScheme(scheme)).To(Succeed())
	Expect(hipaav1.AddToScheme(scheme)).To(Succeed())
	root := filepath.Join("..", "..", "config")
	server = &envtest.Environment{
		Scheme:                scheme,
		CRDDirectoryPaths:     []string{filepath.Join(root, "crd", "bases")},
		ErrorIfCRDPathMissing: true,
		WebhookInstallOptions: envtest.WebhookInstallOptions{Paths: []string{
			filepath.Join(root, "webhook", "mutating.yaml"), filepath.Join(root, "webhook", "validating.yaml"),
		}},
	}
	var err error
	apiConfig, err = server.Start()
	Expect(err).NotTo(HaveOccurred())
	// Specs are impatient, and count what they ask.
	apiConfig.QPS, apiConfig.Burst = 1000, 1000
	DeferCleanup(func() error { return server.Stop() })
	admin, err = client.New(apiConfig, client.Options{Scheme: scheme})
	Expect(err).NotTo(HaveOccurred())

	ctx := context.Background()
	installPolicies(ctx)
	installPeople(ctx)
	for _, object := range []client.Object{
		phitest.Service("kube-dns").Namespace(metav1.NamespaceSystem).Port("dns", 53, intstr.FromInt32(53)).Obj(),
		phitest.Profile("enforcing").Selecting("mode", "enforce").EncryptedClass(phitest.EncryptedClass).Obj(),
		phitest.Profile("warning").Selecting("mode", "warn").Mode(hipaav1.ModeWarn).EncryptedClass(phitest.EncryptedClass).Obj(),
	} {
		Expect(admin.Create(ctx, object)).To(Succeed())
	}
	Expect(admin.Create(ctx, phitest.Class(phitest.EncryptedClass).Obj())).To(Succeed())
	Expect(admin.Create(ctx, phitest.Class("plain").Unencrypted().Obj())).To(Succeed())
	buildGate()
	operator.start()
	DeferCleanup(func() { operator.stop() })
})

func buildGate() {
	GinkgoHelper()
	informers, err := cache.New(apiConfig, cache.Options{Scheme: scheme, DefaultTransform: subject.Trim})
	Expect(err).NotTo(HaveOccurred())
	ctx, cancel := context.WithCancel(context.Background())
	DeferCleanup(cancel)
	Expect(informers.IndexField(ctx, &corev1.Pod{}, subject.ByServiceAccount, subject.ServiceAccountOf)).To(Succeed())
	loader, err := subject.Keeping(ctx, informers, admin)
	Expect(err).NotTo(HaveOccurred())
	loader.Proxy, loader.ProxyImages = func() (*control.Proxy, error) { return phitest.Proxy(), nil }, phitest.ProxyImages()
	go func() {
		defer GinkgoRecover()
		Expect(informers.Start(ctx)).To(Succeed())
	}()
	judge, err := engine.New(catalog.All())
	Expect(err).NotTo(HaveOccurred())
	loader.ReportTypes = judge.ReportTypes()
	book = witness.NewBook(admin, admin, operatorNamespace)
	ledger = uses.New(admin, as(manager).Status(), clock.RealClock{})
	gate = &admission.Gate{
		Engine:  judge.Accepting(rule.Customs(judge.ResourceTypes())),
		Loader:  loader,
		Clock:   clock.RealClock{},
		Reviews: admin,
		Changes: book,
		Uses:    ledger,
		// What is told of is read by the specs.
		Attempts: attempts,
	}
}

// attemptLog keeps attempts that were told of.
type attemptLog struct {
	mu   sync.Mutex
	seen []witness.Attempt
}

func (l *attemptLog) Refused(a witness.Attempt) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.seen = append(l.seen, a)
}

// take hands out what was told since the last time.
func (l *attemptLog) take() []witness.Attempt {
	l.mu.Lock()
	defer l.mu.Unlock()
	seen := l.seen
	l.seen = nil
	return seen
}

// writeUses writes what the gate has counted, as the operator would in a round.
func writeUses(ctx context.Context) {
	GinkgoHelper()
	round, cancel := context.WithCancel(ctx)
	cancel()
	Expect(ledger.Start(round)).To(Succeed())
}

// installPolicies applies the policies and waits until the API server holds to
// one that came last.
func installPolicies(ctx context.Context) {
	GinkgoHelper()
	Expect(admin.Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: operatorNamespace}})).To(Succeed())
	Expect(fs.WalkDir(config.Admission, "admission", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || path.Base(name) == "kustomization.yaml" {
			return err
		}
		text, err := fs.ReadFile(config.Admission, name)
		Expect(err).NotTo(HaveOccurred())
		for document := range strings.SplitSeq(string(text), "\n---\n") {
			object := &unstructured.Unstructured{}
			Expect(yaml.Unmarshal([]byte(document), &object.Object)).To(Succeed())
			Expect(admin.Create(ctx, object)).To(Succeed(), name)
		}
		return nil
	})).To(Succeed())
	Eventually(func() error {
		probe := phitest.Workload("probe").Namespace("default").Obj()
		return admin.Create(ctx, probe, client.DryRunAll)
	}, 20*time.Second, 100*time.Millisecond).Should(MatchError(ContainSubstring("is not declared to hold PHI")))
	Eventually(func() error {
		probe := phitest.Namespace(operatorNamespace).Obj()
		return admin.Update(ctx, probe, client.DryRunAll)
	}, 20*time.Second, 100*time.Millisecond).Should(MatchError(ContainSubstring("cannot hold PHI")))
}

// installPeople gives tenants every right on what tenants write, and nobody but
// approvers and the security team the verbs that matter.
func installPeople(ctx context.Context) {
	GinkgoHelper()
	edit := []string{"get", "list", "watch", "create", "update", "patch", "delete", "deletecollection"}
	roles := map[string][]rbacv1.PolicyRule{
		"tenants": {
			{APIGroups: []string{""}, Resources: []string{"*"}, Verbs: edit},
			{APIGroups: []string{"apps", "batch", "networking.k8s.io", "discovery.k8s.io", "hipaa-operator.io"}, Resources: []string{"*"}, Verbs: edit},
		},
		"approvers": {
			{APIGroups: []string{"hipaa-operator.io"}, Resources: []string{"controlexceptions"}, Verbs: []string{"get", "approve"}},
			{APIGroups: []string{"hipaa-operator.io"}, Resources: []string{"controlexceptions/status"}, Verbs: []string{"update", "patch"}},
		},
		"security": {{APIGroups: []string{"hipaa-operator.io"}, Resources: []string{"complianceprofiles"}, Verbs: []string{"release", "weaken"}}},
	}
	for name, rules := range roles {
		Expect(admin.Create(ctx, &rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: name}, Rules: rules})).To(Succeed())
		Expect(admin.Create(ctx, &rbacv1.ClusterRoleBinding{
			ObjectMeta: metav1.ObjectMeta{Name: name},
			RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: name},
			Subjects:   []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: "Group", Name: name}},
		})).To(Succeed())
	}
}

// as is a client of a user in groups. Tenants are what everybody is.
func as(user string, groups ...string) *person {
	GinkgoHelper()
	impersonating := rest.CopyConfig(apiConfig)
	impersonating.Impersonate = rest.ImpersonationConfig{UserName: user, Groups: append([]string{"tenants", "system:authenticated"}, groups...)}
	return personWith(impersonating)
}

// person is a client that remembers the warnings it was given.
type person struct {
	client.Client
	warned *warnings
}

type warnings struct{ texts []string }

// HandleWarningHeader keeps what the API server says beside its answer.
func (w *warnings) HandleWarningHeader(_ int, _, text string) { w.texts = append(w.texts, text) }

func personWith(as *rest.Config) *person {
	GinkgoHelper()
	heard := &warnings{}
	as.WarningHandler = heard
	c, err := client.New(as, client.Options{Scheme: scheme})
	Expect(err).NotTo(HaveOccurred())
	return &person{Client: c, warned: heard}
}

// namespace creates a PHI namespace of a mode with a name of its own.
func namespace(ctx context.Context, mode string) string {
	GinkgoHelper()
	ns := phitest.Namespace("").Label("mode", mode).Obj()
	delete(ns.Labels, corev1.LabelMetadataName)
	ns.GenerateName = mode + "-"
	Expect(admin.Create(ctx, ns)).To(Succeed())
	if mode == "enforce" {
		closeNamespace(ctx, ns.Name)
	}
	return ns.Name
}

// closeNamespace puts into a namespace what the operator would keep for it, and
// waits until the gate's cache knows of it.
func closeNamespace(ctx context.Context, ns string) {
	GinkgoHelper()
	closed := phitest.Policy("closed").Namespace(ns).Obj()
	closed.Labels = map[string]string{hipaav1.LabelManagedBy: hipaav1.ManagedByValue}
	Expect(as(manager).Create(ctx, closed)).To(Succeed())
	Eventually(func() error { return gate.Loader.Cache.Get(ctx, client.ObjectKeyFromObject(closed), closed) }, "30s", "5ms").Should(Succeed())
}

// declare applies a PHIWorkload that selects app=name.
func declare(ctx context.Context, ns, name string) *hipaav1.PHIWorkload {
	GinkgoHelper()
	w := phitest.Workload(name).Namespace(ns).Obj()
	Expect(admin.Create(ctx, w)).To(Succeed())
	return w
}
