package rights_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	rbacv1 "k8s.io/api/rbac/v1"

	"github.com/hipaa-operator/hipaa-operator/internal/phitest"
	"github.com/hipaa-operator/hipaa-operator/internal/rights"
)

func rule(group, resource string, verbs ...string) rbacv1.PolicyRule {
	return rbacv1.PolicyRule{APIGroups: []string{group}, Resources: []string{resource}, Verbs: verbs}
}

func TestAClusterRoleIsMeasuredByItsRules(t *testing.T) {
	impersonates := rule("", "serviceaccounts", "impersonate")
	for name, tc := range map[string]struct {
		give *rbacv1.ClusterRole
		want []rights.Excess
	}{
		"cluster-admin": {phitest.ClusterAdmin(), []rights.Excess{rights.EveryVerb, rights.EveryResource, rights.EveryGroup}},
		"view":          {phitest.ShippedClusterRole("view", rule("", "pods", "get", "list")), nil},
		"URLs that are no resources": {
			phitest.ClusterRole("urls", rbacv1.PolicyRule{NonResourceURLs: []string{"*"}, Verbs: []string{"*"}}), nil,
		},
		"a part of every resource":               {phitest.ClusterRole("scaler", rule("apps", "*/scale", "update")), []rights.Excess{rights.EveryResource}},
		"the built-in edit":                      {phitest.ShippedClusterRole("edit", impersonates), nil},
		"the built-in admin":                     {phitest.ShippedClusterRole("admin", impersonates), nil},
		"a role of that name which is not built": {phitest.ClusterRole("edit", impersonates), []rights.Excess{rights.Impersonate}},
		"the built-in edit, with more put into it": {
			phitest.ShippedClusterRole("edit", impersonates, rule("", "users", "impersonate")), []rights.Excess{rights.Impersonate},
		},
		"rights to give rights": {
			phitest.ClusterRole("granter", rule(rbacv1.GroupName, "roles", "escalate"), rule(rbacv1.GroupName, "clusterroles", "bind")),
			[]rights.Excess{rights.Escalate, rights.Bind},
		},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(tc.want, rights.OfClusterRole(tc.give)); diff != "" {
				t.Errorf("excesses (-want +got):\n%s", diff)
			}
		})
	}
}

func TestPowersFollowFromRules(t *testing.T) {
	for name, tc := range map[string]struct {
		give rbacv1.PolicyRule
		want []rights.Power
	}{
		"listing Secrets shows them":        {rule("", "secrets", "list"), []rights.Power{rights.ReadSecrets}},
		"writing Secrets shows nothing":     {rule("", "secrets", "create", "update"), nil},
		"Secrets of another API group":      {rule("example.org", "secrets", "get"), nil},
		"running commands":                  {rule("", "pods/exec", "create"), []rights.Power{rights.EnterPods}},
		"commands in all that runs them":    {rule("*", "*/exec", "create"), []rights.Power{rights.EnterPods}},
		"a container put into a pod":        {rule("", "pods/ephemeralcontainers", "patch"), []rights.Power{rights.EnterPods}},
		"pods, and no part of them":         {rule("", "pods", "*"), nil},
		"logs":                              {rule("", "pods/log", "get"), []rights.Power{rights.ReadLogs}},
		"tokens of ServiceAccounts":         {rule("", "serviceaccounts/token", "create"), []rights.Power{rights.ActAsAccounts}},
		"looking at ServiceAccounts":        {rule("", "serviceaccounts", "get"), nil},
		"everything, and nodes among it":    {rule("*", "*", "*"), []rights.Power{rights.ReadSecrets, rights.EnterPods, rights.ReadLogs, rights.ActAsAccounts, rights.EnterNodes}},
		"a node's port for requests":        {rule("", "nodes/proxy", "get"), []rights.Power{rights.EnterNodes}},
		"a node's figures":                  {rule("", "nodes/metrics", "get"), nil},
		"a name that means nothing to RBAC": {rule("", "pods/*", "create"), nil},
	} {
		t.Run(name, func(t *testing.T) {
			var got []rights.Power
			for _, p := range append(append([]rights.Power{}, rights.Powers...), rights.EnterNodes) {
				if p.Grants([]rbacv1.PolicyRule{tc.give}) {
					got = append(got, p)
				}
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("powers (-want +got):\n%s", diff)
			}
		})
	}
}

func TestSubjectsAreToldApart(t *testing.T) {
	type is struct {
		Crowd        string
		Own, Machine bool
	}
	for name, tc := range map[string]struct {
		give rbacv1.Subject
		want is
	}{
		"a group of an identity provider":  {phitest.GroupSubject("oidc:nurses"), is{}},
		"everybody with a name":            {phitest.GroupSubject("system:authenticated"), is{Crowd: "everybody whom the API server knows"}},
		"everybody without a name":         {phitest.GroupSubject("system:unauthenticated"), is{Crowd: "everybody, without a name"}},
		"the anonymous user":               {phitest.UserSubject("system:anonymous"), is{Crowd: "everybody, without a name"}},
		"a group called like that user":    {phitest.GroupSubject("system:anonymous"), is{Own: true}},
		"every ServiceAccount":             {phitest.GroupSubject("system:serviceaccounts"), is{Crowd: "every ServiceAccount of the cluster", Machine: true}},
		"every ServiceAccount of one":      {phitest.GroupSubject("system:serviceaccounts:lab"), is{Crowd: "every ServiceAccount of a namespace", Machine: true}},
		"a ServiceAccount":                 {phitest.AccountSubject("ehr", "system:node"), is{Machine: true}},
		"a ServiceAccount named as a user": {phitest.UserSubject("system:serviceaccount:ehr:app"), is{Machine: true}},
		"a component":                      {phitest.UserSubject("system:kube-scheduler"), is{Own: true}},
		"the masters":                      {phitest.GroupSubject("system:masters"), is{}},
	} {
		t.Run(name, func(t *testing.T) {
			got := is{rights.Crowd(&tc.give), rights.Own(&tc.give), rights.Machine(&tc.give)}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}
