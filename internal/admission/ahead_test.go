package admission_test

import (
	"context"
	"slices"
	"strings"
	"testing"

	admissionv1 "k8s.io/api/admission/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/intstr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/hipaa-operator/hipaa-operator/internal/control/catalog"
	"github.com/hipaa-operator/hipaa-operator/internal/phitest"
)

// puppetBackstop answers as it is told: it knows what is asked for the nth time.
type puppetBackstop struct {
	last  bool
	nth   int
	asked [][]string
}

func (p *puppetBackstop) Knows(_ context.Context, _ string, states []string) bool {
	p.asked = append(p.asked, states)
	return len(p.asked) >= p.nth
}

func (p *puppetBackstop) Last(context.Context, schema.GroupResource) bool { return p.last }

func TestAdmissionRefusesAheadOfTheBackstopWhereNobodyCanMendThePod(t *testing.T) {
	tests := map[string]struct {
		give          *phitest.PodBuilder
		last, allowed bool
		words         []string
	}{
		"what the backstop would refuse, with what it does not see": {
			give: phitest.Pod("patient-api").Mounts("data", "no-such-claim").With(func(p *corev1.Pod) { p.Spec.HostPID = true }), last: true,
			words: []string{"lacks 2 safeguards (pod-hardening, volume-encryption)", "\n  pod-hardening ", "\n  volume-encryption "},
		},
		"the same, but somebody may mend it": {
			give: phitest.Pod("patient-api").With(func(p *corev1.Pod) { p.Spec.HostPID = true }), allowed: true,
		},
		"what only the validating webhook refuses": {
			give: phitest.Pod("patient-api").Mounts("data", "no-such-claim"), last: true, allowed: true,
		},
		"a pod of no workload":                         {give: phitest.Pod("stranger"), last: true, words: []string{"undeclared-pod"}},
		"a pod of no workload that somebody may label": {give: phitest.Pod("stranger"), allowed: true},
		"a pod with its safeguards":                    {give: phitest.Pod("patient-api"), last: true, allowed: true},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			g := unitGate(t, catalog.All(), reader(t, world()...))
			g.Backstop = &puppetBackstop{last: tt.last}
			got := askAbout(t, g, "/mutate/pods", review(t, admissionv1.Create, tt.give.Obj(), nil))
			if got.Allowed != tt.allowed {
				t.Fatalf("allowed %t, want %t: %v", got.Allowed, tt.allowed, got.Result)
			}
			for _, word := range tt.words {
				if !strings.Contains(got.Result.Message, word) {
					t.Errorf("%q does not say %q", got.Result.Message, word)
				}
			}
		})
	}
}

func TestANamespaceWithoutProfileIsToldOfAheadOfTheBackstop(t *testing.T) {
	g := unitGate(t, catalog.All(), reader(t, phitest.Namespace("ehr").Obj(), phitest.Workload("patient-api").Stored().Obj()))
	g.Backstop = &puppetBackstop{last: true}
	got := askAbout(t, g, "/mutate/pods", review(t, admissionv1.Create, phitest.Pod("patient-api").Obj(), nil))
	if got.Allowed || !strings.Contains(got.Result.Message, "no ComplianceProfile governs the namespace") {
		t.Errorf("allowed %t: %v", got.Allowed, got.Result)
	}
}

func TestEphemeralContainersAreRefusedAheadOfTheBackstop(t *testing.T) {
	g := unitGate(t, catalog.All(), reader(t, world()...))
	old := labelled(t, g)
	updated := old.DeepCopy()
	updated.Spec.EphemeralContainers = []corev1.EphemeralContainer{ephemeral("tools")}
	for last, allowed := range map[bool]bool{true: false, false: true} {
		g.Backstop = &puppetBackstop{last: last}
		if got := askAbout(t, g, "/foretell/pods", review(t, admissionv1.Update, updated, old)); got.Allowed != allowed {
			t.Errorf("last %t: allowed %t, want %t", last, got.Allowed, allowed)
		}
	}
	g.Backstop = &puppetBackstop{last: true}
	if got := askAbout(t, g, "/foretell/pods", review(t, admissionv1.Update, old, old)); !got.Allowed || len(got.Warnings) > 0 {
		t.Errorf("of what brings nothing new it says %t, %q", got.Allowed, got.Warnings)
	}
}

func TestServicesRightsAndSecretsAreRefusedAheadOfTheBackstop(t *testing.T) {
	g := unitGate(t, catalog.All(), reader(t, world()...))
	exposed := phitest.Service("patient-api").Selecting("app", "patient-api").Port("http", 80, intstr.FromInt32(8080)).Obj()
	exposed.Spec.Type = corev1.ServiceTypeNodePort
	everything := phitest.Role("everything").Documented().Allows("", "pods", "*").Obj()
	token := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: "ehr", Name: "token"}, Type: corev1.SecretTypeServiceAccountToken}
	for path, object := range map[string]client.Object{"/foretell/services": exposed, "/foretell/access": everything, "/foretell/secrets": token} {
		for last, allowed := range map[bool]bool{true: false, false: true} {
			g.Backstop = &puppetBackstop{last: last}
			if got := askAbout(t, g, path, review(t, admissionv1.Create, object, nil)); got.Allowed != allowed {
				t.Errorf("%s, last %t: allowed %t, want %t", path, last, got.Allowed, allowed)
			}
		}
	}
	backstop := &puppetBackstop{last: true, nth: 3}
	g.Backstop = backstop
	lawful := phitest.Service("patient-api").Selecting("app", "patient-api").Port("http", 80, intstr.FromInt32(8080)).Obj()
	if got := askAbout(t, g, "/foretell/services", review(t, admissionv1.Create, lawful, nil)); !got.Allowed || len(backstop.asked) != 3 {
		t.Errorf("allowed %t after it was asked %d times, want until it knew", got.Allowed, len(backstop.asked))
	}
}

func TestANewPodWaitsUntilTheAPIServerKnowsOfItsWorkloadAndItsExceptions(t *testing.T) {
	exception := phitest.Exception("x", "patient-api", "pod-hardening").ApprovedBy("officer@example.org").Obj()
	exception.UID = "exception-uid"
	other := phitest.Exception("y", "portal", "pod-hardening").Obj()
	other.UID = "other-uid"
	backstop := &puppetBackstop{last: true, nth: 3}
	g := unitGate(t, catalog.All(), reader(t, append(world(), exception, other)...))
	g.Backstop = backstop
	if got := askAbout(t, g, "/mutate/pods", review(t, admissionv1.Create, phitest.Pod("patient-api").Obj(), nil)); !got.Allowed {
		t.Fatal(got.Result)
	}
	if len(backstop.asked) != 3 {
		t.Errorf("it was asked %d times, want until it knew", len(backstop.asked))
	}
	states := backstop.asked[0]
	if len(states) != 2 || !slices.Contains(states, "exceptio.1Approved") {
		t.Errorf("it was asked of %q, want the workload and what excuses it", states)
	}
}
