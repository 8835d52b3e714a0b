package reach

import (
	"cmp"
	"slices"

	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/labels"
)

// World is what is known of a cluster's network rules. The questions read it and never change it.
type World struct {
	// Policies are all NetworkPolicies that may matter; those of other namespaces than the one asked about are passed
	// over. A policy without a namespace (a file) is presumed to widen in every namespace and to isolate in none.
	Policies []networkingv1.NetworkPolicy
	// Namespaces holds the labels of namespaces by name, as far as known. They show that a namespace which a policy
	// names is one of those that a declared namespaceSelector selects; nothing is ever excused by a namespace missing.
	Namespaces map[string]labels.Set
}

// residence is how surely a policy must belong to a namespace.
type residence bool

const (
	stated   residence = false
	presumed residence = true // it may lack a namespace
)

// in returns the policies of a namespace by name, so that answers do not depend on the order of a list.
func (w World) in(namespace string, r residence) []*networkingv1.NetworkPolicy {
	var found []*networkingv1.NetworkPolicy
	for i := range w.Policies {
		if p := &w.Policies[i]; p.Namespace == namespace || r == presumed && p.Namespace == "" {
			found = append(found, p)
		}
	}
	slices.SortStableFunc(found, func(a, b *networkingv1.NetworkPolicy) int { return cmp.Compare(a.Name, b.Name) })
	return found
}

// labelsOf returns the labels of a namespace, its name among them.
func (w World) labelsOf(namespace string) (labels.Set, bool) {
	l, known := w.Namespaces[namespace]
	if !known {
		return nil, false
	}
	return labels.Merge(l, labels.Set{namespaceName.name: namespace}), true
}

// settle replaces what a box says of namespaces that it names by what is known of them: their labels are exactly these.
// Only the given keys are written down, for no other will be asked. A namespace whose labels contradict the box today
// may match tomorrow; of it nothing is used.
func (w World) settle(b box, keys []labelKey) []box {
	names := b.at(namespaceName)
	if len(w.Namespaces) == 0 || names.inverted {
		return []box{b}
	}
	var settled []box
	for _, name := range names.values {
		one := b.with(namespaceName, oneOf(name))
		l, known := w.labelsOf(name)
		if known && one.matches(ofNamespace, l) {
			for _, key := range keys {
				one = one.with(key, stateOf(l, key.name))
			}
		}
		settled = append(settled, one)
	}
	return settled
}

func stateOf(l labels.Set, name string) valueSet {
	if value, exists := l[name]; exists {
		return oneOf(value)
	}
	return missing()
}
