// Package conformance holds what the operator publishes to the contracts that
// other tools read: kstatus, by which Flux, Argo CD and kubectl wait decide
// whether to go on.
package conformance

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/go-logr/logr"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"
	ctrllog "sigs.k8s.io/controller-runtime/pkg/log"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
)

const root = "../.."

// cluster is a real API server with our kinds, for the whole package.
var cluster client.WithWatch

func TestMain(m *testing.M) {
	code, err := run(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, "conformance:", err)
		code = 1
	}
	os.Exit(code)
}

func run(m *testing.M) (code int, err error) {
	ctrllog.SetLogger(logr.Discard())
	assets, err := assets()
	if err != nil {
		return 0, err
	}
	environment := &envtest.Environment{
		BinaryAssetsDirectory: assets,
		CRDDirectoryPaths:     []string{filepath.Join(root, "config/crd/bases")},
		ErrorIfCRDPathMissing: true,
	}
	config, err := environment.Start()
	if err != nil {
		return 0, fmt.Errorf("starting an API server: %w", err)
	}
	defer func() {
		if stopErr := environment.Stop(); err == nil && stopErr != nil {
			err = fmt.Errorf("stopping the API server: %w", stopErr)
		}
	}()
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{clientgoscheme.AddToScheme, hipaav1.AddToScheme} {
		if err := add(scheme); err != nil {
			return 0, fmt.Errorf("registering kinds: %w", err)
		}
	}
	if cluster, err = client.NewWithWatch(config, client.Options{Scheme: scheme}); err != nil {
		return 0, fmt.Errorf("making a client: %w", err)
	}
	return m.Run(), nil
}

// assets is the folder of kube-apiserver and etcd: that of the caller, or the
// one that hack/localcluster builds.
func assets() (string, error) {
	if given := os.Getenv("KUBEBUILDER_ASSETS"); given != "" {
		return given, nil
	}
	command := exec.Command("go", "run", "-C", "hack/localcluster", ".", "assets")
	command.Dir = root
	command.Stderr = os.Stderr
	out, err := command.Output()
	if err != nil {
		return "", fmt.Errorf("building an API server: %w", err)
	}
	return strings.TrimSpace(string(out)), nil
}
