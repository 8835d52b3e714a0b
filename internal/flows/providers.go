package flows

import (
	corev1 "k8s.io/api/core/v1"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
	"github.com/hipaa-operator/hipaa-operator/internal/reach"
)

// providers are the ways by which the workload's proxies reach the identity providers
// whose tokens they take. A realm that says nothing of where it is opens nothing.
func (d declaration) providers() []Flow {
	users := d.workload.Spec.Users
	if users == nil || d.workload.Status.Proxy == nil {
		return nil
	}
	var flows []Flow
	for _, name := range users.Realms {
		realm, known := d.subject.Profile.Users.Realms[name]
		if !known || realm.Port == 0 {
			continue
		}
		f := Flow{Path: "identity provider " + name, Ports: appendPort(nil, corev1.ProtocolTCP, realm.Port)}
		providerPeers(&f, &realm)
		flows = append(flows, f)
	}
	return flows
}

func providerPeers(f *Flow, realm *hipaav1.Realm) {
	if realm.PodSelector != nil {
		if !isSelector(realm.PodSelector) {
			f.Closed = "has a selector that cannot be read"
			return
		}
		f.Peers = []reach.Peer{podsIn(realm.Namespace, *realm.PodSelector)}
		return
	}
	for _, text := range realm.CIDRs {
		prefix, readable := prefixOf(text)
		if !readable {
			f.Closed = "has a range that cannot be read"
			return
		}
		f.Peers = append(f.Peers, reach.Block{CIDR: prefix})
	}
}
