package control_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/hipaa-operator/hipaa-operator/internal/control"
	"github.com/hipaa-operator/hipaa-operator/internal/hipaa"
	"github.com/hipaa-operator/hipaa-operator/internal/phitest"
)

func TestASubjectKnowsItsObject(t *testing.T) {
	generated := phitest.Pod("").Obj()
	generated.GenerateName = "api-"
	s := control.Subject{Namespace: phitest.Namespace("ehr").Obj(), Workload: phitest.Workload("api").Obj(), Pod: phitest.Pod("old").Obj()}
	for name, tc := range map[string]struct {
		give metav1.Object
		kind control.Kinds
		want string
	}{
		"a pod":                      {phitest.Pod("api-0").Obj(), control.Pods, "Pod/api-0"},
		"a pod that has no name yet": {generated, control.Pods, "Pod/api-"},
		"a claim":                    {phitest.Claim("data").Obj(), control.Claims, "PersistentVolumeClaim/data"},
		"a service":                  {phitest.Service("api").Obj(), control.Services, "Service/api"},
		"a policy":                   {phitest.Policy("deny").Obj(), control.Policies, "NetworkPolicy/deny"},
		"a slice":                    {phitest.Slice("s", "api").Obj(), control.Slices, "EndpointSlice/s"},
		"an ingress":                 {phitest.Ingress("i", "ehr.example.org", "api").Obj(), control.Ingresses, "Ingress/i"},
		"a role":                     {phitest.Role("r").Obj(), control.Roles, "Role/r"},
		"settings":                   {&corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "m"}}, control.ConfigMaps, "ConfigMap/m"},
		"a secret":                   {&control.Secret{ObjectMeta: metav1.ObjectMeta{Name: "s"}}, control.Secrets, "Secret/s"},
		"a resource":                 {&unstructured.Unstructured{Object: map[string]any{"kind": "Bucket", "metadata": map[string]any{"name": "b"}}}, control.Resources, "Bucket/b"},
		"a binding":                  {phitest.Binding("b").Obj(), control.Bindings, "RoleBinding/b"},
		"a connection": {
			&control.Connection{ObjectMeta: metav1.ObjectMeta{Name: "api-0"}, Way: control.Exec}, control.Connections, "PodExecOptions/api-0",
		},
		"nothing, hence the workload": {nil, control.Workloads, "PHIWorkload/api"},
	} {
		t.Run(name, func(t *testing.T) {
			one := s.Of(tc.give)
			if one.Kind() != tc.kind || one.Object() != tc.want {
				t.Errorf("is a %s called %s, want a %s called %s", one.Kind(), one.Object(), tc.kind, tc.want)
			}
		})
	}
	s = s.Of(nil)
	s.Workload = nil
	if got := s.Object(); got != "Namespace/ehr" {
		t.Errorf("without a workload it is called %s", got)
	}
	if got := (&control.Subject{}).Object(); got != "Unknown/" {
		t.Errorf("without anything it is called %s", got)
	}
}

func TestAWorldListsItsObjectsInOrder(t *testing.T) {
	w := control.World{Claims: map[string]*corev1.PersistentVolumeClaim{"b": phitest.Claim("b").Obj(), "a": phitest.Claim("a").Obj()}}
	var names []string
	for _, o := range w.Objects(control.Claims) {
		names = append(names, o.GetName())
	}
	if diff := cmp.Diff([]string{"a", "b"}, names); diff != "" {
		t.Errorf("claims (-want +got):\n%s", diff)
	}
	for _, none := range []control.Kinds{control.Workloads, control.Connections, control.Secrets} {
		if got := w.Objects(none); got != nil {
			t.Errorf("a %s is among the objects of a world: %v", none, got)
		}
	}
}

func TestWhatWasNotFoundIsNotUnread(t *testing.T) {
	tests := map[string]struct {
		give []control.Evidence
		want bool
	}{
		"nothing is missing":                   {want: false},
		"no resolver was found":                {[]control.Evidence{control.Resolvers, control.APIServer}, false},
		"policies could not be read":           {[]control.Evidence{control.NetworkPolicies}, true},
		"no resolver, and peers were not read": {[]control.Evidence{control.Resolvers, control.FlowPeers}, true},
		"the storage chain could not be read":  {[]control.Evidence{control.StorageChain}, true},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			w := control.World{Missing: map[control.Evidence]string{}}
			for _, source := range tt.give {
				w.Missing[source] = "no"
			}
			if got := w.Unread(); got != tt.want {
				t.Errorf("Unread() = %v, want %v", got, tt.want)
			}
		})
	}
}

func TestSetsAreReadByPeople(t *testing.T) {
	for want, got := range map[string]string{
		"Pod, EndpointSlice": (control.Slices | control.Pods).String(),
		"claims, volumes and storage classes, network policies": (control.NetworkPolicies | control.StorageChain).String(),
		"2026.1":        control.Ruleset(1).String(),
		"unpublished.0": control.Ruleset(0).String(),
	} {
		if got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	if len(control.AllKinds.Each()) != 13 || !control.AllKinds.Has(control.Workloads) || control.Pods.Has(control.Pods|control.Claims) {
		t.Error("sets of kinds do not hold what they hold")
	}
	if len(control.AllEvidence.Each()) != 17 {
		t.Error("AllEvidence is not all of it")
	}
}

func TestRulesetsAreParsed(t *testing.T) {
	if got, err := control.ParseRuleset("2026.1"); got != 1 || err != nil {
		t.Errorf("ParseRuleset() = %d, %v", got, err)
	}
	if _, err := control.ParseRuleset("1999.1"); err == nil || !strings.Contains(err.Error(), `the latest is "2026.1"`) {
		t.Errorf("error = %v, want one that names the latest", err)
	}
}

func TestAFindingCarriesWhatItIsGiven(t *testing.T) {
	got := control.Failed("spec.a", "is %d", 1).But("set it to %d", 2).OnlyLive().Known("Tested")
	want := control.Finding{Verdict: "Fail", Path: "spec.a", Message: "is 1", Remedy: "set it to 2", Live: true, Class: "Tested"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("finding (-want +got):\n%s", diff)
	}
}

// The pages of the catalogue are golden files of the laws; this holds what none
// of them happens to show.
func TestAPageSaysWhatBindsAndWhatIsRead(t *testing.T) {
	page := control.DocPage(control.Control{
		ID: "some-control", Title: "Do", Since: 1, Judges: control.Pods, Remedy: "do it",
		Cites: []hipaa.Citation{hipaa.EncryptionAtRest, hipaa.RiskAnalysis, hipaa.AccessControl},
	})
	for _, want := range []string{
		"| 45 CFR 164.312(a)(2)(iv) | Encryption and decryption | addressable: implement it, or document why not",
		"| 45 CFR 164.308(a)(1)(ii)(A) | Risk analysis | required |",
		"| 45 CFR 164.312(a)(1) | Access control | standard |",
		"- Nothing beside the object itself.",
		"\nDo it.\n",
	} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %q:\n%s", want, page)
		}
	}
}

func TestEveryWayIsCalledAsKubernetesAndAsPeopleDo(t *testing.T) {
	want := map[string]string{
		"PodExecOptions":        `exec into pod "api"`,
		"PodAttachOptions":      `attach to pod "api"`,
		"PodPortForwardOptions": `port-forward to pod "api"`,
		"PodProxyOptions":       `proxy to pod "api"`,
		"ServiceProxyOptions":   `proxy to service "api"`,
	}
	got := map[string]string{}
	for _, way := range control.Ways() {
		got[way.Kind()] = (&control.Connection{ObjectMeta: metav1.ObjectMeta{Name: "api"}, Way: way}).String()
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("names (-want +got):\n%s", diff)
	}
}
