package admission

import (
	"context"
	"fmt"
	"regexp"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"

	"github.com/hipaa-operator/hipaa-operator/internal/engine"
)

var (
	sliceKind     = discoveryv1.SchemeGroupVersion.WithKind("EndpointSlice")
	endpointsKind = corev1.SchemeGroupVersion.WithKind("Endpoints")
)

// validateEndpoints judges addresses that somebody wrote by hand: a Service may
// send there what was meant for a workload.
func (g *Gate) validateEndpoints(ctx context.Context, req admission.Request) (answer, error) {
	if gvk(&req) == endpointsKind {
		return validate(ctx, g, &req, endpointsKind, judgeEndpoints)
	}
	return validate(ctx, g, &req, sliceKind, judgeSlice)
}

func judgeSlice(ctx context.Context, h *hearing, slice *discoveryv1.EndpointSlice) (engine.Decision, error) {
	return h.judge(ctx, h.scene.Workloads, slice)
}

// judgeEndpoints judges the EndpointSlices that the cluster will mirror them to.
func judgeEndpoints(ctx context.Context, h *hearing, endpoints *corev1.Endpoints) (engine.Decision, error) { //nolint:staticcheck // deprecated, and still served
	var d engine.Decision
	for i := range endpoints.Subsets {
		one, err := judgeSlice(ctx, h, mirrored(endpoints, &endpoints.Subsets[i]))
		if err != nil {
			return d, err
		}
		d = join(d, each(one, func(v *engine.Violation) {
			v.Object = "Endpoints/" + endpoints.Name
			v.Path = mirroredPath(i, v.Path)
		}))
	}
	return d, nil
}

func mirrored(endpoints *corev1.Endpoints, subset *corev1.EndpointSubset) *discoveryv1.EndpointSlice { //nolint:staticcheck // deprecated, and still served
	slice := &discoveryv1.EndpointSlice{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: endpoints.Namespace,
			Name:      endpoints.Name,
			Labels:    map[string]string{discoveryv1.LabelServiceName: endpoints.Name},
		},
	}
	for _, addresses := range [][]corev1.EndpointAddress{subset.Addresses, subset.NotReadyAddresses} {
		for _, address := range addresses {
			slice.Endpoints = append(slice.Endpoints, discoveryv1.Endpoint{
				Addresses: []string{address.IP},
				TargetRef: address.TargetRef,
				NodeName:  address.NodeName,
			})
		}
	}
	for i := range subset.Ports {
		port := &subset.Ports[i]
		slice.Ports = append(slice.Ports, discoveryv1.EndpointPort{
			Name: &port.Name, Protocol: &port.Protocol, Port: &port.Port, AppProtocol: port.AppProtocol,
		})
	}
	return slice
}

var sliceAddress = regexp.MustCompile(`^endpoints\[(\d+)\](\.addresses\[0\])?`)

// mirroredPath is where in an Endpoints object the path of its mirror stands.
// Addresses count on into those that are not ready.
func mirroredPath(subset int, path string) string {
	at := fmt.Sprintf("subsets[%d]", subset)
	if path == "" {
		return at
	}
	return at + "." + sliceAddress.ReplaceAllString(path, "addresses[$1].ip")
}
