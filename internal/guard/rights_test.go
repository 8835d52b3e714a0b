package guard

import (
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	rbacv1 "k8s.io/api/rbac/v1"
	"sigs.k8s.io/yaml"

	"github.com/hipaa-operator/hipaa-operator/config"
)

// What the guard may not patch it makes once and never puts back.
func TestTheGuardMayPutBackAllThatItKeepsAndNothingElse(t *testing.T) {
	all, err := readManifests(config.Admission, "hipaa-operator-system", "")
	if err != nil {
		t.Fatal(err)
	}
	keeps := map[string][]string{}
	for ref := range all {
		keeps[family(ref.Kind)] = append(keeps[family(ref.Kind)], ref.Name)
	}
	text, err := os.ReadFile("../../config/rbac/manager_role.yaml")
	if err != nil {
		t.Fatal(err)
	}
	// The generated file may hold more documents; the first is the role of the cluster.
	document, _, _ := strings.Cut(strings.TrimPrefix(string(text), "---\n"), "\n---\n")
	var role rbacv1.ClusterRole
	if err := yaml.Unmarshal([]byte(document), &role); err != nil {
		t.Fatal(err)
	}
	for _, verb := range []string{"update", "patch"} {
		may := map[string][]string{}
		for _, rule := range role.Rules {
			if !slices.Contains(rule.APIGroups, "admissionregistration.k8s.io") || !slices.Contains(rule.Verbs, verb) {
				continue
			}
			for _, resource := range rule.Resources {
				may[family(resource)] = append(may[family(resource)], rule.ResourceNames...)
			}
		}
		for resource, names := range keeps {
			kept, granted := slices.Sorted(slices.Values(names)), slices.Sorted(slices.Values(may[resource]))
			if diff := cmp.Diff(slices.Compact(kept), slices.Compact(granted)); diff != "" {
				t.Errorf("%s of %s (-kept +granted):\n%s", verb, resource, diff)
			}
		}
		if len(may) != len(keeps) {
			t.Errorf("%s reaches %d resources, and %d are kept", verb, len(may), len(keeps))
		}
	}
}

// family is what one rule names together.
func family(kind string) string {
	if strings.Contains(strings.ToLower(kind), "webhook") {
		return "webhooks"
	}
	return "policies"
}
