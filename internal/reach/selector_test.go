package reach

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
)

// selector reads the syntax of kubectl get -l, so that tables stay readable.
func selector(t testing.TB, text string) *metav1.LabelSelector {
	t.Helper()
	s, err := metav1.ParseToLabelSelector(text)
	if err != nil {
		t.Fatalf("parsing selector %q: %v", text, err)
	}
	return s
}

func TestRelationsOfSelectors(t *testing.T) {
	type want struct{ implies, implied, disjoint bool }
	tests := map[string]struct {
		give, other string
		want        want
	}{
		"everything holds any selector":                         {"", "a=1", want{false, true, false}},
		"two empty selectors are equal":                         {"", "", want{true, true, false}},
		"more requirements imply fewer":                         {"a=1,b=2", "a=1", want{true, false, false}},
		"different values exclude each other":                   {"a=1", "a=2", want{false, false, true}},
		"different keys overlap":                                {"a=1", "b=1", want{false, false, false}},
		"one value of in is the same as equality":               {"a in (1)", "a=1", want{true, true, false}},
		"a smaller in implies a larger one":                     {"a in (1,2)", "a in (1,2,3)", want{true, false, false}},
		"in lists that share a value overlap":                   {"a in (1,2)", "a in (2,3)", want{false, false, false}},
		"in excludes notin of the same":                         {"a in (1,2)", "a notin (1,2)", want{false, false, true}},
		"in with one value more escapes notin":                  {"a in (1,2,3)", "a notin (1,2)", want{false, false, false}},
		"in implies notin of others":                            {"a in (1)", "a notin (2,3)", want{true, false, false}},
		"in implies exists":                                     {"a in (1)", "a", want{true, false, false}},
		"notin holds what lacks the key":                        {"!a", "a notin (1)", want{true, false, false}},
		"notin does not imply exists":                           {"a notin (1)", "a", want{false, false, false}},
		"notin leaving out more implies notin leaving out less": {"a notin (1,2)", "a notin (1)", want{true, false, false}},
		"exists excludes its absence":                           {"a", "!a", want{false, false, true}},
		"exists and notin of one is not absence":                {"a,a notin (1)", "!a", want{false, false, true}},
		"exists and notin implies notin":                        {"a,a notin (1)", "a notin (1)", want{true, false, false}},
		"in narrowed by notin is the rest":                      {"a in (1,2),a notin (2)", "a=1", want{true, true, false}},
		"a contradiction implies all and meets none":            {"a=1,a=2", "b=1", want{true, false, true}},
		"two contradictions are equal":                          {"a=1,a=2", "a,!a", want{true, true, true}},
		"order of requirements does not matter":                 {"b=2,a=1", "a=1,b=2", want{true, true, false}},
		"an empty value is a value":                             {"a=", "!a", want{false, false, true}},
		"exists holds the empty value":                          {"a=", "a", want{true, false, false}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			a, okA := exactBox(ofPod, parse(t, tt.give))
			b, okB := exactBox(ofPod, parse(t, tt.other))
			if !okA || !okB {
				t.Fatal("a selector of the table is not valid")
			}
			got := want{a.implies(b), b.implies(a), a.disjoint(b)}
			if diff := cmp.Diff(tt.want, got, cmp.AllowUnexported(want{})); diff != "" {
				t.Errorf("relation of %q to %q (-want +got):\n%s", tt.give, tt.other, diff)
			}
			if a.disjoint(b) != b.disjoint(a) {
				t.Error("disjoint is not symmetric")
			}
			if got, want := a.equal(b), got.implies && got.implied; got != want {
				t.Errorf("equal = %v, want %v", got, want)
			}
		})
	}
}

// parse keeps contradictions such as a=1,a=2, which ParseToLabelSelector folds into one map entry.
func parse(t *testing.T, text string) *metav1.LabelSelector {
	t.Helper()
	parsed, err := labels.ParseToRequirements(text)
	if err != nil {
		t.Fatalf("parsing requirements %q: %v", text, err)
	}
	s := &metav1.LabelSelector{}
	for _, r := range parsed {
		operator := map[string]metav1.LabelSelectorOperator{
			"=": metav1.LabelSelectorOpIn, "==": metav1.LabelSelectorOpIn, "in": metav1.LabelSelectorOpIn,
			"!=": metav1.LabelSelectorOpNotIn, "notin": metav1.LabelSelectorOpNotIn,
			"exists": metav1.LabelSelectorOpExists, "!": metav1.LabelSelectorOpDoesNotExist,
		}[string(r.Operator())]
		values := r.Values().List()
		if len(values) == 0 {
			values = nil
		}
		s.MatchExpressions = append(s.MatchExpressions, metav1.LabelSelectorRequirement{
			Key: r.Key(), Operator: operator, Values: values,
		})
	}
	return s
}

// TestSelectorAlgebraAgreesWithEnumeration holds the algebra against every label set over two keys and four states,
// judged by the selectors of apimachinery.
func TestSelectorAlgebraAgreesWithEnumeration(t *testing.T) {
	selectors, universe := everySelector(t), everyLabelSet()
	members := make([][]bool, len(selectors))
	boxes := make([]box, len(selectors))
	for i, s := range selectors {
		genuine, err := metav1.LabelSelectorAsSelector(s)
		if err != nil {
			t.Fatal(err)
		}
		boxes[i] = boundingBox(ofPod, s)
		for _, l := range universe {
			members[i] = append(members[i], genuine.Matches(l))
			if got := boxes[i].matches(ofPod, l); got != genuine.Matches(l) {
				t.Fatalf("%s matches %v = %v", metav1.FormatLabelSelector(s), l, got)
			}
		}
		if !boxes[i].empty() && !genuine.Matches(boxes[i].sample(ofPod)) {
			t.Fatalf("sample %v is not selected by %s", boxes[i].sample(ofPod), metav1.FormatLabelSelector(s))
		}
	}
	for i := range selectors {
		for j := range selectors {
			implies, disjoint := relation(members[i], members[j])
			if boxes[i].implies(boxes[j]) != implies || boxes[i].disjoint(boxes[j]) != disjoint {
				t.Errorf("%s to %s: want implies %v, disjoint %v", metav1.FormatLabelSelector(selectors[i]),
					metav1.FormatLabelSelector(selectors[j]), implies, disjoint)
			}
		}
	}
}

// relation compares two sets by their members.
func relation(a, b []bool) (implies, disjoint bool) {
	implies, disjoint = true, true
	for i := range a {
		implies = implies && (!a[i] || b[i])
		disjoint = disjoint && (!a[i] || !b[i])
	}
	return implies, disjoint
}

func everySelector(t *testing.T) []*metav1.LabelSelector {
	atoms := []string{"", "a=1", "a=2", "a in (1,2)", "a notin (1)", "a notin (1,2)", "a", "!a", "b=1", "b notin (2)", "!b"}
	var selectors []*metav1.LabelSelector
	for _, first := range atoms {
		for _, second := range atoms {
			text := first
			if first != "" && second != "" {
				text += ","
			}
			selectors = append(selectors, parse(t, text+second))
		}
	}
	return selectors
}

func everyLabelSet() []labels.Set {
	states := []string{"absent", "1", "2", "fresh"}
	var universe []labels.Set
	for _, a := range states {
		for _, b := range states {
			l := labels.Set{}
			if a != "absent" {
				l["a"] = a
			}
			if b != "absent" {
				l["b"] = b
			}
			universe = append(universe, l)
		}
	}
	return universe
}

func TestUnreadableRequirements(t *testing.T) {
	tests := map[string]metav1.LabelSelectorRequirement{
		"in without values":              {Key: "a", Operator: metav1.LabelSelectorOpIn},
		"notin without values":           {Key: "a", Operator: metav1.LabelSelectorOpNotIn},
		"exists with values":             {Key: "a", Operator: metav1.LabelSelectorOpExists, Values: []string{"1"}},
		"absence with values":            {Key: "a", Operator: metav1.LabelSelectorOpDoesNotExist, Values: []string{"1"}},
		"an operator nobody knows":       {Key: "a", Operator: "Gt", Values: []string{"1"}},
		"an operator in the wrong case":  {Key: "a", Operator: "in", Values: []string{"1"}},
		"an operator that is left empty": {Key: "a"},
	}
	for name, give := range tests {
		t.Run(name, func(t *testing.T) {
			s := &metav1.LabelSelector{MatchLabels: map[string]string{"b": "2"}, MatchExpressions: []metav1.LabelSelectorRequirement{give}}
			if _, ok := exactBox(ofPod, s); ok {
				t.Error("exactBox accepts it")
			}
			if got, want := boundingBox(ofPod, s), boundingBox(ofPod, selector(t, "b=2")); !got.equal(want) {
				t.Errorf("boundingBox = %v, want %v", got, want)
			}
		})
	}
}

func TestRemainder(t *testing.T) {
	tests := map[string]struct {
		give   string
		covers []string
		want   proof
	}{
		"nothing covers nothing":                   {"a=1", nil, open},
		"a contradiction needs no cover":           {"a=1,a=2", nil, covered},
		"one larger cover is enough":               {"a=1,b=1", []string{"a=1"}, covered},
		"two covers share the values":              {"a in (1,2)", []string{"a=1", "a=2"}, covered},
		"a value is left over":                     {"a in (1,2,3)", []string{"a=1", "a=2"}, open},
		"a key is there or it is not":              {"b=1", []string{"a", "!a"}, covered},
		"in and notin together are all":            {"", []string{"a=1", "a notin (1)"}, covered},
		"in and exists are not all":                {"", []string{"a=1", "a"}, open},
		"a square out of four parts":               {"a in (1,2),b in (1,2)", []string{"a=1,b=1", "a=1,b=2", "a=2,b=1", "a=2,b=2"}, covered},
		"a square with one part missing":           {"a in (1,2),b in (1,2)", []string{"a=1,b=1", "a=1,b=2", "a=2,b=2"}, open},
		"three covers that only together are all":  {"", []string{"a=1", "!a", "a,a notin (1)"}, covered},
		"covers that overlap leave the last piece": {"", []string{"a notin (1)", "b=1"}, open},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			var covers []box
			for _, c := range tt.covers {
				covers = append(covers, boundingBox(ofPod, parse(t, c)))
			}
			b := boundingBox(ofPod, parse(t, tt.give))
			budget := effort(1000)
			left, got := b.remainder(covers, &budget)
			if got != tt.want {
				t.Fatalf("remainder = %v, want %v", got, tt.want)
			}
			if got == open {
				l := left.sample(ofPod)
				if !b.matches(ofPod, l) || anyMatches(covers, l) {
					t.Errorf("sample %v is not left over", l)
				}
			}
			if budget := effort(0); got == open {
				if _, p := b.remainder(covers, &budget); p != undecided {
					t.Errorf("without effort = %v, want undecided", p)
				}
			}
		})
	}
}
