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
	rbacv1 "k8s.io/api/rbac/v1"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/yaml"

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
		"ingresses": "Ingress", "roles": "Role", "rolebindings": "RoleBinding", "configmaps": "ConfigMap",
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
		if *hook.ClientConfig.Service.Path != pathOfResources {
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
	return slices.ContainsFunc(rule.Resources, about) &&
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
		scopes[hook.Name] = hook.NamespaceSelector.MatchLabels["hipaa-operator.io/phi"] == "true" && len(hook.NamespaceSelector.MatchExpressions) == 1
	}
	for _, hook := range manifest[admissionregistrationv1.ValidatingWebhookConfiguration](t, "webhook/validating.yaml").Webhooks {
		scoped := hook.NamespaceSelector.MatchLabels["hipaa-operator.io/phi"] == "true" && len(hook.NamespaceSelector.MatchExpressions) == 1
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
