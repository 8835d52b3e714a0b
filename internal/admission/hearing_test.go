package admission

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
	"github.com/hipaa-operator/hipaa-operator/internal/engine"
	"github.com/hipaa-operator/hipaa-operator/internal/phitest"
	"github.com/hipaa-operator/hipaa-operator/internal/subject"
)

func violation(control, path string) engine.Violation {
	return engine.Violation{ControlID: control, Path: path, Verdict: hipaav1.VerdictFail}
}

func TestAnUpdateIsAnsweredForWhatItBrings(t *testing.T) {
	a, b, c := violation("a", "x"), violation("b", "x"), violation("c", "x")
	tests := map[string]struct {
		give, before, want engine.Decision
	}{
		"what stood before is a warning": {
			give:   engine.Decision{Denied: []engine.Violation{a, b}, Warned: []engine.Violation{c}},
			before: engine.Decision{Denied: []engine.Violation{a}, Warned: []engine.Violation{c}},
			want:   engine.Decision{Denied: []engine.Violation{b}, Warned: []engine.Violation{a, c}},
		},
		"what was only warned of is refused": {
			give:   engine.Decision{Denied: []engine.Violation{a}},
			before: engine.Decision{Warned: []engine.Violation{a}, Audited: []engine.Violation{a}},
			want:   engine.Decision{Denied: []engine.Violation{a}},
		},
		"what was refused with another remedy is the same": {
			give:   engine.Decision{Denied: []engine.Violation{{ControlID: "a", Path: "x", Remedy: "now", Verdict: hipaav1.VerdictFail}}},
			before: engine.Decision{Denied: []engine.Violation{{ControlID: "a", Path: "x", Remedy: "then", Verdict: hipaav1.VerdictFail}}},
			want:   engine.Decision{Warned: []engine.Violation{{ControlID: "a", Path: "x", Remedy: "now", Verdict: hipaav1.VerdictFail}}},
		},
		"a key tells what moved, and what took its place": {
			give: engine.Decision{Denied: []engine.Violation{
				{ControlID: "a", Path: "x[1]", Key: "old"}, {ControlID: "a", Path: "x[0]", Key: "new"},
			}},
			before: engine.Decision{Denied: []engine.Violation{{ControlID: "a", Path: "x[0]", Key: "old"}}},
			want: engine.Decision{
				Denied: []engine.Violation{{ControlID: "a", Path: "x[0]", Key: "new"}},
				Warned: []engine.Violation{{ControlID: "a", Path: "x[1]", Key: "old"}},
			},
		},
		"what was unknown and now fails is new": {
			give:   engine.Decision{Denied: []engine.Violation{a}},
			before: engine.Decision{Denied: []engine.Violation{{ControlID: "a", Path: "x", Verdict: hipaav1.VerdictUnknown}}},
			want:   engine.Decision{Denied: []engine.Violation{a}},
		},
		"what was refused and is a warning now stays one": {
			give:   engine.Decision{Warned: []engine.Violation{a}},
			before: engine.Decision{Denied: []engine.Violation{a}},
			want:   engine.Decision{Warned: []engine.Violation{a}},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(test.want, without(test.give, test.before)); diff != "" {
				t.Errorf("left (-want +got):\n%s", diff)
			}
		})
	}
}

func TestTwoWorkloadsTellOnceWhatBothFind(t *testing.T) {
	got := join(
		engine.Decision{Denied: []engine.Violation{violation("b", "x"), violation("c", "x")}},
		engine.Decision{Denied: []engine.Violation{violation("a", "x"), violation("b", "x"), violation("b", "y")}},
	)
	want := engine.Decision{Denied: []engine.Violation{violation("a", "x"), violation("b", "x"), violation("b", "y"), violation("c", "x")}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("joined (-want +got):\n%s", diff)
	}
}

func TestServicesConcernTheWorkloadsTheyLeadTo(t *testing.T) {
	h := &hearing{scene: &subject.Scene{Workloads: []*hipaav1.PHIWorkload{
		phitest.Workload("api").Obj(),
		phitest.Workload("api-v2").Selecting("app", "api", "version", "2").Obj(),
		phitest.Workload("web").Obj(),
	}}}
	tests := map[string]struct {
		give map[string]string
		want []string
	}{
		"the selector of a workload":   {map[string]string{"app": "web"}, []string{"web"}},
		"narrower than a workload":     {map[string]string{"app": "web", "tier": "front"}, []string{"web"}},
		"wider than a workload":        {map[string]string{"version": "2"}, []string{"api-v2"}},
		"of one and over another":      {map[string]string{"app": "api"}, []string{"api", "api-v2"}},
		"somebody else's pods":         {map[string]string{"app": "shop"}, nil},
		"no selector leads everywhere": {nil, []string{"api", "api-v2", "web"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			var got []string
			for _, w := range h.reachable(test.give) {
				got = append(got, w.Name)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("concerned (-want +got):\n%s", diff)
			}
		})
	}
}

func TestEndpointsAreMirroredWithTheirPaths(t *testing.T) {
	endpoints := &corev1.Endpoints{ //nolint:staticcheck // deprecated, and still served
		ObjectMeta: metav1.ObjectMeta{Namespace: "ehr", Name: "api"},
		Subsets: []corev1.EndpointSubset{{ //nolint:staticcheck // as above
			Addresses:         []corev1.EndpointAddress{{IP: "192.0.2.1"}},
			NotReadyAddresses: []corev1.EndpointAddress{{IP: "192.0.2.2"}},
			Ports:             []corev1.EndpointPort{{Name: "http", Port: 80}},
		}},
	}
	slice := mirrored(endpoints, &endpoints.Subsets[0])
	if len(slice.Endpoints) != 2 || slice.Endpoints[1].Addresses[0] != "192.0.2.2" || *slice.Ports[0].Port != 80 ||
		slice.Labels["kubernetes.io/service-name"] != "api" {
		t.Errorf("mirrored to %v", slice)
	}
	for give, want := range map[string]string{
		"endpoints[1].addresses[0]": "subsets[3].addresses[1].ip",
		"endpoints[1].hostname":     "subsets[3].addresses[1].ip.hostname",
		"ports[0]":                  "subsets[3].ports[0]",
		"":                          "subsets[3]",
	} {
		if got := mirroredPath(3, give); got != want {
			t.Errorf("%q: got %q, want %q", give, got, want)
		}
	}
}
