// Package e2e runs the operator as people run it: its manifests on a real
// control plane, the manager as a process, and a simulated node on which pods
// come to run. Its promise: what it shows is what a user would see.
package e2e_test

import (
	"context"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/go-logr/logr"
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/controller-runtime/pkg/client"
	logf "sigs.k8s.io/controller-runtime/pkg/log"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
	"github.com/hipaa-operator/hipaa-operator/internal/app"
	"github.com/hipaa-operator/hipaa-operator/test/cluster"
)

const (
	soon   = time.Minute
	often  = 100 * time.Millisecond
	root   = "../.."
	system = cluster.Namespace
)

var (
	ctx      = context.Background()
	kube     *cluster.Cluster
	operator *cluster.Operator
	config   *rest.Config
	admin    client.Client
	// everybody's ServiceAccounts are created by this client.
	everybody client.Client
)

func TestEndToEnd(t *testing.T) {
	if os.Getenv("E2E") == "" {
		t.Skip("the end-to-end suite starts a cluster: run it with `make e2e`")
	}
	RegisterFailHandler(Fail)
	RunSpecs(t, "End to end")
}

var _ = BeforeSuite(func() {
	logf.SetLogger(logr.Discard())
	SetDefaultEventuallyTimeout(soon)
	SetDefaultEventuallyPollingInterval(often)
	var err error
	kube, err = cluster.Start(ctx, cluster.Options{Root: root, Progress: GinkgoWriter, Audit: true})
	Expect(err).NotTo(HaveOccurred())
	DeferCleanup(kube.Close)
	config, err = clientcmd.BuildConfigFromFlags("", kube.Kubeconfig)
	Expect(err).NotTo(HaveOccurred())
	config.QPS, config.Burst = 200, 400
	everybody = clientFor(config)
	admin = clientFor(config)

	By("applying everything at once, the operator's own manifests and a PHI application together")
	operator, err = kube.NewOperator(ctx)
	Expect(err).NotTo(HaveOccurred())
	DeferCleanup(operator.Stop)
	coldStart()
})

// coldStart applies the operator, a profile and an application in one go, again
// until the API server has taken all of it, while the manager comes up.
func coldStart() {
	GinkgoHelper()
	manifests, err := operator.Manifests(ctx)
	Expect(err).NotTo(HaveOccurred())
	started := make(chan error, 1)
	go func() { started <- operator.Start(ctx) }()
	Eventually(func() error {
		select {
		case err := <-started:
			if err != nil {
				return StopTrying("the operator did not come up").Wrap(err)
			}
			started <- nil // for who waits for it below
		default:
		}
		var failed error
		for _, source := range [][]string{{"-f", manifests}, {"-k", "config/profiles"}, {"-k", "config/samples"}} {
			if out, err := kube.Run(ctx, append([]string{"apply", "--server-side", "--force-conflicts"}, source...)...); err != nil {
				failed = fmt.Errorf("%s: %w\n%s", source[1], err, out)
			}
		}
		return failed
	}, 2*time.Minute, time.Second).Should(Succeed())
	Eventually(started, time.Minute).Should(Receive(BeNil()))
	By("letting pods be replaced at any time: the shipped profile has a window")
	profile := &hipaav1.ComplianceProfile{ObjectMeta: metav1.ObjectMeta{Name: "hipaa-security-rule"}}
	Expect(admin.Patch(ctx, profile, client.RawPatch(types.MergePatchType, []byte(`{"spec":{"rollout":{"window":null}}}`)))).To(Succeed())
}

// lastWords is how much of the operator's log a spec shows that has failed.
const lastWords = 8 << 10

// A spec may fail once in many runs: what the operator said then is all there is to go by.
var _ = JustAfterEach(func() {
	if !CurrentSpecReport().Failed() || operator == nil {
		return
	}
	said, err := os.ReadFile(operator.Log())
	if err != nil {
		said = []byte(err.Error())
	}
	AddReportEntry("what the operator said", string(said[max(0, len(said)-lastWords):]), ReportEntryVisibilityFailureOrVerbose)
})

func clientFor(c *rest.Config) client.Client {
	GinkgoHelper()
	scheme, err := app.Scheme()
	Expect(err).NotTo(HaveOccurred())
	typed, err := client.New(c, client.Options{Scheme: scheme})
	Expect(err).NotTo(HaveOccurred())
	return provident{typed}
}

// as is a client that acts as somebody else.
func as(user string, groups ...string) client.Client {
	GinkgoHelper()
	return clientFor(impersonating(user, groups...))
}

func impersonating(user string, groups ...string) *rest.Config {
	c := rest.CopyConfig(config)
	c.Impersonate = rest.ImpersonationConfig{UserName: user, Groups: append(groups, "system:authenticated")}
	return c
}

// phiNamespace makes a namespace for one spec, and deletes it afterwards. Nobody
// waits until it is gone, which takes the API server many seconds: the spec of a
// namespace's end does.
func phiNamespace(name string) string {
	GinkgoHelper()
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{
		Name: name, Labels: map[string]string{hipaav1.LabelPHI: hipaav1.LabelPHIValue},
	}}
	Expect(admin.Create(ctx, namespace)).To(Succeed())
	DeferCleanup(func() { Expect(client.IgnoreNotFound(admin.Delete(ctx, namespace))).To(Succeed()) })
	return name
}

// deleteNamespace expects that nothing of ours holds a namespace up.
func deleteNamespace(name string) {
	GinkgoHelper()
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}}
	Expect(client.IgnoreNotFound(admin.Delete(ctx, namespace))).To(Succeed())
	Eventually(func() bool {
		return apierrors.IsNotFound(admin.Get(ctx, client.ObjectKeyFromObject(namespace), namespace))
	}, 3*time.Minute).Should(BeTrue(), "namespace %s still exists: %v", name, namespace.Status.Conditions)
}

// refused expects an answer of admission that names something.
func refused(err error, words ...string) {
	GinkgoHelper()
	Expect(err).To(HaveOccurred())
	Expect(apierrors.IsForbidden(err) || apierrors.IsInvalid(err)).To(BeTrue(), "want a refusal, got: %v", err)
	for _, word := range words {
		Expect(err.Error()).To(ContainSubstring(word))
	}
}
