package subject

import (
	"context"
	"net/netip"
	"slices"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
	"github.com/hipaa-operator/hipaa-operator/internal/control"
)

// networkPolicies reads every NetworkPolicy of a namespace.
func (l *Loader) networkPolicies(ctx context.Context, w *world, namespace string) error {
	var policies networkingv1.NetworkPolicyList
	if err := l.list(ctx, namespace, &policies); err != nil {
		return err
	}
	w.Policies = sortedByName(pointers(policies.Items))
	return nil
}

// flowPeers reads what the declared flows of workloads refer to. A peer that
// does not exist stays absent; its flow stays closed.
func (l *Loader) flowPeers(ctx context.Context, w *world, workloads []*hipaav1.PHIWorkload) error {
	for _, workload := range workloads {
		if workload.Spec.Access != nil {
			for _, from := range workload.Spec.Access.From {
				if err := l.workloadPeer(ctx, w, workload.Namespace, from.PHIWorkload); err != nil {
					return err
				}
			}
		}
		if workload.Spec.Egress == nil {
			continue
		}
		for _, to := range workload.Spec.Egress.To {
			if err := l.workloadPeer(ctx, w, workload.Namespace, to.PHIWorkload); err != nil {
				return err
			}
			if err := l.servicePeer(ctx, w, workload.Namespace, to.Service); err != nil {
				return err
			}
		}
	}
	if slices.ContainsFunc(workloads, callsAPIServer) {
		if err := l.apiServer(ctx, w); err != nil {
			return err
		}
	}
	return l.resolvers(ctx, w)
}

// noteAbsent says what was not found although every cluster has it. Gone for a
// moment, it must not pass for gone: the workload's flows would be cut. The
// namespace as a whole calls nobody, and nothing keeps it from being closed.
func (w *world) noteAbsent(workload *hipaav1.PHIWorkload) {
	if _, unread := w.Missing[control.FlowPeers]; unread || workload == nil {
		return
	}
	if len(w.Resolvers) == 0 {
		w.Missing[control.Resolvers] = "no Service kube-system/kube-dns leads to them"
	}
	if len(w.APIServer) == 0 && callsAPIServer(workload) {
		w.Missing[control.APIServer] = "the Service default/kubernetes has no endpoints"
	}
}

func callsAPIServer(w *hipaav1.PHIWorkload) bool {
	return w.Spec.Egress != nil && slices.ContainsFunc(w.Spec.Egress.To, func(to hipaav1.EgressPeer) bool { return to.KubernetesAPI != nil })
}

func (l *Loader) workloadPeer(ctx context.Context, w *world, namespace string, peer *hipaav1.PHIWorkloadPeer) error {
	if peer == nil {
		return nil
	}
	key := types.NamespacedName{Namespace: orDefault(peer.Namespace, namespace), Name: peer.Name}
	if _, known := w.Workloads[key]; known {
		return nil
	}
	workload := &hipaav1.PHIWorkload{}
	found, err := l.cached(ctx, key, workload)
	if found {
		w.Workloads[key] = workload
	}
	return err
}

func (l *Loader) servicePeer(ctx context.Context, w *world, namespace string, peer *hipaav1.ServicePeer) error {
	if peer == nil {
		return nil
	}
	key := types.NamespacedName{Namespace: orDefault(peer.Namespace, namespace), Name: peer.Name}
	if _, known := w.Services[key]; known {
		return nil
	}
	service := &corev1.Service{}
	found, err := l.cached(ctx, key, service)
	if found {
		w.Services[key] = service
	}
	return err
}

// apiServer reads the addresses behind the Service default/kubernetes.
func (l *Loader) apiServer(ctx context.Context, w *world) error {
	var endpoints discoveryv1.EndpointSliceList
	selector := client.MatchingLabels{discoveryv1.LabelServiceName: "kubernetes"}
	if err := l.list(ctx, metav1.NamespaceDefault, &endpoints, selector); err != nil {
		return err
	}
	for _, slice := range endpoints.Items {
		for _, port := range slice.Ports {
			if port.Port == nil {
				continue
			}
			for _, endpoint := range slice.Endpoints {
				w.addAPIServer(endpoint.Addresses, *port.Port)
			}
		}
	}
	slices.SortFunc(w.APIServer, netip.AddrPort.Compare)
	w.APIServer = slices.Compact(w.APIServer)
	return nil
}

func (w *world) addAPIServer(addresses []string, port int32) {
	for _, text := range addresses {
		if address, err := netip.ParseAddr(text); err == nil && port > 0 && port <= 65535 {
			w.APIServer = append(w.APIServer, netip.AddrPortFrom(address, uint16(port)))
		}
	}
}

// resolvers discovers the Service kube-system/kube-dns, under which every
// distribution publishes its cluster's resolver.
func (l *Loader) resolvers(ctx context.Context, w *world) error {
	var err error
	w.Resolvers, err = l.DiscoveredResolvers(ctx)
	return err
}

// DiscoveredResolvers are the pods behind that Service; none where nobody knows them.
func (l *Loader) DiscoveredResolvers(ctx context.Context) ([]control.Resolver, error) {
	service := &corev1.Service{}
	found, err := l.cached(ctx, types.NamespacedName{Namespace: metav1.NamespaceSystem, Name: "kube-dns"}, service)
	if err != nil || !found || len(service.Spec.Selector) == 0 {
		return nil, err
	}
	var list []control.Resolver
	for _, port := range resolverPorts(service) {
		list = append(list, control.Resolver{
			Namespace: metav1.NamespaceSystem,
			Pods:      &metav1.LabelSelector{MatchLabels: service.Spec.Selector},
			Port:      port,
		})
	}
	return list, nil
}

// dnsPort is where names are resolved.
const dnsPort = 53

// resolverPorts are the numbers on which the resolver's pods answer. A named
// target port is 53 by every distribution's convention.
func resolverPorts(service *corev1.Service) []int32 {
	var ports []int32
	for _, port := range service.Spec.Ports {
		if port.Port != dnsPort {
			continue
		}
		number := port.TargetPort.IntVal
		if number == 0 {
			number = port.Port
		}
		ports = append(ports, number)
	}
	slices.Sort(ports)
	return slices.Compact(ports)
}

func orDefault(value, fallback string) string {
	if value == "" {
		return fallback
	}
	return value
}
