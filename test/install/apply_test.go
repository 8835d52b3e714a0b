package install

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/go-logr/logr"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"
	ctrllog "sigs.k8s.io/controller-runtime/pkg/log"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
)

// cluster is a fresh API server and the kubectl that goes with it.
type cluster struct {
	client.Client
	kubeconfig string
	kubectl    string
}

// assets is the folder of kube-apiserver, etcd and kubectl: that of the caller,
// or the one that hack/localcluster builds, once.
var assets = sync.OnceValues(func() (string, error) {
	if given := os.Getenv("KUBEBUILDER_ASSETS"); given != "" {
		return given, nil
	}
	out, err := goRun("-C", "hack/localcluster", ".", "assets")
	return strings.TrimSpace(string(out)), err
})

func start(t *testing.T) *cluster {
	t.Helper()
	programs, err := assets()
	if err != nil {
		t.Fatalf("finding an API server to apply to: %v", err)
	}
	ctrllog.SetLogger(logr.Discard())
	environment := &envtest.Environment{BinaryAssetsDirectory: programs}
	config, err := environment.Start()
	if err != nil {
		t.Fatalf("starting an API server: %v", err)
	}
	t.Cleanup(func() {
		if err := environment.Stop(); err != nil {
			t.Errorf("stopping the API server: %v", err)
		}
	})
	c, err := client.New(config, client.Options{Scheme: scheme(t)})
	if err != nil {
		t.Fatalf("making a client: %v", err)
	}
	kubeconfig := filepath.Join(t.TempDir(), "kubeconfig")
	if err := os.WriteFile(kubeconfig, environment.KubeConfig, 0o600); err != nil {
		t.Fatalf("writing the kubeconfig: %v", err)
	}
	return &cluster{Client: c, kubeconfig: kubeconfig, kubectl: filepath.Join(programs, "kubectl")}
}

// apply pipes objects into kubectl apply, all at once.
func (c *cluster) apply(t *testing.T, objects []*unstructured.Unstructured, flags ...string) string {
	t.Helper()
	command := exec.CommandContext(t.Context(), c.kubectl, append([]string{"--kubeconfig", c.kubeconfig, "apply", "-f", "-"}, flags...)...)
	command.Stdin = bytes.NewReader(stream(t, objects))
	out, err := command.CombinedOutput()
	if err != nil {
		t.Fatalf("applying with %v: %v\n%s", flags, err, out)
	}
	return string(out)
}

func TestOneApplyInstallsEverythingOnAFreshCluster(t *testing.T) {
	tests := map[string][]string{
		"as kubectl applies by default":       nil,
		"as Argo CD, Flux and Helm apply":     {"--server-side"},
		"as a pipeline that trusts no typing": {"--server-side", "--validate=strict"},
	}
	for name, flags := range tests {
		t.Run(name, func(t *testing.T) {
			c := start(t)
			objects := build(t, "default")
			first := c.apply(t, objects, flags...)
			if lines := strings.Count(first, "\n"); lines != len(objects) {
				t.Errorf("%d objects were applied, kubectl tells of %d:\n%s", len(objects), lines, first)
			}
			if strings.Contains(first, "Warning") {
				t.Errorf("the API server warns:\n%s", first)
			}
			c.expectKinds(t)
			again := c.apply(t, objects, flags...)
			if strings.Contains(again, "created") {
				t.Errorf("applying again creates something:\n%s", again)
			}
		})
	}
}

// expectKinds holds that the API server found nothing wrong with our kinds.
func (c *cluster) expectKinds(t *testing.T) {
	t.Helper()
	for _, installed := range all[*apiextensionsv1.CustomResourceDefinition](t, "default") {
		live := &apiextensionsv1.CustomResourceDefinition{}
		if err := c.Get(t.Context(), client.ObjectKeyFromObject(installed), live); err != nil {
			t.Errorf("reading kind %s: %v", installed.Name, err)
			continue
		}
		for _, condition := range live.Status.Conditions {
			bad := condition.Type == apiextensionsv1.NonStructuralSchema && condition.Status == apiextensionsv1.ConditionTrue
			bad = bad || condition.Type == apiextensionsv1.NamesAccepted && condition.Status != apiextensionsv1.ConditionTrue
			if bad {
				t.Errorf("kind %s: %s is %s: %s", installed.Name, condition.Type, condition.Status, condition.Message)
			}
		}
	}
}

func TestProfilesAndSamplesAreAccepted(t *testing.T) {
	c := start(t)
	// Nobody answers webhooks here, and the policy on exceptions holds that a
	// webhook has stamped them. The other policies inside the API server stay.
	c.apply(t, slices.DeleteFunc(build(t, "default"), func(object *unstructured.Unstructured) bool {
		return strings.HasSuffix(object.GetKind(), "WebhookConfiguration") || object.GetName() == "hipaa-operator-exceptions"
	}))
	for file, objects := range profiles(t) {
		if out := c.apply(t, objects, "--server-side", "--validate=strict"); strings.Contains(out, "Warning") {
			t.Errorf("%s: the API server warns:\n%s", file, out)
		}
	}
	samples := slices.Concat(build(t, "samples"), build(t, "samples/people"), build(t, "samples/redirect"))
	if out := c.apply(t, samples, "--server-side", "--validate=strict"); strings.Contains(out, "Warning") {
		t.Errorf("the API server warns of the samples:\n%s", out)
	}
	workloads := &hipaav1.PHIWorkloadList{}
	if err := c.List(t.Context(), workloads, client.InNamespace("ehr")); err != nil {
		t.Fatalf("listing the sample workloads: %v", err)
	}
	want := 0
	for _, folder := range []string{"samples", "samples/people", "samples/redirect"} {
		want += len(all[*hipaav1.PHIWorkload](t, folder))
	}
	if len(workloads.Items) != want || want == 0 {
		t.Errorf("%d sample workloads are there, want %d", len(workloads.Items), want)
	}
}

func TestThePauseIsAcceptedOverTheInstallation(t *testing.T) {
	c := start(t)
	c.apply(t, build(t, "default"))
	out := c.apply(t, build(t, "pause"))
	if strings.Contains(out, "created") {
		t.Errorf("the pause makes something new instead of opening what is there:\n%s", out)
	}
	c.apply(t, build(t, "default"))
	live := &admissionregistrationv1.ValidatingWebhookConfigurationList{}
	if err := c.List(t.Context(), live); err != nil {
		t.Fatalf("listing the webhooks: %v", err)
	}
	closed := 0
	for i := range live.Items {
		for j := range live.Items[i].Webhooks {
			if *live.Items[i].Webhooks[j].FailurePolicy == admissionregistrationv1.Fail {
				closed++
			}
		}
	}
	if closed == 0 {
		t.Error("applying config/default again does not end the pause")
	}
}
