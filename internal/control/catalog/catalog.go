// Package catalog holds the controls, one in each file. Its promise: adding a
// file adds a control everywhere, and deleting it leaves no trace. Nothing
// outside this package names a control.
package catalog

import (
	"cmp"
	"fmt"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"github.com/hipaa-operator/hipaa-operator/internal/control"
)

var registered []control.Control

// All lists the controls, sorted by ID.
func All() []control.Control {
	all := slices.Clone(registered)
	slices.SortFunc(all, func(a, b control.Control) int { return cmp.Compare(a.ID, b.ID) })
	return all
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
