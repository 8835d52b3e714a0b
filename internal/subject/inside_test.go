package subject_test

import (
	"context"
	"errors"
	"net/netip"
	"testing"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/hipaa-operator/hipaa-operator/internal/subject"
)

func TestTheClustersOwnAddressesAreInside(t *testing.T) {
	own, host := pod("own", nil), pod("host", nil)
	own.Status.PodIPs = []corev1.PodIP{{IP: "10.1.0.7"}, {IP: "fd00:1::7"}}
	host.Spec.HostNetwork, host.Status.PodIPs = true, []corev1.PodIP{{IP: "192.0.2.7"}}
	service := &corev1.Service{ObjectMeta: metav1.ObjectMeta{Namespace: "lab", Name: "s"}, Spec: corev1.ServiceSpec{ClusterIPs: []string{"10.96.0.7", "fd00:96::7"}}}
	headless := &corev1.Service{ObjectMeta: metav1.ObjectMeta{Namespace: "lab", Name: "h"}, Spec: corev1.ServiceSpec{ClusterIPs: []string{"None"}}}
	node := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "n"}, Spec: corev1.NodeSpec{PodCIDRs: []string{"10.2.0.0/24", "fd00:2::/64"}}}
	slice := &discoveryv1.EndpointSlice{
		ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "k", Labels: map[string]string{discoveryv1.LabelServiceName: "kubernetes"}},
		Endpoints:  []discoveryv1.Endpoint{{Addresses: []string{"192.0.2.10"}}}, Ports: []discoveryv1.EndpointPort{{Port: ptr.To[int32](6443)}},
	}
	cache := fake.NewClientBuilder().WithScheme(scheme(t)).WithObjects(own, host, service, headless, node, slice).
		WithIndex(&corev1.Pod{}, subject.ByAddress, subject.AddressesOf).Build()
	loader := &subject.Loader{Cache: cache}
	for name, tc := range map[string]struct {
		give string
		want bool
	}{
		"of a pod":                       {"10.1.0.7:443", true},
		"of a pod, in IPv6":              {"[fd00:1::7]:443", true},
		"of a pod in its node's network": {"192.0.2.7:443", false},
		"of a Service":                   {"10.96.0.7:443", true},
		"of a Service, in IPv6":          {"[fd00:96::7]:443", true},
		"in a node's range":              {"10.2.0.200:443", true},
		"in a node's range, in IPv6":     {"[fd00:2::200]:443", true},
		"of the API server":              {"192.0.2.10:6443", true},
		"of another port beside that":    {"192.0.2.10:443", false},
		"of nobody":                      {"198.51.100.80:443", false},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := loader.Inside(t.Context(), netip.MustParseAddrPort(tc.give))
			if got != tc.want || err != nil {
				t.Errorf("Inside() = %t, %v, want %t", got, err, tc.want)
			}
		})
	}
	t.Run("of nobody knows whom", func(t *testing.T) {
		broken := interceptor.NewClient(cache, interceptor.Funcs{
			List: func(context.Context, client.WithWatch, client.ObjectList, ...client.ListOption) error {
				return errors.New("away")
			},
		})
		blind := &subject.Loader{Cache: broken}
		if _, err := blind.Inside(t.Context(), netip.MustParseAddrPort("198.51.100.80:443")); err == nil {
			t.Error("what cannot be read is taken for nobody's")
		}
	})
}
