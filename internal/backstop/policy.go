// Package backstop writes what the API server holds of the controls by itself. Its
// promise: with the operator stopped and its webhooks deleted, a pod without its
// safeguards is still refused, by the same controls and in their words; and what it
// refuses the operator would have refused.
package backstop

import (
	"fmt"
	"strconv"
	"strings"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
	"github.com/hipaa-operator/hipaa-operator/internal/control"
	"github.com/hipaa-operator/hipaa-operator/internal/hipaa"
)

// PodPolicy is the name of the policy and of its binding.
const PodPolicy = "hipaa-operator-backstop-pods"

// Pods is the policy about pods. There is one for all controls, because each policy
// converts the object anew, and one binding for all PHI namespaces: which workloads
// there are and what holds for them stands in the Backstop of the pod's own namespace,
// so that one look-up finds it. Without it nothing is admitted.
//
// Its parameters are a kind of our own, because the API server cannot watch a built-in
// one again once nothing used it for a second: see docs/decisions/backstop.md.
func Pods(controls []control.Control) (*admissionregistrationv1.ValidatingAdmissionPolicy, *admissionregistrationv1.ValidatingAdmissionPolicyBinding) {
	labels := map[string]string{"app.kubernetes.io/name": "hipaa-operator", "app.kubernetes.io/component": "admission"}
	policy := &admissionregistrationv1.ValidatingAdmissionPolicy{
		TypeMeta:   metav1.TypeMeta{APIVersion: admissionregistrationv1.SchemeGroupVersion.String(), Kind: "ValidatingAdmissionPolicy"},
		ObjectMeta: metav1.ObjectMeta{Name: PodPolicy, Labels: labels},
		Spec: admissionregistrationv1.ValidatingAdmissionPolicySpec{
			FailurePolicy: ptr.To(admissionregistrationv1.Fail),
			ParamKind:     &admissionregistrationv1.ParamKind{APIVersion: hipaav1.GroupVersion.String(), Kind: "Backstop"},
			MatchConstraints: &admissionregistrationv1.MatchResources{
				MatchPolicy:       ptr.To(admissionregistrationv1.Equivalent),
				NamespaceSelector: &metav1.LabelSelector{MatchLabels: map[string]string{hipaav1.LabelPHI: hipaav1.LabelPHIValue}},
				ObjectSelector:    &metav1.LabelSelector{},
				ResourceRules: []admissionregistrationv1.NamedRuleWithOperations{
					podRule("pods", admissionregistrationv1.Create),
					podRule("pods/ephemeralcontainers", admissionregistrationv1.Update),
				},
			},
			MatchConditions: []admissionregistrationv1.MatchCondition{{Name: "lacks-a-safeguard", Expression: lacks(controls)}},
			Variables:       variables(controls),
			Validations: []admissionregistrationv1.Validation{{
				Expression: "variables.refused.size() == 0",
				Reason:     ptr.To(metav1.StatusReasonForbidden),
				MessageExpression: `'pod in PHI namespace "' + request.namespace + '" lacks ' + (variables.refused.size() == 1 ? '1 required safeguard: ' : ` +
					`string(variables.refused.size()) + ' required safeguards: ') + variables.refused.join('. ')`,
				Message: "the pod lacks required safeguards of its PHI namespace",
			}},
		},
	}
	binding := &admissionregistrationv1.ValidatingAdmissionPolicyBinding{
		TypeMeta:   metav1.TypeMeta{APIVersion: admissionregistrationv1.SchemeGroupVersion.String(), Kind: "ValidatingAdmissionPolicyBinding"},
		ObjectMeta: metav1.ObjectMeta{Name: PodPolicy, Labels: labels},
		Spec: admissionregistrationv1.ValidatingAdmissionPolicyBindingSpec{
			PolicyName: PodPolicy,
			ParamRef: &admissionregistrationv1.ParamRef{
				Name: hipaav1.BackstopName, ParameterNotFoundAction: ptr.To(admissionregistrationv1.DenyAction),
			},
			ValidationActions: []admissionregistrationv1.ValidationAction{admissionregistrationv1.Deny, admissionregistrationv1.Audit},
		},
	}
	return policy, binding
}

func podRule(resource string, operation admissionregistrationv1.OperationType) admissionregistrationv1.NamedRuleWithOperations {
	return admissionregistrationv1.NamedRuleWithOperations{RuleWithOperations: admissionregistrationv1.RuleWithOperations{
		Operations: []admissionregistrationv1.OperationType{operation},
		Rule: admissionregistrationv1.Rule{
			APIGroups: []string{""}, APIVersions: []string{"v1"}, Resources: []string{resource},
			Scope: ptr.To(admissionregistrationv1.NamespacedScope),
		},
	}}
}

// claimants are the workloads whose selectors the pod's labels match, and claiming
// their names.
const claimants = `params.spec.?workloads.orValue([]).filter(w, ` +
	`w.selector.?matchLabels.orValue({}).all(k, variables.labels[?k] == optional.of(w.selector.matchLabels[k])) && ` +
	`w.selector.?matchExpressions.orValue([]).all(r, ` +
	`r.operator == 'In' ? r.key in variables.labels && variables.labels[r.key] in r.values : ` +
	`r.operator == 'NotIn' ? !(r.key in variables.labels && variables.labels[r.key] in r.values) : ` +
	`r.operator == 'Exists' ? r.key in variables.labels : !(r.key in variables.labels)))`

const claiming = "variables.claimants.map(w, w.name)"

// holds compares an instant of the parameters with the request's. A pod's creation is
// the server's own clock, so that no operator is needed to see that an exception has
// ended. Later the last entry of managedFields is, which the server adds as well.
func holds(instant string) string {
	return fmt.Sprintf(`(!has(%[1]s.from) || variables.created >= timestamp(%[1]s.from) || !variables.whole && `+
		`object.metadata.?managedFields.orValue([]).exists(m, has(m.time) && timestamp(m.time) >= timestamp(%[1]s.from)))`, instant)
}

// Where nobody governs, and where no workload claims the pod.
const isUngoverned = "variables.whole && params.spec.?ungoverned.orValue(false)"

var isUndeclared = "variables.whole && variables.claimants.size() == 0 && has(params.spec.undeclaredPods) && " + holds("params.spec.undeclaredPods")

// lacks is true for a pod that the policy refuses, in one expression. It decides; the
// rest of the policy says why. The API server writes the sentence of every validation
// that it asks for, also where the validation holds, and that is half of the work: so
// it is asked only where there is something to say. A condition knows no variables,
// and a list of one element binds a name as well.
func lacks(controls []control.Control) string {
	var text strings.Builder
	bind := func(name, expression string) {
		fmt.Fprintf(&text, "[%s].exists(variables.%s, ", expression, name)
	}
	for _, v := range control.BackstopVariables {
		bind(v.Name, v.Expression)
	}
	bind("claimants", claimants)
	bind("claiming", claiming)
	reasons := []string{isUngoverned, isUndeclared}
	for i := range controls {
		if c := &controls[i]; c.Backstop != nil {
			bind(held(c), holding(c))
			reasons = append(reasons, fmt.Sprintf("variables.%s.size() > 0 && (%s)", held(c), strings.Join(faults(c), " || ")))
		}
	}
	fmt.Fprintf(&text, "(%s)", strings.Join(reasons, ") || ("))
	text.WriteString(strings.Repeat(")", strings.Count(text.String(), "].exists(variables.")))
	return strings.ReplaceAll(text.String(), "variables.", "the_")
}

// variables are what the faults name, what was found by each control, and all of it
// in sentences.
func variables(controls []control.Control) []admissionregistrationv1.Variable {
	var all []admissionregistrationv1.Variable
	add := func(name, expression string) {
		all = append(all, admissionregistrationv1.Variable{Name: name, Expression: expression})
	}
	for _, v := range control.BackstopVariables {
		add(v.Name, v.Expression)
	}
	add("claimants", claimants)
	add("claiming", claiming)
	sentences := []string{
		fmt.Sprintf(`%s ? %s : ''`, isUngoverned, literal(ungoverned)),
		fmt.Sprintf(`%s ? %s : ''`, isUndeclared, literal(undeclared)),
	}
	for i := range controls {
		c := &controls[i]
		if c.Backstop == nil {
			continue
		}
		name := strings.ReplaceAll(c.ID, "-", "_")
		add(held(c), holding(c))
		add("found_"+name, found(c))
		sentences = append(sentences, fmt.Sprintf(`variables.found_%s == '' ? '' : %s + variables.found_%s + %s`,
			name, literal(fmt.Sprintf("%s (%s): ", c.ID, c.Cites[0])), name, literal("; "+c.Remedy)))
	}
	add("refused", "["+strings.Join(sentences, ", ")+"].filter(s, s != '')")
	return all
}

// What is said of pods that are no workload's, and where nobody governs. They stand
// where the ID of a control would.
var (
	undeclared = fmt.Sprintf("undeclared-pod (%s): metadata.labels are selected by no PHIWorkload of the namespace; "+
		"declare a PHIWorkload whose selector matches them, or run the pod in a namespace without PHI", hipaa.RiskAnalysis)
	ungoverned = fmt.Sprintf("ungoverned-namespace (%s): no ComplianceProfile governs the namespace; ask the security team for one", hipaa.RiskAnalysis)
)

// held is the variable of the workloads for which a control refuses now, and holding
// its value.
func held(c *control.Control) string { return "held_" + strings.ReplaceAll(c.ID, "-", "_") }

func holding(c *control.Control) string {
	return fmt.Sprintf(`variables.claimants.filter(w, w.?controls.orValue([]).exists(c, c.id == '%s' && %s))`, c.ID, holds("c"))
}

// faults are the conditions of a control, with the settings of each workload where
// they read some.
func faults(c *control.Control) []string {
	all := make([]string, len(c.Backstop.Faults))
	for i, fault := range c.Backstop.Faults {
		all[i] = "(" + fault.When + ")"
		if c.Backstop.Settings != nil {
			all[i] = fmt.Sprintf(`variables.%s.exists(w, w.controls.exists(c, c.id == '%s' && [w.name].exists(workload, [c.?settings.orValue([])].exists(settings, %s))))`,
				held(c), c.ID, fault.When)
		}
	}
	return all
}

// found are the faults that hold, empty where there is none or nothing has to hold.
func found(c *control.Control) string {
	said := faults(c)
	for i := range said {
		said[i] += " ? " + literal(c.Backstop.Faults[i].Says) + " : ''"
	}
	return fmt.Sprintf("variables.%s.size() == 0 ? '' : [%s].filter(s, s != '').join(', ')", held(c), strings.Join(said, ", "))
}

func literal(text string) string { return strconv.QuoteToASCII(text) }
