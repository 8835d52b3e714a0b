package control_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hipaa-operator/hipaa-operator/internal/control"
)

func TestAGroupBelongsToTheFamilyThatItEndsWith(t *testing.T) {
	families := []control.Family{{Suffix: ".aws.upbound.io", Except: []string{".own.aws.upbound.io"}, Read: []string{"apprunner"}}, {Suffix: ".aws.m.upbound.io"}}
	for name, tc := range map[string]struct {
		give, family, member string
		reads                bool
	}{
		"a service":                        {give: "s3.aws.upbound.io", family: ".aws.upbound.io", member: "s3"},
		"one that is read":                 {give: "apprunner.aws.upbound.io", family: ".aws.upbound.io", member: "apprunner", reads: true},
		"the same of another family":       {give: "apprunner.aws.m.upbound.io", family: ".aws.m.upbound.io", member: "apprunner"},
		"the group of the provider itself": {give: "aws.upbound.io"},
		"a group with nothing before":      {give: ".aws.upbound.io"},
		"a group that only looks like it":  {give: "s3.paws.upbound.io"},
		"an exception":                     {give: "own.aws.upbound.io"},
		"one that ends in an exception":    {give: "s3.own.aws.upbound.io"},
		"one that looks like an exception": {give: "disown.aws.upbound.io", family: ".aws.upbound.io", member: "disown"},
		"the core of Kubernetes":           {give: ""},
		"a group that goes on after it":    {give: "s3.aws.upbound.io.example.org"},
		"a service of two words":           {give: "network.frontdoor.aws.upbound.io", family: ".aws.upbound.io", member: "network.frontdoor"},
	} {
		t.Run(name, func(t *testing.T) {
			f := control.FamilyOf(families, tc.give)
			if f == nil {
				if tc.family != "" {
					t.Fatal("belongs to none")
				}
				return
			}
			if member, _ := f.Member(tc.give); f.Suffix != tc.family || member != tc.member || f.Reads(tc.give) != tc.reads {
				t.Errorf("is %q of %q, read %t", member, f.Suffix, f.Reads(tc.give))
			}
		})
	}
}

func TestFamiliesOfSeveralControlsComeOnce(t *testing.T) {
	give := []control.Family{
		{Suffix: ".b", Except: []string{".d.b", ".c.b"}, Groups: []string{"x.b"}}, {Suffix: ".a", Read: []string{"z", "y"}}, {Suffix: ".b", Except: []string{".c.b", ".e.b"}, Groups: []string{"w.b", "x.b"}, Read: []string{"x"}},
	}
	want := []control.Family{{Suffix: ".a", Read: []string{"y", "z"}}, {Suffix: ".b", Except: []string{".c.b"}, Groups: []string{"w.b", "x.b"}, Read: []string{"x"}}}
	if diff := cmp.Diff(want, control.UniqueFamilies(give)); diff != "" {
		t.Errorf("families (-want +got):\n%s", diff)
	}
	if give[1].Read[0] != "z" || give[0].Suffix != ".b" {
		t.Error("what was given is changed")
	}
}
