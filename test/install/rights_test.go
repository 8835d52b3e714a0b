package install

import (
	"slices"
	"strings"
	"testing"

	rbacv1 "k8s.io/api/rbac/v1"

	"github.com/hipaa-operator/hipaa-operator/internal/control"
	"github.com/hipaa-operator/hipaa-operator/internal/control/catalog"
)

func TestNoRoleIsLikeClusterAdmin(t *testing.T) {
	for _, role := range all[*rbacv1.ClusterRole](t, "default") {
		checkRules(t, "ClusterRole "+role.Name, role.Rules)
	}
	for _, role := range all[*rbacv1.Role](t, "default") {
		checkRules(t, "Role "+role.Name, role.Rules)
	}
}

func checkRules(t *testing.T, role string, rules []rbacv1.PolicyRule) {
	t.Helper()
	if len(rules) == 0 {
		t.Errorf("%s grants nothing", role)
	}
	for _, rule := range rules {
		if listsFamilies(rule) {
			continue
		}
		for _, words := range [][]string{rule.Verbs, rule.Resources, rule.APIGroups, rule.NonResourceURLs} {
			if slices.ContainsFunc(words, func(word string) bool { return strings.Contains(word, "*") }) {
				t.Errorf("%s has a wildcard: %v", role, rule)
			}
		}
		for _, verb := range []string{"escalate", "bind", "impersonate", "deletecollection"} {
			if slices.Contains(rule.Verbs, verb) {
				t.Errorf("%s grants %q: %v", role, verb, rule)
			}
		}
		for _, resource := range []string{"pods/exec", "pods/attach", "pods/portforward", "pods/proxy", "services/proxy", "nodes/proxy", "serviceaccounts/token"} {
			if slices.Contains(rule.Resources, resource) {
				t.Errorf("%s reaches into workloads by %s: %v", role, resource, rule)
			}
		}
	}
}

// listsFamilies reports whether a rule lets what is there of a cloud's API groups be
// listed, whatever its types, and nothing else.
func listsFamilies(rule rbacv1.PolicyRule) bool {
	var families []control.Family
	for _, c := range catalog.All() {
		families = append(families, c.Families...)
	}
	foreign := func(group string) bool {
		f := control.FamilyOf(families, group)
		return f == nil || !f.Reads(group)
	}
	return slices.Equal(rule.Verbs, []string{"list", "watch"}) && slices.Equal(rule.Resources, []string{"*"}) &&
		len(rule.NonResourceURLs) == 0 && !slices.ContainsFunc(rule.APIGroups, foreign)
}

func TestSecretsAreReadByNameAndNowhereElse(t *testing.T) {
	for _, role := range all[*rbacv1.ClusterRole](t, "default") {
		for _, rule := range role.Rules {
			if touchesSecrets(rule) {
				t.Errorf("ClusterRole %s reaches Secrets of every namespace: %v", role.Name, rule)
			}
		}
	}
	found := false
	for _, role := range all[*rbacv1.Role](t, "default") {
		for _, rule := range role.Rules {
			if !touchesSecrets(rule) {
				continue
			}
			if slices.Equal(rule.ResourceNames, []string{"hipaa-operator-encryption-canary"}) && slices.Equal(rule.Verbs, []string{"patch"}) {
				continue // it holds nothing, and is not read
			}
			found = true
			if role.Namespace != namespace {
				t.Errorf("Role %s/%s reaches Secrets outside %s", role.Namespace, role.Name, namespace)
			}
			if !slices.Equal(rule.ResourceNames, []string{"hipaa-operator-webhook-cert"}) {
				t.Errorf("Role %s reaches Secrets %q, want the webhooks' alone: %v", role.Name, rule.ResourceNames, rule)
			}
			if slices.Contains(rule.Verbs, "create") || slices.Contains(rule.Verbs, "delete") {
				t.Errorf("Role %s makes or deletes Secrets: %v", role.Name, rule)
			}
		}
	}
	if !found {
		t.Error("no Role lets the manager renew the webhooks' certificate")
	}
}

func touchesSecrets(rule rbacv1.PolicyRule) bool {
	if !slices.Contains(rule.APIGroups, "") && !slices.Contains(rule.APIGroups, "*") {
		return false // those of AWS Secrets Manager tell what a secret is kept by, and not the secret
	}
	return slices.ContainsFunc(rule.Resources, func(resource string) bool {
		return resource == "secrets" || strings.HasPrefix(resource, "secrets/") || resource == "*"
	})
}

// Nothing of ours makes pods. One name may be rehearsed, which a policy holds to
// dry runs.
func TestPodsAreCreatedByNoRoleButForRehearsals(t *testing.T) {
	for _, role := range all[*rbacv1.ClusterRole](t, "default") {
		for _, rule := range role.Rules {
			creates := slices.Contains(rule.Resources, "pods") && slices.Contains(rule.Verbs, "create")
			if creates && !slices.Equal(rule.ResourceNames, []string{"hipaa-operator-rehearsal"}) {
				t.Errorf("ClusterRole %s creates pods: %v", role.Name, rule)
			}
		}
	}
}

// The image of a container is mutable: whoever changes a pod beside the issuer reads its Secret.
func TestTheManagerChangesNoPodOfItsNamespace(t *testing.T) {
	for _, folder := range []string{"default", "proxy"} {
		for name, rules := range rulesOfTheManager(t, folder) {
			for _, rule := range rules {
				if changesPods(rule) && !slices.Equal(rule.ResourceNames, []string{"hipaa-operator-rehearsal"}) {
					t.Errorf("config/%s: %s changes pods: %v", folder, name, rule)
				}
			}
		}
	}
}

func changesPods(rule rbacv1.PolicyRule) bool {
	has := func(words []string, wanted ...string) bool {
		return slices.ContainsFunc(words, func(word string) bool { return word == "*" || slices.Contains(wanted, word) })
	}
	return has(rule.APIGroups, "") && has(rule.Resources, "pods", "pods/ephemeralcontainers", "pods/resize", "pods/status") && has(rule.Verbs, "patch", "update", "create")
}

// rulesOfTheManager are those of each role that is bound to it for the cluster or for its
// namespace.
func rulesOfTheManager(t *testing.T, folder string) map[string][]rbacv1.PolicyRule {
	t.Helper()
	its := func(subjects []rbacv1.Subject) bool {
		return slices.Contains(subjects, rbacv1.Subject{Kind: rbacv1.ServiceAccountKind, Name: manager, Namespace: namespace})
	}
	bound := map[rbacv1.RoleRef]bool{}
	for _, b := range all[*rbacv1.ClusterRoleBinding](t, folder) {
		bound[b.RoleRef] = bound[b.RoleRef] || its(b.Subjects)
	}
	for _, b := range all[*rbacv1.RoleBinding](t, folder) {
		bound[b.RoleRef] = bound[b.RoleRef] || b.Namespace == namespace && its(b.Subjects)
	}
	rules := map[string][]rbacv1.PolicyRule{}
	for _, role := range all[*rbacv1.ClusterRole](t, folder) {
		if bound[rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: role.Name}] {
			rules["ClusterRole "+role.Name] = role.Rules
		}
	}
	for _, role := range all[*rbacv1.Role](t, folder) {
		if role.Namespace == namespace && bound[rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: role.Name}] {
			rules["Role "+role.Name] = role.Rules
		}
	}
	if len(rules) < 2 {
		t.Fatalf("config/%s binds the manager to %d roles", folder, len(rules))
	}
	return rules
}

func TestRightsOfPeople(t *testing.T) {
	tests := map[string]struct {
		role       string
		aggregated []string
		may        []string
		mayNot     []string
	}{
		"viewers read what is declared": {
			role:       "hipaa-operator-view",
			aggregated: []string{"view"},
			may:        []string{"get phiworkloads", "list controlexceptions", "watch complianceprofiles", "get vendors"},
			mayNot:     []string{"update phiworkloads", "create controlexceptions", "approve controlexceptions"},
		},
		"editors declare and ask, and never write a verdict or an approval": {
			role:       "hipaa-operator-edit",
			aggregated: []string{"admin", "edit"},
			may:        []string{"create phiworkloads", "patch phiworkloads", "delete phiworkloads", "create controlexceptions"},
			mayNot: []string{
				"update phiworkloads/status", "patch phiworkloads/status", "update controlexceptions/status", "patch controlexceptions/status",
				"approve controlexceptions", "release complianceprofiles", "weaken complianceprofiles", "update complianceprofiles", "patch phiworkloads/finalizers",
				"create vendors", "update vendors", "weaken vendors",
			},
		},
		"approvers decide, and do not ask": {
			role:   "hipaa-operator-approver",
			may:    []string{"approve controlexceptions", "update controlexceptions/status", "patch controlexceptions/status", "get controlexceptions", "approve vendors", "patch vendors/status"},
			mayNot: []string{"create controlexceptions", "update controlexceptions", "patch controlexceptions", "release complianceprofiles", "update vendors", "weaken vendors"},
		},
		"the security team writes profiles and releases, and approves nothing": {
			role:   "hipaa-operator-security-team",
			may:    []string{"create complianceprofiles", "patch complianceprofiles", "delete complianceprofiles", "release complianceprofiles", "weaken complianceprofiles"},
			mayNot: []string{"approve controlexceptions", "update controlexceptions/status", "patch phiworkloads/status", "update complianceprofiles/status", "weaken vendors"},
		},
		"the privacy officer declares vendors, and decides about nothing else": {
			role:   "hipaa-operator-privacy-officer",
			may:    []string{"create vendors", "patch vendors", "delete vendors", "weaken vendors", "list phiworkloads"},
			mayNot: []string{"update vendors/status", "approve controlexceptions", "weaken complianceprofiles", "release complianceprofiles", "update phiworkloads"},
		},
	}
	roles := map[string]*rbacv1.ClusterRole{}
	for _, role := range all[*rbacv1.ClusterRole](t, "default") {
		roles[role.Name] = role
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			role, exists := roles[tc.role]
			if !exists {
				t.Fatalf("ClusterRole %s is not installed", tc.role)
			}
			if got := aggregations(role); !slices.Equal(got, tc.aggregated) {
				t.Errorf("it is aggregated to %v, want %v", got, tc.aggregated)
			}
			for _, right := range tc.may {
				if !grants(role, right) {
					t.Errorf("it does not grant %q", right)
				}
			}
			for _, right := range tc.mayNot {
				if grants(role, right) {
					t.Errorf("it grants %q", right)
				}
			}
		})
	}
}

// aggregations are the roles that a role flows into, sorted.
func aggregations(role *rbacv1.ClusterRole) []string {
	var into []string
	for key := range role.Labels {
		if to, found := strings.CutPrefix(key, "rbac.authorization.k8s.io/aggregate-to-"); found {
			into = append(into, to)
		}
	}
	slices.Sort(into)
	return into
}

// grants reads "verb resource" of our group.
func grants(role *rbacv1.ClusterRole, right string) bool {
	verb, resource, _ := strings.Cut(right, " ")
	return slices.ContainsFunc(role.Rules, func(rule rbacv1.PolicyRule) bool {
		return slices.Contains(rule.APIGroups, "hipaa-operator.io") && slices.Contains(rule.Resources, resource) && slices.Contains(rule.Verbs, verb)
	})
}

func TestOnlyTheNamedRolesAreAggregatedOrApprove(t *testing.T) {
	for _, role := range all[*rbacv1.ClusterRole](t, "default") {
		if into := aggregations(role); len(into) > 0 && role.Name != "hipaa-operator-view" && role.Name != "hipaa-operator-edit" {
			t.Errorf("ClusterRole %s is aggregated to %v", role.Name, into)
		}
		if role.AggregationRule != nil {
			t.Errorf("ClusterRole %s takes in what others label", role.Name)
		}
		if grants(role, "approve controlexceptions") && role.Name != "hipaa-operator-approver" {
			t.Errorf("ClusterRole %s approves", role.Name)
		}
		if grants(role, "release complianceprofiles") && role.Name != "hipaa-operator-security-team" {
			t.Errorf("ClusterRole %s releases", role.Name)
		}
		if grants(role, "weaken vendors") && role.Name != "hipaa-operator-privacy-officer" {
			t.Errorf("ClusterRole %s declares vendors", role.Name)
		}
	}
}

func TestEveryBindingLeadsFromTheManagerToARoleThatExists(t *testing.T) {
	known := map[string]bool{}
	for _, role := range all[*rbacv1.ClusterRole](t, "default") {
		known["ClusterRole "+role.Name] = true
	}
	for _, role := range all[*rbacv1.Role](t, "default") {
		known["Role "+role.Name] = true
	}
	bound := map[string]bool{}
	check := func(name string, ref rbacv1.RoleRef, subjects []rbacv1.Subject) {
		bound[ref.Kind+" "+ref.Name] = true
		if !known[ref.Kind+" "+ref.Name] {
			t.Errorf("binding %s leads to %s %s, which is not installed", name, ref.Kind, ref.Name)
		}
		want := []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Name: manager, Namespace: namespace}}
		if !slices.Equal(subjects, want) {
			t.Errorf("binding %s is for %v, want %v", name, subjects, want)
		}
	}
	for _, binding := range all[*rbacv1.ClusterRoleBinding](t, "default") {
		check(binding.Name, binding.RoleRef, binding.Subjects)
	}
	for _, binding := range all[*rbacv1.RoleBinding](t, "default") {
		check(binding.Name, binding.RoleRef, binding.Subjects)
	}
	for role := range known {
		forPeople := slices.Contains([]string{
			"ClusterRole hipaa-operator-view", "ClusterRole hipaa-operator-edit", "ClusterRole hipaa-operator-approver",
			"ClusterRole hipaa-operator-security-team", "ClusterRole hipaa-operator-privacy-officer", "ClusterRole hipaa-operator-metrics-reader",
		}, role)
		if forPeople == bound[role] {
			t.Errorf("%s: for people %t, bound by the installation %t", role, forPeople, bound[role])
		}
	}
}
