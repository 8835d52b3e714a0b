package install

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	psapi "k8s.io/pod-security-admission/api"
	"k8s.io/pod-security-admission/policy"
	"sigs.k8s.io/yaml"
)

// The issuer is installed beside config/default, and held to the same.

func TestTheIssuerOutlivesANodeAndIsRestricted(t *testing.T) {
	deployments := all[*appsv1.Deployment](t, "issuer")
	if len(deployments) != 1 {
		t.Fatalf("config/issuer has %d Deployments", len(deployments))
	}
	d := deployments[0]
	spec := d.Spec.Template.Spec
	if d.Spec.Replicas == nil || *d.Spec.Replicas != 2 || spec.PriorityClassName != "system-cluster-critical" {
		t.Errorf("it has %v replicas of priority %q", d.Spec.Replicas, spec.PriorityClassName)
	}
	evaluator, err := policy.NewEvaluator(policy.DefaultChecks(), nil)
	if err != nil {
		t.Fatal(err)
	}
	restricted := psapi.LevelVersion{Level: psapi.LevelRestricted, Version: psapi.LatestVersion()}
	if result := policy.AggregateCheckResults(evaluator.EvaluatePod(restricted, &d.Spec.Template.ObjectMeta, &spec)); !result.Allowed {
		t.Errorf("it is not restricted: %s", result.ForbiddenDetail())
	}
	container := spec.Containers[0]
	if !*container.SecurityContext.ReadOnlyRootFilesystem || len(container.Resources.Requests) == 0 || container.Resources.Limits.Memory().IsZero() {
		t.Error("it can write its root file system, or has no bounds")
	}
	if tag := strings.TrimPrefix(container.Image, "hipaa-operator/issuer:"); tag != "v"+chartVersion(t) {
		t.Errorf("its image is %s, and the chart of version %s", container.Image, chartVersion(t))
	}
	for what, selected := range map[string]bool{
		"PodDisruptionBudget": slices.ContainsFunc(all[*policyv1.PodDisruptionBudget](t, "issuer"), func(b *policyv1.PodDisruptionBudget) bool {
			return selects(t, b.Spec.Selector, d.Spec.Template.Labels)
		}),
		"NetworkPolicy": slices.ContainsFunc(all[*networkingv1.NetworkPolicy](t, "issuer"), func(p *networkingv1.NetworkPolicy) bool {
			return selects(t, &p.Spec.PodSelector, d.Spec.Template.Labels) && len(p.Spec.PolicyTypes) == 2
		}),
		"constraint that spreads it": slices.ContainsFunc(spec.TopologySpreadConstraints, func(c corev1.TopologySpreadConstraint) bool {
			return c.TopologyKey == corev1.LabelHostname && selects(t, c.LabelSelector, d.Spec.Template.Labels)
		}),
	} {
		if !selected {
			t.Errorf("no %s covers it", what)
		}
	}
}

func chartVersion(t *testing.T) string {
	t.Helper()
	var about struct {
		AppVersion string `json:"appVersion"`
	}
	if err := yaml.Unmarshal([]byte(read(t, root+"/"+chart+"/Chart.yaml")), &about); err != nil {
		t.Fatal(err)
	}
	return strings.TrimPrefix(about.AppVersion, "v")
}

// The issuer writes the Secret with the roots and the bundle, asks about tokens and
// reads about pods by name. Whoever adds a right has to come by here.
func TestTheIssuerMayDoWhatItDoesAndNoMore(t *testing.T) {
	var got []string
	say := func(where string, rules []rbacv1.PolicyRule) {
		checkRules(t, where, rules)
		for _, rule := range rules {
			got = append(got, strings.Join([]string{where, strings.Join(rule.Verbs, ","), strings.Join(rule.Resources, ","), strings.Join(rule.ResourceNames, ",")}, " "))
		}
	}
	for _, role := range all[*rbacv1.ClusterRole](t, "issuer") {
		say("anywhere", role.Rules)
	}
	for _, role := range all[*rbacv1.Role](t, "issuer") {
		say("in "+role.Namespace, role.Rules)
	}
	want := []string{
		"anywhere get namespaces,pods ",
		"anywhere create tokenreviews ",
		"anywhere create subjectaccessreviews ",
		"anywhere list complianceprofiles,phiworkloads ",
		"in hipaa-operator-system create,get,patch configmaps hipaa-operator-bundle",
		"in hipaa-operator-system get,update secrets hipaa-operator-root",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("its rights (-want +got):\n%s", diff)
	}
	for _, binding := range all[*rbacv1.ClusterRoleBinding](t, "issuer") {
		for _, bound := range binding.Subjects {
			if bound.Name != "hipaa-operator-issuer" || bound.Namespace != namespace {
				t.Errorf("%s is bound to %s/%s", binding.Name, bound.Namespace, bound.Name)
			}
		}
	}
	// Applied again, it takes no root away.
	for _, secret := range all[*corev1.Secret](t, "issuer") {
		if secret.Name != "hipaa-operator-root" || len(secret.Data)+len(secret.StringData) > 0 {
			t.Errorf("Secret %s is installed with data, or is another", secret.Name)
		}
	}
}
