package admission_test

import (
	"io/fs"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/yaml"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
	"github.com/hipaa-operator/hipaa-operator/config"
	"github.com/hipaa-operator/hipaa-operator/internal/admission"
	"github.com/hipaa-operator/hipaa-operator/internal/control"
	"github.com/hipaa-operator/hipaa-operator/internal/control/catalog"
	"github.com/hipaa-operator/hipaa-operator/internal/engine"
	"github.com/hipaa-operator/hipaa-operator/internal/podtemplate"
)

func manifest[T any](t *testing.T, name string) *T {
	t.Helper()
	text, err := fs.ReadFile(config.Admission, name)
	if err != nil {
		t.Fatal(err)
	}
	object := new(T)
	if err := yaml.UnmarshalStrict(text, object); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return object
}

func TestManifestsCallExactlyTheWebhooksThereAre(t *testing.T) {
	var called []string
	for _, hook := range manifest[admissionregistrationv1.MutatingWebhookConfiguration](t, "webhook/mutating.yaml").Webhooks {
		called = append(called, *hook.ClientConfig.Service.Path)
	}
	for _, hook := range manifest[admissionregistrationv1.ValidatingWebhookConfiguration](t, "webhook/validating.yaml").Webhooks {
		called = append(called, *hook.ClientConfig.Service.Path)
	}
	slices.Sort(called)
	called = slices.Compact(called)
	served := slices.Sorted(maps.Keys((&admission.Gate{}).Handlers()))
	if diff := cmp.Diff(served, called); diff != "" {
		t.Errorf("webhooks (-served +called):\n%s", diff)
	}
}

// A rule for what no control judges costs every write a call for nothing; a kind
// that is judged and has no rule is never refused.
func TestManifestsAskAboutExactlyWhatControlsJudge(t *testing.T) {
	judge, err := engine.New(catalog.All())
	if err != nil {
		t.Fatal(err)
	}
	var judged, asked []string
	for _, kind := range (judge.Kinds() &^ control.Workloads).Each() {
		judged = append(judged, kind.String())
	}
	stands := map[string]string{
		"pods": "Pod", "persistentvolumeclaims": "PersistentVolumeClaim", "services": "Service",
		"networkpolicies": "NetworkPolicy", "endpointslices": "EndpointSlice", "pods/exec": "Connection",
		"ingresses": "Ingress", "roles": "Role", "rolebindings": "RoleBinding", "configmaps": "ConfigMap", "secrets": "Secret",
	}
	hooks := manifest[admissionregistrationv1.ValidatingWebhookConfiguration](t, "webhook/validating.yaml").Webhooks
	for _, hook := range hooks {
		if *hook.ClientConfig.Service.Path == pathOfResources {
			if !slices.Contains(asked, "Resource") {
				asked = append(asked, "Resource")
			}
			continue // whose resources are called as they like
		}
		for _, rule := range hook.Rules {
			for _, resource := range rule.Resources {
				if kind := stands[resource]; kind != "" && !slices.Contains(asked, kind) {
					asked = append(asked, kind)
				}
			}
		}
	}
	slices.Sort(judged)
	slices.Sort(asked)
	if diff := cmp.Diff(judged, asked); diff != "" {
		t.Errorf("kinds (-judged by controls +asked about):\n%s", diff)
	}
}

// What Secrets hold stays where it is, and what they say of themselves is asked about.
func TestManifestsAskAboutSecretsThatHoldNothing(t *testing.T) {
	judge := func(name string, rules []admissionregistrationv1.RuleWithOperations, conditions []admissionregistrationv1.MatchCondition) {
		for _, rule := range rules {
			if rule.APIGroups[0] != "" || !slices.Contains(rule.Resources, "secrets") {
				continue
			}
			if !slices.Equal(rule.Operations, []admissionregistrationv1.OperationType{admissionregistrationv1.Create}) || !slices.ContainsFunc(conditions, func(c admissionregistrationv1.MatchCondition) bool {
				return c.Expression == "object.?data.orValue({}).size() == 0"
			}) {
				t.Errorf("%s asks about Secrets that hold something", name)
			}
			for _, word := range slices.Concat(control.SecretOffers(), control.SecretSources(), []string{string(corev1.SecretTypeServiceAccountToken)}) {
				if !slices.ContainsFunc(conditions, func(c admissionregistrationv1.MatchCondition) bool {
					return strings.Contains(c.Expression, "'"+word+"'")
				}) {
					t.Errorf("%s does not ask about Secrets with %s", name, word)
				}
			}
		}
	}
	for _, h := range manifest[admissionregistrationv1.ValidatingWebhookConfiguration](t, "webhook/validating.yaml").Webhooks {
		judge(h.Name, h.Rules, h.MatchConditions)
	}
	for _, h := range manifest[admissionregistrationv1.MutatingWebhookConfiguration](t, "webhook/mutating.yaml").Webhooks {
		judge(h.Name, h.Rules, h.MatchConditions)
	}
}

const pathOfResources = "/validate/resources"

// A name of a group takes no wildcard, so that a type which is not listed is never asked
// about, and one that the manager may not read is Unknown for ever.
func TestManifestsListEveryTypeThatRulesMatch(t *testing.T) {
	judge, err := engine.New(catalog.All())
	if err != nil {
		t.Fatal(err)
	}
	var versions, names []string
	for _, typ := range judge.ResourceTypes() {
		versions = append(versions, typ.String())
		names = append(names, typ.CRD())
	}
	for _, hook := range manifest[admissionregistrationv1.ValidatingWebhookConfiguration](t, "webhook/validating.yaml").Webhooks {
		if *hook.ClientConfig.Service.Path != pathOfResources || ofFamilies(hook) {
			continue
		}
		var asked []string
		for _, rule := range hook.Rules {
			for _, resource := range rule.Resources {
				asked = append(asked, resource+"."+rule.APIGroups[0]+"/"+rule.APIVersions[0])
			}
		}
		if diff := cmp.Diff(sorted(versions), sorted(asked)); diff != "" {
			t.Errorf("%s: run make manifests (-matched by rules +asked about):\n%s", hook.Name, diff)
		}
	}
	text, err := os.ReadFile("../../config/rbac/manager_role.yaml")
	if err != nil {
		t.Fatal(err)
	}
	role := &rbacv1.ClusterRole{}
	if err := yaml.UnmarshalStrict(text, role); err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		resource, group, _ := strings.Cut(name, ".")
		if !slices.ContainsFunc(role.Rules, func(r rbacv1.PolicyRule) bool {
			return slices.Contains(r.APIGroups, group) && slices.Contains(r.Resources, resource) && slices.Equal(r.Verbs, []string{"get", "list", "watch"})
		}) {
			t.Errorf("the manager may not read %s, or may do more: run make manifests", name)
		}
	}
}

// ofFamilies reports whether a webhook asks by how groups end.
func ofFamilies(hook admissionregistrationv1.ValidatingWebhook) bool {
	return slices.ContainsFunc(hook.MatchConditions, func(c admissionregistrationv1.MatchCondition) bool { return c.Name == "of-a-family" })
}

// What is of a family is asked about once: by its type where rules match that, else by
// its group, in whatever version it comes.
func TestManifestsAskAboutEveryGroupOfFamilies(t *testing.T) {
	judge, err := engine.New(catalog.All())
	if err != nil {
		t.Fatal(err)
	}
	var named []string
	for _, f := range judge.Families() {
		named = append(named, f.Groups...)
	}
	scopes := map[admissionregistrationv1.ScopeType]bool{}
	for _, hook := range manifest[admissionregistrationv1.ValidatingWebhookConfiguration](t, "webhook/validating.yaml").Webhooks {
		if !ofFamilies(hook) {
			continue
		}
		conditions := map[string]string{}
		for _, c := range hook.MatchConditions {
			conditions[c.Name] = c.Expression
		}
		checkEnds(t, hook.Name, conditions, judge.Families())
		for _, typ := range judge.ResourceTypes() {
			of := control.FamilyOf(judge.Families(), typ.Group) != nil
			if strings.Contains(conditions["not-asked-by-type"], "'"+typ.String()+"'") != of {
				t.Errorf("%s asks again about %s, or not at all: run make manifests", hook.Name, typ)
			}
		}
		var asked []string
		for _, rule := range hook.Rules {
			scopes[*rule.Scope] = true
			if !slices.Contains(rule.APIGroups, "*") {
				asked = append(asked, rule.APIGroups...)
			}
		}
		if diff := cmp.Diff(sorted(named), sorted(asked)); diff != "" {
			t.Errorf("%s: groups by name (-of families +asked about):\n%s", hook.Name, diff)
		}
	}
	if len(scopes) != 2 {
		t.Errorf("families are asked about in the scopes %v", scopes)
	}
}

func checkEnds(t *testing.T, hook string, conditions map[string]string, families []control.Family) {
	t.Helper()
	for _, f := range families {
		if !strings.Contains(conditions["of-a-family"], "'"+f.Suffix+"'") {
			t.Errorf("%s lets %s pass: run make manifests", hook, f.Suffix)
		}
		for _, end := range f.Except {
			if !strings.Contains(conditions["of-no-exception"], "'"+end+"'") {
				t.Errorf("%s asks about %s: run make manifests", hook, end)
			}
		}
	}
}

func sorted(list []string) []string {
	list = slices.Clone(list)
	slices.Sort(list)
	return list
}

func TestManifestsAskAboutEveryWayIntoAPod(t *testing.T) {
	var asked []string
	for _, hook := range manifest[admissionregistrationv1.ValidatingWebhookConfiguration](t, "webhook/validating.yaml").Webhooks {
		for _, rule := range hook.Rules {
			if slices.Contains(rule.Operations, admissionregistrationv1.Connect) {
				asked = append(asked, rule.Resources...)
				if len(hook.ObjectSelector.MatchLabels)+len(hook.ObjectSelector.MatchExpressions)+len(hook.MatchConditions) > 0 || *hook.FailurePolicy != admissionregistrationv1.Fail {
					t.Errorf("%s passes connections over by more than their namespace", hook.Name)
				}
			}
		}
	}
	want := []string{"pods/exec", "pods/attach", "pods/portforward", "pods/proxy", "services/proxy"}
	if diff := cmp.Diff(want, asked); diff != "" {
		t.Errorf("resources of CONNECT (-want +asked):\n%s", diff)
	}
}

func TestManifestsAskAboutEveryKindThatMakesPods(t *testing.T) {
	var asked, makers []string
	for _, hook := range manifest[admissionregistrationv1.ValidatingWebhookConfiguration](t, "webhook/validating.yaml").Webhooks {
		for _, rule := range hook.Rules {
			if *hook.ClientConfig.Service.Path == "/validate/templates" {
				asked = append(asked, rule.Resources...)
			}
		}
	}
	for _, list := range podtemplate.Lists() {
		kinds, _, err := clientgoscheme.Scheme.ObjectKinds(list)
		if err != nil {
			t.Fatal(err)
		}
		makers = append(makers, strings.ToLower(strings.TrimSuffix(kinds[0].Kind, "List"))+"s")
	}
	slices.Sort(asked)
	asked = slices.Compact(asked) // once for each of two kinds of namespace
	slices.Sort(makers)
	if diff := cmp.Diff(makers, asked); diff != "" {
		t.Errorf("kinds (-make pods +asked about):\n%s", diff)
	}
}

// To evaluate any expression the API server converts the whole object. What looked
// at every new pod so would cost all pods of the cluster time.
func TestNoNewPodIsConvertedForAnExpression(t *testing.T) {
	for _, hook := range manifest[admissionregistrationv1.ValidatingWebhookConfiguration](t, "webhook/validating.yaml").Webhooks {
		if slices.ContainsFunc(hook.Rules, makesPods) && len(hook.MatchConditions) > 0 {
			t.Errorf("%s asks about new pods by conditions", hook.Name)
		}
	}
	files, err := fs.Glob(config.Admission, "admission/*.yaml")
	if err != nil {
		t.Fatal(err)
	}
	policies := 0
	for _, name := range files {
		text, err := fs.ReadFile(config.Admission, name)
		if err != nil {
			t.Fatal(err)
		}
		for document := range strings.SplitSeq(string(text), "\n---\n") {
			policy := &admissionregistrationv1.ValidatingAdmissionPolicy{}
			if err := yaml.Unmarshal([]byte(document), policy); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			if policy.Kind != "ValidatingAdmissionPolicy" {
				continue
			}
			policies++
			for _, rule := range policy.Spec.MatchConstraints.ResourceRules {
				if makesPods(rule.RuleWithOperations) && len(rule.ResourceNames) == 0 {
					t.Errorf("policy %s looks at every new pod", policy.Name)
				}
			}
		}
	}
	if policies == 0 {
		t.Error("there are no policies")
	}
}

func makesPods(rule admissionregistrationv1.RuleWithOperations) bool {
	about := func(resource string) bool { return resource == "pods" || resource == "*" || resource == "*/*" }
	v1 := (slices.Contains(rule.APIGroups, "") || slices.Contains(rule.APIGroups, "*")) && (slices.Contains(rule.APIVersions, "v1") || slices.Contains(rule.APIVersions, "*"))
	return v1 && slices.ContainsFunc(rule.Resources, about) &&
		(slices.Contains(rule.Operations, admissionregistrationv1.Create) || slices.Contains(rule.Operations, admissionregistrationv1.OperationAll))
}

func TestNoDeletionWaitsForTheOperator(t *testing.T) {
	check := func(name string, failing admissionregistrationv1.FailurePolicyType, rules []admissionregistrationv1.RuleWithOperations) {
		for _, rule := range rules {
			deletes := slices.Contains(rule.Operations, admissionregistrationv1.Delete) || slices.Contains(rule.Operations, admissionregistrationv1.OperationAll)
			if deletes && failing != admissionregistrationv1.Ignore {
				t.Errorf("%s blocks deletions of %v", name, rule.Resources)
			}
		}
	}
	for _, hook := range manifest[admissionregistrationv1.ValidatingWebhookConfiguration](t, "webhook/validating.yaml").Webhooks {
		check(hook.Name, *hook.FailurePolicy, hook.Rules)
	}
	for _, hook := range manifest[admissionregistrationv1.MutatingWebhookConfiguration](t, "webhook/mutating.yaml").Webhooks {
		check(hook.Name, *hook.FailurePolicy, hook.Rules)
	}
}

// Profiles are objects of the cluster.
func TestOnlyExceptionsPausesAndProfilesAreAskedAboutOutsidePHI(t *testing.T) {
	scopes := map[string]bool{}
	for _, hook := range manifest[admissionregistrationv1.MutatingWebhookConfiguration](t, "webhook/mutating.yaml").Webhooks {
		if strings.HasPrefix(hook.Name, "attempts-on-") && *hook.FailurePolicy == admissionregistrationv1.Ignore {
			continue // what they are about is refused in any case, and nothing waits for them
		}
		scopes[hook.Name] = ofPHI(hook.NamespaceSelector)
	}
	for _, hook := range manifest[admissionregistrationv1.ValidatingWebhookConfiguration](t, "webhook/validating.yaml").Webhooks {
		scoped := ofPHI(hook.NamespaceSelector)
		if before, seen := scopes[hook.Name]; seen && before != scoped {
			t.Errorf("%s has two scopes", hook.Name)
		}
		scopes[hook.Name] = scoped
	}
	for name, scoped := range scopes {
		if scoped == (strings.HasPrefix(name, "exceptions.") || strings.HasPrefix(name, "pauses.") || strings.HasPrefix(name, "profiles.")) {
			t.Errorf("%s: scoped to PHI namespaces %v", name, scoped)
		}
	}
}

// ofPHI reports whether a webhook asks about PHI namespaces without the operator's
// own, all of them or those that the label of continuity tells apart.
func ofPHI(s *metav1.LabelSelector) bool {
	for key := range s.MatchLabels {
		if key != hipaav1.LabelPHI && key != hipaav1.LabelContinuity {
			return false
		}
	}
	excluded := slices.IndexFunc(s.MatchExpressions, func(r metav1.LabelSelectorRequirement) bool {
		return r.Key == "kubernetes.io/metadata.name" && r.Operator == metav1.LabelSelectorOpNotIn
	})
	return s.MatchLabels[hipaav1.LabelPHI] == hipaav1.LabelPHIValue && excluded >= 0
}

// call is what a webhook asks about, apart from where.
type call struct {
	Path       string
	Rules      []admissionregistrationv1.RuleWithOperations
	Conditions []admissionregistrationv1.MatchCondition
}

// Whatever the label says, each namespace is asked about once, and only what pods
// need to start passes during an outage.
func TestPatientCareIsAskedTheSameAndDoesNotWait(t *testing.T) {
	blocking, yielding := map[string]call{}, map[string]call{}
	note := func(name string, c call, selector *metav1.LabelSelector, policy admissionregistrationv1.FailurePolicyType) {
		of, err := metav1.LabelSelectorAsSelector(selector)
		if err != nil {
			t.Fatal(err)
		}
		ordinary := of.Matches(labels.Set{hipaav1.LabelPHI: "true"})
		care := of.Matches(labels.Set{hipaav1.LabelPHI: "true", hipaav1.LabelContinuity: "PatientCare"})
		switch {
		case care && ordinary:
		case care && policy == admissionregistrationv1.Ignore:
			yielding[strings.Replace(name, "-patientcare.", ".", 1)] = c
		case ordinary && policy == admissionregistrationv1.Fail:
			blocking[name] = c
		default:
			t.Errorf("%s asks about ordinary namespaces %v, of patient care %v, and on failure %s", name, ordinary, care, policy)
		}
	}
	for _, h := range manifest[admissionregistrationv1.MutatingWebhookConfiguration](t, "webhook/mutating.yaml").Webhooks {
		note("mutating "+h.Name, call{*h.ClientConfig.Service.Path, h.Rules, h.MatchConditions}, h.NamespaceSelector, *h.FailurePolicy)
	}
	for _, h := range manifest[admissionregistrationv1.ValidatingWebhookConfiguration](t, "webhook/validating.yaml").Webhooks {
		note("validating "+h.Name, call{*h.ClientConfig.Service.Path, h.Rules, h.MatchConditions}, h.NamespaceSelector, *h.FailurePolicy)
	}
	if diff := cmp.Diff(blocking, yielding); diff != "" {
		t.Errorf("webhooks that tell the namespaces apart (-ordinary +of patient care):\n%s", diff)
	}
	want := []string{
		"mutating claims.hipaa-operator.io", "mutating pods.hipaa-operator.io",
		"validating claims.hipaa-operator.io", "validating pods.hipaa-operator.io", "validating templates.hipaa-operator.io",
	}
	if diff := cmp.Diff(want, slices.Sorted(maps.Keys(yielding))); diff != "" {
		t.Errorf("webhooks that do not block patient care (-want +got):\n%s", diff)
	}
}
