package catalog

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	rbacv1 "k8s.io/api/rbac/v1"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
	"github.com/hipaa-operator/hipaa-operator/internal/control"
	"github.com/hipaa-operator/hipaa-operator/internal/phitest"
)

func TestPeopleAreToldByThePrefixOfTheirProvider(t *testing.T) {
	declared := hipaav1.IdentityProvider{UsernamePrefix: "oidc:", GroupsPrefix: "sso/"}
	for name, tc := range map[string]struct {
		provider hipaav1.IdentityProvider
		give     []rbacv1.Subject
		want     []string
	}{
		"users and groups of the provider": {provider: declared, give: []rbacv1.Subject{phitest.UserSubject("oidc:ada"), phitest.GroupSubject("sso/nurses")}},
		"a user with the prefix of groups": {
			provider: declared, give: []rbacv1.Subject{phitest.UserSubject("oidc:ada"), phitest.UserSubject("sso/ada"), phitest.UserSubject("ada")},
			want: []string{"subjects[1] is a User without the prefix of the identity provider (+1 more) (live)"},
		},
		"people where no provider is declared": {
			give: []rbacv1.Subject{phitest.UserSubject("oidc:ada"), phitest.GroupSubject("nurses")},
			want: []string{
				"Unknown: subjects[0] is a User, and no profile says by which prefix those of the identity provider are known (live)",
				"Unknown: subjects[1] is a Group, and no profile says by which prefix those of the identity provider are known (live)",
			},
		},
		"the masters, who need no provider": {
			give: []rbacv1.Subject{phitest.GroupSubject("system:masters")},
			want: []string{"subjects[0] is the group system:masters, which holders of client certificates are in (live)"},
		},
		"machines, components and everybody": {give: []rbacv1.Subject{
			phitest.AccountSubject("ehr", "app"), phitest.UserSubject("system:serviceaccount:ehr:app"), phitest.GroupSubject("system:serviceaccounts"),
			phitest.UserSubject("system:kube-scheduler"), phitest.GroupSubject("system:nodes"), phitest.GroupSubject("system:authenticated"),
		}},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(tc.want, sentences(comeBy(&tc.provider, tc.give, ""))); diff != "" {
				t.Errorf("findings (-want +got):\n%s", diff)
			}
		})
	}
}

func TestPeopleAreLookedForInBindingsOfTheWholeCluster(t *testing.T) {
	reads := rbacv1.PolicyRule{APIGroups: []string{""}, Resources: []string{"pods"}, Verbs: []string{"get"}}
	masters, ada := phitest.GroupSubject("system:masters"), phitest.UserSubject("ada")
	s := control.Subject{Profile: &control.Profile{}, World: &control.World{
		ClusterRoles: map[string]*rbacv1.ClusterRole{
			"cluster-admin": phitest.ClusterAdmin(), "reads": phitest.ClusterRole("reads", reads),
			"asks": phitest.ClusterRole("asks", rbacv1.PolicyRule{NonResourceURLs: []string{"/version"}, Verbs: []string{"get"}}),
		},
		ClusterBindings: []*rbacv1.ClusterRoleBinding{
			phitest.ClusterBinding("asks", "asks", ada), phitest.ClusterBinding("cluster-admin", "cluster-admin", masters),
			phitest.ClusterBinding("gone", "gone", ada), phitest.ClusterBinding("more-masters", "cluster-admin", masters), phitest.ClusterBinding("reads", "reads", ada),
		},
	}}
	s.Profile.Access.Provider = hipaav1.IdentityProvider{UsernamePrefix: "oidc:", MFA: &hipaav1.Statement{Expires: phitest.After(0)}}
	want := []string{
		"Pass: people are stated to be asked for a second factor until 2026-03-02 [Attested]",
		"ClusterRoleBinding more-masters: subjects[0] is the group system:masters, which holders of client certificates are in (live)",
		"ClusterRoleBinding reads: subjects[0] is a User without the prefix of the identity provider (live)",
	}
	if diff := cmp.Diff(want, sentences(peopleEverywhere(&s))); diff != "" {
		t.Errorf("findings (-want +got):\n%s", diff)
	}
}
