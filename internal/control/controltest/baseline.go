package controltest

import (
	"net/netip"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	storagev1 "k8s.io/api/storage/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/intstr"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
	"github.com/hipaa-operator/hipaa-operator/internal/control"
	"github.com/hipaa-operator/hipaa-operator/internal/engine"
	"github.com/hipaa-operator/hipaa-operator/internal/phitest"
)

// sessionLimit is how the application of Baseline is told to end unused sessions.
const sessionLimit = "SERVER_SERVLET_SESSION_TIMEOUT"

// WorkloadName is the PHIWorkload of every subject.
const WorkloadName = "patient-api"

// Profile is the profile of Baseline: everything enforced, every parameter set.
func Profile() *hipaav1.ComplianceProfile {
	return phitest.Profile("hipaa-security-rule").
		EncryptedClass(phitest.EncryptedClass).
		Gateway("ingress-nginx", "ingress-nginx", "app.kubernetes.io/name", "ingress-nginx").
		DNSPods("k8s-app", "kube-dns").
		ExternalRanges("198.51.100.0/24").
		Regions(phitest.Region).
		Officers().
		IngressStated("nginx", phitest.After(24*time.Hour)).
		IdentityProvider("oidc:", phitest.After(24*time.Hour)).
		SecretsReviewed(phitest.After(24*time.Hour)).
		Users("staff", phitest.After(24*time.Hour)).
		Obj()
}

// Baseline is a subject of one kind as a careful team writes it: complete objects
// that a real API server accepts and that violate no control once admission has
// done its part (Protect). The subject and everything in it is new in each call.
//
// Whoever replays it against a real API server creates the profile (Profile), the
// namespace, and then of the World: Classes, Workloads and Services, Volumes,
// Claims; then the object under judgement.
func Baseline(kind control.Kinds) control.Subject {
	workload := phitest.Workload(WorkloadName).
		Continuity(hipaav1.ContinuityPatientCare).
		DataClasses(hipaav1.DataClassClinical, hipaav1.DataClassDemographic).
		Jurisdictions("US-IL", "US-WI").
		Port("http", 8080).
		From(phitest.FromWorkload("portal"), phitest.FromGateway("ingress-nginx")).
		To(phitest.ToWorkload("patient-db"), phitest.ToService("registry", "terminology"), phitest.ToKubernetesAPI(),
			phitest.ToBlock("198.51.100.0/28", 5432), phitest.ToVendor("eprescribe")).
		Users("staff").
		Obj()
	s := around(workload, Profile())
	terminology := phitest.Service("terminology").Namespace("registry").Port("http", 80, intstr.FromInt32(8443)).Obj()
	s.World.Services[types.NamespacedName{Namespace: "registry", Name: "terminology"}] = terminology
	s.World.APIServer = []netip.AddrPort{netip.MustParseAddrPort("192.0.2.10:6443")}
	s.World.Classes[phitest.EncryptedClass] = phitest.Class(phitest.EncryptedClass).Obj()
	s.World.Roles = []*rbacv1.Role{phitest.Role("readers").Allows("", "pods", "get", "list").Documented().Obj()}
	s.World.Isolation = &control.IsolationResult{Dropped: true, At: phitest.Epoch, Detail: "a denied connection was dropped"}
	claim := phitest.Claim("data").Obj()
	s.World.Claims[claim.Name] = claim
	for _, name := range []string{"patient-api-0", "patient-api-1"} {
		pod := scheduled(phitest.Pod(name).Of(workload).UID(name).Listens("http", 8080).Mounts("data", claim.Name).Tells(sessionLimit, "15m").Obj())
		s.World.Pods = append(s.World.Pods, pod)
	}
	switch kind {
	case control.Pods:
		return s.Of(phitest.Pod("patient-api-2").Of(workload).Listens("http", 8080).Mounts("data", claim.Name).Tells(sessionLimit, "15m").Obj())
	case control.Claims:
		return s.Of(phitest.Claim("more-data").Label("app", WorkloadName).Obj())
	case control.Services:
		return s.Of(phitest.Service(WorkloadName).Port("http", 80, intstr.FromString("http")).Obj())
	case control.Policies:
		terminology := phitest.Peer(phitest.NamespaceNamed("registry"), phitest.Labels("app", "terminology"))
		return s.Of(phitest.Policy("to-terminology").Selecting("app", WorkloadName).Egress(terminology, phitest.TCP(8443)).Obj())
	case control.Slices:
		return s.Of(phitest.Slice("external", "registry-db", "198.51.100.5").Port("postgres", 5432).Obj())
	case control.Ingresses:
		return s.Of(phitest.Ingress(WorkloadName, "api.ehr.example.org", WorkloadName).Obj())
	case control.Roles:
		return s.Of(phitest.Role("on-call").Allows("", "pods", "get", "list").Documented().Obj())
	case control.Bindings:
		return s.Of(phitest.Binding("readers").Group("oidc:clinical-apps").Obj())
	case control.ConfigMaps:
		return s.Of(settings())
	case control.Secrets:
		return s.Of(secret())
	case control.Resources:
		return s.Of(widget())
	case control.Connections:
		return s.Of(connection(s.World.Pods[0].Name))
	default:
		return s
	}
}

// Bare is a subject of one kind as a team in a hurry writes it: the least of
// everything, under a profile without parameters.
func Bare(kind control.Kinds) control.Subject {
	workload := phitest.Workload(WorkloadName).
		Port("http", 8080).
		From(phitest.FromWorkload("portal")).
		To(phitest.ToWorkload("patient-db"), phitest.ToVendor("eprescribe")).
		Obj()
	s := around(workload, phitest.Profile("bare").Obj())
	claim := phitest.Claim("data").WithoutClass().Obj()
	s.World.Claims[claim.Name] = claim
	live := scheduled(phitest.Pod("patient-api-0").Of(workload).Mounts("data", claim.Name).Unhardened().Obj())
	s.World.Pods = append(s.World.Pods, live)
	switch kind {
	case control.Pods:
		return s.Of(phitest.Pod("patient-api-1").Of(workload).Mounts("data", claim.Name).Unhardened().Obj())
	case control.Claims:
		return s.Of(phitest.Claim("more-data").WithoutClass().Obj())
	case control.Services:
		return s.Of(phitest.Service(WorkloadName).Port("http", 80, intstr.FromString("http")).Obj())
	case control.Policies:
		return s.Of(phitest.Policy("closes-everything").Obj())
	case control.Slices:
		return s.Of(phitest.Slice("empty", WorkloadName).Obj())
	case control.Ingresses:
		return s.Of(phitest.Ingress(WorkloadName, "api.ehr.example.org", WorkloadName).Obj())
	case control.Roles:
		return s.Of(phitest.Role("nobody").Obj())
	case control.Bindings:
		return s.Of(phitest.Binding("readers").Obj())
	case control.ConfigMaps:
		return s.Of(settings())
	case control.Secrets:
		return s.Of(secret())
	case control.Resources:
		return s.Of(widget())
	case control.Connections:
		return s.Of(connection(live.Name))
	default:
		return s
	}
}

// settings are harmless.
func settings() *corev1.ConfigMap {
	return &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{Namespace: phitest.DefaultNamespace, Name: "settings"}, Data: map[string]string{"LOG_LEVEL": "info"},
	}
}

// secret is of the type that most are.
func secret() *control.Secret {
	return &control.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: phitest.DefaultNamespace, Name: "database"}, Type: corev1.SecretTypeOpaque}
}

// widget is of a type that no control judges: which types there are, only controls
// know.
func widget() *unstructured.Unstructured {
	return &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "example.org/v1", "kind": "Widget", "metadata": map[string]any{"namespace": phitest.DefaultNamespace, "name": "widget"},
	}}
}

// connection is what nobody writes well or badly: it has a grant, or it has none.
func connection(pod string) *control.Connection {
	return &control.Connection{
		ObjectMeta: metav1.ObjectMeta{Namespace: phitest.DefaultNamespace, Name: pod}, Way: control.Exec, Container: "app",
	}
}

// around puts a workload into a namespace with its neighbours.
func around(workload *hipaav1.PHIWorkload, profile *hipaav1.ComplianceProfile) control.Subject {
	namespace := phitest.Namespace(phitest.DefaultNamespace).Obj()
	// As the operator's last pass left it.
	workload.Status.Proxy = phitest.Workload(workload.Name).Proxied(workload.Name).Obj().Status.Proxy
	if workload.Spec.Users != nil {
		workload.Status.Proxy.Users = hipaav1.UserAskingEachReplica
	}
	world := &control.World{
		Claims:    map[string]*corev1.PersistentVolumeClaim{},
		Volumes:   map[string]*corev1.PersistentVolume{},
		Classes:   map[string]*storagev1.StorageClass{},
		Workloads: map[types.NamespacedName]*hipaav1.PHIWorkload{},
		Services:  map[types.NamespacedName]*corev1.Service{},
		Exposing:  []*corev1.Service{phitest.Service(workload.Name).Port("http", 80, intstr.FromString("http")).Obj()},
	}
	// What every cluster that goes by RBAC has.
	world.ClusterRoles = map[string]*rbacv1.ClusterRole{"cluster-admin": phitest.ClusterAdmin()}
	world.ClusterBindings = []*rbacv1.ClusterRoleBinding{phitest.ClusterBinding("cluster-admin", "cluster-admin", phitest.GroupSubject("system:masters"))}
	world.ConfigMaps = map[string]*corev1.ConfigMap{}
	world.Proxy, world.ProxyImages = phitest.Proxy(), phitest.ProxyImages()
	world.Vendors = map[string]*hipaav1.Vendor{"eprescribe": phitest.Vendor("eprescribe").Obj()}
	world.Egress = &control.Egress{Ready: 2, Exits: map[control.Exit]bool{
		{From: world.Proxy.Identity(workload.Namespace, workload.Name), Host: "api.eprescribe.example", Port: 443}: true,
	}}
	world.Secrets = &control.SecretStorage{Providers: []string{"kms v2"}, Servers: 1, At: phitest.Epoch}
	world.Identities = map[string][]string{workload.Name: nil}
	world.Nodes = map[string]*corev1.Node{phitest.NodeName: phitest.Node(phitest.NodeName).Obj()}
	world.Agents = map[string][]*corev1.Pod{phitest.NodeName: {phitest.Agent("falco", phitest.NodeName)}}
	neighbours := []*hipaav1.PHIWorkload{
		workload,
		phitest.Workload("portal").To(phitest.ToWorkload(workload.Name)).Obj(),
		phitest.Workload("patient-db").Port("postgres", 5432).From(phitest.FromWorkload(workload.Name)).Obj(),
	}
	for _, w := range neighbours {
		world.Workloads[types.NamespacedName{Namespace: w.Namespace, Name: w.Name}] = w
	}
	return control.Subject{Profile: parameters(profile, namespace), Namespace: namespace, Workload: workload, World: world}
}

// parameters are what the engine makes of a profile.
func parameters(profile *hipaav1.ComplianceProfile, namespace *corev1.Namespace) *control.Profile {
	e, err := engine.New(nil)
	if err != nil {
		panic(err)
	}
	effective, err := e.Resolve([]*hipaav1.ComplianceProfile{profile}, namespace, nil, phitest.Epoch)
	if err != nil {
		panic(err)
	}
	return effective.Parameters
}

// Satisfy does everywhere what only people can do.
func Satisfy(catalog []control.Control, s *control.Subject) {
	for i := range catalog {
		if catalog[i].Satisfy != nil {
			catalog[i].Satisfy(s)
		}
	}
}

// Protect does everywhere what the operator does: to the object under judgement,
// to the live pods and claims, and by the policies that it owns. What people declare
// of their infrastructure is there as well.
func Protect(catalog []control.Control, s *control.Subject) {
	s.World.Policies = slices.DeleteFunc(s.World.Policies, isOwned)
	Admit(catalog, s)
	for i := range catalog {
		c := &catalog[i]
		for _, pod := range s.World.Pods {
			if c.Mutate != nil {
				c.Mutate(*s, pod)
			}
		}
		for _, claim := range s.World.Claims {
			if c.Default != nil {
				c.Default(*s, claim)
			}
		}
	}
	// Other systems report on pods as they run.
	declare(catalog, s)
	for i := range catalog {
		own(&catalog[i], s)
	}
	slices.SortFunc(s.World.Policies, func(a, b *networkingv1.NetworkPolicy) int { return strings.Compare(a.Name, b.Name) })
}

// declare adds resources and reports that satisfy the controls which read some.
func declare(catalog []control.Control, s *control.Subject) {
	for i := range catalog {
		if c := &catalog[i]; (c.Judges.Has(control.Resources) || len(c.Reports) > 0) && c.Satisfy != nil {
			c.Satisfy(s)
		}
	}
}

func own(c *control.Control, s *control.Subject) {
	if c.Owns == nil {
		return
	}
	ofNamespace := *s
	ofNamespace.Workload = nil
	for _, subject := range []control.Subject{*s, ofNamespace} {
		objects, _ := c.Owns(subject)
		for _, object := range objects {
			if policy, is := object.(*networkingv1.NetworkPolicy); is {
				s.World.Policies = append(s.World.Policies, policy)
			}
		}
	}
}

// Admit does what the mutating webhooks do to the object under judgement.
func Admit(catalog []control.Control, s *control.Subject) {
	for i := range catalog {
		c := &catalog[i]
		if s.Pod != nil && c.Mutate != nil {
			c.Mutate(*s, s.Pod)
		}
		if s.Claim != nil && c.Default != nil {
			c.Default(*s, s.Claim)
		}
	}
}

func isOwned(policy *networkingv1.NetworkPolicy) bool {
	return hipaav1.IsOwned(policy)
}

// scheduled puts a pod on the node of tests.
func scheduled(pod *corev1.Pod) *corev1.Pod {
	pod.Spec.NodeName = phitest.NodeName
	return pod
}

// Live puts the object under judgement into the world, a pod onto its node, and
// leaves the workload as a whole to judge. Of a connection nothing is left, and a Secret
// nobody sees.
func Live(s control.Subject) control.Subject {
	switch s.Kind() {
	case control.Pods:
		s.World.Pods = append(s.World.Pods, scheduled(s.Pod.DeepCopy()))
	case control.Claims:
		s.World.Claims[s.Claim.Name] = s.Claim
	case control.Services:
		s.World.Exposing = []*corev1.Service{s.Service}
	case control.Policies:
		s.World.Policies = append(s.World.Policies, s.Policy)
	case control.Slices:
		s.World.Slices = append(s.World.Slices, s.Slice)
	case control.Ingresses:
		s.World.Ingresses = append(s.World.Ingresses, s.Ingress)
	case control.Roles:
		s.World.Roles = append(s.World.Roles, s.Role)
	case control.Bindings:
		s.World.Bindings = append(s.World.Bindings, s.Binding)
	case control.ConfigMaps:
		s.World.ConfigMaps[s.ConfigMap.Name] = s.ConfigMap
	case control.Resources:
		s.World.Resources = append(s.World.Resources, s.Resource)
	}
	return s.Of(metav1.Object(nil))
}
