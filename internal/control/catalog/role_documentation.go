package catalog

import (
	"fmt"
	"slices"
	"strings"

	rbacv1 "k8s.io/api/rbac/v1"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
	"github.com/hipaa-operator/hipaa-operator/internal/control"
	"github.com/hipaa-operator/hipaa-operator/internal/hipaa"
)

var _ = add(control.Control{
	ID:       "role-documentation",
	Title:    "State of each role what it is for and what it may reach",
	Cites:    []hipaa.Citation{hipaa.AccessAuthorization, hipaa.MinimumNecessaryUses},
	Severity: control.Medium,
	Since:    1,
	Why: "Rules say what a role may do and never why. Who reviews access a year later cannot tell what is needed from what was copied, so " +
		"nothing is ever taken away; and who asks which data a role leads to finds no answer.",
	Remedy: "annotate the role with hipaa-operator.io/role-purpose, role-data-classes, role-resources and role-operations",
	Decides: "At admission and live: a Role that grants something carries four annotations. hipaa-operator.io/role-purpose is a sentence. " +
		"hipaa-operator.io/role-data-classes lists the data classes that its holders may come to see, as a PHIWorkload names them, or is None. " +
		"hipaa-operator.io/role-resources and hipaa-operator.io/role-operations list resources and verbs as rules do, and a rule that grants " +
		"what they do not list fails: by default a role reaches nothing. A Role without rules has nothing to state. Only live: of a ClusterRole " +
		"that a RoleBinding of the namespace names, the RoleBinding carries the four, or the ClusterRole does; its rules are not compared, " +
		"for those of the built-in ones change with Kubernetes. ClusterRoleBindings are least-privilege-rbac's. Whether a purpose is a good " +
		"one, and whether the data classes are right, is for whoever reviews access.",
	Parameters: []control.Parameter{{
		Path: "controls", Basis: control.BasisRegulation,
		Meaning: "The mode of this control is its only setting. The rule asks to identify who needs access to which categories of information, " +
			"and under which conditions (164.514(d)(2)); that this stands on the role itself is the profile's form of it.",
	}},
	Example: `apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata:
  name: log-readers
  namespace: ehr
  annotations:
    hipaa-operator.io/role-purpose: Second-level support reads logs while it works on a ticket.
    hipaa-operator.io/role-data-classes: Clinical, Demographic
    hipaa-operator.io/role-resources: pods, pods/log
    hipaa-operator.io/role-operations: get, list
rules:
- apiGroups: [""]
  resources: [pods]
  verbs: [get, list]
- apiGroups: [""]
  resources: [pods/log]
  verbs: [get]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata:
  name: team
  namespace: ehr
  annotations:
    hipaa-operator.io/role-purpose: The team looks after its own application.
    hipaa-operator.io/role-data-classes: None
    hipaa-operator.io/role-resources: everything that the built-in role view names
    hipaa-operator.io/role-operations: get, list, watch
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: view}
subjects:
- {apiGroup: rbac.authorization.k8s.io, kind: Group, name: "oidc:clinical-apps"}
`,
	Judges:    control.Roles | control.Bindings | control.Workloads,
	NeedsLive: control.Access,
	Backstop:  &control.Backstop{Faults: documentationFaults()},
	Check: func(s control.Subject) []control.Finding {
		switch s.Kind() {
		case control.Roles:
			return documented(s.Role)
		case control.Bindings:
			return documentedBinding(&s)
		case control.Workloads:
			return []control.Finding{rolesSeen(s.World)}
		default:
			return nil
		}
	},
	Breaks: control.Breaks{
		"a Role that states nothing": undocumented(func(r *rbacv1.Role) { r.Annotations = nil }),
		"a Role without a purpose":   undocumented(func(r *rbacv1.Role) { delete(r.Annotations, hipaav1.AnnotationRolePurpose) }),
		"a Role with one word for a purpose": undocumented(func(r *rbacv1.Role) {
			r.Annotations[hipaav1.AnnotationRolePurpose] = "ops"
		}),
		"a Role with data classes that are none": undocumented(func(r *rbacv1.Role) {
			r.Annotations[hipaav1.AnnotationRoleDataClasses] = "Clinical, Everything"
		}),
		"a Role that grants a resource which it does not state": undocumented(func(r *rbacv1.Role) {
			r.Rules = append(r.Rules, rbacv1.PolicyRule{APIGroups: []string{""}, Resources: []string{"secrets"}, Verbs: []string{"get"}})
		}),
		"a Role that grants an operation which it does not state": undocumented(func(r *rbacv1.Role) {
			r.Rules[0].Verbs = append(r.Rules[0].Verbs, "delete")
		}),
		"a binding to a ClusterRole that states nothing": {Kind: control.Bindings, Reported: true, Apply: func(s *control.Subject) {
			s.Binding.RoleRef.Kind, s.Binding.RoleRef.Name = "ClusterRole", "view"
			s.World.ClusterRoles["view"] = &rbacv1.ClusterRole{Rules: []rbacv1.PolicyRule{{APIGroups: []string{""}, Resources: []string{"pods"}, Verbs: []string{"get"}}}}
			s.World.ClusterRoles["view"].Name = "view"
		}},
	},
})

func undocumented(change func(*rbacv1.Role)) control.Break {
	return control.Break{Kind: control.Roles, Apply: func(s *control.Subject) { change(s.Role) }}
}

// purposeLength is the shortest that a purpose can be and still say something.
const purposeLength = 10

// roleStatement is what people say of a role in its annotations.
type roleStatement map[string]string

// lacks lists the annotations that say nothing, and why, in a fixed order.
func (a roleStatement) lacks() []control.Finding {
	var findings []control.Finding
	lack := func(key, format string, args ...any) {
		findings = append(findings, control.Failed("metadata.annotations["+key+"]", format, args...).As(key).But("annotate the role with it"))
	}
	switch purpose := strings.TrimSpace(a[hipaav1.AnnotationRolePurpose]); {
	case purpose == "":
		lack(hipaav1.AnnotationRolePurpose, "is missing: nobody says what the rights are for")
	case len(purpose) < purposeLength:
		lack(hipaav1.AnnotationRolePurpose, "is shorter than %d characters, which says nothing", purposeLength)
	}
	classes := items(a[hipaav1.AnnotationRoleDataClasses])
	switch {
	case len(classes) == 0:
		lack(hipaav1.AnnotationRoleDataClasses, "is missing: list the data classes that holders may come to see, or None")
	case !slices.Equal(classes, []string{hipaav1.RoleDataClassesNone}) && !allDataClasses(classes):
		lack(hipaav1.AnnotationRoleDataClasses, "names what is no data class of a PHIWorkload")
	}
	for _, key := range []string{hipaav1.AnnotationRoleResources, hipaav1.AnnotationRoleOperations} {
		if len(items(a[key])) == 0 {
			lack(key, "is missing")
		}
	}
	return findings
}

func allDataClasses(names []string) bool {
	return !slices.ContainsFunc(names, func(name string) bool {
		return !slices.Contains(hipaav1.AllDataClasses, hipaav1.DataClass(name))
	})
}

// items reads a list separated by commas.
func items(list string) []string {
	var found []string
	for item := range strings.SplitSeq(list, ",") {
		if item = strings.TrimSpace(item); item != "" {
			found = append(found, item)
		}
	}
	return found
}

func documented(role *rbacv1.Role) []control.Finding {
	if len(role.Rules) == 0 {
		return []control.Finding{control.Met("rules", "are empty, and there is nothing to state")}
	}
	stated := roleStatement(role.Annotations)
	findings := stated.lacks()
	resources, operations := items(stated[hipaav1.AnnotationRoleResources]), items(stated[hipaav1.AnnotationRoleOperations])
	if len(resources) > 0 {
		findings = append(findings, unstated(role.Rules, "resources", resources, func(r *rbacv1.PolicyRule) []string { return r.Resources })...)
	}
	if len(operations) > 0 {
		findings = append(findings, unstated(role.Rules, "verbs", operations, func(r *rbacv1.PolicyRule) []string { return r.Verbs })...)
	}
	if len(findings) == 0 {
		return []control.Finding{control.Met("metadata.annotations", "state purpose, data classes, and every resource and operation that is granted").
			Known(hipaav1.EvidenceAttested)}
	}
	return findings
}

// statedIn is the annotation, less its prefix, that lists what a field of rules has.
var statedIn = map[string]string{"resources": "role-resources", "verbs": "role-operations"}

// unstated says where rules grant something that nobody states, and how much more
// of it there is.
func unstated(rules []rbacv1.PolicyRule, field string, stated []string, of func(*rbacv1.PolicyRule) []string) []control.Finding {
	path, first := "", ""
	var others []string
	for i := range rules {
		for _, granted := range of(&rules[i]) {
			switch {
			case slices.Contains(stated, granted) || granted == first || slices.Contains(others, granted):
			case first == "":
				path, first = fmt.Sprintf("rules[%d].%s", i, field), granted
			default:
				others = append(others, granted)
			}
		}
	}
	if first == "" {
		return nil
	}
	more := ""
	if len(others) > 0 {
		more = fmt.Sprintf(" and %d more", len(others))
	}
	return []control.Finding{control.Failed(path, "grant %q%s, which the role does not state", first, more).As(field).
		But("state it in hipaa-operator.io/%s, or take it out of the rules", statedIn[field])}
}

// documentedBinding judges what a binding says of the ClusterRole that it names, in
// the place of its author, who may not be able to. One that does not exist grants
// nothing.
func documentedBinding(s *control.Subject) []control.Finding {
	ref := s.Binding.RoleRef
	role := s.World.ClusterRoles[ref.Name]
	if ref.Kind == control.RoleKind || role == nil || len(role.Rules) == 0 {
		return nil
	}
	for _, annotations := range []map[string]string{s.Binding.Annotations, role.Annotations} {
		if len(roleStatement(annotations).lacks()) == 0 {
			return []control.Finding{control.Met("roleRef", "is ClusterRole %s, whose use is stated", ref.Name).Known(hipaav1.EvidenceAttested)}
		}
	}
	return []control.Finding{control.Failed("roleRef", "is ClusterRole %s, and neither it nor the RoleBinding states what its rights are for and what they reach", ref.Name).
		OnlyLive().But("annotate the RoleBinding with hipaa-operator.io/role-purpose, role-data-classes, role-resources and role-operations")}
}

func rolesSeen(w *control.World) control.Finding {
	if !byRBAC(w) {
		return notByRBAC()
	}
	return control.Met("", "%d Roles and %d RoleBindings stand in the namespace", len(w.Roles), len(w.Bindings))
}
