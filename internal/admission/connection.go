package admission

import (
	"context"
	"slices"
	"strings"

	admissionv1 "k8s.io/api/admission/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	utilnet "k8s.io/apimachinery/pkg/util/net"
	"k8s.io/klog/v2"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
	"github.com/hipaa-operator/hipaa-operator/internal/control"
	"github.com/hipaa-operator/hipaa-operator/internal/engine"
)

// waysByKind are the ways into a pod, by the kind of options of the request.
var waysByKind = func() map[schema.GroupVersionKind]control.Way {
	byKind := map[schema.GroupVersionKind]control.Way{}
	for _, way := range control.Ways() {
		byKind[corev1.SchemeGroupVersion.WithKind(way.Kind())] = way
	}
	return byKind
}()

// connectOptions is all that is read of the options of a request. The command,
// the path and the ports are text of users, and may be PHI.
type connectOptions struct {
	Container string `json:"container"`
}

// validateConnection judges requests to reach into a pod through the API server,
// under the rules of every workload whose pods they lead to.
func (g *Gate) validateConnection(ctx context.Context, req admission.Request) (answer, error) {
	connection := connectionOf(&req)
	if connection == nil || req.Operation != admissionv1.Connect {
		return answer{}, misdirected(&req)
	}
	options, err := decode[connectOptions](&req, &req.Object)
	if err != nil {
		return answer{}, err
	}
	h, err := g.open(ctx, req.Namespace)
	if err != nil || h == nil {
		return permitted(), err
	}
	to, err := h.destination(ctx, connection)
	if err != nil {
		return answer{}, err
	}
	if slices.Contains(to.containers, options.Container) {
		connection.Container = options.Container
	}
	d, err := h.judge(ctx, to.workloads, connection)
	if err != nil {
		return answer{}, err
	}
	a := decided(whatOf(&req), d)
	if a.Allowed && to.exists && found(d) {
		logUse(ctx, &req, connection, d)
	}
	return a, nil
}

// connectionOf is the connection that a request asks for, nil if it asks for
// none. The path of a proxied request may bring a scheme and a port along with
// the name.
func connectionOf(req *admission.Request) *control.Connection {
	way, connects := waysByKind[gvk(req)]
	if !connects {
		return nil
	}
	name := req.Name
	if way == control.PodProxy || way == control.ServiceProxy {
		if _, bare, _, valid := utilnet.SplitSchemeNamePort(name); valid {
			name = bare
		}
	}
	return &control.Connection{ObjectMeta: metav1.ObjectMeta{Namespace: req.Namespace, Name: name}, Way: way}
}

// destination is where a connection leads to. What does not exist leads to no
// workload: it is answered as what nobody declared, because it may exist by the
// time that the API server looks.
type destination struct {
	exists     bool
	workloads  []*hipaav1.PHIWorkload
	containers []string
}

func (h *hearing) destination(ctx context.Context, c *control.Connection) (destination, error) {
	if c.Way == control.ServiceProxy {
		return h.behind(ctx, c)
	}
	pod, found, err := h.gate.Loader.Pod(ctx, types.NamespacedName{Namespace: c.Namespace, Name: c.Name})
	if err != nil || !found {
		return destination{}, err
	}
	claiming, err := h.claiming(ctx, pod)
	return destination{exists: true, workloads: claiming, containers: containersOf(pod)}, err
}

// behind are the workloads that a Service leads to by its selector, and those
// that claim a pod it selects now: a label that no PHIWorkload names may lead to
// the pods of several.
func (h *hearing) behind(ctx context.Context, c *control.Connection) (destination, error) {
	service, found, err := h.gate.Loader.Service(ctx, types.NamespacedName{Namespace: c.Namespace, Name: c.Name})
	if err != nil || !found {
		return destination{}, err
	}
	pods, err := h.gate.Loader.Behind(ctx, service)
	if err != nil {
		return destination{}, err
	}
	concerned := slices.Clone(h.reachable(service.Spec.Selector))
	for _, pod := range pods {
		for _, w := range h.scene.Claiming(pod.Labels) {
			if !slices.Contains(concerned, w) {
				concerned = append(concerned, w)
			}
		}
	}
	return destination{exists: true, workloads: concerned}, nil
}

func containersOf(pod *corev1.Pod) []string {
	var names []string
	for i := range pod.Spec.InitContainers {
		names = append(names, pod.Spec.InitContainers[i].Name)
	}
	for i := range pod.Spec.Containers {
		names = append(names, pod.Spec.Containers[i].Name)
	}
	for i := range pod.Spec.EphemeralContainers {
		names = append(names, pod.Spec.EphemeralContainers[i].Name)
	}
	return names
}

// logUse puts a connection that was let in on record: who reached into what, and
// by which exceptions.
func logUse(ctx context.Context, req *admission.Request, c *control.Connection, d engine.Decision) {
	log.FromContext(ctx).WithName("access").Info("Admitted connection to PHI",
		"way", c.Way, "target", klog.KObj(c), "container", c.Container, "user", req.UserInfo.Username,
		"exceptions", strings.Join(exceptionsOf(d), ","))
}
