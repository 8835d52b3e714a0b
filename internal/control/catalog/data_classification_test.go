package catalog

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
	"github.com/hipaa-operator/hipaa-operator/internal/control"
	"github.com/hipaa-operator/hipaa-operator/internal/control/controltest"
	"github.com/hipaa-operator/hipaa-operator/internal/phitest"
)

var classification = controlOf("data-classification")

// controlOf finds a control of the catalogue.
func controlOf(id string) control.Control {
	for _, c := range All() {
		if c.ID == id {
			return c
		}
	}
	panic("no control has the ID " + id)
}

func tagged(t hipaav1.TaggingParameters, w *hipaav1.PHIWorkload) control.Subject {
	return control.Subject{
		Profile:   &control.Profile{Tagging: t},
		Namespace: phitest.Namespace(phitest.DefaultNamespace).Obj(),
		Workload:  w,
		World:     &control.World{},
	}
}

func TestPodsAreClassified(t *testing.T) {
	for name, tc := range map[string]struct {
		tagging  hipaav1.TaggingParameters
		workload *phitest.WorkloadBuilder
		pod      *phitest.PodBuilder
		want     map[string]string
	}{
		"with the default keys": {
			workload: phitest.Workload("ehr").Continuity(hipaav1.ContinuityPatientCare).DataClasses(hipaav1.DataClassHIV, hipaav1.DataClassClinical),
			pod:      phitest.Pod("ehr"),
			want: map[string]string{
				"app":                                   "ehr",
				"hipaa-operator.io/workload":            "ehr",
				"hipaa-operator.io/owner":               "clinical-apps",
				"hipaa-operator.io/criticality":         "PatientCare",
				"hipaa-operator.io/environment":         "Production",
				"data-class.hipaa-operator.io/HIV":      "true",
				"data-class.hipaa-operator.io/Clinical": "true",
			},
		},
		"with keys of the profile": {
			tagging:  hipaav1.TaggingParameters{OwnerKey: "team", CriticalityKey: "example.org/tier", EnvironmentKey: "env", DataClassPrefix: "phi.example.org"},
			workload: phitest.Workload("ehr"),
			pod:      phitest.Pod("ehr"),
			want: map[string]string{
				"app": "ehr", "hipaa-operator.io/workload": "ehr", "team": "clinical-apps",
				"example.org/tier": "Business", "env": "Production", "phi.example.org/Clinical": "true",
			},
		},
		"with default keys where the profile's are no label keys, or one key twice": {
			tagging:  hipaav1.TaggingParameters{OwnerKey: "no key", CriticalityKey: "tier", EnvironmentKey: "tier", DataClassPrefix: "No_Prefix"},
			workload: phitest.Workload("ehr"),
			pod:      phitest.Pod("ehr"),
			want: map[string]string{
				"app": "ehr", "hipaa-operator.io/workload": "ehr", "hipaa-operator.io/owner": "clinical-apps",
				"tier": "Business", "hipaa-operator.io/environment": "Production", "data-class.hipaa-operator.io/Clinical": "true",
			},
		},
		"as Production where no environment is said": {
			workload: phitest.Workload("ehr").Environment(""),
			pod:      phitest.Pod("ehr"),
			want: map[string]string{
				"app": "ehr", "hipaa-operator.io/workload": "ehr", "hipaa-operator.io/owner": "clinical-apps",
				"hipaa-operator.io/criticality": "Business", "hipaa-operator.io/environment": "Production",
				"data-class.hipaa-operator.io/Clinical": "true",
			},
		},
		"and a contradiction stays, to be refused": {
			workload: phitest.Workload("ehr"),
			pod:      phitest.Pod("ehr").Label(hipaav1.DefaultOwnerKey, "someone-else"),
			want: map[string]string{
				"app": "ehr", "hipaa-operator.io/workload": "ehr", "hipaa-operator.io/owner": "someone-else",
				"hipaa-operator.io/criticality": "Business", "hipaa-operator.io/environment": "Production",
				"data-class.hipaa-operator.io/Clinical": "true",
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			pod := tc.pod.Obj()
			classification.Mutate(tagged(tc.tagging, tc.workload.Obj()), pod)
			if diff := cmp.Diff(tc.want, pod.Labels); diff != "" {
				t.Errorf("labels (-want +got):\n%s", diff)
			}
		})
	}
}

func TestClaimsAreClassifiedUnlessTheyAreAnothers(t *testing.T) {
	for name, tc := range map[string]struct {
		workload *hipaav1.PHIWorkload
		claim    *phitest.ClaimBuilder
		want     int
	}{
		"a claim that says nothing":               {workload: phitest.Workload("ehr").Obj(), claim: phitest.Claim("data"), want: 5},
		"a claim of the workload":                 {workload: phitest.Workload("ehr").Obj(), claim: phitest.Claim("data").Label(hipaav1.LabelWorkload, "ehr"), want: 5},
		"a claim of another workload":             {workload: phitest.Workload("ehr").Obj(), claim: phitest.Claim("data").Label(hipaav1.LabelWorkload, "lab"), want: 1},
		"a claim that no workload can be told of": {claim: phitest.Claim("data"), want: 0},
	} {
		t.Run(name, func(t *testing.T) {
			claim := tc.claim.Obj()
			classification.Default(tagged(hipaav1.TaggingParameters{}, tc.workload), claim)
			if len(claim.Labels) != tc.want {
				t.Errorf("labels = %v, want %d of them", claim.Labels, tc.want)
			}
		})
	}
}

func TestClassificationFindsContradictions(t *testing.T) {
	w := phitest.Workload("ehr").Obj()
	labelled := func(pod *phitest.PodBuilder) *corev1.Pod {
		obj := pod.Obj()
		classification.Mutate(tagged(hipaav1.TaggingParameters{}, w), obj)
		return obj
	}
	for name, tc := range map[string]struct {
		give control.Subject
		want []string
	}{
		"a pod that is classified": {
			give: control.Subject{Workload: w, Pod: labelled(phitest.Pod("ehr"))},
			want: []string{"Pass: classified as PHIWorkload ehr, owner clinical-apps"},
		},
		"a pod without a label": {
			give: control.Subject{Workload: w, Pod: phitest.Pod("ehr").Obj()},
			want: []string{"metadata.labels lack hipaa-operator.io/workload, hipaa-operator.io/owner, hipaa-operator.io/criticality, " +
				"hipaa-operator.io/environment, data-class.hipaa-operator.io/Clinical"},
		},
		"a pod that says it is another workload's": {
			give: control.Subject{Workload: w, Pod: labelled(phitest.Pod("ehr").Label(hipaav1.LabelWorkload, "lab"))},
			want: []string{`metadata.labels[hipaa-operator.io/workload] contradicts PHIWorkload ehr, which says "ehr"`},
		},
		"a pod that denies a class which nobody declared, which is no contradiction": {
			give: control.Subject{Workload: w, Pod: labelled(phitest.Pod("ehr").Label("data-class.hipaa-operator.io/HIV", "false"))},
			want: []string{"Pass: classified as PHIWorkload ehr, owner clinical-apps"},
		},
		"a service that says nothing": {
			give: control.Subject{Workload: w, Service: phitest.Service("ehr").Obj()},
			want: []string{"Pass: contradicts nothing that PHIWorkload ehr declares"},
		},
		"a service of another owner": {
			give: control.Subject{Workload: w, Service: phitest.Service("ehr").Label(hipaav1.DefaultOwnerKey, "lab").Obj()},
			want: []string{`metadata.labels[hipaa-operator.io/owner] contradicts PHIWorkload ehr, which says "clinical-apps"`},
		},
		"a service of another owner that selects no pods": {
			give: control.Subject{Workload: w, Service: phitest.Service("db").Selecting().Label(hipaav1.DefaultOwnerKey, "lab").Obj()},
			want: []string{"NotApplicable: it selects no pods of the PHIWorkload"},
		},
		"a claim that two workloads mount is the one's that it names": {
			give: control.Subject{Workload: w, Claim: phitest.Claim("shared").Label(hipaav1.LabelWorkload, "lab").Label(hipaav1.DefaultOwnerKey, "lab").Obj()},
			want: []string{"NotApplicable: it is classified as of another PHIWorkload"},
		},
		"a claim that no workload claims": {
			give: control.Subject{Claim: phitest.Claim("data").Label(hipaav1.DefaultOwnerKey, "lab").Obj()},
			want: []string{"NotApplicable: no PHIWorkload claims it, so there is nothing to compare its labels with"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			tc.give.Profile, tc.give.World = &control.Profile{}, &control.World{}
			if diff := cmp.Diff(tc.want, sentences(classification.Check(tc.give))); diff != "" {
				t.Errorf("findings (-want +got):\n%s", diff)
			}
		})
	}
}

func TestAPodOfTwoWorkloadsIsClassifiedOnce(t *testing.T) {
	c := controlOf("data-classification")
	s := controltest.Baseline(control.Pods)
	other := s.Workload.DeepCopy()
	other.Name, other.Spec.Owner.Team, other.Spec.DataClasses = "successor", "other-team", []hipaav1.DataClass{hipaav1.DataClassHIV}
	s.World.Workloads[types.NamespacedName{Namespace: other.Namespace, Name: other.Name}] = other
	first, second := s, s
	second.Workload = other
	pod := s.Pod
	c.Mutate(first, pod)
	classified := pod.DeepCopy()
	c.Mutate(second, pod)
	if diff := cmp.Diff(classified, pod); diff != "" {
		t.Errorf("the second workload writes over the first (-want +got):\n%s", diff)
	}
	if found := sentences(c.Check(second)); len(found) != 1 || !strings.HasPrefix(found[0], "NotApplicable: it is classified as of PHIWorkload") {
		t.Errorf("the second workload finds %q", found)
	}
	other.Spec.Selector = *phitest.Labels("app", "elsewhere")
	pod.Labels[hipaav1.LabelWorkload] = other.Name
	if found := c.Check(first); len(found) == 0 || found[0].Verdict != hipaav1.VerdictFail {
		t.Errorf("a pod classified as of a workload that does not select it is not found: %+v", found)
	}
}
