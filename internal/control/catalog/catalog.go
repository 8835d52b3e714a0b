// Package catalog holds the controls, one in each file: in Go here, as data in rules/. Its promise: adding a
// file adds a control everywhere, and deleting it leaves no trace. Nothing
// outside this package names a control.
package catalog

import (
	"cmp"
	"embed"
	"fmt"
	"io/fs"
	"path"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"github.com/hipaa-operator/hipaa-operator/internal/control"
	"github.com/hipaa-operator/hipaa-operator/internal/rule"
)

var registered []control.Control

//go:embed rules/*.yaml
var ruleFiles embed.FS

var asData = readRules(ruleFiles)

// All lists the controls, sorted by ID.
func All() []control.Control {
	all := slices.Clone(registered)
	slices.SortFunc(all, func(a, b control.Control) int { return cmp.Compare(a.ID, b.ID) })
	return all
}

// Rules lists the controls that are data, sorted by ID.
func Rules() []*rule.Rule { return slices.Clone(asData) }

// readRules registers the control of every file in rules/. It panics where one is no
// rule, as add does.
func readRules(files fs.FS) []*rule.Rule {
	names, err := fs.Glob(files, "rules/*.yaml")
	if err != nil {
		panic(fmt.Sprintf("catalog: listing the rules: %v", err))
	}
	var read []*rule.Rule
	for _, name := range names {
		r, c, err := readRule(files, name)
		if err != nil {
			panic(fmt.Sprintf("catalog: %s: %v", name, err))
		}
		register(c)
		read = append(read, r)
	}
	return read
}

func readRule(files fs.FS, name string) (*rule.Rule, control.Control, error) {
	text, err := fs.ReadFile(files, name)
	if err != nil {
		return nil, control.Control{}, fmt.Errorf("reading it: %w", err)
	}
	r, err := rule.Parse(text)
	if err != nil {
		return nil, control.Control{}, err
	}
	if want := r.ID + ".yaml"; path.Base(name) != want {
		return nil, control.Control{}, fmt.Errorf("holds %q, which belongs in %s", r.ID, want)
	}
	c, err := r.Compile()
	return r, c, err
}

// add registers the control of the calling file. It panics when the file is not
// named after the control, or the ID is taken: no build with such a catalogue
// gets as far as its first test.
func add(c control.Control) control.Control { //nolint:unparam // a declaration of a variable needs a value
	_, file, _, known := runtime.Caller(1)
	if known {
		mustBeNamedAfter(filepath.Base(file), c.ID)
	}
	register(c)
	return c
}

func register(c control.Control) {
	for i := range registered {
		if registered[i].ID == c.ID {
			panic(fmt.Sprintf("catalog: two controls have the ID %q", c.ID))
		}
	}
	registered = append(registered, c)
}

// mustBeNamedAfter holds that pod-hardening stands in pod_hardening.go.
func mustBeNamedAfter(file, id string) {
	if want := strings.ReplaceAll(id, "-", "_") + ".go"; file != want {
		panic(fmt.Sprintf("catalog: control %q stands in %s and belongs in %s", id, file, want))
	}
}
