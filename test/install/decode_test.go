package install

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
)

func TestEveryObjectDecodesStrictlyIntoItsType(t *testing.T) {
	s := scheme(t)
	for _, folder := range []string{"default", "samples", "samples/people", "samples/redirect", gatewaySample, "profiles", "pause"} {
		objects := build(t, folder)
		if len(objects) == 0 {
			t.Errorf("config/%s builds to nothing", folder)
		}
		for _, object := range objects {
			if _, err := typed(t, s, object); err != nil {
				t.Errorf("config/%s: %v", folder, err)
			}
		}
	}
}

func TestEveryProfileThatIsShippedDecodesStrictly(t *testing.T) {
	s := scheme(t)
	for file, objects := range profiles(t) {
		if len(objects) != 1 {
			t.Errorf("%s holds %d objects, want one", file, len(objects))
			continue
		}
		decoded, err := typed(t, s, objects[0])
		if err != nil {
			t.Errorf("%s: %v", file, err)
			continue
		}
		profile, ok := decoded.(*hipaav1.ComplianceProfile)
		if !ok {
			t.Errorf("%s holds a %T", file, decoded)
			continue
		}
		if want := strings.TrimSuffix(filepath.Base(file), ".yaml"); profile.Name != want {
			t.Errorf("%s names its profile %q, want %q", file, profile.Name, want)
		}
	}
}

// profiles reads config/profiles with the states', by the path below it.
func profiles(t *testing.T) map[string][]*unstructured.Unstructured {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(root, "config/profiles/hipaa-*.yaml"))
	if err != nil || len(files) == 0 {
		t.Fatalf("finding the profiles: %d found, %v", len(files), err)
	}
	states, err := filepath.Glob(filepath.Join(root, "config/profiles/states/us-*.yaml"))
	if err != nil || len(states) == 0 {
		t.Fatalf("finding the profiles of states: %d found, %v", len(states), err)
	}
	files = append(files, states...)
	found := map[string][]*unstructured.Unstructured{}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatalf("reading a profile: %v", err)
		}
		relative, err := filepath.Rel(filepath.Join(root, "config/profiles"), file)
		if err != nil {
			t.Fatalf("naming a profile: %v", err)
		}
		found[relative] = decode(t, text)
	}
	return found
}

func TestEveryKindOfTheAPIIsInstalled(t *testing.T) {
	bases, err := filepath.Glob(filepath.Join(root, "config/crd/bases/*.yaml"))
	if err != nil || len(bases) == 0 {
		t.Fatalf("finding the generated kinds: %d found, %v", len(bases), err)
	}
	if crds := all[*apiextensionsv1.CustomResourceDefinition](t, "default"); len(crds) != len(bases) {
		t.Errorf("config/default installs %d kinds, config/crd/bases has %d", len(crds), len(bases))
	}
	installed := map[string]bool{}
	for _, crd := range all[*apiextensionsv1.CustomResourceDefinition](t, "default") {
		installed[crd.Spec.Names.Kind] = true
	}
	for kind := range scheme(t).KnownTypes(hipaav1.GroupVersion) {
		// What has a list is a kind; the rest are options that every version has.
		if listed, isList := strings.CutSuffix(kind, "List"); isList && !installed[listed] {
			t.Errorf("kind %s is in the API and not installed", listed)
		}
	}
}
