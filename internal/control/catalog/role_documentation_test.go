package catalog

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	rbacv1 "k8s.io/api/rbac/v1"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
	"github.com/hipaa-operator/hipaa-operator/internal/control"
	"github.com/hipaa-operator/hipaa-operator/internal/phitest"
)

const allStated = "Pass: metadata.annotations state purpose, data classes, and every resource and operation that is granted [Attested]"

func TestARoleStatesWhatItGrants(t *testing.T) {
	role := func() *phitest.RoleBuilder { return phitest.Role("r").Allows("", "pods", "get", "list").Documented() }
	for name, tc := range map[string]struct {
		give *phitest.RoleBuilder
		want []string
	}{
		"all of it":       {role(), []string{allStated}},
		"without rules":   {phitest.Role("r"), []string{"Pass: rules are empty, and there is nothing to state"}},
		"no PHI":          {role().Annotate(hipaav1.AnnotationRoleDataClasses, "None"), []string{allStated}},
		"more than it is": {role().Annotate(hipaav1.AnnotationRoleResources, " pods ,secrets,, "), []string{allStated}},
		"no PHI, and some": {
			role().Annotate(hipaav1.AnnotationRoleDataClasses, "None, Clinical"),
			[]string{"metadata.annotations[hipaa-operator.io/role-data-classes] names what is no data class of a PHIWorkload"},
		},
		"with commas for lists": {
			role().Annotate(hipaav1.AnnotationRoleDataClasses, ",", hipaav1.AnnotationRoleResources, " , ", hipaav1.AnnotationRoleOperations, "", hipaav1.AnnotationRolePurpose, "          "),
			[]string{
				"metadata.annotations[hipaa-operator.io/role-purpose] is missing: nobody says what the rights are for",
				"metadata.annotations[hipaa-operator.io/role-data-classes] is missing: list the data classes that holders may come to see, or None",
				"metadata.annotations[hipaa-operator.io/role-resources] is missing",
				"metadata.annotations[hipaa-operator.io/role-operations] is missing",
			},
		},
		"less than it grants": {
			role().Allows("", "secrets", "get", "watch").Allows("apps", "deployments", "list").Allows("", "secrets", "get"),
			[]string{
				`rules[1].resources grant "secrets" and 1 more, which the role does not state`,
				`rules[1].verbs grant "watch", which the role does not state`,
			},
		},
		"a part, and not the whole": {
			phitest.Role("r").Allows("", "pods/log", "get").Documented().Allows("", "pods", "get"),
			[]string{`rules[1].resources grant "pods", which the role does not state`},
		},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(tc.want, sentences(documented(tc.give.Obj()))); diff != "" {
				t.Errorf("findings (-want +got):\n%s", diff)
			}
		})
	}
}

func TestTheUseOfAClusterRoleIsStatedByEitherSide(t *testing.T) {
	rules := []rbacv1.PolicyRule{{APIGroups: []string{""}, Resources: []string{"pods"}, Verbs: []string{"get"}}}
	silent, telling := phitest.ClusterRole("silent", rules...), phitest.ClusterRole("telling", rules...)
	telling.Annotations = phitest.RoleStatement(rules)
	world := &control.World{ClusterRoles: map[string]*rbacv1.ClusterRole{"silent": silent, "telling": telling, "empty": phitest.ClusterRole("empty")}}
	missing := []string{"roleRef is ClusterRole silent, and neither it nor the RoleBinding states what its rights are for and what they reach (live)"}
	half := phitest.Binding("b").ClusterRole("silent").Obj()
	half.Annotations = map[string]string{hipaav1.AnnotationRolePurpose: "The team looks after its application."}
	whole := phitest.Binding("b").ClusterRole("silent").Obj()
	whole.Annotations = phitest.RoleStatement(rules)
	for name, tc := range map[string]struct {
		give *rbacv1.RoleBinding
		want []string
	}{
		"by nobody":                  {phitest.Binding("b").ClusterRole("silent").Obj(), missing},
		"by half a binding":          {half, missing},
		"by the binding":             {whole, []string{"Pass: roleRef is ClusterRole silent, whose use is stated [Attested]"}},
		"by the ClusterRole":         {phitest.Binding("b").ClusterRole("telling").Obj(), []string{"Pass: roleRef is ClusterRole telling, whose use is stated [Attested]"}},
		"where it grants nothing":    {phitest.Binding("b").ClusterRole("empty").Obj(), nil},
		"where it does not exist":    {phitest.Binding("b").ClusterRole("gone").Obj(), nil},
		"where it is a Role's to do": {phitest.Binding("silent").Obj(), nil},
	} {
		t.Run(name, func(t *testing.T) {
			s := control.Subject{World: world, Binding: tc.give}
			if diff := cmp.Diff(tc.want, sentences(documentedBinding(&s))); diff != "" {
				t.Errorf("findings (-want +got):\n%s", diff)
			}
		})
	}
}
