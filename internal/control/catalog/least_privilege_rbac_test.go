package catalog

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	rbacv1 "k8s.io/api/rbac/v1"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
	"github.com/hipaa-operator/hipaa-operator/internal/control"
	"github.com/hipaa-operator/hipaa-operator/internal/phitest"
)

func TestARoleIsToldOncePerWayToGoTooFar(t *testing.T) {
	role := phitest.Role("all").Allows("", "pods", "get").Allows("*", "pods", "*").Allows("apps", "deployments", "*").Obj()
	want := []string{`rules[1].verbs have "*", and so have 1 more rules`, `rules[1].apiGroups have "*"`}
	if diff := cmp.Diff(want, sentences(checkRole(role))); diff != "" {
		t.Errorf("findings (-want +got):\n%s", diff)
	}
}

func TestABindingIsJudgedByWhatItNames(t *testing.T) {
	c := controlOf("least-privilege-rbac")
	world := &control.World{
		Roles: []*rbacv1.Role{phitest.Role("wide").Allows("", "*", "get").Obj(), phitest.Role("narrow").Allows("", "pods", "get").Obj()},
		ClusterRoles: map[string]*rbacv1.ClusterRole{
			"cluster-admin": phitest.ClusterAdmin(),
			"edit": phitest.ShippedClusterRole("edit", rbacv1.PolicyRule{
				APIGroups: []string{""}, Resources: []string{"serviceaccounts"}, Verbs: []string{"impersonate"},
			}),
		},
	}
	for name, tc := range map[string]struct {
		give *phitest.BindingBuilder
		want []string
	}{
		"to a narrow Role":     {phitest.Binding("narrow").Group("nurses"), nil},
		"to a wide Role":       {phitest.Binding("wide").Group("nurses"), []string{"roleRef is Role wide, which grants every resource"}},
		"to a Role not there":  {phitest.Binding("absent").Group("nurses"), nil},
		"to the built-in edit": {phitest.Binding("b").ClusterRole("edit").ServiceAccount("deployer"), nil},
		"to cluster-admin, by everybody": {
			phitest.Binding("b").ClusterRole("cluster-admin").Group("nurses").Group("system:serviceaccounts").Group("system:serviceaccounts:a").Group("system:serviceaccounts:b"),
			[]string{
				"roleRef is ClusterRole cluster-admin, which grants every verb, every resource, every API group",
				"subjects[1] is Group system:serviceaccounts: every ServiceAccount of the cluster",
				"subjects[2] is Group system:serviceaccounts:a: every ServiceAccount of a namespace",
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := control.Subject{World: world, Profile: &control.Profile{}, Binding: tc.give.Obj()}
			if diff := cmp.Diff(tc.want, sentences(c.Check(s))); diff != "" {
				t.Errorf("findings (-want +got):\n%s", diff)
			}
		})
	}
}

func TestBindingsOfTheWholeClusterAreReported(t *testing.T) {
	group := func(name string) hipaav1.AccessSubject {
		return hipaav1.AccessSubject{Kind: hipaav1.AccessSubjectGroup, Name: name}
	}
	everything := "ClusterRoleBinding b binds ClusterRole cluster-admin, which grants every verb, every resource, every API group, " +
		"by which its holder can reach into every pod by its node (live)"
	for name, tc := range map[string]struct {
		role           *rbacv1.ClusterRole
		subjects       []rbacv1.Subject
		administrators [][]hipaav1.AccessSubject
		want           []string
	}{
		"of the masters":   {role: phitest.ClusterAdmin(), subjects: []rbacv1.Subject{phitest.GroupSubject("system:masters")}},
		"of a component":   {role: phitest.ClusterAdmin(), subjects: []rbacv1.Subject{phitest.UserSubject("system:kube-controller-manager")}},
		"of nobody":        {role: phitest.ClusterAdmin()},
		"of a group":       {role: phitest.ClusterAdmin(), subjects: []rbacv1.Subject{phitest.GroupSubject("admins")}, want: []string{everything}},
		"of a named group": {role: phitest.ClusterAdmin(), subjects: []rbacv1.Subject{phitest.GroupSubject("admins")}, administrators: [][]hipaav1.AccessSubject{{group("admins")}}},
		"of a group that one of two profiles names": {
			role: phitest.ClusterAdmin(), subjects: []rbacv1.Subject{phitest.GroupSubject("admins")},
			administrators: [][]hipaav1.AccessSubject{{group("admins")}, {group("others")}}, want: []string{everything},
		},
		"of a user called like a named group": {
			role: phitest.ClusterAdmin(), subjects: []rbacv1.Subject{phitest.UserSubject("admins")},
			administrators: [][]hipaav1.AccessSubject{{group("admins")}}, want: []string{everything},
		},
		"of a controller of Kubernetes": {
			role:     phitest.ShippedClusterRole("system:controller:namespace-controller", phitest.ClusterAdmin().Rules...),
			subjects: []rbacv1.Subject{phitest.AccountSubject("kube-system", "namespace-controller")},
		},
		"of a ClusterRole that is only called so": {
			role:     phitest.ClusterRole("system:mine", rbacv1.PolicyRule{APIGroups: []string{""}, Resources: []string{"users"}, Verbs: []string{"impersonate"}}),
			subjects: []rbacv1.Subject{phitest.GroupSubject("admins")},
			want:     []string{"ClusterRoleBinding b binds ClusterRole system:mine, which grants impersonate (live)"},
		},
		"of everybody, to what everybody may": {
			role: phitest.ShippedClusterRole("system:basic-user", rbacv1.PolicyRule{
				APIGroups: []string{"authorization.k8s.io"}, Resources: []string{"selfsubjectaccessreviews"}, Verbs: []string{"create"},
			}, rbacv1.PolicyRule{NonResourceURLs: []string{"/healthz"}, Verbs: []string{"get"}}),
			subjects: []rbacv1.Subject{phitest.GroupSubject("system:authenticated")},
		},
		"of everybody, to what somebody added to that": {
			role:           phitest.ShippedClusterRole("system:basic-user", rbacv1.PolicyRule{APIGroups: []string{""}, Resources: []string{"pods"}, Verbs: []string{"list"}}),
			subjects:       []rbacv1.Subject{phitest.GroupSubject("system:authenticated")},
			administrators: [][]hipaav1.AccessSubject{{group("system:authenticated")}},
			want:           []string{"ClusterRoleBinding b binds ClusterRole system:basic-user, to everybody whom the API server knows (live)"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := control.Subject{
				Profile: &control.Profile{Access: control.AccessParameters{Administrators: tc.administrators}},
				World: &control.World{
					ClusterRoles:    map[string]*rbacv1.ClusterRole{tc.role.Name: tc.role},
					ClusterBindings: []*rbacv1.ClusterRoleBinding{phitest.ClusterBinding("b", tc.role.Name, tc.subjects...), phitest.ClusterBinding("dangling", "gone")},
				},
			}
			if diff := cmp.Diff(tc.want, sentences(boundEverywhere(&s))); diff != "" {
				t.Errorf("findings (-want +got):\n%s", diff)
			}
		})
	}
}

func TestThePowersOfRolesAreListed(t *testing.T) {
	w := &control.World{
		Roles: []*rbacv1.Role{
			phitest.Role("unbound").Allows("", "secrets", "get").Obj(), phitest.Role("a").Allows("", "secrets", "get").Obj(), phitest.Role("b").Allows("", "secrets", "list").Allows("", "pods/log", "get").Obj(),
			phitest.Role("c").Allows("", "secrets", "watch").Obj(),
		},
		Bindings:        []*rbacv1.RoleBinding{phitest.Binding("a").Group("x").Obj(), phitest.Binding("b").Group("x").Obj(), phitest.Binding("c").Group("x").Obj()},
		ClusterRoles:    map[string]*rbacv1.ClusterRole{"cluster-admin": phitest.ClusterAdmin(), "system:own": phitest.ShippedClusterRole("system:own", phitest.ClusterAdmin().Rules...)},
		ClusterBindings: []*rbacv1.ClusterRoleBinding{phitest.ClusterBinding("m", "cluster-admin", phitest.GroupSubject("system:masters")), phitest.ClusterBinding("own", "system:own")},
	}
	want := []string{"Pass: can read Secrets: ClusterRole cluster-admin, Role a, Role b and 1 more; can reach into pods: ClusterRole cluster-admin; " +
		"can read logs: ClusterRole cluster-admin, Role b; can act as ServiceAccounts: ClusterRole cluster-admin"}
	if diff := cmp.Diff(want, sentences(holders(w))); diff != "" {
		t.Errorf("evidence (-want +got):\n%s", diff)
	}
}
