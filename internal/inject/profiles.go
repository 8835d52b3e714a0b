package inject

import (
	"fmt"
	"io/fs"
	"path"
	"strings"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
)

// Shipped reads profiles of these names from the manifests that we ship, each in the
// file of its name.
func Shipped(manifests fs.FS, scheme *runtime.Scheme, names ...string) ([]*hipaav1.ComplianceProfile, error) {
	decoder := serializer.NewCodecFactory(scheme).UniversalDeserializer()
	var profiles []*hipaav1.ComplianceProfile
	for _, name := range names {
		text, err := fs.ReadFile(manifests, path.Join("profiles", name+".yaml"))
		if err != nil {
			return nil, fmt.Errorf("no profile %q is shipped; there are: %s", name, strings.Join(ShippedNames(manifests), ", "))
		}
		profile := &hipaav1.ComplianceProfile{}
		if _, _, err := decoder.Decode(text, nil, profile); err != nil {
			return nil, fmt.Errorf("reading the shipped profile %q: %w", name, err)
		}
		profiles = append(profiles, profile)
	}
	return profiles, nil
}

// ShippedNames lists the names of the profiles that we ship, sorted.
func ShippedNames(manifests fs.FS) []string {
	files, err := fs.Glob(manifests, "profiles/*.yaml")
	if err != nil {
		return nil
	}
	var names []string
	for _, file := range files {
		if name := strings.TrimSuffix(path.Base(file), ".yaml"); name != "kustomization" {
			names = append(names, name)
		}
	}
	return names
}
