package catalog

import (
	"cmp"
	"fmt"
	"slices"
	"testing"

	"github.com/hipaa-operator/hipaa-operator/internal/control"
)

// sentences are findings as people read them, with the verdict before them where
// it is not Fail.
func sentences(findings []control.Finding) []string {
	var said []string
	for _, f := range findings {
		text := f.Message
		if f.Path != "" {
			text = f.Path + " " + text
		}
		if f.Verdict != "Fail" {
			text = fmt.Sprintf("%s: %s", f.Verdict, text)
		}
		if f.Class != "" {
			text += fmt.Sprintf(" [%s]", f.Class)
		}
		if f.Live {
			text += " (live)"
		}
		said = append(said, text)
	}
	return said
}

func TestControlsComeSortedAndOnce(t *testing.T) {
	all := All()
	if !slices.IsSortedFunc(all, func(a, b control.Control) int { return cmp.Compare(a.ID, b.ID) }) {
		t.Error("All() is not sorted by ID")
	}
	all[0].ID = "changed"
	if All()[0].ID == "changed" {
		t.Error("All() hands out its own list")
	}
}

func TestAFileHoldsTheControlOfItsName(t *testing.T) {
	for name, tc := range map[string]struct {
		file, id string
		panics   bool
	}{
		"named after it":      {file: "pod_hardening.go", id: "pod-hardening"},
		"named after another": {file: "pod_softening.go", id: "pod-hardening", panics: true},
		"named with dashes":   {file: "pod-hardening.go", id: "pod-hardening", panics: true},
	} {
		t.Run(name, func(t *testing.T) {
			if got := panics(func() { mustBeNamedAfter(tc.file, tc.id) }); got != tc.panics {
				t.Errorf("panics: %t, want %t", got, tc.panics)
			}
		})
	}
	if !panics(func() { add(control.Control{ID: "of-another-file"}) }) {
		t.Error("a control of another file is registered")
	}
	if !panics(func() { register(control.Control{ID: All()[0].ID}) }) {
		t.Error("an ID is registered twice")
	}
}

func panics(f func()) (did bool) {
	defer func() { did = recover() != nil }()
	f()
	return false
}
