// Package install holds the manifests to what they promise: one apply installs
// everything, the chart installs the same, nobody gets more rights than they need.
package install

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"strings"
	"sync"
	"testing"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/yaml"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
)

const (
	root      = "../.."
	chart     = "config/helm/hipaa-operator"
	namespace = "hipaa-operator-system"
	manager   = "hipaa-operator-manager"
)

// tool runs one of the tools that hack/tools pins. Where it cannot be built
// nothing here can be tested: that is a failure, not a reason to look away.
func tool(name string, args ...string) ([]byte, error) {
	return goCommand(append([]string{"tool", "-modfile=hack/tools/go.mod", name}, args...)...)
}

func goRun(args ...string) ([]byte, error) {
	return goCommand(append([]string{"run"}, args...)...)
}

func goCommand(args ...string) ([]byte, error) {
	command := exec.CommandContext(context.Background(), "go", args...)
	command.Dir = root
	var stderr bytes.Buffer
	command.Stderr = &stderr
	out, err := command.Output()
	if err != nil {
		return nil, fmt.Errorf("running go %s: %w\n%s", strings.Join(args, " "), err, stderr.String())
	}
	return out, nil
}

// built remembers what kustomize built, by folder of config/.
var built sync.Map

// build gives the objects of a folder of config/ as kustomize builds them.
func build(t *testing.T, folder string) []*unstructured.Unstructured {
	t.Helper()
	once, _ := built.LoadOrStore(folder, sync.OnceValues(func() ([]byte, error) {
		return tool("kustomize", "build", "config/"+folder)
	}))
	run, ok := once.(func() ([]byte, error))
	if !ok {
		t.Fatalf("the memory of builds holds a %T", once)
	}
	stream, err := run()
	if err != nil {
		t.Fatalf("building config/%s: %v", folder, err)
	}
	return decode(t, stream)
}

// stream is what a user would pipe into kubectl apply.
func stream(t *testing.T, objects []*unstructured.Unstructured) []byte {
	t.Helper()
	var out bytes.Buffer
	for _, object := range objects {
		encoded, err := yaml.Marshal(object.Object)
		if err != nil {
			t.Fatalf("encoding %s: %v", describe(object), err)
		}
		out.WriteString("---\n")
		out.Write(encoded)
	}
	return out.Bytes()
}

func decode(t *testing.T, stream []byte) []*unstructured.Unstructured {
	t.Helper()
	var objects []*unstructured.Unstructured
	for decoder := utilyaml.NewYAMLOrJSONDecoder(bytes.NewReader(stream), 4096); ; {
		object := &unstructured.Unstructured{}
		err := decoder.Decode(&object.Object)
		if errors.Is(err, io.EOF) {
			return objects
		}
		if err != nil {
			t.Fatalf("decoding the manifests: %v", err)
		}
		if len(object.Object) > 0 {
			objects = append(objects, object)
		}
	}
}

func describe(object *unstructured.Unstructured) string {
	return fmt.Sprintf("%s %s/%s", object.GroupVersionKind(), object.GetNamespace(), object.GetName())
}

// scheme knows every kind that config/default may hold.
func scheme(t *testing.T) *runtime.Scheme {
	t.Helper()
	s := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{clientgoscheme.AddToScheme, apiextensionsv1.AddToScheme, hipaav1.AddToScheme} {
		if err := add(s); err != nil {
			t.Fatalf("registering kinds: %v", err)
		}
	}
	return s
}

// typed decodes an object strictly: a field that its kind does not have is an
// error, not a setting that silently does nothing.
func typed(t *testing.T, s *runtime.Scheme, object *unstructured.Unstructured) (runtime.Object, error) {
	t.Helper()
	encoded, err := yaml.Marshal(object.Object)
	if err != nil {
		t.Fatalf("encoding %s: %v", describe(object), err)
	}
	decoded, _, err := serializer.NewCodecFactory(s, serializer.EnableStrict).UniversalDeserializer().Decode(encoded, nil, nil)
	if err != nil {
		return nil, fmt.Errorf("decoding %s strictly: %w", describe(object), err)
	}
	return decoded, nil
}

// all collects the objects of one type from a folder of config/.
func all[T runtime.Object](t *testing.T, folder string) []T {
	t.Helper()
	s := scheme(t)
	var found []T
	for _, object := range build(t, folder) {
		if !s.Recognizes(object.GroupVersionKind()) {
			continue
		}
		decoded, err := typed(t, s, object)
		if err != nil {
			t.Fatal(err)
		}
		if match, ok := decoded.(T); ok {
			found = append(found, match)
		}
	}
	return found
}
