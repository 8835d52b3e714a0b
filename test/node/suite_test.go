// Package node runs pods for real: a kubelet, containerd, a pod network,
// Services and names, in namespaces of their own. Its promise: what it shows
// is shown with packets, not by reading objects.
package node_test

import (
	"context"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/go-logr/logr"
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/controller-runtime/pkg/client"
	logf "sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/hipaa-operator/hipaa-operator/internal/app"
)

const (
	soon  = time.Minute
	often = 100 * time.Millisecond
	// tool is the environment's name for hack/localcluster, which runs this suite.
	tool = "LOCALCLUSTER"
	// images is the environment's name for the folder of archives that were made before.
	images = "NODE_IMAGES"
	// peerImage holds the program of every pod.
	peerImage = "localcluster.local/peer:1"
)

var (
	ctx   = context.Background()
	admin client.Client
	// peerProgram is where the program of every pod was built.
	peerProgram string
)

func TestNode(t *testing.T) {
	if os.Getenv("NODE") == "" {
		t.Skip("the suite with a real node starts a cluster: run it with `make e2e-node`")
	}
	if why := os.Getenv("LOCALCLUSTER_NO_NODE"); why != "" {
		t.Skip("skipped: no real node here: " + why)
	}
	if os.Getenv("LOCALCLUSTER_NODE_PID") == "" {
		t.Fatal("this suite stands in a node's network: run it with `make e2e-node`")
	}
	RegisterFailHandler(Fail)
	RunSpecs(t, "Node")
}

var _ = BeforeSuite(func() {
	logf.SetLogger(logr.Discard())
	SetDefaultEventuallyTimeout(soon)
	SetDefaultEventuallyPollingInterval(often)
	config, err := clientcmd.BuildConfigFromFlags("", os.Getenv("KUBECONFIG"))
	Expect(err).NotTo(HaveOccurred())
	config.QPS, config.Burst = 200, 400
	scheme, err := app.Scheme()
	Expect(err).NotTo(HaveOccurred())
	admin, err = client.New(config, client.Options{Scheme: scheme})
	Expect(err).NotTo(HaveOccurred())

	peerProgram = program("peer")
	importImage("--name", peerImage, peerProgram)
})

// program builds one of the programs that pods run.
func program(name string) string {
	GinkgoHelper()
	file := filepath.Join(GinkgoT().TempDir(), name)
	build := exec.CommandContext(ctx, "go", "build", "-o", file, "./"+name)
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	succeed(build)
	return file
}

// importImage makes an image and gives it to the node.
func importImage(args ...string) {
	GinkgoHelper()
	succeed(exec.CommandContext(ctx, os.Getenv(tool), append([]string{"image"}, args...)...))
}

func succeed(cmd *exec.Cmd) {
	GinkgoHelper()
	said, err := cmd.CombinedOutput()
	Expect(err).NotTo(HaveOccurred(), string(said))
}

// namespace makes one for a spec, which goes afterwards with all that is in it.
func namespace(labels map[string]string) string {
	GinkgoHelper()
	n := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "spec-", Labels: labels}}
	Expect(admin.Create(ctx, n)).To(Succeed())
	DeferCleanup(func() { Expect(client.IgnoreNotFound(admin.Delete(ctx, n))).To(Succeed()) })
	return n.Name
}

// request is an HTTP request from the node itself.
func request(address, path string, query url.Values) (string, error) {
	target := url.URL{Scheme: "http", Host: address, Path: path, RawQuery: query.Encode()}
	client := &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	response, err := client.Get(target.String())
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode != http.StatusOK {
		err = refusal(text)
	}
	return string(text), err
}

// refusal is what a peer could not do.
type refusal string

func (r refusal) Error() string { return string(r) }
