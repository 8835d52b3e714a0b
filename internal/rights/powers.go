package rights

import (
	"slices"
	"strings"

	rbacv1 "k8s.io/api/rbac/v1"
)

// Power is something that a reader of an access list looks for.
type Power string

// The powers, as people read them.
const (
	ReadSecrets   Power = "read Secrets"
	EnterPods     Power = "reach into pods"
	ReadLogs      Power = "read logs"
	ActAsAccounts Power = "act as ServiceAccounts"
	// EnterNodes passes by everything: admission never sees such a request.
	EnterNodes Power = "reach into every pod by its node"
)

// Powers are those that hold in a namespace, in a fixed order.
var Powers = []Power{ReadSecrets, EnterPods, ReadLogs, ActAsAccounts}

// request is what a power comes down to: any of the verbs on a resource of the core
// group.
type request struct {
	resource string
	verbs    []string
}

var requests = map[Power][]request{
	ReadSecrets: {{"secrets", []string{"get", "list", "watch"}}},
	EnterPods: {
		{"pods/exec", []string{"create", "get"}}, {"pods/attach", []string{"create", "get"}}, {"pods/portforward", []string{"create", "get"}},
		{"pods/proxy", []string{"create", "get", "update", "patch", "delete"}}, {"pods/ephemeralcontainers", []string{"update", "patch"}},
		{"services/proxy", []string{"create", "get", "update", "patch", "delete"}},
	},
	ReadLogs:      {{"pods/log", []string{"get"}}},
	ActAsAccounts: {{"serviceaccounts", []string{"impersonate"}}, {"serviceaccounts/token", []string{"create"}}},
	EnterNodes:    {{"nodes/proxy", []string{"create", "get", "update", "patch", "delete"}}},
}

// Grants reports whether some rule gives the power.
func (p Power) Grants(rules []rbacv1.PolicyRule) bool {
	return slices.ContainsFunc(rules, func(rule rbacv1.PolicyRule) bool {
		return slices.ContainsFunc(requests[p], func(r request) bool { return r.allowedBy(&rule) })
	})
}

func (r request) allowedBy(rule *rbacv1.PolicyRule) bool {
	return slices.ContainsFunc(rule.APIGroups, func(g string) bool { return g == "" || g == rbacv1.APIGroupAll }) &&
		slices.ContainsFunc(rule.Resources, r.isOf) &&
		slices.ContainsFunc(rule.Verbs, func(v string) bool { return v == rbacv1.VerbAll || slices.Contains(r.verbs, v) })
}

// isOf reports whether a resource of a rule covers that of the request.
func (r request) isOf(resource string) bool {
	if resource == rbacv1.ResourceAll || resource == r.resource {
		return true
	}
	_, sub, divided := strings.Cut(r.resource, "/")
	return divided && resource == everySub+sub
}

// aboutOneself are the resources by which callers learn about themselves.
var aboutOneself = []string{"selfsubjectaccessreviews", "selfsubjectrulesreviews", "selfsubjectreviews"}

// Harmless reports whether rules reach nothing of any namespace: URLs that are no
// resources, and questions about oneself. It is what Kubernetes lets everybody do.
func Harmless(rules []rbacv1.PolicyRule) bool {
	for i := range rules {
		for _, resource := range rules[i].Resources {
			if !slices.Contains(aboutOneself, resource) {
				return false
			}
		}
	}
	return true
}
