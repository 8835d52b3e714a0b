package rule

import (
	"errors"
	"fmt"
	"strings"

	"github.com/google/cel-go/cel"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"

	"github.com/hipaa-operator/hipaa-operator/internal/control"
	"github.com/hipaa-operator/hipaa-operator/internal/hipaa"
)

// compiled is a check that is ready to judge.
type compiled struct {
	*Check
	when, expression cel.Program
}

// Compile makes a control of a rule. What is wrong with the rule is told at once, with
// line and column where it is an expression.
func (r *Rule) Compile() (control.Control, error) {
	c, err := r.compile()
	if err != nil {
		return control.Control{}, fmt.Errorf("compiling rule %q: %w", r.ID, err)
	}
	return c, nil
}

func (r *Rule) compile() (control.Control, error) {
	c, err := r.judging()
	if err != nil {
		return control.Control{}, err
	}
	if c.Since, err = control.ParseRuleset(r.Since); err != nil {
		return control.Control{}, fmt.Errorf("since: %w", err)
	}
	c.Title, c.Why, c.Decides, c.Parameters = r.Title, r.Why, r.Decides, r.Parameters
	return c, r.exemplify(&c)
}

// judging makes of a rule what judges: the control without the words of the docs page.
func (r *Rule) judging() (control.Control, error) {
	judge, err := compileChecks(r.Checks)
	if err != nil {
		return control.Control{}, err
	}
	judge.types = r.Types()
	c := control.Control{
		ID: r.ID, Severity: r.Severity, Remedy: r.Remedy,
		Resources: judge.types,
		Judges:    control.Resources | control.Workloads,
		NeedsLive: control.Infrastructure,
		Check:     judge.check,
	}
	for i, paragraph := range r.Cites {
		cite, known := hipaa.Find(paragraph)
		if !known {
			return control.Control{}, fmt.Errorf("cites[%d]: is no paragraph that controls cite; they are %s", i, hipaa.Join(hipaa.All()))
		}
		c.Cites = append(c.Cites, cite)
	}
	return c, nil
}

func compileChecks(checks []Check) (*judge, error) {
	if err := bounded(checks); err != nil {
		return nil, err
	}
	set, err := environments()
	if err != nil {
		return nil, fmt.Errorf("building the environment: %w", err)
	}
	env := set.NewExpressionsEnv()
	j := &judge{}
	var wrong []error
	for i := range checks {
		one := compiled{Check: &checks[i]}
		if one.expression, err = compile(env, one.Expression); err != nil {
			wrong = append(wrong, fmt.Errorf("checks[%d].expression: %w", i, err))
		}
		if one.When != "" {
			if one.when, err = compile(env, one.When); err != nil {
				wrong = append(wrong, fmt.Errorf("checks[%d].when: %w", i, err))
			}
		}
		j.checks = append(j.checks, one)
	}
	return j, errors.Join(wrong...)
}

// exemplify makes the example, and the good and bad resources of the laws.
func (r *Rule) exemplify(c *control.Control) error {
	if len(r.Good) == 0 {
		return errors.New("good: has no resource")
	}
	example, err := yaml.Marshal(r.Good[0])
	if err != nil {
		return fmt.Errorf("writing the example: %w", err)
	}
	c.Example = strings.TrimLeft(string(example), "\n")
	good := r.Good
	c.Satisfy = func(s *control.Subject) {
		for _, object := range good {
			provide(s, resource(object))
		}
	}
	c.Breaks = make(control.Breaks, len(r.Breaks))
	for name, object := range r.Breaks {
		c.Breaks[name] = control.Break{Kind: control.Resources, Apply: func(s *control.Subject) { *s = s.Of(resource(object)) }}
	}
	return nil
}

// resource is an object of its own, with numbers as the API server's decoder leaves them.
func resource(object map[string]any) *unstructured.Unstructured {
	return &unstructured.Unstructured{Object: wholeObject(object)}
}

func wholeObject(object map[string]any) map[string]any {
	copied := make(map[string]any, len(object))
	for key, inside := range object {
		copied[key] = whole(inside)
	}
	return copied
}

// whole copies a value that YAML was read into; there all numbers are float64.
func whole(value any) any {
	switch v := value.(type) {
	case map[string]any:
		return wholeObject(v)
	case []any:
		copied := make([]any, len(v))
		for i, inside := range v {
			copied[i] = whole(inside)
		}
		return copied
	case float64:
		if v == float64(int64(v)) {
			return int64(v)
		}
	}
	return value
}

// provide puts a resource into the world once.
func provide(s *control.Subject, r *unstructured.Unstructured) {
	for _, there := range s.World.Resources {
		if control.CompareResources(there, r) == 0 {
			return
		}
	}
	s.World.Resources = append(s.World.Resources, r)
}
