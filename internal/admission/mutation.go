package admission

import (
	"errors"

	"gomodules.xyz/jsonpatch/v2"

	"github.com/hipaa-operator/hipaa-operator/internal/engine"
)

// patched permits an object with changes.
func patched(operations []jsonpatch.Operation) answer {
	a := permitted()
	a.Patches = operations
	return a
}

// withoutRules lets an object through unchanged where no profile says how to
// change it: the validating webhook refuses it, with that sentence.
func withoutRules(err error) (answer, error) {
	if errors.Is(err, engine.ErrNoProfile) {
		return permitted(), nil
	}
	return answer{}, err
}
