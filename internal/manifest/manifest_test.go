package manifest

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func stream(t *testing.T, text string) *Stream {
	t.Helper()
	s, err := Read("app.yaml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func textOf(t *testing.T, s *Stream) string {
	t.Helper()
	text, err := s.YAML()
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestWhatIsNotChangedLeavesAsItCame(t *testing.T) {
	for name, text := range map[string]string{
		"nothing":                       "",
		"a comment":                     "# nothing yet\n",
		"no end of the line":            "kind:   A",
		"blank lines and odd spaces":    "---   # first\n\n\nkind:   A   # odd\n\n---\nkind: B\nx: {b: 'C'}\n---\n",
		"a separator within a scalar":   "kind: |\n  a\n  ---\n  b\n---\nkind: B\n",
		"windows line ends":             "kind: A\r\n---\r\nkind: B\r\n",
		"content behind the separator":  "kind: A\n--- {kind: B}\n",
		"something that looks like one": "kind: A\n# x\nname: ----\n",
		"JSON":                          `{"kind": "A", "list": [1, 2]}`,
		"a value shared in one":         "kind: A\na: &x {b: c}\nd: *x\n",
	} {
		t.Run(name, func(t *testing.T) {
			s := stream(t, text)
			if got := textOf(t, s); got != text && !strings.Contains(text, "--- {") {
				t.Errorf("got %q, want %q", got, text)
			}
			if s.Changed() {
				t.Error("it says that it was changed")
			}
		})
	}
}

func TestObjectsOfAStream(t *testing.T) {
	s := stream(t, "# head\n---\napiVersion: v1\nkind: A\nmode: 0440\n---\n---\nkind: List\nitems:\n- {apiVersion: v2, kind: B, on: yes}\n--- {kind: C}\n")
	var got []string
	for _, o := range s.Objects() {
		var compact map[string]any
		if err := json.Unmarshal(o.JSON, &compact); err != nil {
			t.Fatal(err)
		}
		text, _ := json.Marshal(compact)
		got = append(got, o.Place+" "+o.APIVersion+"/"+o.Kind+" "+string(text))
	}
	want := []string{
		`app.yaml, document 2 v1/A {"apiVersion":"v1","kind":"A","mode":288}`,
		`app.yaml, document 4, items[0] v2/B {"apiVersion":"v2","kind":"B","true":true}`,
		`app.yaml, document 5 /C {"kind":"C"}`,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("objects (-want +got):\n%s", diff)
	}
}

func TestWhatCannotBeReadIsRefused(t *testing.T) {
	for name, tt := range map[string]struct{ give, want string }{
		"no YAML":                  {"kind: A\n---\nkind: [", "app.yaml, document 2: reading YAML"},
		"a name that stands twice": {"kind: A\nkind: B\n", "app.yaml, document 1: reading YAML"},
		"no object":                {"- a\n", "it is no object"},
		"two without separator":    {"kind: A\n...\nkind: B\n", "without a line ---"},
		"an alias of itself":       {"a: &x [*x]\n", "app.yaml, document 1"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Read("app.yaml", []byte(tt.give))
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, want one with %q", err, tt.want)
			}
		})
	}
}

func TestChangesTouchNothingElse(t *testing.T) {
	type object = map[string]any
	tests := map[string]struct {
		give, want    string
		path          []string
		before, after object
	}{
		"a label more, among comments and quotes": {
			give:   "# head\nkind: A # a\nlabels:\n  # the name\n  app: 'x' # y\nlast: \"z\"\n",
			want:   "# head\nkind: A # a\nlabels:\n  # the name\n  app: 'x' # y\n  ours: \"true\"\nlast: \"z\"\n",
			before: object{"labels": object{"app": "x"}}, after: object{"labels": object{"app": "x", "ours": "true"}},
		},
		"in a mapping of one line": {
			give: "spec:\n  template: {labels: {app: x}}\n", want: "spec:\n  template: {labels: {app: x, ours: v}}\n",
			path: []string{"spec", "template"}, before: object{"labels": object{"app": "x"}}, after: object{"labels": object{"app": "x", "ours": "v"}},
		},
		"where there was no mapping": {
			give: "spec:\n  a: 1\n", want: "spec:\n  a: 1\n  labels:\n    ours: v\n",
			path: []string{"spec"}, before: object{"a": int64(1)}, after: object{"a": int64(1), "labels": object{"ours": "v"}},
		},
		"in an element of a list, and one more": {
			give:   "list:\n    - name: a # first\n      medium: {}\n",
			want:   "list:\n    - name: a # first\n      medium: {size: 1}\n    - name: b\n",
			before: object{"list": []any{object{"name": "a", "medium": object{}}}},
			after:  object{"list": []any{object{"name": "a", "medium": object{"size": int64(1)}}, object{"name": "b"}}},
		},
		"a list that becomes shorter": {
			give: "list: [1, 2]\n", want: "list: [2]\n",
			before: object{"list": []any{int64(1), int64(2)}}, after: object{"list": []any{int64(2)}},
		},
		"a value of another kind, and one that goes": {
			give: "a: x # why\nb: y\n", want: "a: 5 # why\n",
			before: object{"a": "x", "b": "y"}, after: object{"a": int64(5)},
		},
		"a field that the reader does not know": {
			give: "future: {x: 1}\nlabels: {}\n", want: "future: {x: 1}\nlabels: {a: b}\n",
			before: object{"labels": object{}}, after: object{"labels": object{"a": "b"}},
		},
		"labels that the selector shares": {
			give:   "selector: &labels {app: x}\nlabels: *labels\n",
			want:   "selector: {app: x}\nlabels: {app: x, ours: v}\n",
			before: object{"selector": object{"app": "x"}, "labels": object{"app": "x"}},
			after:  object{"selector": object{"app": "x"}, "labels": object{"app": "x", "ours": "v"}},
		},
		"labels that are taken over from elsewhere": {
			give:   "base: &b {app: x, tier: t}\nlabels:\n  <<: *b\n  tier: own\n",
			want:   "base: {app: x, tier: t}\nlabels:\n  tier: own\n  app: x\n  ours: v\n",
			before: object{"labels": object{"app": "x", "tier": "own"}}, after: object{"labels": object{"app": "x", "tier": "own", "ours": "v"}},
		},
		"text over many lines": {
			give:   "script: |\n  a: b\n\n  # no comment\nlabels: {}\n",
			want:   "script: |\n  a: b\n\n  # no comment\nlabels: {a: b}\n",
			before: object{"labels": object{}}, after: object{"labels": object{"a": "b"}},
		},
		"four spaces and lists to the right": {
			give:   "spec:\n    list:\n        - a\n    labels:\n        app: x\n",
			want:   "spec:\n    list:\n        - a\n    labels:\n        app: x\n        ours: v\n",
			path:   []string{"spec"},
			before: object{"labels": object{"app": "x"}}, after: object{"labels": object{"app": "x", "ours": "v"}},
		},
		"empty lines between fields, and in text": {
			give: "# head\n\nkind: A\n\nscript: |\n  a\n\n  b\n\nspec:\n\n  # first\n  labels:\n    app: x\n\n\n  list:\n  - a\n\n  - b: |\n      c\n\n      d\n    e: f\n",
			want: "# head\n\nkind: A\n\nscript: |\n  a\n\n  b\n\nspec:\n\n  # first\n  labels:\n    app: x\n    ours: v\n\n\n  list:\n  - a\n\n  - b: |\n      c\n\n      d\n    e: f\n",
			path: []string{"spec"}, before: object{"labels": object{"app": "x"}}, after: object{"labels": object{"app": "x", "ours": "v"}},
		},
		"an empty line within quotes": {
			give: "kind: A\n\ntext: \"a\n\n  b\"\nlabels: {}\n", want: "kind: A\ntext: \"a\\nb\"\nlabels: {ours: v}\n",
			before: object{"labels": object{}}, after: object{"labels": object{"ours": "v"}},
		},
		"nothing": {give: "a:    x\n", want: "a:    x\n", before: object{"a": "x"}, after: object{"a": "x"}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			const other = "---\nkind:   Other\n"
			s := stream(t, other+"---\n"+tt.give+other)
			if _, err := s.Objects()[1].Change(tt.path, tt.before, tt.after); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(other+"---\n"+tt.want+other, textOf(t, s)); diff != "" {
				t.Errorf("stream (-want +got):\n%s", diff)
			}
		})
	}
}

func TestAPathThatIsNotThereIsAnError(t *testing.T) {
	s := stream(t, "spec: 1\n")
	if _, err := s.Objects()[0].Change([]string{"spec", "template"}, nil, map[string]any{"a": "b"}); err == nil {
		t.Error("something was written below a number")
	}
}

func TestWhatCannotBeWrittenAnewIsNotChanged(t *testing.T) {
	s := stream(t, "a: !x {b: c, d: }\n")
	_, err := s.Objects()[0].Change(nil, map[string]any{}, map[string]any{"ours": "true"})
	if err == nil || !strings.Contains(err.Error(), "take tags") || s.Changed() {
		t.Errorf("error %v, changed %v", err, s.Changed())
	}
}

func TestStreamsAsJSON(t *testing.T) {
	one, more := stream(t, "kind: A\nlabels: {}\n"), stream(t, "# none\n---\nkind: B\n")
	if _, err := one.Objects()[0].Change(nil, map[string]any{"labels": map[string]any{}}, map[string]any{"labels": map[string]any{"a": "true"}}); err != nil {
		t.Fatal(err)
	}
	for want, give := range map[string][]*Stream{
		`{"kind":"A","labels":{"a":"true"}}`: {one},
		`{"apiVersion":"v1","items":[{"kind":"A","labels":{"a":"true"}},{"kind":"B"}],"kind":"List"}`: {one, more},
	} {
		text, err := JSON(give)
		if err != nil {
			t.Fatal(err)
		}
		var value any
		if err := json.Unmarshal(text, &value); err != nil {
			t.Fatal(err)
		}
		if got, _ := json.Marshal(value); string(got) != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

func FuzzRead(f *testing.F) {
	f.Add("a: b\n---\nkind: List\nitems: [{kind: A}]\n")
	f.Add("a: &x {b: c}\nd: {<<: *x}\n")
	f.Fuzz(func(t *testing.T, text string) {
		s, err := Read("fuzz", []byte(text))
		if err != nil {
			return
		}
		got, err := s.YAML()
		if err != nil {
			t.Fatal(err)
		}
		again, err := Read("fuzz", got)
		if err != nil {
			t.Fatalf("what was written cannot be read: %v", err)
		}
		if len(again.Objects()) != len(s.Objects()) {
			t.Errorf("%d objects, and %d when read again", len(s.Objects()), len(again.Objects()))
		}
	})
}

// Whatever a document looks like, a change says what it should and nothing else.
func FuzzChange(f *testing.F) {
	f.Add("# head\n\nkind: A\n\ntext: |+\n  a\n\n\nlist:\n- a # x\n\n- {b: c}\n")
	f.Add("a: &x {b: c}\nd: {<<: *x, b: e}\n\n# end\n")
	f.Add("a: >-\n  x\n\n  y\nb: \"p\n\n  q\"\n")
	f.Add("0: AA\n.00: 11\n")
	f.Fuzz(func(t *testing.T, text string) {
		s, err := Read("fuzz", []byte(text))
		if err != nil || len(s.Objects()) == 0 {
			return
		}
		var want, got map[string]any
		o := s.Objects()[0]
		if err := json.Unmarshal(o.JSON, &want); err != nil || want == nil || want["ours"] != nil {
			return
		}
		if _, err := o.Change(nil, map[string]any{}, map[string]any{"ours": "true"}); err != nil {
			return // it says why it is not changed
		}
		changed, err := s.YAML()
		if err != nil {
			t.Fatal(err)
		}
		again, err := Read("fuzz", changed)
		if err != nil {
			t.Fatalf("what was written cannot be read: %v\n%s", err, changed)
		}
		if err := json.Unmarshal(again.Objects()[0].JSON, &got); err != nil {
			t.Fatal(err)
		}
		want["ours"] = "true"
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("object (-want +got):\n%s\nwritten:\n%s", diff, changed)
		}
	})
}
