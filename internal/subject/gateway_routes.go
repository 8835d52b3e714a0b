package subject

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
	"github.com/hipaa-operator/hipaa-operator/internal/control"
	"github.com/hipaa-operator/hipaa-operator/internal/edge"
)

// crossing is a route that comes to admission, and where it leads for one workload.
type crossing struct {
	loader *Loader
	scene  *Scene
	world  *world
	route  *edge.Route
}

// aroundRoute reads where a route leads, and by which Gateways. Nothing is read about
// other resources.
func (c *crossing) aroundRoute(ctx context.Context, w *hipaav1.PHIWorkload, resource *unstructured.Unstructured, needs control.Evidence) {
	route, is := edge.Read[edge.Route](resource)
	if !is || resource.GroupVersionKind().Group != edge.GatewayGroup {
		return
	}
	c.route = route
	if needs.Has(control.Routes) {
		c.world.note(control.Routes, c.ledTo(ctx, w))
	}
	// By which Gateways callers come is asked where the route leads, and nowhere else.
	if needs.Has(control.Reports) && route.LeadsTo(c.world.ExposingNames()) {
		c.world.note(control.Reports, c.servedBy(ctx))
	}
}

// ledTo reads which Services that a route names lead to a workload; all of them where
// there is no workload. One that is not there yet may come to lead anywhere.
func (c *crossing) ledTo(ctx context.Context, w *hipaav1.PHIWorkload) error {
	namespace, names := c.route.Metadata.Namespace, c.route.Services()
	if len(names) == 0 {
		return nil
	}
	if err := c.loader.pods(ctx, c.world, w); err != nil {
		return err
	}
	for _, name := range names {
		service, found, err := c.loader.Service(ctx, types.NamespacedName{Namespace: namespace, Name: name})
		if err != nil {
			return err
		}
		if !found {
			service = &corev1.Service{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}}
		}
		if !found || w == nil || leadsTo(service, c.world.Pods, w) {
			c.world.Exposing = append(c.world.Exposing, service)
		}
	}
	return nil
}

// servedBy reads the Gateways of the namespaces that a route names, and what is told of
// them, once for all workloads that it leads to.
func (c *crossing) servedBy(ctx context.Context) error {
	for _, namespace := range c.route.GatewayNamespaces() {
		reports, read := c.scene.gateways[namespace]
		if !read {
			var err error
			if reports, err = c.loader.gatewaysIn(ctx, namespace); err != nil {
				return err
			}
			if c.scene.gateways == nil {
				c.scene.gateways = map[string][]*unstructured.Unstructured{}
			}
			c.scene.gateways[namespace] = reports
		}
		c.world.Reports = append(c.world.Reports, reports...)
	}
	return nil
}

// gatewaysIn reads from the API server: replicas that do not lead watch no Gateways.
func (l *Loader) gatewaysIn(ctx context.Context, namespace string) ([]*unstructured.Unstructured, error) {
	var reports []*unstructured.Unstructured
	for i := range l.ReportTypes {
		t := &l.ReportTypes[i]
		if !t.AtAdmission {
			continue
		}
		list := &unstructured.UnstructuredList{}
		list.SetAPIVersion(t.Group + "/" + t.Version)
		list.SetKind(t.Kind + "List")
		err := l.Live.List(ctx, list, client.InNamespace(namespace))
		if meta.IsNoMatchError(err) || apierrors.IsNotFound(err) {
			continue // the cluster does not serve the type
		}
		if err != nil {
			return nil, fmt.Errorf("listing %s of namespace %q live: %w", t.CRD(), namespace, err)
		}
		reports = append(reports, pointers(list.Items)...)
	}
	return reports, nil
}
