package install

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	rbacv1 "k8s.io/api/rbac/v1"
)

// words are what the documentation names and the tree must have.
var (
	pathWord  = regexp.MustCompile(`\bconfig/[a-z]+[a-z0-9_/.-]*`)
	roleWord  = regexp.MustCompile("`(hipaa-operator-[a-z-]+)`")
	alertWord = regexp.MustCompile(`\bHIPAA[A-Z][A-Za-z]+`)
)

func TestDocumentationNamesWhatThereIs(t *testing.T) {
	known := map[string]bool{"hipaa-operator-system": true}
	for _, role := range all[*rbacv1.ClusterRole](t, "default") {
		known[role.Name] = true
		for _, rule := range role.Rules {
			for _, name := range rule.ResourceNames {
				known[name] = true // what the operator itself makes and takes away
			}
		}
	}
	for _, object := range build(t, "default") {
		known[object.GetName()] = true
	}
	for _, rule := range rules(t) {
		known[rule.Alert] = true
	}
	for _, page := range []string{"docs/install.md", "docs/adoption.md", "docs/patient-care.md", "config/argocd/README.md"} {
		text := read(t, filepath.Join(root, page))
		named := 0
		for _, path := range pathWord.FindAllString(text, -1) {
			named++
			if _, err := os.Stat(filepath.Join(root, strings.TrimRight(path, ".,"))); err != nil {
				t.Errorf("%s names %s, which is not there", page, path)
			}
		}
		for _, match := range roleWord.FindAllStringSubmatch(text, -1) {
			if !known[match[1]] {
				t.Errorf("%s names %s, which is not installed", page, match[1])
			}
		}
		for _, alert := range alertWord.FindAllString(text, -1) {
			if !known[alert] {
				t.Errorf("%s names alert %s, which does not exist", page, alert)
			}
		}
		if named == 0 {
			t.Errorf("%s names no file: is this test looking at the right words?", page)
		}
	}
}
