package backstop

import (
	"slices"
	"strings"
	"testing"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apiserver/pkg/admission"
	"k8s.io/apiserver/pkg/admission/plugin/cel"
	"k8s.io/apiserver/pkg/admission/plugin/policy/validating"
	"k8s.io/apiserver/pkg/admission/plugin/webhook/matchconditions"
	celconfig "k8s.io/apiserver/pkg/apis/cel"
	"k8s.io/apiserver/pkg/authentication/user"
	"k8s.io/apiserver/pkg/cel/environment"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/controller-runtime/pkg/client"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
	"github.com/hipaa-operator/hipaa-operator/internal/control"
	"github.com/hipaa-operator/hipaa-operator/internal/phitest"
)

// apiServer evaluates the policy as the API server does, with its own code, its limits
// on cost included.
type apiServer struct {
	tb        testing.TB
	matcher   matchconditions.Matcher
	validator validating.Validator
	namespace *corev1.Namespace
}

func newAPIServer(tb testing.TB, controls []control.Control) *apiServer {
	tb.Helper()
	return newAPIServerFor(tb, control.Pods, controls)
}

// newAPIServerFor evaluates the policy about one kind.
func newAPIServerFor(tb testing.TB, kind control.Kinds, controls []control.Control) *apiServer {
	tb.Helper()
	i := slices.IndexFunc(forms, func(f form) bool { return f.kind == kind })
	policy := newScript(&forms[i], controls).policy().Policy
	compiler, err := cel.NewCompositedCompiler(environment.MustBaseEnvSet(environment.DefaultCompatibilityVersion()))
	if err != nil {
		tb.Fatal(err)
	}
	variables := make([]cel.NamedExpressionAccessor, len(policy.Spec.Variables))
	for i, v := range policy.Spec.Variables {
		variables[i] = &validating.Variable{Name: v.Name, Expression: v.Expression}
	}
	options := cel.OptionalVariableDeclarations{HasParams: true}
	compiler.CompileAndStoreVariables(variables, options, environment.StoredExpressions)
	lacks := compiler.CompileCondition([]cel.ExpressionAccessor{(*matchconditions.MatchCondition)(&policy.Spec.MatchConditions[0])}, options, environment.StoredExpressions)
	one := policy.Spec.Validations[0]
	condition := compiler.CompileCondition([]cel.ExpressionAccessor{&validating.ValidationCondition{
		Expression: one.Expression, Message: one.Message, Reason: one.Reason,
	}}, options, environment.StoredExpressions)
	message := compiler.CompileCondition([]cel.ExpressionAccessor{&validating.MessageExpressionCondition{MessageExpression: one.MessageExpression}}, options, environment.StoredExpressions)
	none := compiler.CompileCondition(nil, options, environment.StoredExpressions)
	for _, errs := range [][]error{lacks.CompilationErrors(), condition.CompilationErrors(), message.CompilationErrors()} {
		for _, err := range errs {
			tb.Fatal(err)
		}
	}
	failure := admissionregistrationv1.Fail
	return &apiServer{
		tb: tb, matcher: matchconditions.NewMatcher(lacks, &failure, "policy", "validate", policy.Name), validator: validating.NewValidator(condition, nil, none, message, &failure, nil),
		namespace: phitest.Namespace(phitest.DefaultNamespace).Obj(),
	}
}

// create is what the API server says to a new pod, empty where it admits it.
func (s *apiServer) create(pod *corev1.Pod, p *hipaav1.BackstopSpec) string {
	s.tb.Helper()
	return s.ask(creation(pod), p)
}

func creation(pod *corev1.Pod) admission.Attributes {
	return admission.NewAttributesRecord(pod, nil, podKind, pod.Namespace, pod.Name, podResource, "", admission.Create, nil, false, somebody)
}

// write is what it says to an object that is new, or changed.
func (s *apiServer) write(object, old client.Object, p *hipaav1.BackstopSpec) string {
	s.tb.Helper()
	operation, was := admission.Create, runtime.Object(nil)
	if old != nil {
		operation, was = admission.Update, old
	}
	kinds, _, err := clientgoscheme.Scheme.ObjectKinds(object)
	if err != nil {
		s.tb.Fatal(err)
	}
	plural, _ := meta.UnsafeGuessKindToResource(kinds[0])
	return s.ask(admission.NewAttributesRecord(object, was, kinds[0], object.GetNamespace(), object.GetName(), plural, "", operation, nil, false, somebody), p)
}

// debug is what it says to ephemeral containers that are added to a pod.
func (s *apiServer) debug(pod, old *corev1.Pod, p *hipaav1.BackstopSpec) string {
	s.tb.Helper()
	return s.ask(admission.NewAttributesRecord(pod, old, podKind, pod.Namespace, pod.Name, podResource, "ephemeralcontainers", admission.Update, nil, false, somebody), p)
}

var (
	podKind     = corev1.SchemeGroupVersion.WithKind("Pod")
	podResource = corev1.SchemeGroupVersion.WithResource("pods")
	somebody    = &user.DefaultInfo{Name: "somebody"}
)

// ask holds that what decides and what says why agree.
func (s *apiServer) ask(attributes admission.Attributes, p *hipaav1.BackstopSpec) string {
	s.tb.Helper()
	refusal := s.sentence(attributes, p)
	if lacks := s.lacks(attributes, p); lacks != (refusal != "") {
		s.tb.Errorf("the pod is refused: %t, and the sentence is %q", lacks, refusal)
	}
	return refusal
}

func (s *apiServer) lacks(attributes admission.Attributes, p *hipaav1.BackstopSpec) bool {
	s.tb.Helper()
	result := s.matcher.Match(s.tb.Context(), versioned(attributes), s.stored(p), nil)
	if result.Error != nil {
		s.tb.Fatalf("deciding: %v", result.Error)
	}
	return result.Matches
}

// stored are the parameters as the API server holds those of a custom kind.
func (s *apiServer) stored(p *hipaav1.BackstopSpec) runtime.Object {
	s.tb.Helper()
	content, err := runtime.DefaultUnstructuredConverter.ToUnstructured(Parameters(s.namespace.Name, p))
	if err != nil {
		s.tb.Fatal(err)
	}
	return &unstructured.Unstructured{Object: content}
}

func versioned(attributes admission.Attributes) *admission.VersionedAttributes {
	return &admission.VersionedAttributes{
		Attributes: attributes, VersionedKind: attributes.GetKind(),
		VersionedObject: admission.NewLazyObject(attributes.GetObject()), VersionedOldObject: admission.NewLazyObject(attributes.GetOldObject()),
	}
}

func (s *apiServer) sentence(attributes admission.Attributes, p *hipaav1.BackstopSpec) string {
	s.tb.Helper()
	result := s.validator.Validate(s.tb.Context(), attributes.GetResource(), versioned(attributes), s.stored(p), s.namespace, celconfig.RuntimeCELCostBudget, nil)
	for _, d := range result.Decisions {
		if d.Evaluation == validating.EvalError {
			s.tb.Fatalf("evaluating: %s", d.Message)
		}
		if d.Action == validating.ActionDeny {
			if d.Reason != metav1.StatusReasonForbidden || strings.HasPrefix(d.Message, "the ") {
				s.tb.Errorf("refuses for %s in the words of %q, want a sentence of its own", d.Reason, d.Message)
			}
			return d.Message
		}
	}
	return ""
}
