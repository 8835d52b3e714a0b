package cli_test

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/yaml"
)

// manifests are real applications that others wrote, beside the project.
const manifests = root + "/../shared/manifests"

// plugin builds the program and puts it on the path.
func plugin(t testing.TB) string {
	t.Helper()
	folder := t.TempDir()
	binary := filepath.Join(folder, "kubectl-hipaa")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", binary, root+"/cmd/kubectl-hipaa").CombinedOutput(); err != nil {
		t.Fatalf("building the plugin: %v\n%s", err, out)
	}
	t.Setenv("PATH", folder+string(os.PathListSeparator)+os.Getenv("PATH"))
	return binary
}

// tool runs a program of hack/tools.
func tool(t *testing.T, args ...string) string {
	t.Helper()
	command := exec.CommandContext(t.Context(), "go", append([]string{"tool", "-modfile=hack/tools/go.mod"}, args...)...)
	var out, errors bytes.Buffer
	command.Dir, command.Stdout, command.Stderr = root, &out, &errors
	if err := command.Run(); err != nil {
		t.Fatalf("%v: %v\n%s", args, err, errors.String())
	}
	return out.String()
}

func absolute(t *testing.T, path string) string {
	t.Helper()
	full, err := filepath.Abs(path)
	if err != nil {
		t.Fatal(err)
	}
	return full
}

func write(t *testing.T, file, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// declaredHAPI is what a team declares of the chart of HAPI FHIR.
const declaredHAPI = `apiVersion: hipaa-operator.io/v1alpha1
kind: PHIWorkload
metadata: {name: hapi, namespace: fhir}
spec:
  selector: {matchLabels: {app.kubernetes.io/name: hapi-fhir-jpaserver}}
  continuity: PatientCare
  owner: {team: clinical, contacts: [clinical@example.org]}
  dataClasses: [Clinical]
`

// sources are what renderers render: the sample, and a real chart that is read in
// place.
func sources(t *testing.T) map[string][]string {
	t.Helper()
	all := map[string][]string{"the sample": {absolute(t, samples+"/namespace.yaml"), absolute(t, samples+"/patient_api.yaml"), absolute(t, samples+"/nightly_report.yaml")}}
	if _, err := os.Stat(manifests); err != nil {
		t.Log("the folder shared/manifests is not beside the project: no real chart is tried")
		return all
	}
	declared := filepath.Join(t.TempDir(), "workload.yaml")
	write(t, declared, declaredHAPI)
	all["HAPI FHIR"] = []string{declared, absolute(t, manifests+"/hapi-fhir/rendered.yaml")}
	return all
}

// objects are those of a stream, by kind and name, for comparing streams of another
// order and layout.
func objects(t *testing.T, text string) map[string]any {
	t.Helper()
	all := map[string]any{}
	for document := range strings.SplitSeq("\n"+text, "\n---") {
		var object map[string]any
		if err := yaml.Unmarshal([]byte(document), &object); err != nil {
			t.Fatal(err)
		}
		if meta, is := object["metadata"].(map[string]any); is {
			all[fmt.Sprintf("%v/%v", object["kind"], meta["name"])] = object
		}
	}
	return all
}

func TestKustomizeTransformerWritesWhatTheCommandWrites(t *testing.T) {
	plugin(t)
	for name, files := range sources(t) {
		t.Run(name, func(t *testing.T) {
			folder := t.TempDir()
			resources := "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\nnamespace: fhir\nresources:\n"
			for _, file := range files {
				resources += "- " + file + "\n"
			}
			write(t, filepath.Join(folder, "kustomization.yaml"), resources)
			plain := tool(t, "kustomize", "build", "--load-restrictor=LoadRestrictionsNone", folder)
			copyTo(t, root+"/config/inject/kustomize", folder)
			if err := os.Chmod(filepath.Join(folder, "hipaa-inject"), 0o700); err != nil {
				t.Fatal(err)
			}
			write(t, filepath.Join(folder, "kustomization.yaml"), resources+"transformers: [inject.yaml]\n")
			got := tool(t, "kustomize", "build", "--load-restrictor=LoadRestrictionsNone", "--enable-alpha-plugins", "--enable-exec", folder)
			if !strings.Contains(got, "hipaa-operator.io/criticality: ") {
				t.Fatal("nothing was injected")
			}
			want := done(t, plain, "inject", "--profile", profile)
			if diff := cmp.Diff(objects(t, want), objects(t, got)); diff != "" {
				t.Errorf("objects (-by the command +by the transformer):\n%s", diff)
			}
		})
	}
}

func TestHelmPostRendererWritesWhatTheCommandWrites(t *testing.T) {
	plugin(t)
	t.Setenv("HELM_PLUGINS", absolute(t, root+"/config/inject"))
	for name, files := range sources(t) {
		t.Run(name, func(t *testing.T) {
			chart := t.TempDir()
			write(t, filepath.Join(chart, "Chart.yaml"), "apiVersion: v2\nname: app\nversion: 0.1.0\n")
			if err := os.Mkdir(filepath.Join(chart, "templates"), 0o700); err != nil {
				t.Fatal(err)
			}
			for _, file := range files {
				if err := os.Symlink(file, filepath.Join(chart, "templates", filepath.Base(file))); err != nil {
					t.Fatal(err)
				}
			}
			plain := tool(t, "helm", "template", "app", chart, "--namespace", "fhir")
			got := tool(t, "helm", "template", "app", chart, "--namespace", "fhir",
				"--post-renderer", "hipaa-inject", "--post-renderer-args=--namespace=fhir", "--post-renderer-args=--profile="+profile)
			if !strings.Contains(got, "hipaa-operator.io/criticality: ") {
				t.Fatal("nothing was injected")
			}
			want := done(t, plain, "inject", "--profile", profile, "-n", "fhir")
			if diff := cmp.Diff(objects(t, want), objects(t, got)); diff != "" {
				t.Errorf("objects (-by the command +by the post-renderer):\n%s", diff)
			}
		})
	}
}

// BenchmarkStart is what people wait for before a command does anything. 150 ms is
// what they do not notice.
func BenchmarkStart(b *testing.B) {
	binary := plugin(b)
	for b.Loop() {
		if err := exec.CommandContext(b.Context(), binary, "controls").Run(); err != nil {
			b.Fatal(err)
		}
	}
}
