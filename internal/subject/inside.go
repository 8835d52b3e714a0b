package subject

import (
	"context"
	"fmt"
	"net/netip"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/hipaa-operator/hipaa-operator/internal/control"
)

// ByAddress indexes pods by the addresses that are theirs alone.
const ByAddress = "hipaa.address"

// AddressesOf are the addresses of a pod; one in its node's network has none of its own.
func AddressesOf(object client.Object) []string {
	pod, is := object.(*corev1.Pod)
	if !is || pod.Spec.HostNetwork {
		return nil
	}
	var addresses []string
	for _, ip := range pod.Status.PodIPs {
		addresses = append(addresses, ip.IP)
	}
	return addresses
}

// Inside reports whether an address is one of the cluster's own, by which nobody outside
// reaches it: of a pod, of a range that pods get theirs from, of a Service, or of the API
// server. The cache has to index pods by ByAddress.
func (l *Loader) Inside(ctx context.Context, to netip.AddrPort) (bool, error) {
	var pods corev1.PodList
	if err := l.list(ctx, "", &pods, client.MatchingFields{ByAddress: to.Addr().String()}); err != nil {
		return false, err
	}
	if len(pods.Items) > 0 {
		return true, nil
	}
	var services corev1.ServiceList
	if err := l.list(ctx, "", &services); err != nil {
		return false, err
	}
	for i := range services.Items {
		if slices.ContainsFunc(services.Items[i].Spec.ClusterIPs, func(text string) bool { return isAddress(text, to.Addr()) }) {
			return true, nil
		}
	}
	var nodes corev1.NodeList
	if err := l.list(ctx, "", &nodes); err != nil {
		return false, err
	}
	for i := range nodes.Items {
		if slices.ContainsFunc(nodes.Items[i].Spec.PodCIDRs, func(text string) bool { return inRange(text, to.Addr()) }) {
			return true, nil
		}
	}
	w := &world{&control.World{}}
	if err := l.apiServer(ctx, w); err != nil {
		return false, fmt.Errorf("looking for the API server: %w", err)
	}
	return slices.ContainsFunc(w.APIServer, func(own netip.AddrPort) bool { return netip.AddrPortFrom(own.Addr().Unmap(), own.Port()) == to }), nil
}

func isAddress(text string, address netip.Addr) bool {
	parsed, err := netip.ParseAddr(text)
	return err == nil && parsed.Unmap() == address
}

func inRange(text string, address netip.Addr) bool {
	prefix, err := netip.ParsePrefix(text)
	return err == nil && prefix.Contains(address)
}
