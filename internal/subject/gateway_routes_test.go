package subject_test

import (
	"context"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
	"github.com/hipaa-operator/hipaa-operator/internal/control"
	"github.com/hipaa-operator/hipaa-operator/internal/edge"
	"github.com/hipaa-operator/hipaa-operator/internal/subject"
)

func TestARouteLeadsToWhatItsServicesSelect(t *testing.T) {
	w := workload("api", map[string]string{"app": "api"})
	service := func(name string, selector map[string]string) *corev1.Service {
		return &corev1.Service{ObjectMeta: metav1.ObjectMeta{Namespace: "ehr", Name: name}, Spec: corev1.ServiceSpec{Selector: selector}}
	}
	cache := reader(t, phiNamespace("ehr"), pod("api-0", map[string]string{"app": "api", "tier": "front"}),
		service("api", map[string]string{"app": "api"}), service("by-pods", map[string]string{"tier": "front"}), service("portal", map[string]string{"app": "portal"}))
	loader := subject.Loader{Cache: cache, Live: cache}
	route := func(group string, spec map[string]any) *unstructured.Unstructured {
		return &unstructured.Unstructured{Object: map[string]any{
			"apiVersion": group + "/v1", "kind": "HTTPRoute", "metadata": map[string]any{"namespace": "ehr", "name": "r"}, "spec": spec,
		}}
	}
	const gateways = "gateway.networking.k8s.io"
	to := func(names ...any) map[string]any {
		backends := make([]any, len(names))
		for i, name := range names {
			backends[i] = map[string]any{"name": name}
		}
		return map[string]any{"rules": []any{map[string]any{"backendRefs": backends}}}
	}
	for name, tc := range map[string]struct {
		give *unstructured.Unstructured
		of   *hipaav1.PHIWorkload
		want []string
	}{
		"by the labels that select its pods":        {route(gateways, to("api", "portal")), w, []string{"api"}},
		"by labels that its pods have beside these": {route(gateways, to("by-pods")), w, []string{"by-pods"}},
		"perhaps, by one that is not there yet":     {route(gateways, to("later", "later")), w, []string{"later"}},
		"by a copy of what goes elsewhere": {route(gateways, map[string]any{"rules": []any{map[string]any{
			"filters":     []any{map[string]any{"requestMirror": map[string]any{"backendRef": map[string]any{"name": "api"}}}},
			"backendRefs": []any{map[string]any{"name": "portal", "filters": []any{map[string]any{"requestMirror": map[string]any{"backendRef": map[string]any{"name": "by-pods"}}}}}},
		}}}), w, []string{"api", "by-pods"}},
		"nowhere, without backends":                   {route(gateways, map[string]any{"rules": []any{map[string]any{}}}), w, nil},
		"nowhere, without a form":                     {route(gateways, map[string]any{"rules": "none"}), w, nil},
		"nowhere, by names that are none":             {route(gateways, to(int64(7))), w, nil},
		"to anything, where nobody declared anything": {route(gateways, to("api", "portal")), nil, []string{"api", "portal"}},
		"nowhere, as it is no route":                  {route("s3.services.k8s.aws", to("api")), w, nil},
	} {
		t.Run(name, func(t *testing.T) {
			s := loader.AtAdmission(t.Context(), &subject.Scene{Namespace: phiNamespace("ehr")}, tc.of, tc.give, control.Routes|control.Reports)
			if diff := cmp.Diff(tc.want, names(s.World.Exposing)); diff != "" {
				t.Errorf("Services (-want +got):\n%s", diff)
			}
			if len(s.World.Missing) > 0 {
				t.Errorf("missing: %v", s.World.Missing)
			}
		})
	}
}

func TestGatewaysThatCannotBeReadAreMissing(t *testing.T) {
	broken := interceptor.NewClient(reader(t), interceptor.Funcs{
		List: func(context.Context, client.WithWatch, client.ObjectList, ...client.ListOption) error {
			return errors.New("the API server is away")
		},
	})
	loader := subject.Loader{Cache: broken, Live: broken, ReportTypes: []control.ReportType{
		{ResourceType: control.ResourceType{Group: "gateway.networking.k8s.io", Version: "v1", Kind: "Gateway", Resource: "gateways"}, AtAdmission: true},
	}}
	route := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "gateway.networking.k8s.io/v1", "kind": "HTTPRoute", "metadata": map[string]any{"namespace": "ehr", "name": "r"},
		"spec": map[string]any{
			"parentRefs": []any{map[string]any{"name": "public", "namespace": "edge"}},
			"rules":      []any{map[string]any{"backendRefs": []any{map[string]any{"name": "api"}}}},
		},
	}}
	s := loader.AtAdmission(t.Context(), &subject.Scene{Namespace: phiNamespace("ehr")}, nil, route, control.Routes|control.Reports)
	if _, missing := s.World.Missing[control.Reports]; !missing {
		t.Error("want the reports missing: a route must not pass for want of its Gateways")
	}
}

func TestGatewaysAreReadOnceForAllWorkloads(t *testing.T) {
	lists := 0
	counted := interceptor.NewClient(reader(t), interceptor.Funcs{
		List: func(ctx context.Context, c client.WithWatch, list client.ObjectList, options ...client.ListOption) error {
			if _, gateways := list.(*unstructured.UnstructuredList); gateways {
				lists++
				return nil
			}
			return c.List(ctx, list, options...)
		},
	})
	loader := subject.Loader{Cache: reader(t), Live: counted, ReportTypes: []control.ReportType{
		{ResourceType: control.ResourceType{Group: edge.GatewayGroup, Version: "v1", Kind: "Gateway", Resource: "gateways"}, AtAdmission: true},
	}}
	route := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": edge.GatewayGroup + "/v1", "kind": "HTTPRoute", "metadata": map[string]any{"namespace": "ehr", "name": "r"},
		"spec": map[string]any{
			"parentRefs": []any{map[string]any{"name": "public"}, map[string]any{"name": "public", "namespace": "edge"}},
			"rules":      []any{map[string]any{"backendRefs": []any{map[string]any{"name": "later"}}}},
		},
	}}
	scene := &subject.Scene{Namespace: phiNamespace("ehr")}
	for _, name := range []string{"api", "portal", "db"} {
		s := loader.AtAdmission(t.Context(), scene, workload(name, map[string]string{"app": name}), route, control.Routes|control.Reports)
		if len(s.World.Missing) > 0 {
			t.Fatalf("missing: %v", s.World.Missing)
		}
	}
	if lists != 2 {
		t.Errorf("the Gateways of two namespaces were listed %d times", lists)
	}
}

func TestAnEndThatOnlyHasTheNameOfAServiceIsAskedAboutAllTheSame(t *testing.T) {
	portal := &corev1.Service{ObjectMeta: metav1.ObjectMeta{Namespace: "ehr", Name: "portal"}, Spec: corev1.ServiceSpec{Selector: map[string]string{"app": "portal"}}}
	broken := interceptor.NewClient(reader(t), interceptor.Funcs{
		List: func(context.Context, client.WithWatch, client.ObjectList, ...client.ListOption) error {
			return errors.New("the API server is away")
		},
	})
	loader := subject.Loader{Cache: reader(t, portal), Live: broken, ReportTypes: []control.ReportType{
		{ResourceType: control.ResourceType{Group: edge.GatewayGroup, Version: "v1", Kind: "Gateway", Resource: "gateways"}, AtAdmission: true},
	}}
	route := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": edge.GatewayGroup + "/v1", "kind": "HTTPRoute", "metadata": map[string]any{"namespace": "ehr", "name": "r"},
		"spec": map[string]any{
			"parentRefs": []any{map[string]any{"name": "public", "namespace": "edge"}},
			"rules":      []any{map[string]any{"backendRefs": []any{map[string]any{"group": "inference.networking.k8s.io", "kind": "InferencePool", "name": "portal"}}}},
		},
	}}
	s := loader.AtAdmission(t.Context(), &subject.Scene{Namespace: phiNamespace("ehr")}, workload("api", map[string]string{"app": "api"}), route, control.Routes|control.Reports)
	if _, asked := s.World.Missing[control.Reports]; !asked {
		t.Error("nobody asked by which Gateways it is served, though it may lead anywhere")
	}
}
