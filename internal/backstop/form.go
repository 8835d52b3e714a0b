package backstop

import (
	"fmt"
	"slices"
	"strings"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/utils/ptr"

	"github.com/hipaa-operator/hipaa-operator/internal/control"
)

// form is what of a policy depends on the kind of its objects.
type form struct {
	kind control.Kinds
	// plural names the policy, noun one of its objects in sentences.
	plural, noun string
	rules        []admissionregistrationv1.NamedRuleWithOperations
	// variables are what faults may name beside object.
	variables []control.Variable
	// claimants are the workloads under whose rules an object is judged.
	claimants string
	// unknown is what becomes of objects in a namespace that nobody has written
	// parameters for yet. No pod starts there; whatever else people apply together with
	// the namespace may come first.
	unknown admissionregistrationv1.ParameterNotFoundActionType
	// judged tells objects that controls look at from those that they do not, where people
	// write more of the others; empty where all of the kind are.
	judged string
	// stood says that an update leaves alone what is judged as a whole: then only
	// faults that the object did not have before count. Empty where nobody asks about
	// updates.
	stood string
}

// forms are the kinds that the API server can judge by itself.
var forms = []form{
	{
		kind: control.Pods, plural: "pods", noun: "pod", unknown: admissionregistrationv1.DenyAction,
		rules: []admissionregistrationv1.NamedRuleWithOperations{
			on("", "pods", admissionregistrationv1.Create),
			on("", "pods/ephemeralcontainers", admissionregistrationv1.Update),
		},
		variables: control.BackstopVariables,
		claimants: fmt.Sprintf("params.spec.?workloads.orValue([]).filter(w, %s)", selects),
	},
	{
		kind: control.Services, plural: "services", noun: "service", unknown: admissionregistrationv1.AllowAction,
		rules: []admissionregistrationv1.NamedRuleWithOperations{
			on("", "services", admissionregistrationv1.Create, admissionregistrationv1.Update),
		},
		variables: append(slices.Clip(instants),
			control.Variable{Name: "labels", Expression: "object.spec.?selector.orValue({})"}, control.TagsVariable),
		// The pods may be created later, so selectors are compared.
		claimants: orNamespace(fmt.Sprintf("params.spec.?workloads.orValue([]).filter(w, %s || "+
			"variables.tags.all(t, t in w.?labels.orValue([])))", selects)),
		stood: "object.spec.?type == oldObject.spec.?type && object.spec.?selector == oldObject.spec.?selector && " +
			"object.spec.?ports == oldObject.spec.?ports && object.spec.?externalIPs == oldObject.spec.?externalIPs && " +
			"object.spec.?externalTrafficPolicy == oldObject.spec.?externalTrafficPolicy",
	},
	{
		kind: control.Roles, plural: "roles", noun: "role", unknown: admissionregistrationv1.AllowAction,
		rules: []admissionregistrationv1.NamedRuleWithOperations{
			on(rbacv1.GroupName, "roles", admissionregistrationv1.Create, admissionregistrationv1.Update),
		},
		variables: instants,
		claimants: orNamespace("params.spec.?workloads.orValue([])"),
		stood:     "object.?rules == oldObject.?rules",
	},
	{
		kind: control.Bindings, plural: "rolebindings", noun: "rolebinding", unknown: admissionregistrationv1.AllowAction,
		rules: []admissionregistrationv1.NamedRuleWithOperations{
			on(rbacv1.GroupName, "rolebindings", admissionregistrationv1.Create, admissionregistrationv1.Update),
		},
		variables: instants,
		claimants: orNamespace("params.spec.?workloads.orValue([])"),
		stood:     "object.?subjects == oldObject.?subjects && object.roleRef == oldObject.roleRef",
	},
	{
		kind: control.Secrets, plural: "secrets", noun: "secret", unknown: admissionregistrationv1.AllowAction,
		rules: []admissionregistrationv1.NamedRuleWithOperations{
			on("", "secrets", admissionregistrationv1.Create, admissionregistrationv1.Update),
		},
		variables: instants,
		judged: fmt.Sprintf("(object.?type.orValue('') == '%s' || %s.exists(k, object.metadata.?annotations[?k].hasValue()))",
			corev1.SecretTypeServiceAccountToken, quoted(control.SecretOffers())),
		claimants: orNamespace("params.spec.?workloads.orValue([])"),
		// The cluster's own controllers fill such a Secret and renew what is in it.
		stood: fmt.Sprintf("%s.all(k, object.metadata.?annotations[?k] == oldObject.metadata.?annotations[?k])",
			quoted(append(control.SecretOffers(), corev1.ServiceAccountNameKey))),
	},
}

// instants are the variables about the time of a request.
var instants = []control.Variable{
	{Name: "whole", Expression: "request.operation == 'CREATE'"},
	{Name: "created", Expression: "timestamp(object.metadata.creationTimestamp)"},
}

// selects compares labels with a workload's selector.
const selects = `(!has(w.labels) || w.labels.all(l, l in variables.tags)) && ` +
	`(!has(w.expressions) || w.expressions.all(r, ` +
	`r.operator == 'In' ? r.key in variables.labels && variables.labels[r.key] in r.values : ` +
	`r.operator == 'NotIn' ? !(r.key in variables.labels && variables.labels[r.key] in r.values) : ` +
	`r.operator == 'Exists' ? r.key in variables.labels : !(r.key in variables.labels)))`

// quoted is a list of words in CEL.
func quoted(words []string) string { return "['" + strings.Join(words, "', '") + "']" }

// orNamespace stands the namespace's own rules in for no workload.
func orNamespace(workloads string) string {
	return fmt.Sprintf("[%s].map(all, all.size() > 0 ? dyn(all) : dyn([{'name': dyn(''), 'controls': params.spec.?controls.orValue({})}]))[0]", workloads)
}

func on(group, resource string, operations ...admissionregistrationv1.OperationType) admissionregistrationv1.NamedRuleWithOperations {
	return admissionregistrationv1.NamedRuleWithOperations{RuleWithOperations: admissionregistrationv1.RuleWithOperations{
		Operations: operations,
		Rule: admissionregistrationv1.Rule{
			APIGroups: []string{group}, APIVersions: []string{"v1"}, Resources: []string{resource},
			Scope: ptr.To(admissionregistrationv1.NamespacedScope),
		},
	}}
}
