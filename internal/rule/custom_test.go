package rule_test

import (
	"strings"
	"testing"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
	"github.com/hipaa-operator/hipaa-operator/internal/control"
	"github.com/hipaa-operator/hipaa-operator/internal/phitest"
	"github.com/hipaa-operator/hipaa-operator/internal/rule"
)

var safeType = control.ResourceType{Group: "safes.example.org", Version: "v1", Resource: "safes", Kind: "Safe"}

// closing is a custom control: every safe is closed.
func closing(change func(*hipaav1.CustomControl)) *hipaav1.CustomControl {
	c := &hipaav1.CustomControl{
		ID: "custom-closed-safes", Cites: []string{"164.312(a)(1)"}, Remedy: "close it",
		Checks: []hipaav1.CustomCheck{{
			Match:      []hipaav1.MatchedType{{Group: safeType.Group, Version: safeType.Version, Resource: safeType.Resource, Kind: safeType.Kind}},
			Expression: "object.spec.?open.orValue(false) == false", Path: "spec.open", Message: "is true", Met: "is false",
		}},
	}
	if change != nil {
		change(c)
	}
	return c
}

func TestACustomControlIsAControl(t *testing.T) {
	compile := rule.Customs([]control.ResourceType{safeType})
	for range 2 { // once compiled, once remembered
		c, err := compile(closing(nil))
		if err != nil || c.ID != "custom-closed-safes" || c.Cites[0].Paragraph != "164.312(a)(1)" || c.Since != 1 {
			t.Fatalf("got %+v, error %v", c, err)
		}
		s := control.Subject{Profile: &control.Profile{}, Namespace: phitest.Namespace("ehr").Obj(), World: &control.World{}}
		if got := said(c.Check(s.Of(object("Safe", map[string]any{"open": true})))); len(got) != 1 || got[0] != "Fail spec.open is true" {
			t.Errorf("an open safe: %q", got)
		}
	}
	other, err := compile(closing(func(c *hipaav1.CustomControl) { c.Checks[0].Message = "stands open" }))
	if err != nil {
		t.Fatal(err)
	}
	s := control.Subject{Profile: &control.Profile{}, Namespace: phitest.Namespace("ehr").Obj(), World: &control.World{}}
	if got := said(other.Check(s.Of(object("Safe", map[string]any{"open": true})))); got[0] != "Fail spec.open stands open" {
		t.Errorf("in other words: %q", got)
	}
}

func TestABrokenCustomControlIsToldWhere(t *testing.T) {
	for name, tc := range map[string]struct {
		give func(*hipaav1.CustomControl)
		want string
	}{
		"an expression of two lines": {
			func(c *hipaav1.CustomControl) {
				c.Checks[0].Expression = "has(object.spec) &&\n  object.spec.open = false"
			},
			"checks[0].expression: line 2, column 20: Syntax error",
		},
		"a condition": {
			func(c *hipaav1.CustomControl) { c.Checks[0].When = "profil.storage.cloudKeys == ''" },
			"checks[0].when: line 1, column 1: undeclared reference to 'profil'",
		},
		"a type that admission is never asked about": {
			func(c *hipaav1.CustomControl) { c.Checks[0].Match[0].Resource = "doors" },
			"checks[0].match[0]: doors.safes.example.org/v1 of kind Safe is no type that the catalogue knows",
		},
		"a paragraph":  {func(c *hipaav1.CustomControl) { c.Cites[0] = "164.1" }, "cites[0]: is no paragraph that controls cite; they are 45 CFR 160.203(b)"},
		"no paragraph": {func(c *hipaav1.CustomControl) { c.Cites = nil }, "cites: is empty"},
		"no checks":    {func(c *hipaav1.CustomControl) { c.Checks = nil }, "checks: there are 0"},
	} {
		t.Run(name, func(t *testing.T) {
			compile := rule.Customs([]control.ResourceType{safeType})
			for range 2 {
				if _, err := compile(closing(tc.give)); err == nil || !strings.HasPrefix(err.Error(), tc.want) {
					t.Errorf("error %v, want %q", err, tc.want)
				}
			}
		})
	}
}
