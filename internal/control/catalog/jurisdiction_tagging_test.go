package catalog

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/types"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
	"github.com/hipaa-operator/hipaa-operator/internal/control"
	"github.com/hipaa-operator/hipaa-operator/internal/control/controltest"
	"github.com/hipaa-operator/hipaa-operator/internal/phitest"
)

var jurisdictions = controlOf("jurisdiction-tagging")

func TestPodsAndClaimsAreTagged(t *testing.T) {
	for name, tc := range map[string]struct {
		tagging hipaav1.TaggingParameters
		stated  []string
		pod     *phitest.PodBuilder
		want    map[string]string
	}{
		"with the default prefix": {
			stated: []string{"US-CA", "US-NY"}, pod: phitest.Pod("ehr"),
			want: map[string]string{"app": "ehr", "jurisdiction.hipaa-operator.io/US-CA": "true", "jurisdiction.hipaa-operator.io/US-NY": "true"},
		},
		"with the profile's prefix": {
			tagging: hipaav1.TaggingParameters{JurisdictionPrefix: "law.example.org"}, stated: []string{"US-CA"}, pod: phitest.Pod("ehr"),
			want: map[string]string{"app": "ehr", "law.example.org/US-CA": "true"},
		},
		"with the default prefix where the profile's is that of the data classes": {
			tagging: hipaav1.TaggingParameters{JurisdictionPrefix: "law.example.org", DataClassPrefix: "law.example.org"},
			stated:  []string{"US-CA"}, pod: phitest.Pod("ehr"),
			want: map[string]string{"app": "ehr", "jurisdiction.hipaa-operator.io/US-CA": "true"},
		},
		"and a contradiction stays, to be refused": {
			stated: []string{"US-CA"}, pod: phitest.Pod("ehr").Label("jurisdiction.hipaa-operator.io/US-CA", "false"),
			want: map[string]string{"app": "ehr", "jurisdiction.hipaa-operator.io/US-CA": "false"},
		},
		"and what makes no label is left out": {
			stated: []string{"-US", "us", "US CA"}, pod: phitest.Pod("ehr"), want: map[string]string{"app": "ehr"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := tagged(tc.tagging, phitest.Workload("ehr").Jurisdictions(tc.stated...).Obj())
			pod, claim := tc.pod.Obj(), phitest.Claim("data").Obj()
			claim.Labels = tc.pod.Obj().Labels
			jurisdictions.Mutate(s, pod)
			jurisdictions.Default(s, claim)
			if diff := cmp.Diff(tc.want, pod.Labels); diff != "" {
				t.Errorf("labels of the pod (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(tc.want, claim.Labels); diff != "" {
				t.Errorf("labels of the claim (-want +got):\n%s", diff)
			}
		})
	}
}

func TestJurisdictionsAreJudged(t *testing.T) {
	ca := phitest.Workload("ehr").Jurisdictions("US-CA").Obj()
	for name, tc := range map[string]struct {
		give control.Subject
		want []string
	}{
		"a workload that states them": {
			give: control.Subject{Workload: phitest.Workload("ehr").Jurisdictions("US-CA", "US-DC", "CA-ON").Obj()},
			want: []string{"Pass: states US-CA, US-DC, CA-ON [Attested]"},
		},
		"a workload that states none": {
			give: control.Subject{Workload: phitest.Workload("ehr").Obj()},
			want: []string{"spec.jurisdictions states none (live)"},
		},
		"a workload that states what is no state": {
			give: control.Subject{Workload: phitest.Workload("ehr").Jurisdictions("US", "US-XX", "US-CA").Obj()},
			want: []string{
				"Unknown: spec.jurisdictions names the country, and the law that counts is the state's (live)",
				`Unknown: spec.jurisdictions names "US-XX", which is no state (live)`,
			},
		},
		"a pod without its label": {
			give: control.Subject{Workload: ca, Pod: phitest.Pod("ehr").Obj()},
			want: []string{"metadata.labels lack jurisdiction.hipaa-operator.io/US-CA"},
		},
		"a pod of a workload that states none": {
			give: control.Subject{Workload: phitest.Workload("ehr").Obj(), Pod: phitest.Pod("ehr").Obj()},
			want: []string{"NotApplicable: PHIWorkload ehr states no jurisdiction, which is found there"},
		},
		"a pod that says more than its workload": {
			give: control.Subject{
				Workload: phitest.Workload("ehr").Obj(), Pod: phitest.Pod("ehr").Label("jurisdiction.hipaa-operator.io/US-TX", "true").Obj(),
			},
			want: []string{"metadata.labels[jurisdiction.hipaa-operator.io/US-TX] says a jurisdiction that PHIWorkload ehr does not state"},
		},
		"a claim that says nothing": {
			give: control.Subject{Workload: ca, Claim: phitest.Claim("data").Obj()},
			want: []string{"Pass: tagged as PHIWorkload ehr states"},
		},
		"a claim that denies what its workload states": {
			give: control.Subject{Workload: ca, Claim: phitest.Claim("data").Label("jurisdiction.hipaa-operator.io/US-CA", "no").Obj()},
			want: []string{"metadata.labels[jurisdiction.hipaa-operator.io/US-CA] contradicts PHIWorkload ehr, which states it"},
		},
		"a claim of another workload": {
			give: control.Subject{Workload: ca, Claim: phitest.Claim("data").Label(hipaav1.LabelWorkload, "lab").Obj()},
			want: []string{"NotApplicable: it is classified as of another PHIWorkload"},
		},
		"a pod that no workload claims": {
			give: control.Subject{Pod: phitest.Pod("ehr").Obj()},
			want: []string{"NotApplicable: no PHIWorkload claims it, so there is nothing to compare its labels with"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			tc.give.Profile, tc.give.World = &control.Profile{Tagging: control.DefaultTagging()}, &control.World{}
			if diff := cmp.Diff(tc.want, sentences(jurisdictions.Check(tc.give))); diff != "" {
				t.Errorf("findings (-want +got):\n%s", diff)
			}
		})
	}
}

func TestAPodOfTwoWorkloadsIsTaggedOnce(t *testing.T) {
	s := controltest.Baseline(control.Pods)
	other := s.Workload.DeepCopy()
	other.Name, other.Spec.Jurisdictions = "successor", []string{"US-TX"}
	s.World.Workloads[types.NamespacedName{Namespace: other.Namespace, Name: other.Name}] = other
	classification.Mutate(s, s.Pod)
	jurisdictions.Mutate(s, s.Pod)
	tagged := s.Pod.DeepCopy()
	second := s
	second.Workload = other
	jurisdictions.Mutate(second, s.Pod)
	if diff := cmp.Diff(tagged, s.Pod); diff != "" {
		t.Errorf("the second workload writes over the first (-want +got):\n%s", diff)
	}
	if got := sentences(jurisdictions.Check(second)); len(got) != 1 || got[0] != "NotApplicable: it is classified as of PHIWorkload patient-api, which selects it too" {
		t.Errorf("the second workload finds %q", got)
	}
}
