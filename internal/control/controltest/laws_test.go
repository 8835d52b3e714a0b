package controltest

import (
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/utils/ptr"

	"github.com/hipaa-operator/hipaa-operator/internal/control"
	"github.com/hipaa-operator/hipaa-operator/internal/hipaa"
	"github.com/hipaa-operator/hipaa-operator/internal/phitest"
)

// lawfulControl is the smallest control that breaks no law: pods say how long
// they take to stop.
func lawfulControl() control.Control {
	return control.Control{
		ID: "stop-in-time", Title: "Stop in time", Cites: []hipaa.Citation{hipaa.Integrity}, Severity: control.Low, Since: 1,
		Why: "Because.", Remedy: "say how long", Decides: "The pod decides.",
		Parameters: []control.Parameter{{Path: "storage.encryptedClass", Basis: control.BasisProfile, Meaning: "None."}},
		Example:    "apiVersion: v1\nkind: Pod\nmetadata: {name: p, namespace: ehr, labels: {stops: \"yes\"}}\nspec: {containers: [{name: a, image: a}]}\n",
		Judges:     control.Pods,
		Check: func(s control.Subject) []control.Finding {
			if s.Pod == nil || s.Pod.Spec.TerminationGracePeriodSeconds != nil {
				return nil
			}
			return control.At("spec.terminationGracePeriodSeconds", "is missing")
		},
		Mutate: func(_ control.Subject, pod *corev1.Pod) {
			if pod.Spec.TerminationGracePeriodSeconds == nil && pod.Labels["stops"] != "never" {
				pod.Spec.TerminationGracePeriodSeconds = ptr.To[int64](30)
			}
		},
		Breaks: control.Breaks{"one": neverStops, "two": neverStops, "three": neverStops},
	}
}

var neverStops = control.Break{Kind: control.Pods, Apply: func(s *control.Subject) {
	s.Pod.Labels["stops"] = "never"
	s.Pod.Spec.TerminationGracePeriodSeconds = nil
}}

// other finds pods that a first act of another control has marked.
func other() control.Control {
	c := lawfulControl()
	c.ID, c.Mutate = "no-marks", nil
	c.Check = func(s control.Subject) []control.Finding {
		if s.Pod == nil || s.Pod.Annotations["marked"] == "" {
			return nil
		}
		return control.At("metadata.annotations", "has a mark")
	}
	return c
}

// laws are all of them for one control, golden texts aside, the slowest last.
func laws(catalog []control.Control, c *control.Control) []func() complaints {
	list := []func() complaints{
		func() complaints { return complete(c) },
		func() complaints { return exemplary(catalog, c) },
		func() complaints { return harmless(catalog, c) },
		func() complaints { return evidenced(catalog, c) },
	}
	for _, b := range c.Breaks {
		list = append(list, func() complaints { return finds(catalog, c, b) })
	}
	return append(list, func() complaints { return lawful(catalog) }, func() complaints { return pure(c) })
}

func TestALawfulControlIsNotComplainedAbout(t *testing.T) {
	c := lawfulControl()
	for _, law := range laws([]control.Control{c, other()}, &c) {
		if got := law(); len(got) > 0 {
			t.Errorf("complaints: %q", got)
		}
	}
}

// A law that no control can break is no law.
func TestLawsFindWhatBreaksThem(t *testing.T) {
	for name, tc := range map[string]struct {
		give func(*control.Control)
		want string
	}{
		"no word why":                     {func(c *control.Control) { c.Why = "" }, "Why is not a sentence"},
		"no word on what decides":         {func(c *control.Control) { c.Decides = "" }, "Decides is not a sentence"},
		"a title that ends in a stop":     {func(c *control.Control) { c.Title = "Stop." }, "Title does not begin"},
		"a remedy that is a sentence":     {func(c *control.Control) { c.Remedy = "Say how long." }, "Remedy does not continue"},
		"an ID in capitals":               {func(c *control.Control) { c.ID = "Stop" }, "ID is not words in lower case"},
		"a severity of its own":           {func(c *control.Control) { c.Severity = "Dire" }, "Severity is not known"},
		"a ruleset that is not out":       {func(c *control.Control) { c.Since = control.LatestRuleset() + 1 }, "Since is not"},
		"no citation":                     {func(c *control.Control) { c.Cites = nil }, "cites nothing"},
		"a paragraph that is made up":     {func(c *control.Control) { c.Cites[0].Paragraph = "164.999" }, "cites a paragraph"},
		"a parameter that nobody can set": {func(c *control.Control) { c.Parameters[0].Path = "storage.colour" }, "names a parameter"},
		"a basis that is not known":       {func(c *control.Control) { c.Parameters[0].Basis = "Hearsay" }, "gives a basis"},
		"no parameter":                    {func(c *control.Control) { c.Parameters = nil }, "names no parameter"},
		"two breaks":                      {func(c *control.Control) { delete(c.Breaks, "two") }, "fewer than three Breaks"},
		"a replacement that no admission demands": {
			func(c *control.Control) {
				c.Replaces, c.Severity = true, control.High
				for name, b := range c.Breaks {
					b.Reported = true
					c.Breaks[name] = b
				}
			}, "has no Break of a pod that admission refuses",
		},
		"an interruption for little": {func(c *control.Control) { c.Replaces = true }, "not severe enough"},
		"no example":                 {func(c *control.Control) { c.Example = "" }, "example holds no objects"},
		"an example with a field that does not exist": {
			func(c *control.Control) { c.Example = strings.Replace(c.Example, "image: a", "picture: a", 1) }, "example holds no objects",
		},
		"an example of a profile under which it is not met": {
			func(c *control.Control) {
				c.Example = "apiVersion: hipaa-operator.io/v1alpha1\nkind: ComplianceProfile\nmetadata: {name: p}\nspec: {rulesetVersion: \"2026.1\", namespaceSelector: {}}\n"
				c.Check = func(control.Subject) []control.Finding { return control.At("spec", "is wrong") }
			}, "under *v1alpha1.ComplianceProfile p the verdict is Fail",
		},
		"an example elsewhere": {
			func(c *control.Control) { c.Example = strings.Replace(c.Example, "ehr", "lab", 1) }, "is not in namespace",
		},
		"an example that is refused": {
			func(c *control.Control) { c.Example = strings.Replace(c.Example, `"yes"`, "never", 1) }, "*v1.Pod p is refused",
		},
		"a finding that nobody can remove": {
			func(c *control.Control) {
				c.Check = func(control.Subject) []control.Finding { return control.At("spec", "is a pod") }
			}, "is not admitted without a word",
		},
		"a live verdict that nobody can change": {
			func(c *control.Control) {
				c.Check = func(control.Subject) []control.Finding {
					return []control.Finding{control.Undecided("", "who knows").OnlyLive()}
				}
			}, "the live verdict of stop-in-time is Unknown",
		},
		"a break that it does not find": {
			func(c *control.Control) { c.Check = func(control.Subject) []control.Finding { return nil } }, "is not refused with the control's ID",
		},
		"a break that it would refuse and only reports": {
			func(c *control.Control) {
				b := neverStops
				b.Reported = true
				c.Breaks["one"] = b
			}, "is called Reported and is refused",
		},
		"a break of a kind that it does not judge": {
			func(c *control.Control) {
				b := neverStops
				b.Kind = control.Services
				c.Breaks["one"] = b
			}, "its kind is",
		},
		"an act that goes on": {
			func(c *control.Control) {
				c.Mutate = func(_ control.Subject, pod *corev1.Pod) {
					pod.Spec.TerminationGracePeriodSeconds = ptr.To(ptr.Deref(pod.Spec.TerminationGracePeriodSeconds, 30) + 1)
				}
			}, "a second time changes",
		},
		"an act that harms another": {
			func(c *control.Control) {
				act := c.Mutate
				c.Mutate = func(s control.Subject, pod *corev1.Pod) {
					act(s, pod)
					pod.Annotations = map[string]string{"marked": "yes"}
				}
			}, "makes no-marks find",
		},
		"a check that writes": {
			func(c *control.Control) {
				check := c.Check
				c.Check = func(s control.Subject) []control.Finding {
					s.Namespace.Labels = map[string]string{"seen": "yes"}
					return check(s)
				}
			}, "changes the subject",
		},
		"a check that panics": {
			func(c *control.Control) {
				c.Check = func(s control.Subject) []control.Finding {
					if s.Pod.Spec.Containers[0].Name == phitest.DefaultNamespace {
						return nil
					}
					return nil
				}
			}, "panics",
		},
		"evidence that is not asked for": {
			func(c *control.Control) {
				check := c.Check
				c.Check = func(s control.Subject) []control.Finding {
					if s.World.Isolation == nil {
						return control.At("", "is not proved")
					}
					return check(s)
				}
			}, "does not name it in Needs",
		},
		"a pass from nothing": {
			func(c *control.Control) {
				c.Judges = control.Workloads
			}, "in an empty world the verdict is Pass",
		},
	} {
		t.Run(name, func(t *testing.T) {
			c := lawfulControl()
			tc.give(&c)
			var got complaints
			for _, law := range laws([]control.Control{c, other()}, &c) {
				got = append(got, law()...)
				if slices.ContainsFunc(got, func(complaint string) bool { return strings.Contains(complaint, tc.want) }) {
					return
				}
			}
			t.Errorf("complaints %q, want one with %q", got, tc.want)
		})
	}
}

func TestGoldensAreWrittenAndCompared(t *testing.T) {
	path := t.TempDir() + "/folder/text.md"
	t.Setenv("UPDATE", "1")
	Golden(t, path, "as it was\n")
	t.Setenv("UPDATE", "")
	Golden(t, path, "as it was\n")
}
