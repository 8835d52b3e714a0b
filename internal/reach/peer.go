package reach

import (
	"net/netip"
	"slices"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Peer is the other end of a flow: [Anyone], a [PodPeer] or a [Block]. A nil Peer is nobody.
type Peer interface {
	// crowd is everybody the peer stands for; not ok when that cannot be told exactly.
	crowd() (c crowd, ok bool)
	// phrase names the peer in a sentence.
	phrase() string
}

// Anyone is every pod of every namespace and every address of both families.
type Anyone struct{}

// PodPeer is pods by labels, in the namespaces that have one of the names and match the selector. Where one of the two
// is left out the other decides alone; with neither there is no such namespace, and the peer is nobody.
type PodPeer struct {
	Namespaces        []string
	NamespaceSelector *metav1.LabelSelector
	// PodSelector picks pods of these namespaces; empty means all of them.
	PodSelector metav1.LabelSelector
}

// Block is a range of addresses without its exceptions. It never stands for pods, although some network plugins let an
// ipBlock match the address of a pod: who means pods declares pods.
type Block struct {
	CIDR   netip.Prefix
	Except []netip.Prefix
}

// crowd is a set of possible peers: pods in one of the boxes, or addresses.
type crowd struct {
	pods      []box
	addresses addressSet
}

// namespaceName is the label that the API server keeps equal to the name of every namespace.
var namespaceName = labelKey{ofNamespace, corev1.LabelMetadataName}

// everyPod knows that no namespace goes without its name.
func everyPod() box { return box{{namespaceName, present()}} }

func (Anyone) crowd() (crowd, bool) {
	return crowd{pods: []box{nil}, addresses: everyAddress()}, true
}

func (p PodPeer) crowd() (crowd, bool) {
	if p.NamespaceSelector == nil && len(p.Namespaces) == 0 {
		return crowd{}, true
	}
	b, ok := exactBox(ofPod, &p.PodSelector)
	if !ok {
		return crowd{}, false
	}
	if p.NamespaceSelector != nil {
		namespaces, ok := exactBox(ofNamespace, p.NamespaceSelector)
		if !ok {
			return crowd{}, false
		}
		b = b.intersect(namespaces)
	}
	return crowd{pods: []box{p.named(b)}}, true
}

// bounding is crowd without what Kubernetes would not accept: never too small.
func (p PodPeer) bounding() crowd {
	b := boundingBox(ofPod, &p.PodSelector).intersect(everyPod())
	if p.NamespaceSelector != nil {
		b = b.intersect(boundingBox(ofNamespace, p.NamespaceSelector))
	}
	return crowd{pods: []box{p.named(b)}}
}

func (p PodPeer) named(b box) box {
	if len(p.Namespaces) == 0 {
		return b
	}
	return b.with(namespaceName, oneOf(p.Namespaces...))
}

func (b Block) crowd() (crowd, bool) {
	invalid := func(p netip.Prefix) bool { return !p.IsValid() }
	if invalid(b.CIDR) || slices.ContainsFunc(b.Except, invalid) {
		return crowd{}, false
	}
	return crowd{addresses: addressesOf(b.CIDR, b.Except)}, true
}
