package subject_test

import (
	"context"
	"errors"
	"maps"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
	"github.com/hipaa-operator/hipaa-operator/internal/control"
	"github.com/hipaa-operator/hipaa-operator/internal/phitest"
	"github.com/hipaa-operator/hipaa-operator/internal/subject"
)

func clusterRole(name string) *rbacv1.ClusterRole {
	return &rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: name}}
}

func clusterBinding(name, role string) *rbacv1.ClusterRoleBinding {
	return &rbacv1.ClusterRoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: name}, RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: role},
	}
}

// surrounded is a cache with the neighbourhood of the workload api, whose pods run
// on node-1 under the ServiceAccount that the pod of batch borrows.
func surrounded(t *testing.T) (*subject.Loader, *subject.Scene) {
	t.Helper()
	api, batch := phitest.Workload("api").Obj(), phitest.Workload("batch").Obj()
	under := func(account string, p *corev1.Pod) *corev1.Pod {
		p.Spec.ServiceAccountName, p.Spec.NodeName = account, "node-1"
		return p
	}
	done := under("api", phitest.Pod("old-job").Obj())
	done.Status.Phase = corev1.PodSucceeded
	cached := fake.NewClientBuilder().WithScheme(scheme(t)).
		WithIndex(&corev1.Pod{}, subject.ByServiceAccount, subject.ServiceAccountOf).
		WithIndex(&corev1.Pod{}, subject.ByAgentOf, subject.AgentOf).
		WithObjects(
			phiNamespace(phitest.DefaultNamespace), api, batch,
			under("api", phitest.Pod("api-1").Of(api).Obj()), under("api", phitest.Pod("batch-1").Of(batch).Obj()),
			under("api", phitest.Pod("stray").Obj()), under("", phitest.Pod("other").Obj()), done,
			// An agent of the PHI namespace itself is its tenants', and counts for nothing.
			phitest.Agent(phitest.DefaultNamespace, "node-1"), phitest.Agent("tetragon", "node-1"), phitest.Agent("falco", "node-1"), phitest.Agent("falco", "node-2"),
			&corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "node-1"}}, &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "node-2"}},
			phitest.Service("api").Port("http", 80, intstr.FromString("http")).Obj(), phitest.Service("batch").Obj(),
			phitest.Ingress("to-api", "api.example.org", "api").Obj(), phitest.Ingress("to-batch", "batch.example.org", "batch").Obj(),
			phitest.Role("own").Obj(), phitest.Role("elsewhere").Namespace("lab").Obj(),
			phitest.Binding("own").Obj(), phitest.Binding("viewers").ClusterRole("view").Obj(), phitest.Binding("dangling").ClusterRole("gone").Obj(),
			phitest.Binding("labs").ServiceAccount("own").With("lab", "analyst").With("tools", "argocd").Obj(),
			phitest.Workload("lab").Namespace("lab").Environment(hipaav1.EnvironmentTest).Obj(), phitest.Workload("records").Namespace("lab").Obj(),
			clusterRole("view"), clusterRole("cluster-admin"), clusterRole("unbound"), clusterBinding("admins", "cluster-admin"),
		).Build()
	l := &subject.Loader{Cache: cached, Live: cached}
	sc, err := l.Scene(t.Context(), phitest.DefaultNamespace)
	if err != nil {
		t.Fatalf("reading the scene: %v", err)
	}
	return l, sc
}

func TestWhatSurroundsAWorkloadIsRead(t *testing.T) {
	l, sc := surrounded(t)
	s, err := l.Subject(t.Context(), sc, sc.Workloads[0], control.AllEvidence)
	if err != nil {
		t.Fatalf("reading the subject: %v", err)
	}
	w := s.World
	for what, lists := range map[string][2][]string{
		"ingresses":        {{"to-api"}, names(w.Ingresses)},
		"roles":            {{"own"}, names(w.Roles)},
		"bindings":         {{"dangling", "labs", "own", "viewers"}, names(w.Bindings)},
		"namespaces":       {{"lab"}, slices.Sorted(maps.Keys(w.Environments))},
		"environments":     {{"Production", "Test"}, {string(w.Environments["lab"][0]), string(w.Environments["lab"][1])}},
		"cluster bindings": {{"admins"}, names(w.ClusterBindings)},
		"cluster roles":    {{"cluster-admin", "view"}, slices.Sorted(maps.Keys(w.ClusterRoles))},
		"watched nodes":    {{"node-1"}, slices.Sorted(maps.Keys(w.Agents))},
		"agents":           {{"falco-on-node-1", "tetragon-on-node-1"}, names(w.Agents["node-1"])},
		"nodes":            {{"node-1"}, slices.Sorted(maps.Keys(w.Nodes))},
		"others":           {{"", "batch"}, w.Identities["api"]},
		"accounts":         {{"api"}, slices.Sorted(maps.Keys(w.Identities))},
	} {
		if diff := cmp.Diff(lists[0], lists[1]); diff != "" {
			t.Errorf("%s (-want +got):\n%s", what, diff)
		}
	}
}

func TestWhatSurroundsAnObjectUnderReviewIsRead(t *testing.T) {
	l, sc := surrounded(t)
	needs := control.Identities | control.Access
	pod := phitest.Pod("api-2").Of(sc.Workloads[0]).Obj()
	pod.Spec.ServiceAccountName = ""
	if got := l.AtAdmission(t.Context(), sc, sc.Workloads[0], pod, needs).World.Identities; !cmp.Equal(got, map[string][]string{"default": {""}}) {
		t.Errorf("a pod under the default ServiceAccount shares it with %q", got)
	}
	viewers := phitest.Binding("viewers").ClusterRole("view").Obj()
	if got := l.AtAdmission(t.Context(), sc, nil, viewers, needs).World; got.ClusterRoles["view"] == nil || len(got.Roles) > 0 {
		t.Errorf("a binding to a ClusterRole finds %v and %v", got.ClusterRoles, got.Roles)
	}
	labs := phitest.Binding("labs").With("lab", "analyst").Obj()
	if got := l.AtAdmission(t.Context(), sc, nil, labs, needs).World.Environments; len(got["lab"]) != 2 {
		t.Errorf("a binding to a ServiceAccount elsewhere finds %v", got)
	}
	copied := &control.Secret{ObjectMeta: metav1.ObjectMeta{
		Namespace: phitest.DefaultNamespace, Annotations: map[string]string{"replicator.v1.mittwald.de/replicate-from": "lab/database"},
	}}
	if got := l.AtAdmission(t.Context(), sc, nil, copied, needs).World.Environments; len(got["lab"]) != 2 {
		t.Errorf("a Secret that is copied from elsewhere finds %v", got)
	}
	own := phitest.Binding("own").Obj()
	if got := l.AtAdmission(t.Context(), sc, nil, own, needs).World; !cmp.Equal(names(got.Roles), []string{"own"}) {
		t.Errorf("a binding to a Role finds %q", names(got.Roles))
	}
}

func TestSurroundingsThatCannotBeReadAreMissing(t *testing.T) {
	l, sc := surrounded(t)
	for source, fails := range map[control.Evidence]func(any, *client.ListOptions) bool{
		control.Routes:     func(into any, _ *client.ListOptions) bool { _, is := into.(*networkingv1.IngressList); return is },
		control.Access:     func(into any, _ *client.ListOptions) bool { _, is := into.(*rbacv1.ClusterRole); return is },
		control.Nodes:      func(into any, _ *client.ListOptions) bool { _, is := into.(*corev1.Node); return is },
		control.Identities: func(_ any, o *client.ListOptions) bool { return o.FieldSelector != nil },
		control.Agents:     func(_ any, o *client.ListOptions) bool { return o.FieldSelector != nil },
	} {
		broken := deaf{l.Cache, fails}
		s, err := (&subject.Loader{Cache: broken, Live: broken}).Subject(t.Context(), sc, sc.Workloads[0], source)
		if err != nil {
			t.Fatalf("%s: %v", source, err)
		}
		if diff := cmp.Diff([]control.Evidence{source}, slices.Collect(maps.Keys(s.World.Missing))); diff != "" {
			t.Errorf("%s: missing (-want +got):\n%s", source, diff)
		}
	}
}

// deaf is a reader that gives no answer to some questions.
type deaf struct {
	client.Reader
	fails func(into any, options *client.ListOptions) bool
}

var errDeaf = errors.New("no answer")

func (d deaf) Get(ctx context.Context, key client.ObjectKey, into client.Object, options ...client.GetOption) error {
	if d.fails(into, &client.ListOptions{}) {
		return errDeaf
	}
	return d.Reader.Get(ctx, key, into, options...)
}

func (d deaf) List(ctx context.Context, into client.ObjectList, options ...client.ListOption) error {
	asked := &client.ListOptions{}
	if d.fails(into, asked.ApplyOptions(options)) {
		return errDeaf
	}
	return d.Reader.List(ctx, into, options...)
}
