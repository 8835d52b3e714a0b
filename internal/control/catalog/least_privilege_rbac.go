package catalog

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	rbacv1 "k8s.io/api/rbac/v1"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
	"github.com/hipaa-operator/hipaa-operator/internal/control"
	"github.com/hipaa-operator/hipaa-operator/internal/hipaa"
	"github.com/hipaa-operator/hipaa-operator/internal/rights"
)

var _ = add(control.Control{
	ID:       "least-privilege-rbac",
	Title:    "Grant in a PHI namespace only rights that can be listed, to subjects that can be listed",
	Cites:    []hipaa.Citation{hipaa.AccessControl, hipaa.AccessAuthorization, hipaa.AccessModification, hipaa.MinimumNecessaryUses},
	Severity: control.High,
	Since:    1,
	Why: "A wildcard grants what nobody has thought of yet: the Secrets of the next release, a verb of the next version. Who may escalate, " +
		"bind or impersonate has every right there is, one request later. And a binding to everybody has no list of people to review.",
	Remedy: "grant the verbs and resources that the holder needs, by name, to the groups and ServiceAccounts that need them",
	Decides: "At admission and live: a Role fails whose rules have a wildcard as verb, resource or API group, or the verbs escalate, bind or " +
		"impersonate, whatever they are about. So does a RoleBinding to what grants this, and one to everybody: system:authenticated, " +
		"system:unauthenticated, system:anonymous, or all ServiceAccounts of the cluster or of a namespace. The built-in ClusterRoles edit and " +
		"admin may be bound, although they let their holder impersonate the namespace's ServiceAccounts: they let them create pods as well, " +
		"which run under any of these, so to refuse them for the one would take nothing away. A ClusterRole that does not exist grants " +
		"nothing, and is judged live once it does. Only live: a ClusterRoleBinding to what grants this, to nodes/proxy (a way into every pod " +
		"that no admission sees), or to everybody, unless all its subjects are administrators that the profile names, system:masters, or " +
		"components of Kubernetes, or its ClusterRole is one that Kubernetes ships for its components. What everybody may ask about " +
		"themselves, and URLs that are no resources, reach no namespace. The verdict lists the roles by which somebody can read Secrets, reach " +
		"into pods, read logs or act as ServiceAccounts. Not seen: authorizers beside RBAC.",
	Parameters: []control.Parameter{{
		Path: "access.administrators", Basis: control.BasisProfile,
		Meaning: "Who may hold such rights over the whole cluster. The rule asks for access to those who have been granted it; that somebody " +
			"administers the cluster is the security team's decision. Default nobody but system:masters.",
	}},
	Example: `apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata:
  name: on-call
  namespace: ehr
  annotations:
    hipaa-operator.io/role-purpose: People on call see which pods run, and why others do not.
    hipaa-operator.io/role-data-classes: None
    hipaa-operator.io/role-resources: pods, events
    hipaa-operator.io/role-operations: get, list, watch
rules:
- apiGroups: [""]
  resources: [pods, events]
  verbs: [get, list, watch]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: on-call, namespace: ehr}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: on-call}
subjects:
- {apiGroup: rbac.authorization.k8s.io, kind: Group, name: "oidc:clinical-on-call"}
`,
	Judges:   control.Roles | control.Bindings | control.Workloads,
	Needs:    control.Access,
	Backstop: rightsBackstop,
	Check: func(s control.Subject) []control.Finding {
		switch s.Kind() {
		case control.Roles:
			return checkRole(s.Role)
		case control.Bindings:
			return append(checkRoleRef(&s), checkCrowds(s.Binding.Subjects)...)
		case control.Workloads:
			return append(boundEverywhere(&s), holders(s.World)...)
		default:
			return nil
		}
	},
	Breaks: control.Breaks{
		"a Role with every verb":             grants(rbacv1.PolicyRule{APIGroups: []string{""}, Resources: []string{"pods"}, Verbs: []string{"*"}}),
		"a Role on every resource":           grants(rbacv1.PolicyRule{APIGroups: []string{""}, Resources: []string{"*"}, Verbs: []string{"get"}}),
		"a Role on a part of every resource": grants(rbacv1.PolicyRule{APIGroups: []string{"apps"}, Resources: []string{"*/scale"}, Verbs: []string{"update"}}),
		"a Role on every API group":          grants(rbacv1.PolicyRule{APIGroups: []string{"*"}, Resources: []string{"pods"}, Verbs: []string{"get"}}),
		"a Role that can grant what its holder has not": grants(rbacv1.PolicyRule{
			APIGroups: []string{rbacv1.GroupName}, Resources: []string{"roles"}, Verbs: []string{"update", "escalate"},
		}),
		"a Role that can bind what its holder has not": grants(rbacv1.PolicyRule{
			APIGroups: []string{rbacv1.GroupName}, Resources: []string{"clusterroles"}, Verbs: []string{"bind"},
		}),
		"a Role that can act as somebody else": grants(rbacv1.PolicyRule{
			APIGroups: []string{""}, Resources: []string{"serviceaccounts"}, Verbs: []string{"impersonate"},
		}),
		"a binding to cluster-admin": {Kind: control.Bindings, Apply: func(s *control.Subject) {
			s.Binding.RoleRef.Kind, s.Binding.RoleRef.Name = "ClusterRole", "cluster-admin"
		}},
		"a binding to everybody with a name":                binds(rbacv1.GroupKind, "system:authenticated"),
		"a binding to everybody without a name":             binds(rbacv1.GroupKind, "system:unauthenticated"),
		"a binding to the anonymous user":                   binds(rbacv1.UserKind, "system:anonymous"),
		"a binding to every ServiceAccount of the cluster":  binds(rbacv1.GroupKind, "system:serviceaccounts"),
		"a binding to every ServiceAccount of a namespace":  binds(rbacv1.GroupKind, "system:serviceaccounts:lab"),
		"a binding of the whole cluster to cluster-admin":   boundTo("cluster-admin", rbacv1.Subject{Kind: rbacv1.GroupKind, Name: "developers"}),
		"a binding of the whole cluster that lets all read": boundTo("reads-secrets", rbacv1.Subject{Kind: rbacv1.GroupKind, Name: "system:authenticated"}),
		"a binding of the whole cluster into every node":    boundTo("enters-nodes", rbacv1.Subject{Kind: rbacv1.ServiceAccountKind, Namespace: "monitoring", Name: "agent"}),
	},
})

func grants(rule rbacv1.PolicyRule) control.Break {
	return control.Break{Kind: control.Roles, Apply: func(s *control.Subject) { s.Role.Rules = append(s.Role.Rules, rule) }}
}

func binds(kind, name string) control.Break {
	return control.Break{Kind: control.Bindings, Apply: func(s *control.Subject) {
		s.Binding.Subjects = append(s.Binding.Subjects, rbacv1.Subject{APIGroup: rbacv1.GroupName, Kind: kind, Name: name})
	}}
}

// boundTo binds a subject in the whole cluster to cluster-admin, or to a ClusterRole
// that grants little more than the break needs.
func boundTo(role string, subject rbacv1.Subject) control.Break {
	return live(func(s *control.Subject) {
		for name, resource := range map[string]string{"reads-secrets": "secrets", "enters-nodes": "nodes/proxy"} {
			s.World.ClusterRoles[name] = &rbacv1.ClusterRole{Rules: []rbacv1.PolicyRule{{APIGroups: []string{""}, Resources: []string{resource}, Verbs: []string{"get"}}}}
			s.World.ClusterRoles[name].Name = name
		}
		binding := &rbacv1.ClusterRoleBinding{RoleRef: rbacv1.RoleRef{Kind: "ClusterRole", Name: role}, Subjects: []rbacv1.Subject{subject}}
		binding.Name = "far-reaching"
		s.World.ClusterBindings = append(s.World.ClusterBindings, binding)
	})
}

// checkRole says of each way to go too far where it is first gone. To say it of
// each rule would make the answer as long as the Role.
func checkRole(role *rbacv1.Role) []control.Finding {
	var findings []control.Finding
	for _, e := range rights.Excesses {
		first, count := rights.First(role.Rules, e)
		if count == 0 {
			continue
		}
		field, value := e.Field()
		more := ""
		if count > 1 {
			more = fmt.Sprintf(", and so have %d more rules", count-1)
		}
		findings = append(findings, control.Failed(fmt.Sprintf("rules[%d].%s", first, field), "have %q%s", value, more).As(string(e)))
	}
	return findings
}

func checkRoleRef(s *control.Subject) []control.Finding {
	has := excessesOf(s.World, s.Binding)
	if len(has) == 0 {
		return nil
	}
	ref := s.Binding.RoleRef
	return []control.Finding{control.Failed("roleRef", "is %s %s, which grants %s", ref.Kind, ref.Name, listed(has)).
		But("bind a role that names verbs and resources").As("roleRef " + listed(has))}
}

// excessesOf is what a binding grants too much by what it names. What does not exist
// grants nothing.
func excessesOf(w *control.World, b *rbacv1.RoleBinding) []rights.Excess {
	if b.RoleRef.Kind != control.RoleKind {
		if role := w.ClusterRoles[b.RoleRef.Name]; role != nil {
			return rights.OfClusterRole(role)
		}
		return nil
	}
	var has []rights.Excess
	rules := rulesOf(w, b.RoleRef)
	for _, e := range rights.Excesses {
		if _, count := rights.First(rules, e); count > 0 {
			has = append(has, e)
		}
	}
	return has
}

// rulesOf are the rules that a binding grants.
func rulesOf(w *control.World, ref rbacv1.RoleRef) []rbacv1.PolicyRule {
	if ref.Kind != control.RoleKind {
		if role := w.ClusterRoles[ref.Name]; role != nil {
			return role.Rules
		}
		return nil
	}
	for _, role := range w.Roles {
		if role.Name == ref.Name {
			return role.Rules
		}
	}
	return nil
}

func listed(has []rights.Excess) string {
	words := make([]string, len(has))
	for i, e := range has {
		words[i] = string(e)
	}
	return strings.Join(words, ", ")
}

// checkCrowds says of each name that stands for everybody where it first stands.
// There are few of them, but one for each namespace.
func checkCrowds(subjects []rbacv1.Subject) []control.Finding {
	var findings []control.Finding
	seen := map[string]bool{}
	for i := range subjects {
		crowd := rights.Crowd(&subjects[i])
		if crowd == "" || seen[crowd] {
			continue
		}
		seen[crowd] = true
		findings = append(findings, control.Failed(fmt.Sprintf("subjects[%d]", i), "is %s %s: %s", subjects[i].Kind, subjects[i].Name, crowd).
			But("bind groups of people and ServiceAccounts by name").As(crowd))
	}
	return findings
}

// boundEverywhere judges the bindings of the whole cluster, as far as they reach
// into every namespace.
func boundEverywhere(s *control.Subject) []control.Finding {
	if !byRBAC(s.World) {
		return []control.Finding{notByRBAC()}
	}
	var findings []control.Finding
	for _, b := range s.World.ClusterBindings {
		role := s.World.ClusterRoles[b.RoleRef.Name]
		if role == nil {
			continue
		}
		if why := tooWide(s.Profile, b, role); why != "" {
			findings = append(findings, control.Failed("", "ClusterRoleBinding %s binds ClusterRole %s, %s", b.Name, role.Name, why).OnlyLive().
				But("bind a narrower role to named subjects; who administers the cluster stands under access.administrators in the ComplianceProfile").
				As(b.Name+" "+why))
		}
	}
	return findings
}

// byRBAC reports whether rights in this cluster go by what was read. Every cluster
// with RBAC has bindings of the whole cluster, those of Kubernetes itself.
func byRBAC(w *control.World) bool { return len(w.ClusterBindings) > 0 }

func notByRBAC() control.Finding {
	return control.Undecided("", "no binding of the whole cluster was found, and a cluster that goes by RBAC has some").
		OnlyLive().But("have the API server authorize by RBAC")
}

// tooWide says what is wrong with a binding of the whole cluster; empty is nothing.
func tooWide(p *control.Profile, b *rbacv1.ClusterRoleBinding, role *rbacv1.ClusterRole) string {
	if !rights.Harmless(role.Rules) {
		for i := range b.Subjects {
			if crowd := rights.Crowd(&b.Subjects[i]); crowd != "" {
				return "to " + crowd
			}
		}
	}
	if rights.OwnRole(role) || !slices.ContainsFunc(b.Subjects, func(subject rbacv1.Subject) bool { return !administers(p, &subject) }) {
		return ""
	}
	var grants []string
	if has := rights.OfClusterRole(role); len(has) > 0 {
		grants = append(grants, "which grants "+listed(has))
	}
	if rights.EnterNodes.Grants(role.Rules) {
		grants = append(grants, "by which its holder can "+string(rights.EnterNodes))
	}
	return strings.Join(grants, ", ")
}

// administers reports whether a subject may hold the whole cluster.
func administers(p *control.Profile, subject *rbacv1.Subject) bool {
	if rights.Own(subject) || subject.Kind == rbacv1.GroupKind && subject.Name == rights.Masters {
		return true
	}
	named := hipaav1.AccessSubject{Kind: hipaav1.AccessSubjectKind(subject.Kind), Namespace: subject.Namespace, Name: subject.Name}
	for _, list := range p.Access.Administrators {
		if !slices.Contains(list, named) {
			return false
		}
	}
	return len(p.Access.Administrators) > 0
}

// holders lists, for a reader who reviews access, the roles in use by which somebody
// can do what matters most.
func holders(w *control.World) []control.Finding {
	if !byRBAC(w) {
		return nil
	}
	by := map[rights.Power]map[string]bool{}
	note := func(kind string, ref rbacv1.RoleRef) {
		for _, power := range rights.Powers {
			if power.Grants(rulesOf(w, ref)) {
				if by[power] == nil {
					by[power] = map[string]bool{}
				}
				by[power][kind+" "+ref.Name] = true
			}
		}
	}
	for _, b := range w.Bindings {
		note(b.RoleRef.Kind, b.RoleRef)
	}
	for _, b := range w.ClusterBindings {
		if role := w.ClusterRoles[b.RoleRef.Name]; role != nil && !rights.OwnRole(role) {
			note("ClusterRole", b.RoleRef)
		}
	}
	parts := make([]string, 0, len(rights.Powers))
	for _, power := range rights.Powers {
		parts = append(parts, fmt.Sprintf("can %s: %s", power, atMost(3, slices.Sorted(maps.Keys(by[power])))))
	}
	return []control.Finding{control.Met("", "%s", strings.Join(parts, "; "))}
}

// atMost names some and counts the rest.
func atMost(limit int, names []string) string {
	switch {
	case len(names) == 0:
		return "nobody"
	case len(names) > limit:
		return fmt.Sprintf("%s and %d more", strings.Join(names[:limit], ", "), len(names)-limit)
	default:
		return strings.Join(names, ", ")
	}
}
