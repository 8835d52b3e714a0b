package canary

import (
	"context"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strconv"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// identityLabel is what every kube-apiserver puts on its lease in kube-system.
const identityLabel = "apiserver.kubernetes.io/identity"

// servers are the API servers that hold a lease, sorted. A server that starts anew has
// another name here.
func (c *Canary) servers(ctx context.Context) ([]string, error) {
	var leases coordinationv1.LeaseList
	err := c.Live.List(ctx, &leases, client.InNamespace(metav1.NamespaceSystem), client.MatchingLabels{identityLabel: "kube-apiserver"})
	if err != nil {
		return nil, fmt.Errorf("listing the leases of API servers: %w", err)
	}
	var names []string
	for i := range leases.Items {
		spec := &leases.Items[i].Spec
		lasts := time.Duration(ptr.Deref(spec.LeaseDurationSeconds, 0)) * time.Second
		if spec.RenewTime != nil && c.Clock.Now().Before(spec.RenewTime.Add(lasts)) {
			names = append(names, ptr.Deref(spec.HolderIdentity, leases.Items[i].Name))
		}
	}
	slices.Sort(names)
	return names, nil
}

// fresh is how many connections are made for each API server where an address leads to
// several of them.
const fresh = 4

// targets are the ways to ask: the address that the operator is configured with, then
// each server by its own, then the first again and again, for whatever stands before
// several servers may lead to another one each time.
func (c *Canary) targets(ctx context.Context, servers int) ([]*rest.Config, error) {
	targets := []*rest.Config{c.Config}
	direct, err := c.direct(ctx)
	if servers > 1 {
		targets = append(targets, direct...)
		for range fresh * servers {
			targets = append(targets, c.Config)
		}
	}
	return targets, err
}

// direct are the API servers by the addresses that the Service default/kubernetes leads
// to. Each has to show the certificate that the configured address shows: these objects
// are no secret, and a token goes there.
func (c *Canary) direct(ctx context.Context) ([]*rest.Config, error) {
	base, err := url.Parse(c.Config.Host)
	if err != nil || base.Hostname() == "" || c.Config.Insecure {
		return nil, nil //nolint:nilerr // only an https:// address with authorities can be taken for another
	}
	var slicesOf discoveryv1.EndpointSliceList
	err = c.Live.List(ctx, &slicesOf, client.InNamespace(metav1.NamespaceDefault), client.MatchingLabels{discoveryv1.LabelServiceName: "kubernetes"})
	if err != nil {
		return nil, fmt.Errorf("listing the addresses of API servers: %w", err)
	}
	var targets []*rest.Config
	for i := range slicesOf.Items {
		for _, port := range slicesOf.Items[i].Ports {
			for _, endpoint := range slicesOf.Items[i].Endpoints {
				for _, address := range endpoint.Addresses {
					target := rest.CopyConfig(c.Config)
					target.Host = "https://" + net.JoinHostPort(address, strconv.Itoa(int(ptr.Deref(port.Port, 0))))
					if target.ServerName == "" {
						target.ServerName = base.Hostname()
					}
					targets = append(targets, target)
				}
			}
		}
	}
	return targets, nil
}
