package catalog

import (
	"slices"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
	"github.com/hipaa-operator/hipaa-operator/internal/control"
	"github.com/hipaa-operator/hipaa-operator/internal/hipaa"
)

var _ = add(control.Control{
	ID:       "data-classification",
	Title:    "Say on every object whose PHI it holds and who answers for it",
	Cites:    []hipaa.Citation{hipaa.RiskAnalysis, hipaa.ContingencyCriticality, hipaa.Accountability},
	Severity: control.Medium,
	Since:    1,
	Why: "A risk analysis covers the PHI that somebody knows of. What carries no owner, criticality and data class is left out of " +
		"back-ups, of recovery plans, and of the answer to the question where PHI is; what carries wrong ones is treated by them.",
	Remedy: "remove the label: the operator writes it from the PHIWorkload; or correct the PHIWorkload",
	Decides: "The PHIWorkload is the classification. Its pods carry it as labels, which the operator adds at admission, so that nobody " +
		"writes them; a pod without them fails. Claims get them at admission where their labels tell which workload they are of. A claim or " +
		"Service that says nothing of its own counts as classified by the workload that uses it, and is never refused for that. A label that " +
		"contradicts the PHIWorkload fails everywhere: another owner, criticality or environment, a data class that the PHIWorkload " +
		"does not declare, or one that it declares and the label denies. A claim or Service that names another workload is that one's to judge.",
	Parameters: []control.Parameter{
		{Path: "tagging.ownerKey", Basis: control.BasisProfile, Meaning: "Label key of the owner's team."},
		{Path: "tagging.criticalityKey", Basis: control.BasisProfile, Meaning: "Label key of the continuity."},
		{Path: "tagging.environmentKey", Basis: control.BasisProfile, Meaning: "Label key of the environment."},
		{
			Path: "tagging.dataClassPrefix", Basis: control.BasisProfile,
			Meaning: `Prefix of one label key for each data class, such as data-class.hipaa-operator.io/Clinical: "true".`,
		},
	},
	Example: `apiVersion: hipaa-operator.io/v1alpha1
kind: PHIWorkload
metadata: {name: patient-api, namespace: ehr}
spec:
  selector: {matchLabels: {app: patient-api}}
  continuity: PatientCare
  owner: {team: clinical-apps, contacts: [clinical-apps@example.org]}
  dataClasses: [Clinical, Demographic]
`,
	Judges: control.Pods | control.Claims | control.Services,
	// The claims of the workload's pods are read with what stands behind them.
	NeedsLive: control.StorageChain,
	Check: func(s control.Subject) []control.Finding {
		switch {
		case s.Workload == nil:
			return []control.Finding{control.NotApplicable("no PHIWorkload claims it, so there is nothing to compare its labels with")}
		case s.Pod != nil:
			return checkPodLabels(&s)
		case s.Claim != nil:
			return checkUserLabels(&s, s.Claim.Labels)
		case s.Service != nil && len(s.Service.Spec.Selector) == 0 && s.Service.Labels[hipaav1.LabelWorkload] != s.Workload.Name:
			return []control.Finding{control.NotApplicable("it selects no pods of the PHIWorkload")}
		case s.Service != nil:
			return checkUserLabels(&s, s.Service.Labels)
		default:
			return nil
		}
	},
	Backstop: &control.Backstop{
		Faults: append(slices.Clip(taggedFaults), contradictingService),
		Settings: func(s control.Subject) []string {
			if s.Workload == nil {
				return nil
			}
			return settingsOf(taggingOf(s.Profile).classPrefix, tagsOf(&s)...)
		},
	},
	Mutate: func(s control.Subject, pod *corev1.Pod) {
		if classifiedAs(&s, pod) == "" {
			classify(&s, &pod.ObjectMeta)
		}
	},
	Default: func(s control.Subject, claim *corev1.PersistentVolumeClaim) {
		if isOf(s.Workload, claim.Labels) {
			classify(&s, &claim.ObjectMeta)
		}
	},
	Breaks: control.Breaks{
		"a pod of another owner": {Kind: control.Pods, Apply: func(s *control.Subject) {
			s.Pod.Labels[hipaav1.DefaultOwnerKey] = "someone-else"
		}},
		"a pod with a data class that nobody declared": {Kind: control.Pods, Apply: func(s *control.Subject) {
			s.Pod.Labels[hipaav1.DefaultDataClassPrefix+"/"+string(hipaav1.DataClassHIV)] = labelTrue
		}},
		"a pod that denies a data class": {Kind: control.Pods, Apply: func(s *control.Subject) {
			s.Pod.Labels[hipaav1.DefaultDataClassPrefix+"/"+string(s.Workload.Spec.DataClasses[0])] = "false"
		}},
		"a claim of lower criticality": {Kind: control.Claims, Apply: func(s *control.Subject) {
			labelled(&s.Claim.ObjectMeta)[hipaav1.DefaultCriticalityKey] = "None"
		}},
		"a service of another environment": {Kind: control.Services, Apply: func(s *control.Subject) {
			labelled(&s.Service.ObjectMeta)[hipaav1.DefaultEnvironmentKey] = "Sandbox"
		}},
		"a live pod without labels": {Kind: control.Pods, Reported: true, Apply: func(s *control.Subject) {
			delete(s.Pod.Labels, hipaav1.LabelWorkload)
		}},
	},
})

// classify adds what is missing and leaves what is there, so that a
// contradiction is refused and not painted over.
func classify(s *control.Subject, meta *metav1.ObjectMeta) {
	if s.Workload == nil {
		return
	}
	for _, tag := range tagsOf(s) {
		if _, present := meta.Labels[tag.key]; !present {
			labelled(meta)[tag.key] = tag.value
		}
	}
}

func labelled(meta *metav1.ObjectMeta) map[string]string {
	if meta.Labels == nil {
		meta.Labels = map[string]string{}
	}
	return meta.Labels
}
