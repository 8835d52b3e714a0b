package subject

import (
	"context"
	"net/netip"
	"slices"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
	"github.com/hipaa-operator/hipaa-operator/internal/control"
)

// proxy reads what pods get that speaks mutual TLS for them.
func (l *Loader) proxy(ctx context.Context, w *world) error {
	if l.Proxy == nil {
		return nil
	}
	if _, err := l.Proxy(); err != nil {
		w.Missing[control.Proxies] = err.Error()
		return nil //nolint:nilerr // it stands in the world
	}
	var err error
	w.Proxy, err = l.OperatorsProxy(ctx)
	return err
}

// OperatorsProxy is what pods get that speaks mutual TLS for them, as it stands now; nil
// where the operator has none.
func (l *Loader) OperatorsProxy(ctx context.Context) (*control.Proxy, error) {
	if l.Proxy == nil {
		return nil, nil //nolint:nilnil // none is an answer
	}
	proxy, err := l.Proxy()
	if err != nil {
		return nil, err
	}
	own := *proxy
	own.NameServers, err = l.nameServers(ctx)
	return &own, err
}

// nameServers are the addresses of the Service kube-system/kube-dns.
func (l *Loader) nameServers(ctx context.Context) ([]netip.AddrPort, error) {
	service := &corev1.Service{}
	found, err := l.cached(ctx, types.NamespacedName{Namespace: metav1.NamespaceSystem, Name: "kube-dns"}, service)
	if err != nil || !found {
		return nil, err
	}
	var servers []netip.AddrPort
	for _, text := range service.Spec.ClusterIPs {
		if address, err := netip.ParseAddr(text); err == nil {
			servers = append(servers, netip.AddrPortFrom(address, dnsPort))
		}
	}
	slices.SortFunc(servers, netip.AddrPort.Compare)
	return servers, nil
}

// parties reads the PHI workloads that flows name, with their pods and Services.
func (l *Loader) parties(ctx context.Context, w *world, workload *hipaav1.PHIWorkload) error {
	if l.Proxy == nil || workload == nil {
		return nil
	}
	w.Parties = map[types.NamespacedName]control.Party{}
	for _, key := range namedBy(workload) {
		if _, known := w.Parties[key]; known {
			continue
		}
		peer := w.Workloads[key]
		if key.Namespace == workload.Namespace && key.Name == workload.Name {
			peer = workload
		}
		if peer == nil {
			continue
		}
		pods, err := l.podsOf(ctx, peer)
		if err != nil {
			return err
		}
		var services corev1.ServiceList
		if err := l.list(ctx, key.Namespace, &services); err != nil {
			return err
		}
		w.Parties[key] = control.Party{Pods: pods, Services: sortedByName(pointers(services.Items))}
	}
	return nil
}

// namedBy are the PHI workloads that the flows of one name.
func namedBy(workload *hipaav1.PHIWorkload) []types.NamespacedName {
	var keys []types.NamespacedName
	add := func(peer *hipaav1.PHIWorkloadPeer) {
		if peer != nil {
			keys = append(keys, types.NamespacedName{Namespace: orDefault(peer.Namespace, workload.Namespace), Name: peer.Name})
		}
	}
	if workload.Spec.Access != nil {
		for i := range workload.Spec.Access.From {
			add(workload.Spec.Access.From[i].PHIWorkload)
		}
	}
	if workload.Spec.Egress != nil {
		for i := range workload.Spec.Egress.To {
			add(workload.Spec.Egress.To[i].PHIWorkload)
		}
	}
	return keys
}
