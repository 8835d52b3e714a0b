package netpol

import "slices"

// matches tells whether all of the selector's requirements hold.
func (s Selector) matches(labels map[string]string) bool {
	for key, value := range s.MatchLabels {
		if has, ok := labels[key]; !ok || has != value {
			return false
		}
	}
	for _, r := range s.MatchExpressions {
		if !r.holds(labels) {
			return false
		}
	}
	return true
}

// holds follows the API: NotIn holds where the label is absent. An operator that is not known never holds.
func (r Requirement) holds(labels map[string]string) bool {
	value, ok := labels[r.Key]
	switch r.Operator {
	case "In":
		return ok && slices.Contains(r.Values, value)
	case "NotIn":
		return !ok || !slices.Contains(r.Values, value)
	case "Exists":
		return ok
	case "DoesNotExist":
		return !ok
	}
	return false
}

// selects tells whether the peer, in a policy of this namespace, means the pod.
func (s State) selects(peer Peer, namespace string, p Pod) bool {
	if peer.IPBlock != nil {
		return false
	}
	if peer.NamespaceSelector == nil {
		if p.Metadata.Namespace != namespace {
			return false
		}
	} else {
		in, known := s.Namespaces[p.Metadata.Namespace]
		if !known || !peer.NamespaceSelector.matches(in.Metadata.Labels) {
			return false
		}
	}
	return peer.PodSelector == nil || peer.PodSelector.matches(p.Metadata.Labels)
}
