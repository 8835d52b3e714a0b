package guard

import (
	"fmt"
	"io/fs"
	"path"
	"strings"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/validation"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"
)

// namespaceInManifests is the operator's namespace as manifests spell it.
const namespaceInManifests = "hipaa-operator-system"

// Ref names a guarded object. All of them are of the cluster.
type Ref struct {
	Kind string
	Name string
}

// String is kind/name.
func (r Ref) String() string { return r.Kind + "/" + r.Name }

func refOf(object client.Object) Ref {
	return Ref{Kind: kindOf(object), Name: object.GetName()}
}

func kindOf(object client.Object) string {
	switch object.(type) {
	case *admissionregistrationv1.ValidatingWebhookConfiguration:
		return "ValidatingWebhookConfiguration"
	case *admissionregistrationv1.MutatingWebhookConfiguration:
		return "MutatingWebhookConfiguration"
	case *admissionregistrationv1.ValidatingAdmissionPolicy:
		return "ValidatingAdmissionPolicy"
	case *admissionregistrationv1.ValidatingAdmissionPolicyBinding:
		return "ValidatingAdmissionPolicyBinding"
	default:
		return ""
	}
}

// installed is an object as it stands in the manifests.
type installed struct {
	ref Ref
	// object is the manifest in its type, to compare with.
	object client.Object
	// tree is the manifest as written, to apply.
	tree *unstructured.Unstructured
}

func readManifests(files fs.FS, namespace, baseURL string) (map[Ref]installed, error) {
	if problems := validation.IsDNS1123Label(namespace); len(problems) > 0 {
		return nil, fmt.Errorf("reading admission manifests: the operator's namespace %q: %s", namespace, strings.Join(problems, "; "))
	}
	all := map[Ref]installed{}
	err := fs.WalkDir(files, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || path.Ext(name) != ".yaml" || path.Base(name) == "kustomization.yaml" {
			return err
		}
		text, err := fs.ReadFile(files, name)
		if err != nil {
			return err
		}
		for document := range strings.SplitSeq(strings.ReplaceAll(string(text), namespaceInManifests, namespace), "\n---\n") {
			manifest, err := readManifest([]byte(document), baseURL)
			if err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
			all[manifest.ref] = manifest
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("reading admission manifests: %w", err)
	}
	return all, nil
}

func readManifest(text []byte, baseURL string) (installed, error) {
	tree := &unstructured.Unstructured{}
	if err := yaml.Unmarshal(text, &tree.Object); err != nil {
		return installed{}, fmt.Errorf("parsing: %w", err)
	}
	if err := Beside(tree, baseURL); err != nil {
		return installed{}, err
	}
	object, err := typed(tree)
	if err != nil {
		return installed{}, err
	}
	return installed{ref: refOf(object), object: object, tree: tree}, nil
}

func typed(tree *unstructured.Unstructured) (client.Object, error) {
	var object client.Object
	switch tree.GetKind() {
	case "ValidatingWebhookConfiguration":
		object = &admissionregistrationv1.ValidatingWebhookConfiguration{}
	case "MutatingWebhookConfiguration":
		object = &admissionregistrationv1.MutatingWebhookConfiguration{}
	case "ValidatingAdmissionPolicy":
		object = &admissionregistrationv1.ValidatingAdmissionPolicy{}
	case "ValidatingAdmissionPolicyBinding":
		object = &admissionregistrationv1.ValidatingAdmissionPolicyBinding{}
	default:
		return nil, fmt.Errorf("kind %q is not admission configuration", tree.GetKind())
	}
	if err := runtime.DefaultUnstructuredConverter.FromUnstructuredWithValidation(tree.Object, object, true); err != nil {
		return nil, fmt.Errorf("decoding %s: %w", tree.GetKind(), err)
	}
	return object, nil
}
