package admission

import (
	"context"

	admissionv1 "k8s.io/api/admission/v1"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	networkingv1 "k8s.io/api/networking/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apiequality "k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"

	"github.com/hipaa-operator/hipaa-operator/internal/control"
	"github.com/hipaa-operator/hipaa-operator/internal/edge"
	"github.com/hipaa-operator/hipaa-operator/internal/engine"
)

// judgement is how objects of one type are judged in an open hearing.
type judgement[P any] func(ctx context.Context, h *hearing, object P) (engine.Decision, error)

// validate judges the object of a request. An update is refused only for what
// it makes worse: what stood before is for drift control to deal with. What is
// judged as a whole is excused only while it stays as it is.
func validate[T any, P namespaced[T]](ctx context.Context, g *Gate, req *admission.Request, kind schema.GroupVersionKind, judge judgement[P]) (answer, error) {
	if err := expect(req, kind); err != nil {
		return answer{}, err
	}
	object, err := decodeNew[T, P](req)
	if err != nil {
		return answer{}, err
	}
	h, err := g.open(ctx, req.Namespace)
	if err != nil || h == nil {
		return permitted(), err
	}
	d, err := judge(ctx, h, object)
	if err != nil {
		return answer{}, err
	}
	if req.Operation == admissionv1.Update && found(d) {
		old, err := decodeOld[T](req)
		if err != nil {
			return answer{}, err
		}
		if !sameWhole(old, object) {
			return decided(whatOf(req), d), nil
		}
		before, err := judge(ctx, h, old)
		if err != nil {
			return answer{}, err
		}
		d = without(d, before)
	}
	if pod, is := any(object).(*corev1.Pod); is && req.Operation == admissionv1.Update && control.HasProxy(pod) {
		taken, err := h.taken(ctx, req, pod)
		if err != nil {
			return answer{}, err
		}
		d = join(d, taken)
	}
	return decided(whatOf(req), d), nil
}

// taken is what an update takes away of what admission gave a pod, under each workload
// that claims it.
func (h *hearing) taken(ctx context.Context, req *admission.Request, pod *corev1.Pod) (engine.Decision, error) {
	old, err := decodeOld[corev1.Pod](req)
	if err != nil {
		return engine.Decision{}, err
	}
	claiming, err := h.claiming(ctx, pod)
	if err != nil {
		return engine.Decision{}, err
	}
	var d engine.Decision
	for _, w := range claiming {
		m, err := h.matter(ctx, w, pod, 0)
		if err != nil {
			return d, err
		}
		d = join(d, h.gate.Engine.AdmitUpdate(old, m.subject, m.ruling))
	}
	return d, nil
}

// sameWhole reports whether an update leaves alone what is judged as a whole.
// Findings about policies, addresses, Services, Ingresses, routes and rights count and cut what they tell, so
// that a new opening would hide behind the sentence about an old one. Labels, annotations
// and finalizers can always be changed, and everything deleted.
func sameWhole(old, updated any) bool {
	return apiequality.Semantic.DeepEqual(wholeOf(old), wholeOf(updated))
}

// wholeOf is what of an object is judged as a whole; nil where each fault can be
// told by itself.
func wholeOf(object any) any {
	switch o := object.(type) {
	case *networkingv1.NetworkPolicy:
		return o.Spec
	case *corev1.Service:
		return corev1.ServiceSpec{
			Type: o.Spec.Type, Selector: o.Spec.Selector, Ports: o.Spec.Ports,
			ExternalIPs: o.Spec.ExternalIPs, ExternalTrafficPolicy: o.Spec.ExternalTrafficPolicy,
		}
	case *discoveryv1.EndpointSlice:
		return discoveryv1.EndpointSlice{AddressType: o.AddressType, Endpoints: o.Endpoints, Ports: o.Ports}
	case *rbacv1.Role:
		return o.Rules
	case *rbacv1.RoleBinding:
		return rbacv1.RoleBinding{Subjects: o.Subjects, RoleRef: o.RoleRef}
	case *networkingv1.Ingress:
		return o.Spec
	case *unstructured.Unstructured:
		// Of other resources each fault is told by its field.
		if o.GroupVersionKind().Group == edge.GatewayGroup {
			return o.Object["spec"]
		}
		return nil
	case *corev1.Endpoints: //nolint:staticcheck // deprecated, and still served
		return o.Subsets
	default:
		return nil
	}
}

func found(d engine.Decision) bool {
	return len(d.Denied)+len(d.Warned)+len(d.Audited) > 0
}
