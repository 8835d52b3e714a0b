package install

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"
)

// rendered gives the objects of the chart.
func rendered(t *testing.T, in string, args ...string) []*unstructured.Unstructured {
	t.Helper()
	out, err := tool("helm", append([]string{"template", "hipaa-operator", chart, "--namespace", in}, args...)...)
	if err != nil {
		t.Fatal(err)
	}
	return decode(t, out)
}

// byName keys objects by what they are. What Helm is told, and the cluster is
// not, is left out: that kinds and roots stay when the release goes.
func byName(t *testing.T, objects []*unstructured.Unstructured) map[string]any {
	t.Helper()
	found := map[string]any{}
	for _, object := range objects {
		copied := object.DeepCopy()
		if copied.GetKind() == "CustomResourceDefinition" || copied.GetName() == "hipaa-operator-root" {
			unstructured.RemoveNestedField(copied.Object, "metadata", "annotations", "helm.sh/resource-policy")
		}
		if len(copied.GetAnnotations()) == 0 {
			unstructured.RemoveNestedField(copied.Object, "metadata", "annotations")
		}
		if found[describe(copied)] != nil {
			t.Errorf("%s is there twice", describe(copied))
		}
		found[describe(copied)] = copied.Object
	}
	return found
}

func TestTheChartInstallsWhatKustomizeInstalls(t *testing.T) {
	without := func(kind string) func(*unstructured.Unstructured) bool {
		return func(object *unstructured.Unstructured) bool { return object.GetKind() == kind }
	}
	tests := map[string]struct {
		give []string
		want []*unstructured.Unstructured
	}{
		"with its namespace, config/default": {
			give: []string{"--set", "createNamespace=true"},
			want: build(t, "default"),
		},
		"by default, config/default in a namespace that is there": {
			want: slices.DeleteFunc(build(t, "default"), without("Namespace")),
		},
		"with cert-manager, config/certmanager": {
			give: []string{"--set", "createNamespace=true,certManager.enabled=true"},
			want: build(t, "certmanager"),
		},
		"with Prometheus, config/default and config/prometheus": {
			give: []string{"--set", "createNamespace=true,prometheus.enabled=true"},
			want: append(build(t, "default"), build(t, "prometheus")...),
		},
		"with the issuer, config/default and config/issuer": {
			give: []string{"--set", "createNamespace=true,issuer.enabled=true"},
			want: append(build(t, "default"), build(t, "issuer")...),
		},
		"with proxies, config/proxy": {
			give: []string{"--set", "createNamespace=true,proxy.enabled=true"},
			want: build(t, "proxy"),
		},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(byName(t, tc.want), byName(t, rendered(t, namespace, tc.give...))); diff != "" {
				t.Errorf("the chart departs from Kustomize; run go run ./hack/helmgen (-kustomize +chart):\n%s", diff)
			}
		})
	}
}

func TestTheChartMovesToAnyNamespace(t *testing.T) {
	out, err := tool("helm", "template", "hipaa-operator", chart, "--namespace", "safeguards", "--set", "createNamespace=true,certManager.enabled=true,prometheus.enabled=true,proxy.enabled=true")
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(out, []byte(namespace)) {
		t.Errorf("in namespace safeguards, %s is still named", namespace)
	}
	moved := 0
	for _, object := range decode(t, out) {
		switch {
		case object.GetNamespace() == "safeguards":
			moved++
		case object.GetNamespace() != "":
			t.Errorf("%s is elsewhere", describe(object))
		}
	}
	if moved == 0 {
		t.Error("nothing is in the release's namespace")
	}
}

func TestTheChartShipsEachProfileToStartFromUnchanged(t *testing.T) {
	for file, objects := range profiles(t) {
		_, extends, _ := unstructured.NestedSlice(objects[0].Object, "spec", "extends")
		_, bound, _ := unstructured.NestedSlice(objects[0].Object, "spec", "jurisdictions")
		if extends || bound {
			continue // it comes on top of another
		}
		name := strings.TrimSuffix(file, ".yaml")
		var got []*unstructured.Unstructured
		for _, object := range rendered(t, namespace, "--set", "profiles.install="+name) {
			if object.GetKind() == "ComplianceProfile" {
				got = append(got, object)
			}
		}
		if len(got) != 1 {
			t.Errorf("profiles.install=%s renders %d profiles, want one", name, len(got))
			continue
		}
		annotations := got[0].GetAnnotations()
		if strings.Contains(annotations["helm.sh/hook-delete-policy"], "before-hook-creation") || annotations["helm.sh/hook"] == "" {
			t.Errorf("profile %s is not created once the kinds are there, or an upgrade would delete it: %v", name, annotations)
		}
		unstructured.RemoveNestedField(got[0].Object, "metadata", "annotations")
		if diff := cmp.Diff(objects[0].Object, got[0].Object); diff != "" {
			t.Errorf("profile %s differs in the chart (-file +chart):\n%s", name, diff)
		}
	}
}

func TestTheChartRefusesValuesThatItDoesNotHave(t *testing.T) {
	for _, give := range []string{"replica=3", "replicas=0", "image.tag=latest", "profiles.install=hipaa", "webhook.failurePolicy=Ignore"} {
		if _, err := tool("helm", "template", "hipaa-operator", chart, "--set", give); err == nil {
			t.Errorf("the chart takes %q", give)
		}
	}
}

func TestTheChartTurnsEachValueIntoTheManager(t *testing.T) {
	objects := rendered(t, namespace, "--values", chart+"/ci/everything.yaml")
	for _, object := range objects {
		if object.GetKind() != "Deployment" || object.GetName() != manager {
			continue
		}
		decoded, err := yaml.Marshal(object.Object)
		if err != nil {
			t.Fatalf("encoding the Deployment: %v", err)
		}
		for _, want := range []string{
			"replicas: 3", "image: hipaa-operator/manager@sha256:", "node-role.kubernetes.io/control-plane: \"\"", "effect: NoSchedule",
		} {
			if !strings.Contains(string(decoded), want) {
				t.Errorf("the Deployment lacks %q:\n%s", want, decoded)
			}
		}
		return
	}
	t.Error("the chart has no Deployment")
}

// A copy is generated and the two compared: a test never changes the tree.
func TestTheChartIsAsItsGeneratorWritesIt(t *testing.T) {
	scratch := t.TempDir()
	if err := os.MkdirAll(filepath.Join(scratch, "templates"), 0o755); err != nil {
		t.Fatalf("making a folder: %v", err)
	}
	way, err := filepath.Rel(mustAbs(t, root), scratch)
	if err != nil {
		t.Fatalf("finding the way to the folder: %v", err)
	}
	if out, err := goRun("./hack/helmgen", "-chart", way); err != nil {
		t.Fatalf("generating the chart: %v\n%s", err, out)
	}
	written, err := filepath.Glob(filepath.Join(scratch, "templates", "*"))
	if err != nil || len(written) == 0 {
		t.Fatalf("finding what was generated: %d files, %v", len(written), err)
	}
	for _, file := range written {
		want := read(t, file)
		got := read(t, filepath.Join(root, chart, "templates", filepath.Base(file)))
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s is not as the generator writes it; run go run ./hack/helmgen (-generated +tree):\n%s", filepath.Base(file), diff)
		}
	}
}

func mustAbs(t *testing.T, path string) string {
	t.Helper()
	absolute, err := filepath.Abs(path)
	if err != nil {
		t.Fatalf("resolving a path: %v", err)
	}
	return absolute
}

func read(t *testing.T, file string) string {
	t.Helper()
	content, err := os.ReadFile(file)
	if err != nil {
		t.Fatalf("reading a file: %v", err)
	}
	return string(content)
}
