package subject_test

import (
	"context"
	"errors"
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	storagev1 "k8s.io/api/storage/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/intstr"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
	"github.com/hipaa-operator/hipaa-operator/internal/control"
	"github.com/hipaa-operator/hipaa-operator/internal/phitest"
	"github.com/hipaa-operator/hipaa-operator/internal/subject"
)

func scheme(t *testing.T) *runtime.Scheme {
	t.Helper()
	s := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{clientgoscheme.AddToScheme, hipaav1.AddToScheme} {
		if err := add(s); err != nil {
			t.Fatalf("building the scheme: %v", err)
		}
	}
	return s
}

// reader stands for a cache or an API server that holds objects. The loader
// only reads, so nothing that a real server would do is imitated.
func reader(t *testing.T, objects ...client.Object) client.WithWatch {
	t.Helper()
	return fake.NewClientBuilder().WithScheme(scheme(t)).WithObjects(objects...).Build()
}

func phiNamespace(name string) *corev1.Namespace {
	return &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{
		Name: name, Labels: map[string]string{hipaav1.LabelPHI: hipaav1.LabelPHIValue},
	}}
}

func workload(name string, labels map[string]string) *hipaav1.PHIWorkload {
	return &hipaav1.PHIWorkload{
		ObjectMeta: metav1.ObjectMeta{Namespace: "ehr", Name: name},
		Spec:       hipaav1.PHIWorkloadSpec{Selector: metav1.LabelSelector{MatchLabels: labels}},
	}
}

func pod(name string, labels map[string]string, claims ...string) *corev1.Pod {
	p := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "ehr", Name: name, Labels: labels}}
	for _, claim := range claims {
		p.Spec.Volumes = append(p.Spec.Volumes, corev1.Volume{Name: claim, VolumeSource: corev1.VolumeSource{
			PersistentVolumeClaim: &corev1.PersistentVolumeClaimVolumeSource{ClaimName: claim},
		}})
	}
	return p
}

func TestSceneReadsLiveWhatTheCacheDoesNotKnowYet(t *testing.T) {
	unlabelled := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "ehr"}}
	profile := &hipaav1.ComplianceProfile{ObjectMeta: metav1.ObjectMeta{Name: "strict"}}
	tests := map[string]struct {
		giveCache, giveLive []client.Object
		wantPHI             bool
		wantProfiles        int
	}{
		"a label that the cache has not seen": {
			giveCache: []client.Object{unlabelled}, giveLive: []client.Object{phiNamespace("ehr")}, wantPHI: true,
		},
		"a namespace that the cache has not seen": {
			giveLive: []client.Object{phiNamespace("ehr")}, wantPHI: true,
		},
		"a profile that the cache has not seen": {
			giveCache: []client.Object{phiNamespace("ehr")}, giveLive: []client.Object{profile},
			wantPHI: true, wantProfiles: 1,
		},
		"a namespace that holds no PHI": {
			giveCache: []client.Object{unlabelled}, giveLive: []client.Object{unlabelled},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			loader := subject.Loader{Cache: reader(t, test.giveCache...), Live: reader(t, test.giveLive...)}
			scene, err := loader.Scene(t.Context(), "ehr")
			if err != nil {
				t.Fatalf("Scene: %v", err)
			}
			if got := scene.Namespace.Labels[hipaav1.LabelPHI] == hipaav1.LabelPHIValue; got != test.wantPHI {
				t.Errorf("holds PHI: got %v, want %v", got, test.wantPHI)
			}
			if len(scene.Profiles) != test.wantProfiles {
				t.Errorf("profiles: got %d, want %d", len(scene.Profiles), test.wantProfiles)
			}
		})
	}
}

func TestSceneOfANamespaceThatDoesNotExistIsAnError(t *testing.T) {
	loader := subject.Loader{Cache: reader(t), Live: reader(t)}
	if _, err := loader.Scene(t.Context(), "ehr"); err == nil {
		t.Fatal("want an error")
	}
}

func TestClaimingLiveFindsAWorkloadAppliedWithItsPod(t *testing.T) {
	api := workload("api", map[string]string{"app": "api"})
	loader := subject.Loader{Cache: reader(t, phiNamespace("ehr")), Live: reader(t, phiNamespace("ehr"), api)}
	scene, err := loader.Scene(t.Context(), "ehr")
	if err != nil {
		t.Fatalf("Scene: %v", err)
	}
	claiming, err := loader.ClaimingLive(t.Context(), scene, map[string]string{"app": "api"})
	if err != nil || len(claiming) != 1 || claiming[0].Name != "api" {
		t.Fatalf("got %v, %v, want the workload api", claiming, err)
	}
	claiming, err = loader.ClaimingLive(t.Context(), scene, map[string]string{"app": "other"})
	if err != nil || len(claiming) != 0 {
		t.Fatalf("got %v, %v, want none", claiming, err)
	}
}

func TestWhatAWorkloadSelects(t *testing.T) {
	api := map[string]string{"app": "api"}
	tests := map[string]struct {
		give metav1.LabelSelector
		pod  map[string]string
		want bool
	}{
		"a label":                          {metav1.LabelSelector{MatchLabels: api}, map[string]string{"app": "api", "tier": "web"}, true},
		"another value":                    {metav1.LabelSelector{MatchLabels: api}, map[string]string{"app": "db"}, false},
		"no such label":                    {metav1.LabelSelector{MatchLabels: api}, nil, false},
		"an empty value is a value":        {metav1.LabelSelector{MatchLabels: map[string]string{"app": ""}}, nil, false},
		"a label and an expression":        {selecting(api, "tier", metav1.LabelSelectorOpExists), map[string]string{"app": "api", "tier": "web"}, true},
		"a label, and not the expression":  {selecting(api, "tier", metav1.LabelSelectorOpExists), api, false},
		"an expression, and not the label": {selecting(api, "tier", metav1.LabelSelectorOpExists), map[string]string{"tier": "web"}, false},
		"an expression alone":              {selecting(nil, "tier", metav1.LabelSelectorOpDoesNotExist), api, true},
		"an expression that makes none":    {selecting(api, "tier", "Perhaps"), api, false},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			w := &hipaav1.PHIWorkload{Spec: hipaav1.PHIWorkloadSpec{Selector: tt.give}}
			if got := subject.Selects(w, tt.pod); got != tt.want {
				t.Errorf("Selects(%v) = %v, want %v", tt.pod, got, tt.want)
			}
		})
	}
}

func selecting(matchLabels map[string]string, key string, operator metav1.LabelSelectorOperator) metav1.LabelSelector {
	return metav1.LabelSelector{MatchLabels: matchLabels, MatchExpressions: []metav1.LabelSelectorRequirement{{Key: key, Operator: operator}}}
}

func TestNamespaceIsPreviewingWhileAnyWorkloadIs(t *testing.T) {
	held := workload("held", nil)
	held.Status.Stage = hipaav1.StagePreviewing
	fresh := workload("fresh", nil)
	scene := subject.Scene{Workloads: []*hipaav1.PHIWorkload{fresh, held}}
	got := []hipaav1.Stage{scene.Stage(nil), scene.Stage(fresh), scene.Stage(held)}
	want := []hipaav1.Stage{hipaav1.StagePreviewing, hipaav1.StageEnforced, hipaav1.StagePreviewing}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("stages (-want +got):\n%s", diff)
	}
}

func storage() (*corev1.PersistentVolumeClaim, *corev1.PersistentVolume, *storagev1.StorageClass) {
	claim := &corev1.PersistentVolumeClaim{
		ObjectMeta: metav1.ObjectMeta{Namespace: "ehr", Name: "data"},
		Spec:       corev1.PersistentVolumeClaimSpec{StorageClassName: ptr.To("fast"), VolumeName: "pv-1"},
	}
	volume := &corev1.PersistentVolume{
		ObjectMeta: metav1.ObjectMeta{Name: "pv-1"},
		Spec:       corev1.PersistentVolumeSpec{StorageClassName: "older"},
	}
	return claim, volume, &storagev1.StorageClass{ObjectMeta: metav1.ObjectMeta{Name: "fast"}}
}

func TestStorageChainOfAPod(t *testing.T) {
	claim, volume, class := storage()
	older := &storagev1.StorageClass{ObjectMeta: metav1.ObjectMeta{Name: "older"}}
	tests := map[string]struct {
		giveCache, giveLive                  []client.Object
		wantClaims, wantVolumes, wantClasses int
	}{
		"from the cache":                 {[]client.Object{claim, volume, class, older}, nil, 1, 1, 2},
		"live where the cache lags":      {nil, []client.Object{claim, volume, class, older}, 1, 1, 2},
		"a claim that does not exist":    {nil, nil, 0, 0, 0},
		"a class that has been deleted":  {[]client.Object{claim, volume}, nil, 1, 1, 0},
		"a volume that has been deleted": {[]client.Object{claim, class}, nil, 1, 0, 1},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			loader := subject.Loader{Cache: reader(t, test.giveCache...), Live: reader(t, test.giveLive...)}
			scene := &subject.Scene{Namespace: phiNamespace("ehr")}
			s := loader.AtAdmission(t.Context(), scene, nil, pod("api", nil, "data"), control.StorageChain)
			got := []int{len(s.World.Claims), len(s.World.Volumes), len(s.World.Classes)}
			if diff := cmp.Diff([]int{test.wantClaims, test.wantVolumes, test.wantClasses}, got); diff != "" {
				t.Errorf("claims, volumes, classes (-want +got):\n%s", diff)
			}
			if len(s.World.Missing) != 0 {
				t.Errorf("absent objects are not missing evidence: %v", s.World.Missing)
			}
		})
	}
}

func TestTheClaimWhoseDataAnotherBeginsAsIsRead(t *testing.T) {
	origin := phitest.Claim("records").Namespace("prod").Obj()
	clone := phitest.Claim("copy").With(func(c *corev1.PersistentVolumeClaim) {
		c.Spec.DataSourceRef = &corev1.TypedObjectReference{Kind: "PersistentVolumeClaim", Name: "records", Namespace: &origin.Namespace}
	}).Obj()
	snapshot := func(name, claim string) *unstructured.Unstructured {
		return &unstructured.Unstructured{Object: map[string]any{
			"apiVersion": "snapshot.storage.k8s.io/v1", "kind": "VolumeSnapshot", "metadata": map[string]any{"namespace": "prod", "name": name},
			"spec": map[string]any{"source": map[string]any{"persistentVolumeClaimName": claim}},
		}}
	}
	restored := func(name string) *corev1.PersistentVolumeClaim {
		return phitest.Claim(name).With(func(c *corev1.PersistentVolumeClaim) {
			c.Spec.DataSourceRef = &corev1.TypedObjectReference{APIGroup: ptr.To("snapshot.storage.k8s.io"), Kind: "VolumeSnapshot", Name: name, Namespace: &origin.Namespace}
		}).Obj()
	}
	loader := subject.Loader{Cache: reader(t, clone, restored("nightly")), Live: reader(t, origin, snapshot("nightly", "records"), snapshot("imported", ""))}
	scene := &subject.Scene{Namespace: phiNamespace("ehr")}
	for what, tc := range map[string]struct {
		object metav1.Object
		of     *corev1.PersistentVolumeClaim
		found  bool
	}{
		"the clone":                       {clone, clone, true},
		"a pod that mounts it":            {pod("api", nil, "copy"), clone, true},
		"a restored snapshot":             {restored("nightly"), restored("nightly"), true},
		"a pod that mounts that":          {pod("api", nil, "nightly"), restored("nightly"), true},
		"a snapshot of nobody knows what": {restored("imported"), restored("imported"), false},
		"a snapshot that is not there":    {restored("gone"), restored("gone"), false},
	} {
		s := loader.AtAdmission(t.Context(), scene, nil, tc.object, control.StorageChain)
		from, _ := control.DataSourceOf(tc.of)
		if got := s.World.Origins[from]; (got != nil) != tc.found || tc.found && got.Name != origin.Name || len(s.World.Missing) > 0 {
			t.Errorf("of %s the origins are %v, missing %v", what, s.World.Origins, s.World.Missing)
		}
	}
}

func TestWhatCannotBeReadIsMissing(t *testing.T) {
	broken := interceptor.NewClient(reader(t), interceptor.Funcs{
		Get: func(context.Context, client.WithWatch, client.ObjectKey, client.Object, ...client.GetOption) error {
			return errors.New("the API server is away, and says secret things")
		},
	})
	loader := subject.Loader{Cache: broken, Live: broken}
	s := loader.AtAdmission(t.Context(), &subject.Scene{Namespace: phiNamespace("ehr")}, nil, pod("api", nil, "data"), control.StorageChain|control.FlowPeers)
	for _, source := range []control.Evidence{control.StorageChain, control.FlowPeers} {
		why, missing := s.World.Missing[source]
		if !missing {
			t.Errorf("%s: want it missing", source)
		}
		if strings.Contains(why, "secret") {
			t.Errorf("%s: the reason repeats the server's words: %q", source, why)
		}
	}
}

func TestLiveSubjectOfAWorkload(t *testing.T) {
	labels := map[string]string{"app": "api"}
	finished := pod("done", labels)
	finished.Status.Phase = corev1.PodSucceeded
	claim, volume, class := storage()
	leads := &corev1.Service{ObjectMeta: metav1.ObjectMeta{Namespace: "ehr", Name: "api"}, Spec: corev1.ServiceSpec{Selector: labels}}
	elsewhere := &corev1.Service{ObjectMeta: metav1.ObjectMeta{Namespace: "ehr", Name: "other"}, Spec: corev1.ServiceSpec{Selector: map[string]string{"app": "other"}}}
	bare := &corev1.Service{ObjectMeta: metav1.ObjectMeta{Namespace: "ehr", Name: "bare"}}
	slice := func(name, service, manager string) *discoveryv1.EndpointSlice {
		return &discoveryv1.EndpointSlice{ObjectMeta: metav1.ObjectMeta{Namespace: "ehr", Name: name, Labels: map[string]string{
			discoveryv1.LabelServiceName: service, discoveryv1.LabelManagedBy: manager,
		}}}
	}
	const controller = "endpointslice-controller.k8s.io"
	cache := reader(t, phiNamespace("ehr"), pod("api-2", labels), pod("api-1", labels, "data"), finished, pod("other", nil),
		claim, volume, class, leads, elsewhere, bare,
		slice("kept", "api", controller), slice("forged", "bare", controller), slice("mine", "api", "me"))
	loader := subject.Loader{Cache: cache, Live: reader(t)}
	w := workload("api", labels)
	s, err := loader.Subject(t.Context(), &subject.Scene{Namespace: phiNamespace("ehr"), Workloads: []*hipaav1.PHIWorkload{w}}, w,
		control.StorageChain|control.NetworkPolicies|control.FlowPeers)
	if err != nil {
		t.Fatalf("Subject: %v", err)
	}
	got := map[string][]string{
		"pods": names(s.World.Pods), "services": names(s.World.Exposing), "slices": names(s.World.Slices),
	}
	want := map[string][]string{
		"pods": {"api-1", "api-2"}, "services": {"api", "bare"}, "slices": {"forged", "mine"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("live objects (-want +got):\n%s", diff)
	}
	if len(s.World.Claims) != 1 {
		t.Errorf("claims: got %d, want that of api-1", len(s.World.Claims))
	}
}

func TestFlowPeers(t *testing.T) {
	w := workload("api", map[string]string{"app": "api"})
	w.Spec.Access = &hipaav1.Access{From: []hipaav1.AccessPeer{{PHIWorkload: &hipaav1.PHIWorkloadPeer{Name: "portal", Namespace: "web"}}}}
	w.Spec.Egress = &hipaav1.Egress{To: []hipaav1.EgressPeer{
		{Service: &hipaav1.ServicePeer{Name: "cache"}},
		{PHIWorkload: &hipaav1.PHIWorkloadPeer{Name: "gone"}},
		{KubernetesAPI: &hipaav1.KubernetesAPIPeer{}},
	}}
	portal := workload("portal", nil)
	portal.Namespace = "web"
	dns := &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Namespace: "kube-system", Name: "kube-dns"},
		Spec: corev1.ServiceSpec{Selector: map[string]string{"k8s-app": "kube-dns"}, Ports: []corev1.ServicePort{
			{Name: "dns", Port: 53, Protocol: corev1.ProtocolUDP, TargetPort: intstr.FromInt32(5353)},
			{Name: "dns-tcp", Port: 53, Protocol: corev1.ProtocolTCP, TargetPort: intstr.FromInt32(5353)},
			{Name: "metrics", Port: 9153},
		}},
	}
	endpoints := &discoveryv1.EndpointSlice{
		ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "kubernetes", Labels: map[string]string{discoveryv1.LabelServiceName: "kubernetes"}},
		Endpoints:  []discoveryv1.Endpoint{{Addresses: []string{"10.0.0.2"}}, {Addresses: []string{"10.0.0.1"}}},
		Ports:      []discoveryv1.EndpointPort{{Port: ptr.To[int32](6443)}},
	}
	cacheService := &corev1.Service{ObjectMeta: metav1.ObjectMeta{Namespace: "ehr", Name: "cache"}}
	loader := subject.Loader{Cache: reader(t, portal, dns, endpoints, cacheService), Live: reader(t)}
	s := loader.AtAdmission(t.Context(), &subject.Scene{Namespace: phiNamespace("ehr"), Workloads: []*hipaav1.PHIWorkload{w}}, w, w, control.FlowPeers)
	if _, found := s.World.Workloads[types.NamespacedName{Namespace: "web", Name: "portal"}]; !found {
		t.Error("the peer in another namespace is absent")
	}
	if _, found := s.World.Services[types.NamespacedName{Namespace: "ehr", Name: "cache"}]; !found {
		t.Error("the Service is absent")
	}
	wantAPI := []netip.AddrPort{netip.MustParseAddrPort("10.0.0.1:6443"), netip.MustParseAddrPort("10.0.0.2:6443")}
	if diff := cmp.Diff(wantAPI, s.World.APIServer, cmp.Comparer(func(a, b netip.AddrPort) bool { return a == b })); diff != "" {
		t.Errorf("API server (-want +got):\n%s", diff)
	}
	wantResolvers := []control.Resolver{{Namespace: "kube-system", Pods: &metav1.LabelSelector{MatchLabels: map[string]string{"k8s-app": "kube-dns"}}, Port: 5353}}
	if diff := cmp.Diff(wantResolvers, s.World.Resolvers); diff != "" {
		t.Errorf("resolvers (-want +got):\n%s", diff)
	}
}

func TestWhatEveryClusterHasIsMissedWhereItIsGone(t *testing.T) {
	calling := workload("api", map[string]string{"app": "api"})
	calling.Spec.Egress = &hipaav1.Egress{To: []hipaav1.EgressPeer{{KubernetesAPI: &hipaav1.KubernetesAPIPeer{}}}}
	quiet := workload("quiet", map[string]string{"app": "quiet"})
	dns := &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Namespace: "kube-system", Name: "kube-dns"},
		Spec:       corev1.ServiceSpec{Selector: map[string]string{"k8s-app": "kube-dns"}, Ports: []corev1.ServicePort{{Port: 53}}},
	}
	withoutPods := dns.DeepCopy()
	withoutPods.Spec.Selector = nil
	endpoints := &discoveryv1.EndpointSlice{
		ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "kubernetes", Labels: map[string]string{discoveryv1.LabelServiceName: "kubernetes"}},
		Endpoints:  []discoveryv1.Endpoint{{Addresses: []string{"10.0.0.2"}}},
		Ports:      []discoveryv1.EndpointPort{{Port: ptr.To[int32](6443)}},
	}
	for name, tc := range map[string]struct {
		cluster []client.Object
		of      *hipaav1.PHIWorkload
		network control.NetworkParameters
		want    control.Evidence
	}{
		"both are there":                  {cluster: []client.Object{dns, endpoints}, of: calling},
		"both are gone":                   {of: calling, want: control.Resolvers | control.APIServer},
		"a resolver that selects no pods": {cluster: []client.Object{withoutPods, endpoints}, of: calling, want: control.Resolvers},
		"an API server that nobody calls": {cluster: []client.Object{dns}, of: quiet},
		"a resolver that the profile names": {
			of: calling, network: control.NetworkParameters{DNS: []hipaav1.DNSServer{{CIDR: "169.254.20.10/32"}}}, want: control.APIServer,
		},
		"the namespace alone, which calls nobody": {},
	} {
		t.Run(name, func(t *testing.T) {
			loader := subject.Loader{Cache: reader(t, tc.cluster...), Live: reader(t)}
			scene := &subject.Scene{Namespace: phiNamespace("ehr"), Workloads: []*hipaav1.PHIWorkload{calling, quiet}}
			s, err := loader.Subject(t.Context(), scene, tc.of, control.FlowPeers)
			if err != nil {
				t.Fatalf("Subject: %v", err)
			}
			s = s.Under(&control.Profile{Network: tc.network})
			var missing control.Evidence
			for source := range s.World.Missing {
				missing |= source
			}
			if missing != tc.want {
				t.Errorf("missing %q, want %q", missing, tc.want)
			}
		})
	}
}

func names[T metav1.Object](list []T) []string {
	var all []string
	for _, o := range list {
		all = append(all, o.GetName())
	}
	return all
}

func TestWhatAConnectionNamesIsFoundAtOnce(t *testing.T) {
	service := &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Namespace: "ehr", Name: "back"}, Spec: corev1.ServiceSpec{Selector: map[string]string{"tier": "back"}},
	}
	back := map[string]string{"tier": "back"}
	known := []client.Object{pod("db", back), pod("api", back), pod("web", map[string]string{"tier": "front"})}
	loader := subject.Loader{Cache: reader(t, known...), Live: reader(t, append(known, pod("new", back), service)...)}
	for name, want := range map[string]bool{"api": true, "new": true, "gone": false} {
		got, found, err := loader.Pod(t.Context(), types.NamespacedName{Namespace: "ehr", Name: name})
		if err != nil || found != want || found && got.Name != name {
			t.Errorf("pod %s: %v, %t, %v, want it found: %t", name, got, found, err, want)
		}
	}
	got, found, err := loader.Service(t.Context(), client.ObjectKeyFromObject(service))
	if err != nil || !found {
		t.Fatalf("service: %t, %v", found, err)
	}
	pods, err := loader.Behind(t.Context(), got)
	if diff := cmp.Diff([]string{"api", "db"}, names(pods)); err != nil || diff != "" {
		t.Errorf("pods behind it: %v (-want +got):\n%s", err, diff)
	}
	got.Spec.Selector = nil
	if pods, err := loader.Behind(t.Context(), got); err != nil || len(pods) > 0 {
		t.Errorf("a Service without a selector selects %q, %v", names(pods), err)
	}
	if _, found, err := loader.Service(t.Context(), types.NamespacedName{Namespace: "ehr", Name: "gone"}); err != nil || found {
		t.Errorf("a Service that is not there: %t, %v", found, err)
	}
}
