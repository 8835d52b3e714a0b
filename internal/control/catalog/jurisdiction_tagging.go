package catalog

import (
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
	"github.com/hipaa-operator/hipaa-operator/internal/control"
	"github.com/hipaa-operator/hipaa-operator/internal/hipaa"
)

var _ = add(control.Control{
	ID:       "jurisdiction-tagging",
	Title:    "Say on every object whose residents' PHI it holds",
	Cites:    []hipaa.Citation{hipaa.StateLaw, hipaa.RiskAnalysis},
	Severity: control.Medium,
	Since:    1,
	Why: "State law binds beside the federal rule where it protects more, and goes by where the patient lives: who has to be told of a breach and " +
		"by when, what may leave the state, whose consent it takes. Who has to look for the residents first has lost the days that the law gives.",
	Remedy: "remove the label: the operator writes it from the PHIWorkload; or correct spec.jurisdictions of the PHIWorkload",
	Decides: "What the PHIWorkload states under spec.jurisdictions counts. One that states none fails, one that names the country and no state is Unknown, " +
		"and so is a state that the United States do not have: all of that is reported live and refuses nothing. Pods carry what is stated as " +
		"labels, which the operator adds at admission; a running pod without them fails. Claims get them at admission where their labels " +
		"tell which workload they are of; a claim that says nothing of its own counts as tagged by the workload that mounts it. A label that " +
		"contradicts the PHIWorkload is refused. Whether the statement is true, only the data knows: which state each record's patient lives in " +
		"no object of the cluster shows.",
	Parameters: []control.Parameter{{
		Path: "tagging.jurisdictionPrefix", Basis: control.BasisProfile,
		Meaning: `Prefix of one label key for each jurisdiction, such as jurisdiction.hipaa-operator.io/US-CA: "true".`,
	}},
	Example: `apiVersion: hipaa-operator.io/v1alpha1
kind: PHIWorkload
metadata: {name: patient-api, namespace: ehr}
spec:
  selector: {matchLabels: {app: patient-api}}
  continuity: PatientCare
  owner: {team: clinical-apps, contacts: [clinical-apps@example.org]}
  dataClasses: [Clinical, Demographic]
  jurisdictions: [US-IL, US-WI]
`,
	Judges: control.Pods | control.Claims | control.Workloads,
	// The claims of the workload's pods are read with what stands behind them.
	NeedsLive: control.StorageChain,
	Check: func(s control.Subject) []control.Finding {
		switch {
		case s.Workload == nil:
			return []control.Finding{control.NotApplicable("no PHIWorkload claims it, so there is nothing to compare its labels with")}
		case s.Pod != nil:
			return checkPodStates(&s)
		case s.Claim != nil:
			return checkClaimStates(&s)
		case s.Kind() == control.Workloads:
			return checkStated(s.Workload)
		default:
			return nil
		}
	},
	Backstop: &control.Backstop{
		Faults: taggedFaults,
		Settings: func(s control.Subject) []string {
			var tags []tag
			for _, key := range stateKeys(&s) {
				tags = append(tags, tag{key, labelTrue})
			}
			return settingsOf(statePrefix(s.Profile), tags...)
		},
	},
	Mutate: func(s control.Subject, pod *corev1.Pod) {
		if classifiedAs(&s, pod) == "" {
			tagStates(&s, &pod.ObjectMeta)
		}
	},
	Default: func(s control.Subject, claim *corev1.PersistentVolumeClaim) {
		if isOf(s.Workload, claim.Labels) {
			tagStates(&s, &claim.ObjectMeta)
		}
	},
	Satisfy: func(s *control.Subject) {
		if s.Workload != nil && len(s.Workload.Spec.Jurisdictions) == 0 {
			s.Workload.Spec.Jurisdictions = []string{"US-IL"}
		}
	},
	Breaks: control.Breaks{
		"a pod of a state that nobody stated": {Kind: control.Pods, Apply: func(s *control.Subject) {
			s.Pod.Labels[hipaav1.DefaultJurisdictionPrefix+"/US-CA"] = labelTrue
		}},
		"a pod that denies a state": {Kind: control.Pods, Apply: func(s *control.Subject) {
			s.Pod.Labels[hipaav1.DefaultJurisdictionPrefix+"/"+s.Workload.Spec.Jurisdictions[0]] = "false"
		}},
		"a claim of a state that nobody stated": {Kind: control.Claims, Apply: func(s *control.Subject) {
			labelled(&s.Claim.ObjectMeta)[hipaav1.DefaultJurisdictionPrefix+"/US-CA"] = labelTrue
		}},
		"a live pod without labels": {Kind: control.Pods, Reported: true, Apply: func(s *control.Subject) {
			delete(s.Pod.Labels, hipaav1.DefaultJurisdictionPrefix+"/"+s.Workload.Spec.Jurisdictions[0])
		}},
		"a workload that states none":        live(func(s *control.Subject) { s.Workload.Spec.Jurisdictions = nil }),
		"a workload that states no state":    live(func(s *control.Subject) { s.Workload.Spec.Jurisdictions = []string{"US"} }),
		"a workload of a state that is none": live(func(s *control.Subject) { s.Workload.Spec.Jurisdictions = []string{"US-ZZ"} }),
	},
})

// states are the codes of ISO 3166-2:US: states, the district and the outlying areas.
var states = strings.Fields("AL AK AZ AR CA CO CT DE FL GA HI ID IL IN IA KS KY LA ME MD MA MI MN MS MO MT NE NV NH NJ NM NY NC ND OH OK OR PA " +
	"RI SC SD TN TX UT VT VA WA WV WI WY DC AS GU MP PR UM VI")

// checkStated judges what a PHIWorkload states of itself.
func checkStated(w *hipaav1.PHIWorkload) []control.Finding {
	stated := w.Spec.Jurisdictions
	if len(stated) == 0 {
		return []control.Finding{control.Failed("spec.jurisdictions", "states none").OnlyLive().
			But("list the states whose residents' data the workload handles, such as US-CA")}
	}
	var findings []control.Finding
	for _, code := range stated {
		state, ofStates := strings.CutPrefix(code, "US-")
		switch {
		case code == "US":
			findings = append(findings, control.Undecided("spec.jurisdictions", "names the country, and the law that counts is the state's").OnlyLive().
				But("list the states, such as US-CA"))
		case ofStates && !slices.Contains(states, state):
			findings = append(findings, control.Undecided("spec.jurisdictions", "names %q, which is no state", code).OnlyLive().
				But("write the code of ISO 3166-2, such as US-CA"))
		}
	}
	if len(findings) > 0 {
		return findings
	}
	return []control.Finding{control.Met("", "states %s", strings.Join(stated, ", ")).Known(hipaav1.EvidenceAttested)}
}

// checkPodStates asks for every label of what the workload states.
func checkPodStates(s *control.Subject) []control.Finding {
	if name := classifiedAs(s, s.Pod); name != "" {
		return []control.Finding{control.NotApplicable("it is classified as of PHIWorkload " + name + ", which selects it too")}
	}
	findings := contraryStates(s, s.Pod.Labels)
	var missing []string
	for _, key := range stateKeys(s) {
		if _, present := s.Pod.Labels[key]; !present {
			missing = append(missing, key)
		}
	}
	if len(missing) > 0 {
		findings = append(findings, control.Failed("metadata.labels", "lack %s", strings.Join(missing, ", ")).
			But("nothing to write: the operator adds them to new pods in mode Enforce; let the pod be replaced"))
	}
	return orTagged(s, findings)
}

// checkClaimStates asks that labels which people write contradict nothing.
func checkClaimStates(s *control.Subject) []control.Finding {
	if !isOf(s.Workload, s.Claim.Labels) {
		return []control.Finding{control.NotApplicable("it is classified as of another PHIWorkload")}
	}
	return orTagged(s, contraryStates(s, s.Claim.Labels))
}

// orTagged is what stands where nothing was found.
func orTagged(s *control.Subject, findings []control.Finding) []control.Finding {
	switch {
	case len(findings) > 0:
		return findings
	case len(s.Workload.Spec.Jurisdictions) == 0:
		return []control.Finding{control.NotApplicable("PHIWorkload " + s.Workload.Name + " states no jurisdiction, which is found there")}
	default:
		return []control.Finding{control.Met("", "tagged as PHIWorkload %s states", s.Workload.Name)}
	}
}

// contraryStates are labels that say something else than the workload states.
func contraryStates(s *control.Subject, labels map[string]string) []control.Finding {
	var findings []control.Finding
	prefix := statePrefix(s.Profile) + "/"
	for _, key := range sortedLabels(labels) {
		code, ours := strings.CutPrefix(key, prefix)
		if !ours {
			continue
		}
		stated := slices.Contains(s.Workload.Spec.Jurisdictions, code)
		switch {
		case stated && labels[key] != labelTrue:
			findings = append(findings, control.Failed("metadata.labels["+key+"]", "contradicts PHIWorkload %s, which states it", s.Workload.Name))
		case !stated && labels[key] == labelTrue:
			findings = append(findings, control.Failed("metadata.labels["+key+"]", "says a jurisdiction that PHIWorkload %s does not state", s.Workload.Name).
				But("add it to spec.jurisdictions of the PHIWorkload, or remove the label"))
		}
	}
	return findings
}

// tagStates adds what is missing and leaves what is there, so that a contradiction
// is refused and not painted over.
func tagStates(s *control.Subject, meta *metav1.ObjectMeta) {
	if s.Workload == nil {
		return
	}
	for _, key := range stateKeys(s) {
		if _, present := meta.Labels[key]; !present {
			labelled(meta)[key] = labelTrue
		}
	}
}

// stateKeys are the label keys of what the subject's workload states. What makes no
// label key is left out: a pod that carries it would not start.
func stateKeys(s *control.Subject) []string {
	prefix := statePrefix(s.Profile)
	keys := make([]string, 0, len(s.Workload.Spec.Jurisdictions))
	for _, code := range s.Workload.Spec.Jurisdictions {
		if isStateCode(code) {
			keys = append(keys, prefix+"/"+code)
		}
	}
	return keys
}

// isStateCode accepts capitals, digits and one dash or more inside, as the API
// server does.
func isStateCode(code string) bool {
	return code != "" && len(code) <= 6 && strings.Trim(code, "-") == code &&
		!strings.ContainsFunc(code, func(r rune) bool { return r != '-' && (r < 'A' || r > 'Z') && (r < '0' || r > '9') })
}

// statePrefix is the profile's, unless it makes no label key or is that of the data
// classes.
func statePrefix(p *control.Profile) string {
	prefix := p.Tagging.JurisdictionPrefix
	if prefix == p.Tagging.DataClassPrefix || !isLabelKey(prefix+"/x") {
		return control.DefaultTagging().JurisdictionPrefix
	}
	return prefix
}
