// Package rule turns controls written as data into controls. Its promise: a rule is
// read strictly and checked whole before it judges anything, and judging costs no more
// than the API server would spend on it.
package rule

import (
	"fmt"

	"sigs.k8s.io/yaml"

	"github.com/hipaa-operator/hipaa-operator/internal/control"
)

// Rule is a control in the form of a file: what resources it matches, and what has to
// hold for each of them.
type Rule struct {
	// The descriptor, as in control.Control.
	ID         string              `json:"id"`
	Title      string              `json:"title"`
	Cites      []string            `json:"cites"`
	Severity   control.Severity    `json:"severity"`
	Since      string              `json:"since"`
	Why        string              `json:"why"`
	Remedy     string              `json:"remedy"`
	Decides    string              `json:"decides"`
	Parameters []control.Parameter `json:"parameters"`
	// Answers are the rules of AWS's conformance pack that it answers at admission.
	Answers []string `json:"answers,omitempty"`

	// Checks are what has to hold.
	Checks []Check `json:"checks"`

	// Good are resources that meet the rule. The first is the example of the docs page.
	Good []map[string]any `json:"good"`
	// Breaks are resources that violate it, by what is wrong with them.
	Breaks map[string]map[string]any `json:"breaks"`
}

// Check is one condition on resources of some types.
type Check struct {
	// Match are the types.
	Match []control.ResourceType `json:"match"`
	// When says which of them it is about; empty is all.
	When string `json:"when,omitempty"`
	// Expression is true where the safeguard is in place.
	Expression string `json:"expression"`
	// Path is the field that a finding names.
	Path string `json:"path"`
	// Message says what is wrong where it is not, and Met what is right where it is.
	Message string `json:"message"`
	Met     string `json:"met"`
	// Remedy says what to change, where the rule's own is too general.
	Remedy string `json:"remedy,omitempty"`
}

// Bounds of a rule. What is longer is no rule that a person has read.
const (
	maxFile       = 256 << 10
	maxChecks     = 64
	maxMatches    = 16
	maxExpression = 2048
	maxText       = 512
)

// Parse reads a rule and refuses fields that do not exist, or stand twice.
func Parse(text []byte) (*Rule, error) {
	if len(text) > maxFile {
		return nil, fmt.Errorf("reading a rule: it has more than %d bytes", maxFile)
	}
	r := &Rule{}
	if err := yaml.UnmarshalStrict(text, r); err != nil {
		return nil, fmt.Errorf("reading a rule: %w", err)
	}
	return r, nil
}

// Types lists the types that the rule matches, each once, sorted.
func (r *Rule) Types() []control.ResourceType {
	var types []control.ResourceType
	for i := range r.Checks {
		types = append(types, r.Checks[i].Match...)
	}
	return control.UniqueTypes(types)
}

// bounded says which bound the checks exceed; nil is none.
func bounded(checks []Check) error {
	if len(checks) == 0 || len(checks) > maxChecks {
		return fmt.Errorf("checks: there are %d, and there may be 1 to %d", len(checks), maxChecks)
	}
	for i := range checks {
		if err := checks[i].bounded(); err != nil {
			return fmt.Errorf("checks[%d].%w", i, err)
		}
	}
	return nil
}

func (c *Check) bounded() error {
	if len(c.Match) == 0 || len(c.Match) > maxMatches {
		return fmt.Errorf("match: there are %d, and there may be 1 to %d", len(c.Match), maxMatches)
	}
	for i, t := range c.Match {
		if t.Group == "" || t.Version == "" || t.Kind == "" || t.Resource == "" {
			return fmt.Errorf("match[%d]: group, version, kind and resource are required", i)
		}
	}
	for _, field := range []struct {
		name, text  string
		least, most int
	}{
		{"path", c.Path, 1, maxText},
		{"message", c.Message, 1, maxText},
		{"met", c.Met, 1, maxText},
		{"remedy", c.Remedy, 0, maxText},
		{"expression", c.Expression, 1, maxExpression},
		{"when", c.When, 0, maxExpression},
	} {
		if size := len(field.text); size < field.least || size > field.most {
			return fmt.Errorf("%s: has %d bytes, and may have %d to %d", field.name, size, field.least, field.most)
		}
	}
	return nil
}
