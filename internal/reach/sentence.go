package reach

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Sentences are bounded, because they end up in conditions, and say how much they leave out.
const (
	listed    = 4  // entries of one list
	tokenSize = 63 // runes of one key, value or name
)

func sentence(w Widening, unreadable bool) string {
	peer := w.Peer.phrase()
	if unreadable {
		peer += " (the block in the policy cannot be read)"
	}
	var s string
	if w.Direction == Ingress {
		s = peer + " may connect to " + portsPhrase(w.Ports)
	} else {
		s = "these pods may connect to " + peer + " on " + portsPhrase(w.Ports)
	}
	if w.Unlisted {
		s += fmt.Sprintf(" (policyTypes leaves out %s; some network plugins apply the rule all the same)", w.Direction)
	}
	return s
}

func (Anyone) phrase() string { return "anyone" }

func (b Block) phrase() string {
	s := b.CIDR.String()
	if len(b.Except) == 0 {
		return s
	}
	holes := make([]string, len(b.Except))
	for i, p := range b.Except {
		holes[i] = p.String()
	}
	return s + " except " + enumerate(holes, ", ")
}

func (p PodPeer) phrase() string {
	pods := "any pod"
	if !selectsAll(&p.PodSelector) {
		pods = "pods with " + selectorPhrase(&p.PodSelector)
	}
	return pods + " in " + p.namespacePhrase()
}

func (p PodPeer) namespacePhrase() string {
	names := p.Namespaces
	if len(names) == 0 && p.NamespaceSelector != nil {
		if only, pinned := onlyNames(p.NamespaceSelector); pinned {
			names = only
		}
	}
	switch {
	case len(names) == 1:
		return "namespace " + token(names[0])
	case len(names) > 1:
		return "namespaces " + enumerate(tokens(names), ", ")
	case p.NamespaceSelector == nil:
		return "no namespace"
	case selectsAll(p.NamespaceSelector):
		return "any namespace"
	}
	return "namespaces with " + selectorPhrase(p.NamespaceSelector)
}

// onlyNames tells whether a namespace selector asks for nothing but names.
func onlyNames(s *metav1.LabelSelector) ([]string, bool) {
	b, ok := exactBox(ofNamespace, s)
	if !ok || len(b) != 1 || b[0].key != namespaceName || b[0].states.inverted || b[0].states.absent {
		return nil, false
	}
	return b[0].states.values, true
}

func selectsAll(s *metav1.LabelSelector) bool { return len(s.MatchLabels)+len(s.MatchExpressions) == 0 }

// selectorPhrase writes a selector as kubectl get -l takes it.
func selectorPhrase(s *metav1.LabelSelector) string {
	var parts []string
	for _, k := range slices.Sorted(maps.Keys(s.MatchLabels)) {
		parts = append(parts, token(k)+"="+token(s.MatchLabels[k]))
	}
	for _, r := range s.MatchExpressions {
		key := token(r.Key)
		values := "(" + enumerate(tokens(r.Values), ",") + ")"
		switch {
		case r.Operator == metav1.LabelSelectorOpIn && len(r.Values) == 1:
			parts = append(parts, key+"="+token(r.Values[0]))
		case r.Operator == metav1.LabelSelectorOpIn:
			parts = append(parts, key+" in "+values)
		case r.Operator == metav1.LabelSelectorOpNotIn && len(r.Values) == 1:
			parts = append(parts, key+"!="+token(r.Values[0]))
		case r.Operator == metav1.LabelSelectorOpNotIn:
			parts = append(parts, key+" notin "+values)
		case r.Operator == metav1.LabelSelectorOpExists:
			parts = append(parts, key)
		case r.Operator == metav1.LabelSelectorOpDoesNotExist:
			parts = append(parts, "!"+key)
		default:
			parts = append(parts, key+" "+token(string(r.Operator))+" "+values)
		}
	}
	return enumerate(parts, ",")
}

func portsPhrase(ports []PortRange) string {
	phrases := make([]string, len(ports))
	for i, p := range ports {
		phrases[i] = p.phrase()
	}
	return enumerate(phrases, ", ")
}

func (r PortRange) phrase() string {
	switch {
	case r.Protocol == AnyProtocol:
		return "every port of every protocol"
	case r.Protocol == OtherProtocols:
		return "protocols other than TCP, UDP and SCTP"
	case r.Name != "":
		return fmt.Sprintf("the %s port named %s, whatever its number", r.Protocol, token(r.Name))
	case r.First == firstPort && r.Last == lastPort:
		return fmt.Sprintf("every %s port", r.Protocol)
	case r.First == r.Last:
		return fmt.Sprintf("%s %d", r.Protocol, r.First)
	}
	return fmt.Sprintf("%s %d-%d", r.Protocol, r.First, r.Last)
}

func enumerate(entries []string, separator string) string {
	if len(entries) <= listed {
		return strings.Join(entries, separator)
	}
	return strings.Join(entries[:listed], separator) + fmt.Sprintf(" and %d more", len(entries)-listed)
}

func tokens(values []string) []string {
	shown := make([]string, 0, listed)
	for _, v := range values {
		shown = append(shown, token(v))
	}
	return shown
}

// token shows a key, value or name as it is if it could be one, else quoted and cut.
func token(s string) string {
	plain := s != "" && len(s) <= 4*tokenSize
	for _, r := range s {
		plain = plain && (r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("-_./", r))
	}
	if plain {
		return s
	}
	if runes := []rune(s); len(runes) > tokenSize {
		s = string(runes[:tokenSize])
	}
	return strconv.QuoteToASCII(s)
}
