// Package rights says what RBAC lets its subjects do in one namespace. Its promise:
// it computes from rules and names alone, a wildcard grants whatever there is or
// will be, and what only looks like Kubernetes' own is not.
package rights

import (
	"slices"
	"strings"

	rbacv1 "k8s.io/api/rbac/v1"
)

// Excess is a way in which a rule grants more than anybody can list.
type Excess string

// The ways, as people read them.
const (
	EveryVerb     Excess = "every verb"
	EveryResource Excess = "every resource"
	EveryGroup    Excess = "every API group"
	Escalate      Excess = "escalate"
	Bind          Excess = "bind"
	Impersonate   Excess = "impersonate"
)

// Excesses are all of them, in a fixed order.
var Excesses = []Excess{EveryVerb, EveryResource, EveryGroup, Escalate, Bind, Impersonate}

// Field is the field of a rule that the excess stands in, and the value.
func (e Excess) Field() (field, value string) {
	switch e {
	case EveryVerb:
		return "verbs", rbacv1.VerbAll
	case EveryResource:
		return "resources", rbacv1.ResourceAll
	case EveryGroup:
		return "apiGroups", rbacv1.APIGroupAll
	default:
		return "verbs", string(e)
	}
}

// Has reports whether a rule goes too far in this way. Rules about URLs that are no
// resources reach no namespace.
func (e Excess) Has(rule *rbacv1.PolicyRule) bool {
	if len(rule.Resources) == 0 {
		return false
	}
	switch e {
	case EveryVerb:
		return slices.Contains(rule.Verbs, rbacv1.VerbAll)
	case EveryResource:
		return slices.ContainsFunc(rule.Resources, func(r string) bool { return r == rbacv1.ResourceAll || strings.HasPrefix(r, everySub) })
	case EveryGroup:
		return slices.Contains(rule.APIGroups, rbacv1.APIGroupAll)
	default:
		return slices.Contains(rule.Verbs, string(e))
	}
}

// everySub begins what stands for one subresource of every resource, as "*/scale".
const everySub = rbacv1.ResourceAll + "/"

// First is the first rule that has an excess, and how many have it.
func First(rules []rbacv1.PolicyRule, e Excess) (first, count int) {
	for i := range rules {
		if !e.Has(&rules[i]) {
			continue
		}
		if count == 0 {
			first = i
		}
		count++
	}
	return first, count
}

// OfClusterRole lists what a ClusterRole has. The built-in roles edit and admin may
// impersonate the ServiceAccounts of the namespace; that is passed over, and of them
// alone: they let their holder create pods, which run under any of these anyway.
func OfClusterRole(role *rbacv1.ClusterRole) []Excess {
	var has []Excess
	for _, e := range Excesses {
		for i := range role.Rules {
			if e.Has(&role.Rules[i]) && !(e == Impersonate && builtInAccounts(role, &role.Rules[i])) {
				has = append(has, e)
				break
			}
		}
	}
	return has
}

func builtInAccounts(role *rbacv1.ClusterRole, rule *rbacv1.PolicyRule) bool {
	return (role.Name == "edit" || role.Name == "admin") && shipped(role) && slices.Equal(rule.Resources, []string{"serviceaccounts"})
}

// The label that Kubernetes puts on what it ships and restores at its start.
const (
	bootstrapping = "kubernetes.io/bootstrapping"
	rbacDefaults  = "rbac-defaults"
)

func shipped(role *rbacv1.ClusterRole) bool { return role.Labels[bootstrapping] == rbacDefaults }

// OwnRole reports whether a ClusterRole is one that Kubernetes ships for its own
// components. Whoever can forge one can write any ClusterRole of the cluster.
func OwnRole(role *rbacv1.ClusterRole) bool {
	return strings.HasPrefix(role.Name, system) && shipped(role)
}
