package backstop

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"

	"github.com/hipaa-operator/hipaa-operator/internal/control"
	"github.com/hipaa-operator/hipaa-operator/internal/hipaa"
)

// script writes the CEL of one policy.
type script struct {
	form *form
	// controls are those with faults of this kind.
	controls []control.Control
}

func newScript(f *form, controls []control.Control) *script {
	s := &script{form: f}
	for i := range controls {
		if len(faultsOf(&controls[i], f.kind)) > 0 {
			s.controls = append(s.controls, controls[i])
		}
	}
	return s
}

// faultsOf are the faults of a control in objects of one kind.
func faultsOf(c *control.Control, kind control.Kinds) []control.Fault {
	if c.Backstop == nil {
		return nil
	}
	var faults []control.Fault
	for _, fault := range c.Backstop.Faults {
		if fault.Kind() == kind {
			faults = append(faults, fault)
		}
	}
	return faults
}

// given are the variables that everything else is written with.
func (s *script) given() []control.Variable {
	given := slices.Clip(s.form.variables)
	if s.form.stood != "" {
		given = append(given, control.Variable{Name: "stood", Expression: "!variables.whole && " + s.form.stood})
	}
	given = append(given, control.Variable{Name: "claimants", Expression: s.form.claimants})
	if s.form.kind == control.Pods {
		given = append(given, control.Variable{Name: "claiming", Expression: "variables.claimants.map(w, w.name)"})
	}
	return given
}

// reason is why an object is refused, in CEL, and the sentence for it.
type reason struct{ when, says string }

// reasons are those beside the controls. They stand where the ID of a control would.
func (s *script) reasons() []reason {
	ungoverned := "variables.whole && params.spec.?ungoverned.orValue(false)"
	if s.form.judged != "" {
		ungoverned += " && " + s.form.judged
	}
	reasons := []reason{{
		ungoverned,
		fmt.Sprintf("ungoverned-namespace (%s): no ComplianceProfile governs the namespace; ask the security team for one", hipaa.RiskAnalysis),
	}}
	if s.form.kind == control.Pods {
		reasons = append(reasons, reason{
			"variables.whole && variables.claimants.size() == 0 && has(params.spec.undeclaredPods) && " + holds("params.spec.undeclaredPods"),
			fmt.Sprintf("undeclared-pod (%s): metadata.labels are selected by no PHIWorkload of the namespace; "+
				"declare a PHIWorkload whose selector matches them, or run the pod in a namespace without PHI", hipaa.RiskAnalysis),
		})
	}
	return reasons
}

// holds compares an instant of the parameters with the request's. An object's creation
// is the server's own clock, so that no operator is needed to see that an exception has
// ended. Later the last entry of managedFields is, which the server adds as well.
func holds(instant string) string {
	return fmt.Sprintf(`(!has(%[1]s.from) || variables.created >= timestamp(%[1]s.from) || !variables.whole && `+
		`object.metadata.?managedFields.orValue([]).exists(m, has(m.time) && timestamp(m.time) >= timestamp(%[1]s.from)))`, instant)
}

// lacks is true for an object that the policy refuses, in one expression. It decides;
// the rest of the policy says why. The API server writes the sentence of every
// validation that it asks for, also where the validation holds, and that is half of the
// work: so it is asked only where there is something to say. A condition knows no
// variables, and a list of one element binds a name as well.
func (s *script) lacks() string {
	var text strings.Builder
	bound := 0
	bind := func(name, expression string) {
		bound++
		fmt.Fprintf(&text, "[%s].exists(variables.%s, ", expression, name)
	}
	for _, v := range s.given() {
		bind(v.Name, v.Expression)
	}
	var whens []string
	for _, r := range s.reasons() {
		whens = append(whens, r.when)
	}
	for i := range s.controls {
		c := &s.controls[i]
		bind(held(c), holding(c))
		whens = append(whens, s.of(c, "("+strings.Join(s.faults(c), ") || (")+")"))
	}
	fmt.Fprintf(&text, "(%s)", strings.Join(whens, ") || ("))
	text.WriteString(strings.Repeat(")", bound))
	return strings.ReplaceAll(text.String(), "variables.", "the_")
}

// variables are what the faults name, what was found by each control, and all of it
// in sentences.
func (s *script) variables() []admissionregistrationv1.Variable {
	var all []admissionregistrationv1.Variable
	add := func(name, expression string) {
		all = append(all, admissionregistrationv1.Variable{Name: name, Expression: expression})
	}
	for _, v := range s.given() {
		add(v.Name, v.Expression)
	}
	var sentences []string
	for _, r := range s.reasons() {
		sentences = append(sentences, fmt.Sprintf(`%s ? %s : ''`, r.when, literal(r.says)))
	}
	for i := range s.controls {
		c := &s.controls[i]
		name := strings.ReplaceAll(c.ID, "-", "_")
		add(held(c), holding(c))
		add("found_"+name, s.found(c))
		sentences = append(sentences, fmt.Sprintf(`variables.found_%s == '' ? '' : %s + variables.found_%s%s`,
			name, literal(fmt.Sprintf("%s (%s): ", c.ID, c.Cites[0])), name, s.remedy(c)))
	}
	add("refused", "["+strings.Join(sentences, ", ")+"].filter(s, s != '')")
	return all
}

// remedy adds that of the control, unless each fault says what to do about it.
func (s *script) remedy(c *control.Control) string {
	if !slices.ContainsFunc(faultsOf(c, s.form.kind), func(f control.Fault) bool { return f.But == "" }) {
		return ""
	}
	return " + " + literal("; "+c.Remedy)
}

// held is the variable of the workloads for which a control refuses now, and holding
// its value.
func held(c *control.Control) string { return "held_" + strings.ReplaceAll(c.ID, "-", "_") }

func holding(c *control.Control) string {
	return fmt.Sprintf(`variables.claimants.filter(w, has(w.controls) && '%[1]s' in w.controls && %[2]s)`, c.ID, holds("w.controls['"+c.ID+"']"))
}

// faults are the conditions of a control, as it states them.
func (s *script) faults(c *control.Control) []string {
	faults := faultsOf(c, s.form.kind)
	all := make([]string, len(faults))
	for i, fault := range faults {
		all[i] = s.anew(fault.When)
	}
	return all
}

// of holds where a condition does under a control that refuses for some workload, with
// the settings of each workload where the control reads some.
func (s *script) of(c *control.Control, condition string) string {
	if c.Backstop.Settings == nil {
		return fmt.Sprintf("variables.%s.size() > 0 && (%s)", held(c), condition)
	}
	return fmt.Sprintf(`variables.%s.exists(w, [w.name].exists(workload, [w.controls['%s'].?settings.orValue([])].exists(settings, %s)))`,
		held(c), c.ID, condition)
}

// anew leaves out what an object has had before.
func (s *script) anew(when string) string {
	if s.form.stood == "" {
		return when
	}
	return fmt.Sprintf("(%s) && !(variables.stood && (%s))", when, strings.ReplaceAll(when, "object.", "oldObject."))
}

// found are the faults that hold, empty where there is none or nothing has to hold.
func (s *script) found(c *control.Control) string {
	said := s.faults(c)
	for i, fault := range faultsOf(c, s.form.kind) {
		says := fault.Says
		if fault.But != "" {
			says += "; " + fault.But
		}
		said[i] = s.of(c, said[i]) + " ? " + literal(says) + " : ''"
	}
	return fmt.Sprintf("variables.%s.size() == 0 ? '' : [%s].filter(s, s != '').join(', ')", held(c), strings.Join(said, ", "))
}

func literal(text string) string { return strconv.QuoteToASCII(text) }
