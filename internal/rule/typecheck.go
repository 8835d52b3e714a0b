package rule

import (
	"errors"
	"fmt"
	"slices"

	apiservercel "k8s.io/apiserver/pkg/cel"
	"k8s.io/apiserver/pkg/cel/environment"

	"github.com/hipaa-operator/hipaa-operator/internal/control"
)

// Typecheck compiles the checks of one type against its schema. A field that the type
// does not have is an error, with line and column. Compile cannot tell: a rule is
// compiled where the type may not be known.
func (r *Rule) Typecheck(t control.ResourceType, object *apiservercel.DeclType) error {
	set, err := environment.MustBaseEnvSet(environment.DefaultCompatibilityVersion()).Extend(knowing(object))
	if err != nil {
		return fmt.Errorf("building the environment of %s: %w", t, err)
	}
	var wrong []error
	for i := range r.Checks {
		c := &r.Checks[i]
		if !slices.Contains(c.Match, t) {
			continue
		}
		for name, text := range map[string]string{"expression": c.Expression, "when": c.When} {
			if text == "" {
				continue
			}
			if _, err := compile(set.NewExpressionsEnv(), text); err != nil {
				wrong = append(wrong, fmt.Errorf("checks[%d].%s: %s: %w", i, name, t, err))
			}
		}
	}
	return errors.Join(wrong...)
}
