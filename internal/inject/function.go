package inject

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/hipaa-operator/hipaa-operator/internal/manifest"
)

// Function is what Kustomize hands to a function beside the objects.
type Function struct {
	// Profiles names shipped ones.
	Profiles []string `json:"profiles"`
	// Namespace is that of objects which name none.
	Namespace string `json:"namespace"`
}

// FunctionOf reads the functionConfig of a stream that is a ResourceList; false where
// it is none.
func FunctionOf(s *manifest.Stream) (Function, bool, error) {
	var kind, version string
	for field, into := range map[string]*string{"kind": &kind, "apiVersion": &version} {
		text, err := s.Top(field)
		if err != nil {
			return Function{}, false, err
		}
		if len(text) == 0 {
			continue
		}
		if err := json.Unmarshal(text, into); err != nil {
			return Function{}, false, fmt.Errorf("%s: reading %s: %w", s.Name, field, err)
		}
	}
	if kind != "ResourceList" || !strings.HasPrefix(version, "config.kubernetes.io/") {
		return Function{}, false, nil
	}
	text, err := s.Top("functionConfig")
	if err != nil || len(text) == 0 {
		return Function{}, true, err
	}
	var config struct {
		Spec Function `json:"spec"`
	}
	if err := json.Unmarshal(text, &config); err != nil {
		return Function{}, true, fmt.Errorf("%s: reading functionConfig.spec, which has profiles (a list) and namespace: %w", s.Name, err)
	}
	return config.Spec, true, nil
}
