package controltest

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hipaa-operator/hipaa-operator/internal/control"
	"github.com/hipaa-operator/hipaa-operator/internal/engine"
)

// Golden compares a text that people read with the file that holds it. With
// UPDATE=1 it writes the file; the difference is reviewed like code.
func Golden(t *testing.T, path, got string) {
	t.Helper()
	if os.Getenv("UPDATE") == "1" {
		if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
			t.Fatalf("making the folder of a golden text: %v", err)
		}
		if err := os.WriteFile(path, []byte(got), 0o600); err != nil {
			t.Fatalf("writing a golden text: %v", err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatalf("reading a golden text (UPDATE=1 writes it): %v", err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s differs; if the new text is better, UPDATE=1 writes it (-want +got):\n%s", path, diff)
	}
}

// golden is law 7.
func golden(t *testing.T, catalog []control.Control, c *control.Control, goldens Goldens) {
	Golden(t, filepath.Join(goldens.Docs, c.ID+".md"), control.DocPage(*c))
	Golden(t, filepath.Join(goldens.Denials, c.ID+".txt"), denials(catalog, c))
}

// denials are what people read for each break, of this control alone.
func denials(catalog []control.Control, c *control.Control) string {
	j := enforcing([]control.Control{*c})
	var text strings.Builder
	for _, name := range slices.Sorted(maps.Keys(c.Breaks)) {
		s := Baseline(c.Breaks[name].Kind)
		Protect(catalog, &s)
		c.Breaks[name].Apply(&s)
		if c.Breaks[name].Reported {
			for _, result := range j.live(Live(s)) {
				fmt.Fprintf(&text, "# %s\n%s: %s\n\n", name, result.Verdict, result.Message)
			}
			continue
		}
		Admit(catalog, &s)
		object := s.Object()
		if s.Connection != nil {
			object = s.Connection.String()
		}
		what := fmt.Sprintf("%s in PHI namespace %q", object, s.Namespace.Name)
		fmt.Fprintf(&text, "# %s\n%s\n\n", name, engine.Denial(what, j.admit(s)))
	}
	return text.String()
}

// noLeftovers holds that there is no page of a control that has gone.
func noLeftovers(t *testing.T, catalog []control.Control, goldens Goldens) {
	for folder, suffix := range map[string]string{goldens.Docs: ".md", goldens.Denials: ".txt"} {
		files, err := filepath.Glob(filepath.Join(folder, "*"+suffix))
		if err != nil {
			t.Fatalf("listing golden texts: %v", err)
		}
		for _, file := range files {
			id := strings.TrimSuffix(filepath.Base(file), suffix)
			known := slices.ContainsFunc(catalog, func(c control.Control) bool { return c.ID == id })
			if !known && id != "README" {
				t.Errorf("%s is about no control", file)
			}
		}
	}
}
