package e2e_test

import (
	"slices"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/intstr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
	"github.com/hipaa-operator/hipaa-operator/internal/phitest"
)

type fields = map[string]any

// gatewayScenes stage routes of the Gateway API, by a Gateway of another namespace.
var gatewayScenes = map[string]scene{
	"a route that a Gateway serves as it comes": {
		routed("any", "TCP", "TCPRoute"), hipaav1.VerdictUnknown, "which passes on what comes",
	},
	"a route by a Gateway that is not there": {
		routed("", "", "HTTPRoute"), hipaav1.VerdictUnknown, "HTTPRoute/web: spec.parentRefs[0] names a Gateway that is not there",
	},
	"a grant to the routes of some other namespaces": {
		reporting("referencegrants.gateway.networking.k8s.io", custom("gateway.networking.k8s.io/v1beta1", "ReferenceGrant", fields{
			"from": []any{fields{"group": "gateway.networking.k8s.io", "kind": "HTTPRoute", "namespace": "team-b"}},
			"to":   []any{fields{"group": "", "kind": "Service"}},
		})), hipaav1.VerdictUnknown, "ReferenceGrant/web spec.from[0] lets each HTTPRoute of namespace team-b lead here",
	},
	"a Gateway of which nothing is known": {
		routed("other", "HTTPS", "HTTPRoute"), hipaav1.VerdictUnknown, "the settings of its implementation decide",
	},
}

var _ = Describe("A route of the Gateway API", func() {
	It("is refused where a Gateway of another namespace serves it in plaintext, and reported where that comes later", func() {
		workload := routed("any", "HTTPS", "HTTPRoute")("gateway-routes")
		result := func() hipaav1.ControlResult { return resultOf(workload, "https-redirect") }
		Eventually(result).Should(And(HaveField("Verdict", hipaav1.VerdictPass), HaveField("Message", ContainSubstring("attach to listeners that answer by TLS alone"))))

		gateway := custom("gateway.networking.k8s.io/v1", "Gateway", nil)
		Expect(admin.Get(ctx, client.ObjectKey{Namespace: workload.Namespace + "-edge", Name: "public"}, gateway)).To(Succeed())
		plain := listening("HTTP")
		plain["name"], plain["port"] = "plain", int64(8080)
		Expect(unstructured.SetNestedSlice(gateway.Object, []any{listening("HTTPS"), plain}, "spec", "listeners")).To(Succeed())
		Expect(admin.Update(ctx, gateway)).To(Succeed())
		Eventually(result).Should(And(HaveField("Verdict", hipaav1.VerdictFail),
			HaveField("Message", ContainSubstring(`HTTPRoute/web: spec.parentRefs[0] attaches to listener "plain" of Gateway `))))

		another := &unstructured.Unstructured{}
		another.SetGroupVersionKind(gateway.GroupVersionKind().GroupVersion().WithKind("HTTPRoute"))
		Expect(admin.Get(ctx, client.ObjectKey{Namespace: workload.Namespace, Name: "web"}, another)).To(Succeed())
		another = fresh(another, workload.Namespace)
		another.SetName("another")
		refused(admin.Create(ctx, another), "\n  https-redirect ", "\n  no-public-exposure ", "which answers in plaintext")
	})
})

func custom(apiVersion, kind string, spec fields) *unstructured.Unstructured {
	return &unstructured.Unstructured{Object: fields{"apiVersion": apiVersion, "kind": kind, "metadata": fields{"name": "web"}, "spec": spec}}
}

// routed is a workload with a Service to which a route leads, by a Gateway of another
// namespace with one listener; without a class there is no Gateway.
func routed(class, protocol, kind string, beside ...*unstructured.Unstructured) func(string) *hipaav1.PHIWorkload {
	return func(namespace string) *hipaav1.PHIWorkload {
		GinkgoHelper()
		crds := map[string]string{"HTTPRoute": "httproutes", "TCPRoute": "tcproutes"}
		versions := map[string]string{"HTTPRoute": "gateway.networking.k8s.io/v1", "TCPRoute": "gateway.networking.k8s.io/v1alpha2"}
		serve("gateways.gateway.networking.k8s.io")
		serve(crds[kind] + ".gateway.networking.k8s.io")
		edge := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace + "-edge"}}
		Expect(admin.Create(ctx, edge)).To(Succeed())
		DeferCleanup(func() { Expect(admin.Delete(ctx, edge)).To(Succeed()) })
		there := slices.Clone(beside)
		if class != "" {
			gateway := custom("gateway.networking.k8s.io/v1", "Gateway", fields{
				"gatewayClassName": class,
				"listeners":        []any{listening(protocol)},
			})
			gateway.SetName("public")
			there = append(there, gateway)
		}
		for _, object := range there {
			if object.GetKind() == "ClientTrafficPolicy" {
				serve("clienttrafficpolicies.gateway.envoyproxy.io")
			}
			Eventually(func() error { return admin.Create(ctx, fresh(object.DeepCopy(), edge.Name)) }).Should(Succeed())
		}
		service := phitest.Service("api").Port("http", 80, intstr.FromString("http")).Obj()
		workload := phitest.Workload("api").Namespace(namespace).Obj()
		service.Spec.Selector = workload.Spec.Selector.MatchLabels
		route := custom(versions[kind], kind, fields{
			"parentRefs": []any{fields{"namespace": edge.Name, "name": "public"}},
			"rules":      []any{fields{"backendRefs": []any{fields{"name": service.Name, "port": int64(80)}}}},
		})
		return later(namespace, workload, service, route)
	}
}

// listening is a listener that takes routes of every namespace.
func listening(protocol string) fields {
	l := fields{"name": "it", "protocol": protocol, "port": int64(8443), "allowedRoutes": fields{"namespaces": fields{"from": "All"}}}
	if protocol == "HTTPS" {
		l["tls"] = fields{"certificateRefs": []any{fields{"name": "public-tls"}}}
	}
	return l
}
