package admission_test

import (
	"fmt"
	"slices"
	"testing"

	admissionv1 "k8s.io/api/admission/v1"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/utils/ptr"

	"github.com/hipaa-operator/hipaa-operator/internal/control/catalog"
	"github.com/hipaa-operator/hipaa-operator/internal/phitest"
)

// edit is an update of an object that violates its controls already.
type edit struct {
	path         string
	old, updated runtime.Object
	allowed      bool
}

// edited is an edit of a copy.
func edited[P interface {
	runtime.Object
	DeepCopy() P
}](path string, old P, allowed bool, change func(P)) edit {
	updated := old.DeepCopy()
	change(updated)
	return edit{path: path, old: old, updated: updated, allowed: allowed}
}

// openings is a policy that opens more flows than a refusal tells.
func openings(blocks int) *networkingv1.NetworkPolicy {
	b := phitest.Policy("wide")
	for i := range blocks {
		b.Ingress(phitest.Block(fmt.Sprintf("203.0.113.%d/32", i)))
	}
	return b.Obj()
}

func TestAnUpdateHidesNoNewFaultBehindAnOldOne(t *testing.T) {
	slice := phitest.Slice("outside", "patient-api", "198.51.100.1", "198.51.100.2").Port("http", 8080).Obj()
	endpoints := &corev1.Endpoints{ //nolint:staticcheck // deprecated, and still served
		ObjectMeta: metav1.ObjectMeta{Namespace: "ehr", Name: "patient-api"},
		Subsets:    []corev1.EndpointSubset{{Addresses: []corev1.EndpointAddress{{IP: "198.51.100.1"}}}}, //nolint:staticcheck // as above
	}
	exposed := phitest.Service("patient-api").Obj()
	exposed.Spec.ExternalIPs = []string{"203.0.113.7"}
	pod := labelled(t, unitGate(t, catalog.All(), reader(t, world()...)))
	pod.Spec.EphemeralContainers = []corev1.EphemeralContainer{ephemeral("look")}
	deployment := &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Namespace: "ehr", Name: "patient-api"}}
	template := phitest.Pod("patient-api").Container("cache").Obj()
	template.Spec.Containers[0].SecurityContext.Privileged = ptr.To(true)
	template.Spec.Containers[0].SecurityContext.AllowPrivilegeEscalation = nil
	deployment.Spec.Template = corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: template.Labels}, Spec: template.Spec}
	tests := map[string]edit{
		"a policy gains the flow after the last that is told": edited("/validate/policies", openings(13), false, func(p *networkingv1.NetworkPolicy) {
			p.Spec = openings(14).Spec
		}),
		"a policy swaps one flow that is counted for another": edited("/validate/policies", openings(14), false, func(p *networkingv1.NetworkPolicy) {
			p.Spec.Ingress[13].From = []networkingv1.NetworkPolicyPeer{*phitest.Block("0.0.0.0/0")}
		}),
		"a policy still opens one flow of two": edited("/validate/policies", openings(2), false, func(p *networkingv1.NetworkPolicy) {
			p.Spec.Ingress = p.Spec.Ingress[1:]
		}),
		"a policy that opens nothing more": edited("/validate/policies", openings(2), true, func(p *networkingv1.NetworkPolicy) {
			p.Spec.Ingress = nil
		}),
		"labels, annotations and finalizers of a wide policy": edited("/validate/policies", openings(14), true, func(p *networkingv1.NetworkPolicy) {
			p.Labels = map[string]string{"team": "other"}
			p.Annotations = map[string]string{"note": "to be deleted"}
			p.Finalizers = []string{"example.org/audit"}
		}),
		"another external address of an exposed Service": edited("/validate/services", exposed, false, func(s *corev1.Service) {
			s.Spec.ExternalIPs = append(s.Spec.ExternalIPs, "203.0.113.8")
		}),
		"an exposed Service that is exposed no more": edited("/validate/services", exposed, true, func(s *corev1.Service) { s.Spec.ExternalIPs = nil }),
		"labels of an exposed Service":               edited("/validate/services", exposed, true, func(s *corev1.Service) { s.Labels = map[string]string{"team": "other"} }),
		"one hand-written address for another": edited("/validate/endpoints", slice, false, func(s *discoveryv1.EndpointSlice) {
			s.Endpoints[1].Addresses = []string{"203.0.113.66"}
		}),
		"a hand-written address on another port": edited("/validate/endpoints", slice, false, func(s *discoveryv1.EndpointSlice) {
			s.Ports[0].Port = ptr.To[int32](5432)
		}),
		"a hand-written address for another Service": edited("/validate/endpoints", slice, false, func(s *discoveryv1.EndpointSlice) {
			s.Labels[discoveryv1.LabelServiceName] = "patient-db"
		}),
		"labels and finalizers of hand-written addresses": edited("/validate/endpoints", slice, true, func(s *discoveryv1.EndpointSlice) {
			s.Labels["team"] = "other"
			s.Finalizers = []string{"example.org/audit"}
		}),
		"one address of Endpoints for another": edited("/validate/endpoints", endpoints, false, func(e *corev1.Endpoints) { //nolint:staticcheck // as above
			e.Subsets[0].Addresses[0].IP = "203.0.113.66"
		}),
		"annotations of Endpoints": edited("/validate/endpoints", endpoints, true, func(e *corev1.Endpoints) { //nolint:staticcheck // as above
			e.Annotations = map[string]string{"note": "to be deleted"}
		}),
		"a second debugger without its safeguards": edited("/validate/pods", pod, false, func(p *corev1.Pod) {
			p.Spec.EphemeralContainers = append(p.Spec.EphemeralContainers, ephemeral("again"))
		}),
		"the image of a pod that violates": edited("/validate/pods", pod, true, func(p *corev1.Pod) {
			p.Spec.Containers[0].Image = "registry.example.org/app:1.0.1"
		}),
		"two containers of a template change places": edited("/validate/templates", deployment, true, func(d *appsv1.Deployment) {
			slices.Reverse(d.Spec.Template.Spec.Containers)
		}),
		"another container takes the place of the privileged one": edited("/validate/templates", deployment, false, func(d *appsv1.Deployment) {
			d.Spec.Template.Spec.Containers[0].Name = "miner"
		}),
		"a privileged container gains a capability": edited("/validate/templates", deployment, false, func(d *appsv1.Deployment) {
			d.Spec.Template.Spec.Containers[0].SecurityContext.Capabilities.Add = []corev1.Capability{"SYS_ADMIN"}
		}),
		"another variable of a template that violates": edited("/validate/templates", deployment, true, func(d *appsv1.Deployment) {
			d.Spec.Template.Spec.Containers[0].Env = []corev1.EnvVar{{Name: "SETTING", Value: "2"}}
		}),
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			g := unitGate(t, catalog.All(), reader(t, world()...))
			if got := askAbout(t, g, test.path, review(t, admissionv1.Create, test.old, nil)); got.Allowed {
				t.Fatal("the object violates nothing to begin with")
			}
			got := askAbout(t, g, test.path, review(t, admissionv1.Update, test.updated, test.old))
			if got.Allowed != test.allowed {
				t.Errorf("allowed %v, want %v: %+v", got.Allowed, test.allowed, got.Result)
			}
		})
	}
}

// ephemeral is a debugger without any safeguard.
func ephemeral(name string) corev1.EphemeralContainer {
	return corev1.EphemeralContainer{EphemeralContainerCommon: corev1.EphemeralContainerCommon{
		Name: name, Image: "registry.example.org/debug:1.0.0",
	}}
}
