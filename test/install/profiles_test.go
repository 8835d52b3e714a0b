package install

import (
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
	"github.com/hipaa-operator/hipaa-operator/internal/control"
	"github.com/hipaa-operator/hipaa-operator/internal/control/catalog"
)

// groups are the fields of a profile that only hold parameters together.
var groups = map[string]bool{"network": true, "storage": true, "transmission": true, "session": true, "tagging": true, "platform": true, "vulnerabilities": true, "exceptions": true, "rollout": true, "residency": true}

var basis = regexp.MustCompile(`^# (Regulation|Guidance|Proposed|State|Profile) \(.+?\): \S`)

func TestEveryParameterOfAProfileNamesItsBasis(t *testing.T) {
	declared := map[string]control.Basis{}
	for _, c := range catalog.All() {
		for _, parameter := range c.Parameters {
			declared[parameter.Path] = parameter.Basis
		}
	}
	for file := range profiles(t) {
		commented := map[string]string{}
		collect(spec(t, file), "", commented)
		if len(commented) == 0 {
			t.Errorf("%s has no parameters", file)
		}
		for path, comment := range commented {
			match := basis.FindStringSubmatch(strings.ReplaceAll(comment, "\n# ", " "))
			if match == nil {
				t.Errorf("%s: %s does not name its basis and source: %q", file, path, comment)
				continue
			}
			// A profile that comes on top may rest on more than the control asks for.
			onTop := match[1] == string(control.BasisState) || match[1] == string(control.BasisProposed)
			if want, known := declared[path]; known && !onTop && string(want) != match[1] {
				t.Errorf("%s: %s rests on %s, the control that reads it says %s", file, path, match[1], want)
			}
		}
	}
}

// spec is the node of a profile's spec, with its comments.
func spec(t *testing.T, file string) *yaml.Node {
	t.Helper()
	var document yaml.Node
	if err := yaml.Unmarshal([]byte(read(t, filepath.Join(root, "config/profiles", file))), &document); err != nil {
		t.Fatalf("parsing %s: %v", file, err)
	}
	fields := document.Content[0].Content
	for i := 0; i+1 < len(fields); i += 2 {
		if fields[i].Value == "spec" {
			return fields[i+1]
		}
	}
	t.Fatalf("%s has no spec", file)
	return nil
}

// collect finds the comment above each parameter.
func collect(of *yaml.Node, under string, into map[string]string) {
	for i := 0; i+1 < len(of.Content); i += 2 {
		key := of.Content[i]
		if groups[key.Value] {
			collect(of.Content[i+1], key.Value+".", into)
			continue
		}
		into[under+key.Value] = key.HeadComment
	}
}

func TestProfilesNameWhatThisVersionHas(t *testing.T) {
	known := map[string]bool{}
	for _, c := range catalog.All() {
		known[c.ID] = true
	}
	s := scheme(t)
	for file, objects := range profiles(t) {
		decoded, err := typed(t, s, objects[0])
		if err != nil {
			t.Fatal(err)
		}
		profile, ok := decoded.(*hipaav1.ComplianceProfile)
		if !ok {
			t.Fatalf("%s holds a %T", file, decoded)
		}
		if _, err := control.ParseRuleset(profile.Spec.RulesetVersion); err != nil {
			t.Errorf("%s: %v", file, err)
		}
		for _, setting := range profile.Spec.Controls {
			if !known[setting.ID] {
				t.Errorf("%s sets control %q apart, which does not exist", file, setting.ID)
			}
		}
	}
	for _, exception := range all[*hipaav1.ControlException](t, "samples") {
		if !known[exception.Spec.ControlID] {
			t.Errorf("the sample exception excuses from control %q, which does not exist", exception.Spec.ControlID)
		}
	}
}
