package flows

import (
	"cmp"
	"errors"
	"fmt"
	"strings"

	"k8s.io/apimachinery/pkg/types"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
	"github.com/hipaa-operator/hipaa-operator/internal/control"
	"github.com/hipaa-operator/hipaa-operator/internal/reach"
)

// service resolves a Service to its pods and the numbers of its target ports. A
// named one cannot be told without its pods, and policies with names are not
// enforced alike by all network plugins: it stays closed.
func (d declaration) service(f *Flow, peer *hipaav1.ServicePeer) {
	key := types.NamespacedName{Namespace: cmp.Or(peer.Namespace, d.workload.Namespace), Name: peer.Name}
	service := d.subject.World.Services[key]
	if service == nil {
		f.Closed = fmt.Sprintf("Service %s does not exist", key)
		return
	}
	resolved, err := reach.ServiceFlow(service)
	if err != nil {
		f.Closed = fmt.Sprintf("Service %s names no port", key)
		if errors.Is(err, reach.ErrNoSelector) {
			f.Closed = fmt.Sprintf("Service %s selects no pods", key)
			fault := control.Failed(f.Path+".service", "names Service %s, which selects no pods, and stays closed", key).
				But("declare its addresses as ipBlock with ports, or give the Service a selector").OnlyLive()
			f.Fault = &fault
		}
		return
	}
	f.Ports = nil
	var named []string
	for _, p := range resolved.Ports {
		if p.Name != "" {
			named = append(named, p.Name)
			continue
		}
		f.Ports = appendPort(f.Ports, p.Protocol, p.First)
	}
	if len(named) > 0 {
		f.Closed = fmt.Sprintf("Service %s has target ports that are names (%s): give their numbers in the Service, or declare pods with ports",
			key, strings.Join(named, ", "))
	}
	f.Peers = []reach.Peer{resolved.Peer}
}
