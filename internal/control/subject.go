package control

import (
	"maps"
	"net/netip"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	networkingv1 "k8s.io/api/networking/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	storagev1 "k8s.io/api/storage/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
)

// Subject is everything that a control may know. Controls read it; they change
// nothing but what Mutate and Default are handed.
//
// At most one of the objects from Pod to Connection is set: the one under
// judgement. None is set when the workload as a whole is judged.
type Subject struct {
	// Profile holds the merged parameters; never nil.
	Profile *Profile
	// Namespace is the PHI namespace; never nil.
	Namespace *corev1.Namespace
	// Workload is nil when the subject is the namespace itself, or an object that
	// no workload claims.
	Workload *hipaav1.PHIWorkload

	Pod        *corev1.Pod
	Claim      *corev1.PersistentVolumeClaim
	Service    *corev1.Service
	Policy     *networkingv1.NetworkPolicy
	Slice      *discoveryv1.EndpointSlice
	Ingress    *networkingv1.Ingress
	Role       *rbacv1.Role
	Binding    *rbacv1.RoleBinding
	ConfigMap  *corev1.ConfigMap
	Secret     *Secret
	Resource   *unstructured.Unstructured
	Connection *Connection

	// World is the evidence; never nil.
	World *World

	// Now is the instant as of which is judged. The engine sets it.
	Now time.Time
}

// World is the evidence that loaders read. A source that could not be read
// stands in Missing with the reason, and its fields are empty.
type World struct {
	// Pods are the live pods of the workload, sorted by name.
	Pods []*corev1.Pod

	// Claims that pods of the workload mount, by name.
	Claims map[string]*corev1.PersistentVolumeClaim
	// Origins are the claims whose data Claims, or the claim under judgement, begin as:
	// those that they are cloned from, and those that a VolumeSnapshot was taken of.
	Origins map[DataSource]*corev1.PersistentVolumeClaim
	// Volumes that the claims are bound to, by name.
	Volumes map[string]*corev1.PersistentVolume
	// Classes by name.
	Classes map[string]*storagev1.StorageClass

	// Policies of the namespace, sorted by name.
	Policies []*networkingv1.NetworkPolicy

	// Exposing are the Services of the namespace that select pods of the
	// workload, and those without a selector, sorted by name.
	Exposing []*corev1.Service
	// Slices are the EndpointSlices of the namespace that people wrote by hand.
	Slices []*discoveryv1.EndpointSlice

	// Workloads that flows name, and all those of the namespace.
	Workloads map[types.NamespacedName]*hipaav1.PHIWorkload
	// Services that flows name.
	Services map[types.NamespacedName]*corev1.Service
	// APIServer are the addresses of the API server's endpoints.
	APIServer []netip.AddrPort
	// Resolvers say where names are resolved, as discovered.
	Resolvers []Resolver

	// Ingresses of the namespace that lead to Services which expose the workload,
	// or to any where the subject is the namespace, sorted by name.
	Ingresses []*networkingv1.Ingress
	// Dialled is what the edge of the cluster answered where it was dialled for the
	// workload. It is read with Ingresses; none is no fault.
	Dialled map[Endpoint]Dialled

	// Roles and Bindings of the namespace, sorted by name.
	Roles    []*rbacv1.Role
	Bindings []*rbacv1.RoleBinding
	// ClusterRoles by name: those that a binding of the namespace or of the whole
	// cluster names.
	ClusterRoles map[string]*rbacv1.ClusterRole
	// ClusterBindings hold in every namespace, sorted by name.
	ClusterBindings []*rbacv1.ClusterRoleBinding

	// Environments are what PHIWorkloads state, sorted, by the namespaces other than the
	// subject's that it deals with: those whose ServiceAccounts bindings name, those that
	// share something with its Reports, and the one that a Secret is copied from. A
	// namespace without PHIWorkloads is not there. They are read with Bindings and Reports.
	Environments map[string][]hipaav1.Environment

	// ConfigMaps that the workload's pods take settings from, by name.
	ConfigMaps map[string]*corev1.ConfigMap

	// Identities says who else runs under a ServiceAccount, by its name: the
	// workloads that claim live pods of the namespace which this workload does not,
	// sorted; "" stands for pods that nobody claims. A ServiceAccount that is not
	// there was not looked at.
	Identities map[string][]string

	// Nodes that the workload's pods run on, by name.
	Nodes map[string]*corev1.Node

	// Agents are the pods of DaemonSets on these nodes, without those of PHI
	// namespaces, by the node's name, sorted by namespace and name.
	Agents map[string][]*corev1.Pod

	// Resources of the types that controls name: those of the namespace, and those
	// of the whole cluster that count for it, sorted by kind and name.
	Resources []*unstructured.Unstructured
	// Served are the types of families that the cluster serves, sorted. They are read
	// with Resources.
	Served []ServedType

	// Reports of the types that controls name, of the namespace, and of others that share
	// something with them, sorted by kind and name.
	Reports []*unstructured.Unstructured

	// Serving is the certificate of the operator's own webhooks; nil where nobody looks.
	// It is read with Reports.
	Serving *Serving

	// Proxy is what pods get that speaks mutual TLS for them; nil where the operator has
	// none to give.
	Proxy *Proxy
	// ProxyImages are the images of the operator's proxy that are in order, that of new
	// pods first. They are always known, also where Proxy cannot be given yet; there are
	// none where the operator has none.
	ProxyImages []string
	// Parties are the PHI workloads that flows name, by their names. They are read with
	// Proxies, live alone.
	Parties map[types.NamespacedName]Party

	// Vendors that flows name, by name. One that is not declared is not there.
	Vendors map[string]*hipaav1.Vendor

	// Egress is phi-egress as it stands; nil where the operator has none, or nobody looks. It
	// is read with Vendors, live alone.
	Egress *Egress

	// Isolation is the latest result of the probe; nil if there is none.
	Isolation *IsolationResult

	// Secrets is how API servers store Secrets; nil if nothing asks them.
	Secrets *SecretStorage

	// Missing says why a source could not be read.
	Missing map[Evidence]string
}

// Lacks reports whether any of some sources could not be read.
func (w *World) Lacks(sources Evidence) bool {
	for source := range w.Missing {
		if sources.Has(source) {
			return true
		}
	}
	return false
}

// Serving is a certificate that the operator shows. Ends is zero where it could not be
// read.
type Serving struct{ Ends time.Time }

// Resolver is where pods resolve names: pods, or addresses.
type Resolver struct {
	Namespace string
	Pods      *metav1.LabelSelector
	Addresses []netip.Prefix
	Port      int32
}

// IsolationResult is what a probe of the network plugin saw.
type IsolationResult struct {
	// Dropped says that a denied connection was dropped and an allowed one passed.
	Dropped bool
	// Problem says why it showed nothing; empty if it did.
	Problem string
	// At is when it ran.
	At time.Time
	// Detail is a short sentence of what was seen.
	Detail string
}

// Kind says which kind of object is under judgement.
func (s *Subject) Kind() Kinds {
	kind, _ := s.under()
	return kind
}

// under is the object under judgement and its kind; there is no object where the
// workload as a whole is judged.
func (s *Subject) under() (Kinds, metav1.Object) {
	switch {
	case s.Pod != nil:
		return Pods, s.Pod
	case s.Claim != nil:
		return Claims, s.Claim
	case s.Service != nil:
		return Services, s.Service
	case s.Policy != nil:
		return Policies, s.Policy
	case s.Slice != nil:
		return Slices, s.Slice
	case s.Ingress != nil:
		return Ingresses, s.Ingress
	case s.Role != nil:
		return Roles, s.Role
	case s.Binding != nil:
		return Bindings, s.Binding
	case s.ConfigMap != nil:
		return ConfigMaps, s.ConfigMap
	case s.Secret != nil:
		return Secrets, s.Secret
	case s.Resource != nil:
		return Resources, s.Resource
	case s.Connection != nil:
		return Connections, s.Connection
	default:
		return Workloads, nil
	}
}

// Object names the object under judgement as kind/name. A resource goes by the kind
// that it names itself; a pod that has no name
// yet goes by its generateName.
func (s *Subject) Object() string {
	switch kind, object := s.under(); {
	case s.Connection != nil:
		return s.Connection.Way.Kind() + "/" + s.Connection.Name
	case s.Resource != nil:
		return s.Resource.GetKind() + "/" + nameOf(object)
	case object != nil:
		return kind.String() + "/" + nameOf(object)
	case s.Workload != nil:
		return "PHIWorkload/" + s.Workload.Name
	case s.Namespace != nil:
		return "Namespace/" + s.Namespace.Name
	default:
		return "Unknown/"
	}
}

func nameOf(o metav1.Object) string {
	if o.GetName() != "" {
		return o.GetName()
	}
	return o.GetGenerateName()
}

// Under returns the subject under a profile. What the profile itself names is not
// missing any more.
func (s Subject) Under(p *Profile) Subject {
	s.Profile = p
	if len(p.Network.DNS) > 0 {
		delete(s.World.Missing, Resolvers)
	}
	return s
}

// Of returns the subject with another object under judgement.
func (s Subject) Of(object metav1.Object) Subject {
	s.Pod, s.Claim, s.Service, s.Policy, s.Slice, s.Connection = nil, nil, nil, nil, nil, nil
	s.Ingress, s.Role, s.Binding, s.ConfigMap, s.Secret, s.Resource = nil, nil, nil, nil, nil, nil
	switch o := object.(type) {
	case *corev1.Pod:
		s.Pod = o
	case *corev1.PersistentVolumeClaim:
		s.Claim = o
	case *corev1.Service:
		s.Service = o
	case *networkingv1.NetworkPolicy:
		s.Policy = o
	case *discoveryv1.EndpointSlice:
		s.Slice = o
	case *networkingv1.Ingress:
		s.Ingress = o
	case *rbacv1.Role:
		s.Role = o
	case *rbacv1.RoleBinding:
		s.Binding = o
	case *corev1.ConfigMap:
		s.ConfigMap = o
	case *Secret:
		s.Secret = o
	case *unstructured.Unstructured:
		s.Resource = o
	case *Connection:
		s.Connection = o
	}
	return s
}

// ExposingNames is the set of the names of Exposing.
func (w *World) ExposingNames() map[string]bool {
	names := make(map[string]bool, len(w.Exposing))
	for _, service := range w.Exposing {
		names[service.Name] = true
	}
	return names
}

// Objects lists the evidence of one kind that is judged one at a time. For
// Workloads it is empty: the workload itself is the subject. For Connections and Secrets
// too: live nobody sees one.
func (w *World) Objects(kind Kinds) []metav1.Object {
	switch kind {
	case Pods:
		return objects(w.Pods)
	case Claims:
		return objects(sorted(w.Claims))
	case Services:
		return objects(w.Exposing)
	case Policies:
		return objects(w.Policies)
	case Slices:
		return objects(w.Slices)
	case Ingresses:
		return objects(w.Ingresses)
	case Roles:
		return objects(w.Roles)
	case Bindings:
		return objects(w.Bindings)
	case ConfigMaps:
		return objects(sorted(w.ConfigMaps))
	case Resources:
		return objects(w.Resources)
	default:
		return nil
	}
}

func objects[T metav1.Object](typed []T) []metav1.Object {
	list := make([]metav1.Object, len(typed))
	for i, o := range typed {
		list[i] = o
	}
	return list
}

func sorted[T metav1.Object](byName map[string]T) []T {
	list := slices.Collect(maps.Values(byName))
	slices.SortFunc(list, func(a, b T) int { return strings.Compare(a.GetName(), b.GetName()) })
	return list
}
