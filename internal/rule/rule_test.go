package rule_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
	"github.com/hipaa-operator/hipaa-operator/internal/control"
	"github.com/hipaa-operator/hipaa-operator/internal/phitest"
	"github.com/hipaa-operator/hipaa-operator/internal/rule"
)

const safes = `id: closed-safes
title: Close every safe
cites: [164.312(a)(1)]
severity: High
since: "2026.1"
why: An open safe is none.
remedy: close it
decides: The resource's own fields.
parameters: [{path: controls, basis: Profile, meaning: The mode.}]
checks:
- match:
  - {group: safes.example.org, version: v1, resource: safes, kind: Safe}
  - {group: safes.example.org, version: v1, resource: vaults, kind: Vault}
  expression: object.spec.?open.orValue(false) == false
  path: spec.open
  message: is true
  met: is false
- match:
  - {group: safes.example.org, version: v1, resource: vaults, kind: Vault}
  when: profile.storage.cloudKeys == 'Customer' || namespaceObject.metadata.labels.?strict.orValue('') == 'true' || namespaceObject.metadata.name == 'strict'
  expression: object.spec.walls >= 2
  path: spec.walls
  message: are fewer than 2
  met: are 2 or more
  remedy: build another
good:
- {apiVersion: safes.example.org/v1, kind: Vault, metadata: {name: v, namespace: ehr}, spec: {walls: 3}}
breaks:
  an open safe: {apiVersion: safes.example.org/v1, kind: Safe, metadata: {name: s, namespace: ehr}, spec: {open: true}}
`

func compiled(t *testing.T, text string) control.Control {
	t.Helper()
	r, err := rule.Parse([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	c, err := r.Compile()
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func object(kind string, spec map[string]any) *unstructured.Unstructured {
	return &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "safes.example.org/v1", "kind": kind, "metadata": map[string]any{"name": "one", "namespace": "ehr"}, "spec": spec,
	}}
}

func ofCluster(u *unstructured.Unstructured, labels map[string]string) *unstructured.Unstructured {
	u.SetNamespace("")
	u.SetLabels(labels)
	return u
}

func TestAResourceIsJudgedByTheChecksThatMatchIt(t *testing.T) {
	type spec = map[string]any
	for name, tc := range map[string]struct {
		give   *unstructured.Unstructured
		keys   hipaav1.KeyHolder
		labels map[string]string
		want   []string
	}{
		"all is well":                           {give: object("Safe", spec{}), want: []string{"Pass spec.open is false"}},
		"something is wrong":                    {give: object("Safe", spec{"open": true}), want: []string{"Fail spec.open is true"}},
		"a check that is about others":          {give: object("Safe", spec{"walls": int64(1)}), keys: hipaav1.KeyHolderCustomer, want: []string{"Pass spec.open is false"}},
		"a check that the profile does not ask": {give: object("Vault", spec{"walls": int64(1)}), keys: hipaav1.KeyHolderProvider, want: []string{"Pass spec.open is false"}},
		"one that is asked for until a profile says otherwise": {
			give: object("Vault", spec{"walls": int64(1)}), want: []string{"Fail spec.walls are fewer than 2; build another"},
		},
		"one that the profile asks":   {give: object("Vault", spec{"walls": int64(1)}), keys: hipaav1.KeyHolderCustomer, want: []string{"Fail spec.walls are fewer than 2; build another"}},
		"one that the namespace asks": {give: object("Vault", spec{"walls": 1.5}), keys: hipaav1.KeyHolderProvider, labels: map[string]string{"strict": "true"}, want: []string{"Fail spec.walls are fewer than 2; build another"}},
		"everything is wrong": {
			give: object("Vault", spec{"walls": int64(1), "open": true}), keys: hipaav1.KeyHolderCustomer,
			want: []string{"Fail spec.open is true", "Fail spec.walls are fewer than 2; build another"},
		},
		"an expression without an answer": {
			give: object("Vault", spec{"walls": "many"}), keys: hipaav1.KeyHolderCustomer,
			want: []string{"Unknown spec.walls could not be judged: the expression came to no answer within its limits; build another"},
		},
		"a type that no check matches": {give: object("Door", spec{"open": true}), want: []string{"NotApplicable is not of a type that this control judges"}},
		"a good one of the whole cluster that serves nobody in particular": {
			give: ofCluster(object("Safe", spec{}), nil), want: []string{"NotApplicable asks nothing of this resource"},
		},
		"a bad one of the whole cluster that serves nobody in particular": {
			give: ofCluster(object("Safe", spec{"open": true}), nil), want: []string{"Fail spec.open is true"},
		},
		"one of the whole cluster for a claim": {
			give: ofCluster(object("Safe", spec{}), map[string]string{control.LabelClaimNamespace: "ehr"}), want: []string{"Pass spec.open is false"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			ns := phitest.Namespace("ehr").Obj()
			maps.Copy(ns.Labels, tc.labels)
			s := control.Subject{Profile: &control.Profile{Storage: control.StorageParameters{CloudKeys: tc.keys}}, Namespace: ns, World: &control.World{}}
			if diff := cmp.Diff(tc.want, said(compiled(t, safes).Check(s.Of(tc.give)))); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func said(findings []control.Finding) []string {
	var list []string
	for _, f := range findings {
		text := strings.TrimSpace(fmt.Sprintf("%s %s", f.Path, f.Message))
		if f.Remedy != "" {
			text += "; " + f.Remedy
		}
		list = append(list, fmt.Sprintf("%s %s", f.Verdict, text))
	}
	return list
}

func TestNothingDeclaredIsNoCleanBill(t *testing.T) {
	c := compiled(t, safes)
	judge := func(resources ...*unstructured.Unstructured) []control.Finding {
		return c.Check(control.Subject{Profile: &control.Profile{}, Namespace: phitest.Namespace("ehr").Obj(), World: &control.World{Resources: resources}})
	}
	other := object("Safe", nil)
	other.SetNamespace("lab")
	for name, resources := range map[string][]*unstructured.Unstructured{
		"nothing at all":      nil,
		"another type":        {object("Door", nil)},
		"another's namespace": {other},
		"one that says that it holds PHI and not whose": {ofCluster(object("Safe", nil), map[string]string{hipaav1.LabelPHI: "true"})},
	} {
		f := judge(resources...)
		if len(f) != 1 || f[0].Verdict != hipaav1.VerdictUnknown || !f[0].Live || !strings.Contains(f[0].Message, "managed outside this cluster") ||
			f[0].Remedy != "declare it as Safe of safes.example.org, Vault of safes.example.org; or show by other means how it is set up" {
			t.Errorf("%s: %+v", name, f)
		}
	}
	if f := judge(object("Door", nil), object("Safe", nil)); len(f) != 0 {
		t.Errorf("where there is something: %+v", f)
	}
}

func TestTheStatusIsNotJudged(t *testing.T) {
	c := compiled(t, strings.Replace(safes, "object.spec.?open.orValue(false) == false", "'!has(object.status)'", 1))
	give := object("Safe", nil)
	give.Object["status"] = map[string]any{"open": true}
	s := control.Subject{Profile: &control.Profile{}, Namespace: phitest.Namespace("ehr").Obj(), World: &control.World{}}
	if got := said(c.Check(s.Of(give))); !slices.Equal(got, []string{"Pass spec.open is false"}) || give.Object["status"] == nil {
		t.Errorf("got %q, and the object has the status %v", got, give.Object["status"])
	}
}

func TestAFindingIsAnotherWhenItsFieldChanges(t *testing.T) {
	c := compiled(t, strings.Replace(safes, "expression: object.spec.?open.orValue(false) == false\n  path: spec.open", "path: spec.doors\n  expression: \"!has(object.spec.doors) || object.spec.doors.all(d, d != 'open')\"", 1))
	find := func(spec map[string]any) control.Finding {
		s := control.Subject{Profile: &control.Profile{}, Namespace: phitest.Namespace("ehr").Obj(), World: &control.World{}}
		findings := c.Check(s.Of(object("Safe", spec)))
		if len(findings) != 1 || findings[0].Verdict != hipaav1.VerdictFail {
			t.Fatalf("got %+v", findings)
		}
		return findings[0]
	}
	doors := func(states ...any) map[string]any { return map[string]any{"doors": states, "open": true} }
	one := find(doors("open"))
	other := doors("open")
	other["colour"] = "red"
	if find(other).Key != one.Key {
		t.Error("a change beside the field makes another finding")
	}
	if find(doors("open", "open")).Key == one.Key {
		t.Error("a second open door hides behind the first")
	}
}

// A rule may not keep admission busy: a loop in a loop in a loop ends at the API
// server's limit.
func TestAnExpressionThatCostsTooMuchHasNoAnswer(t *testing.T) {
	loop := "object.spec.list.all(a, object.spec.list.all(b, object.spec.list.all(c, a + b + c != 1)))"
	c := compiled(t, strings.Replace(safes, "object.spec.?open.orValue(false) == false", loop, 1))
	list := make([]any, 500)
	for i := range list {
		list[i] = int64(i + 2)
	}
	s := control.Subject{Profile: &control.Profile{}, Namespace: phitest.Namespace("ehr").Obj(), World: &control.World{}}
	if f := c.Check(s.Of(object("Safe", map[string]any{"list": list}))); len(f) != 1 || f[0].Verdict != hipaav1.VerdictUnknown {
		t.Errorf("got %+v", f)
	}
}

func TestABrokenRuleIsToldWhere(t *testing.T) {
	for name, tc := range map[string]struct{ old, give, want string }{
		"a field that does not exist": {"title:", "titel:", `unknown field "titel"`},
		"a field that stands twice":   {"why:", "id: other\nwhy:", `"id" already set`},
		"a syntax error":              {"profile.storage.cloudKeys ==", "profile.storage.cloudKeys = ", "checks[1].when: line 1, column 27: Syntax error"},
		"a misspelt variable":         {"object.spec.walls", "objekt.spec.walls", "checks[1].expression: line 1, column 1: undeclared reference to 'objekt'"},
		"a parameter that is not there": {
			"profile.storage.cloudKeys", "profile.storage.cloudKey", "checks[1].when: line 1, column 16: undefined field 'cloudKey'",
		},
		"a comparison of unlike things":        {"cloudKeys == 'Customer'", "cloudKeys == 3", "found no matching overload for '_==_'"},
		"what is neither true nor false":       {"object.spec.walls >= 2", "object.spec.walls", "checks[1].expression: line 1, column 1: is dyn, and has to be bool"},
		"no expression":                        {"  expression: object.spec.walls >= 2\n", "", "checks[1].expression: has 0 bytes, and may have 1 to 2048"},
		"an expression that nobody reads":      {"object.spec.walls >= 2", strings.Repeat("1 == 1 && ", 300) + "true", "checks[1].expression: has 3004 bytes"},
		"a match of everything":                {"group: safes.example.org, version: v1, resource: safes, kind: Safe", "kind: Safe", "checks[0].match[0]: group, version, kind and resource are required"},
		"no message":                           {"  message: is true\n", "", "checks[0].message: has 0 bytes"},
		"a paragraph that nobody knows":        {"164.312(a)(1)", "164.999", "cites[0]: is no paragraph"},
		"a ruleset that is not published":      {"2026.1", "1999.1", `ruleset "1999.1" is not known`},
		"nothing good":                         {"good:\n- {apiVersion: safes.example.org/v1, kind: Vault, metadata: {name: v, namespace: ehr}, spec: {walls: 3}}", "good: []", "good: has no resource"},
		"a file that is larger than any rule":  {"An open safe", strings.Repeat("An open safe ", 30000), "more than 262144 bytes"},
		"a severity of a kind that is no text": {"severity: High", "severity: {}", "cannot unmarshal"},
	} {
		t.Run(name, func(t *testing.T) {
			text := strings.Replace(safes, tc.old, tc.give, 1)
			r, err := rule.Parse([]byte(text))
			if err == nil {
				_, err = r.Compile()
			}
			if text == safes || err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("error %v, want one with %q", err, tc.want)
			}
		})
	}
	r, err := rule.Parse([]byte(strings.NewReplacer("object.spec.walls", "walls", "object.spec.?open", "open").Replace(safes)))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.Compile(); err == nil || !strings.Contains(err.Error(), "checks[0].expression") || !strings.Contains(err.Error(), "checks[1].expression") {
		t.Errorf("error %v, want both faults at once", err)
	}
	empty := &rule.Rule{}
	if _, err := empty.Compile(); err == nil {
		t.Error("a rule without checks is compiled")
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(safes))
	f.Add([]byte("checks: [{match: [{}], expression: '1 +'}]"))
	f.Fuzz(func(_ *testing.T, text []byte) {
		if r, err := rule.Parse(text); err == nil {
			_, _ = r.Compile() // a rule, or an error: never a panic
		}
	})
}
