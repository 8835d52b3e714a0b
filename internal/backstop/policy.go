// Package backstop writes what the API server holds of the controls by itself. Its
// promise: with the operator stopped and its webhooks deleted, an object without its
// safeguards is still refused, by the same controls and in their words; and what it
// refuses the operator would have refused.
package backstop

import (
	"fmt"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
	"github.com/hipaa-operator/hipaa-operator/internal/control"
)

// PodPolicy is the name of the policy about pods, and of its binding.
const PodPolicy = policyPrefix + "pods"

const policyPrefix = "hipaa-operator-backstop-"

// Policy is what the API server judges one kind of objects by, bound to all PHI
// namespaces.
type Policy struct {
	// Resource is the plural of the kind.
	Resource string
	Policy   *admissionregistrationv1.ValidatingAdmissionPolicy
	Binding  *admissionregistrationv1.ValidatingAdmissionPolicyBinding
}

// Policies are those about every kind of which some control states faults. There is
// one for all controls, because each policy converts the object anew, and one binding
// for all PHI namespaces: which workloads there are and what holds for them stands in
// the Backstop of the object's own namespace, so that one look-up finds it. Without it
// no pod is admitted.
//
// The parameters are a kind of our own, because the API server cannot watch a built-in
// one again once nothing used it for a second: see docs/decisions/backstop.md.
func Policies(controls []control.Control) []Policy {
	var all []Policy
	for i := range forms {
		if s := newScript(&forms[i], controls); len(s.controls) > 0 || forms[i].kind == control.Pods {
			all = append(all, s.policy())
		}
	}
	return all
}

// Kinds are those that the API server can judge by itself.
func Kinds() []control.Kinds {
	kinds := make([]control.Kinds, len(forms))
	for i := range forms {
		kinds[i] = forms[i].kind
	}
	return kinds
}

func (s *script) policy() Policy {
	name := policyPrefix + s.form.plural
	about := metav1.ObjectMeta{
		Name: name, Labels: map[string]string{"app.kubernetes.io/name": "hipaa-operator", "app.kubernetes.io/component": "admission"},
	}
	return Policy{
		Resource: s.form.plural,
		Policy: &admissionregistrationv1.ValidatingAdmissionPolicy{
			TypeMeta:   metav1.TypeMeta{APIVersion: admissionregistrationv1.SchemeGroupVersion.String(), Kind: "ValidatingAdmissionPolicy"},
			ObjectMeta: about,
			Spec: admissionregistrationv1.ValidatingAdmissionPolicySpec{
				FailurePolicy: ptr.To(admissionregistrationv1.Fail),
				ParamKind:     &admissionregistrationv1.ParamKind{APIVersion: hipaav1.GroupVersion.String(), Kind: "Backstop"},
				MatchConstraints: &admissionregistrationv1.MatchResources{
					MatchPolicy:       ptr.To(admissionregistrationv1.Equivalent),
					NamespaceSelector: &metav1.LabelSelector{MatchLabels: map[string]string{hipaav1.LabelPHI: hipaav1.LabelPHIValue}},
					ObjectSelector:    &metav1.LabelSelector{},
					ResourceRules:     s.form.rules,
				},
				MatchConditions: []admissionregistrationv1.MatchCondition{{Name: "lacks-a-safeguard", Expression: s.lacks()}},
				Variables:       s.variables(),
				Validations: []admissionregistrationv1.Validation{{
					Expression: "variables.refused.size() == 0",
					Reason:     ptr.To(metav1.StatusReasonForbidden),
					MessageExpression: fmt.Sprintf(`'%s in PHI namespace "' + request.namespace + '" lacks ' + (variables.refused.size() == 1 ? '1 required safeguard: ' : `+
						`string(variables.refused.size()) + ' required safeguards: ') + variables.refused.join('. ')`, s.form.noun),
					Message: fmt.Sprintf("the %s lacks required safeguards of its PHI namespace", s.form.noun),
				}},
			},
		},
		Binding: &admissionregistrationv1.ValidatingAdmissionPolicyBinding{
			TypeMeta:   metav1.TypeMeta{APIVersion: admissionregistrationv1.SchemeGroupVersion.String(), Kind: "ValidatingAdmissionPolicyBinding"},
			ObjectMeta: about,
			Spec: admissionregistrationv1.ValidatingAdmissionPolicyBindingSpec{
				PolicyName: name,
				ParamRef: &admissionregistrationv1.ParamRef{
					Name: hipaav1.BackstopName, ParameterNotFoundAction: ptr.To(s.form.unknown),
				},
				ValidationActions: []admissionregistrationv1.ValidationAction{admissionregistrationv1.Deny, admissionregistrationv1.Audit},
			},
		},
	}
}
