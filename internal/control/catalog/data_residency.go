package catalog

import (
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
	"github.com/hipaa-operator/hipaa-operator/internal/control"
	"github.com/hipaa-operator/hipaa-operator/internal/hipaa"
)

var _ = add(control.Control{
	ID:       "data-residency",
	Title:    "Keep PHI in the regions that law and contract allow",
	Cites:    []hipaa.Citation{hipaa.StateLaw, hipaa.AccessManagement},
	Severity: control.High,
	Since:    1,
	Why: "Some states, programmes and contracts bind records to a place. A cluster that spans regions puts a pod wherever there is room, its " +
		"volume is made beside it, and the records have moved without anybody having decided that.",
	Remedy: "bind the pod by nodeSelector or required node affinity on topology.kubernetes.io/region to a region that the profile allows",
	Decides: "At admission a pod that is bound to a region which the profile does not allow is refused, and so is a claim whose StorageClass is: by " +
		"nodeSelector, by required node affinity, by allowedTopologies. A pod that leaves the region open is admitted, and judged live by its " +
		"node; where the profile opts in, it gets a required node affinity instead. Live, the label topology.kubernetes.io/region of the node " +
		"decides, and for a volume its node affinity: the region, or a zone in the form of AWS, Google or Azure. A claim that is not bound holds " +
		"nothing. A node or volume that shows no region is Unknown. Without regions in any profile the verdict is Unknown, unless a profile " +
		"states until an end date that nothing binds. A region that a failover allows counts until its end, and the evidence is Attested: condition HomeRegionsOnly of the PHIWorkload, and events, tell since when one lasts, when it is moved and when it ends. " +
		"Where back-ups and replicas outside the cluster, vendors, and people who look from elsewhere are, no object of the cluster shows.",
	Parameters: []control.Parameter{
		{Path: "residency.regions", Basis: control.BasisState, Meaning: "The regions where PHI may be. HIPAA names none; state law, Medicaid programmes and contracts do."},
		{Path: "residency.failover", Basis: control.BasisProfile, Meaning: "Further regions while a disaster lasts, with who decided, why, and until when."},
		{Path: "residency.unbounded", Basis: control.BasisProfile, Meaning: "What a person states until an end date: that nothing binds PHI to a place."},
		{
			Path: "residency.placement", Basis: control.BasisProfile,
			Meaning: "Required binds new pods that leave the region open to the allowed ones; a pod that then fits no node does not start. Default AsDeclared.",
		},
	},
	Example: `apiVersion: v1
kind: Pod
metadata: {name: patient-api, namespace: ehr, labels: {app: patient-api}}
spec:
  serviceAccountName: patient-api
  nodeSelector: {topology.kubernetes.io/region: us-east-2}
  securityContext: {runAsNonRoot: true, seccompProfile: {type: RuntimeDefault}}
  containers:
  - name: app
    image: registry.example.org/patient-api:1.0.0
    securityContext: {allowPrivilegeEscalation: false, capabilities: {drop: [ALL]}}
`,
	Judges:    control.Pods | control.Claims,
	Needs:     control.StorageChain,
	NeedsLive: control.Nodes,
	Check: func(s control.Subject) []control.Finding {
		switch p := &s.Profile.Residency; {
		case s.Pod == nil && s.Claim == nil:
			return nil
		case p.Allowed == nil && p.Unbounded != nil:
			return []control.Finding{control.NotApplicable("the profile states until " + p.Unbounded.Expires.UTC().Format(time.DateOnly) + " that nothing binds PHI to a place")}
		case p.Allowed == nil:
			return []control.Finding{control.Undecided("", "could be anywhere: no profile says in which regions PHI may be").OnlyLive().
				But("set residency.regions in a ComplianceProfile, or state under residency.unbounded that nothing binds")}
		case s.Pod != nil:
			return checkPlace(&s)
		default:
			return []control.Finding{checkVolumePlace(&s)}
		}
	},
	Mutate: func(s control.Subject, pod *corev1.Pod) {
		if p := &s.Profile.Residency; p.Placement == hipaav1.PlacementRequired && len(p.Allowed) > 0 {
			bindToRegions(&pod.Spec, p.Allowed)
		}
	},
	Satisfy: func(s *control.Subject) {
		s.Profile.Residency.Regions, s.Profile.Residency.Allowed = []string{satisfyingRegion}, []string{satisfyingRegion}
	},
	Breaks: control.Breaks{
		"a pod that asks for another region": breaksPod(func(p *corev1.PodSpec) {
			p.NodeSelector = map[string]string{corev1.LabelTopologyRegion: "eu-west-1"}
		}),
		"a pod that leaves the choice to the scheduler": breaksPod(func(p *corev1.PodSpec) {
			bindToRegions(p, []string{satisfyingRegion, "eu-west-1"})
		}),
		"a claim of a class for another region": claimOf(func(s *control.Subject) string {
			class := encryptingClass("abroad", "true")
			class.Parameters["kmsKeyId"] = "arn:aws:kms:eu-west-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab"
			class.AllowedTopologies = []corev1.TopologySelectorTerm{{MatchLabelExpressions: []corev1.TopologySelectorLabelRequirement{
				{Key: corev1.LabelTopologyZone, Values: []string{"eu-west-1a"}},
			}}}
			return provides(s, class)
		}),
		"a pod on a node of another region": {Kind: control.Pods, Reported: true, Apply: func(s *control.Subject) {
			for name, node := range s.World.Nodes {
				node = node.DeepCopy()
				node.Labels[corev1.LabelTopologyRegion] = "eu-west-1"
				s.World.Nodes[name] = node
			}
		}},
		"no profile that says where": {Kind: control.Pods, Reported: true, Apply: func(s *control.Subject) {
			s.Profile.Residency = control.ResidencyParameters{}
		}},
	},
})

const satisfyingRegion = "us-east-2"

// checkPlace judges where a pod may run, and where it does.
func checkPlace(s *control.Subject) []control.Finding {
	places, bound := pinnedTo(&s.Pod.Spec)
	if findings := abroad(s, places); len(findings) > 0 {
		return findings
	}
	name := s.Pod.Spec.NodeName
	switch node := s.World.Nodes[name]; {
	case node != nil:
		return []control.Finding{nodePlace(s, node)}
	case bound:
		return []control.Finding{control.Met("spec", "is bound to %s", regionsPhrase(&s.Profile.Residency))}
	case name == "":
		return []control.Finding{control.Undecided("spec", "leaves the region open, and no node has it yet").OnlyLive()}
	default:
		return []control.Finding{control.Undecided("spec.nodeName", "is a node that could not be read").OnlyLive()}
	}
}

// nodePlace judges where a running pod is.
func nodePlace(s *control.Subject, node *corev1.Node) control.Finding {
	region := node.Labels[corev1.LabelTopologyRegion]
	switch {
	case region == "":
		return control.Undecided("spec.nodeName", "is node %s, which carries no label %s", node.Name, corev1.LabelTopologyRegion).OnlyLive().
			But("label the node, or let its cloud's controller do so")
	case !allows(&s.Profile.Residency, region):
		return control.Failed("spec.nodeName", "is node %s in region %q, which the profile does not allow", node.Name, region).OnlyLive()
	default:
		return inRegion(&s.Profile.Residency, "spec.nodeName", "is in region "+region, region)
	}
}

// checkVolumePlace judges where the data of a claim is, or would be.
func checkVolumePlace(s *control.Subject) control.Finding {
	volume, class := (&volumeChain{subject: s, claim: s.Claim}).behind()
	switch {
	case s.Claim.Spec.VolumeName == "" && class != nil:
		if findings := abroad(s, classPlaces(class)); len(findings) > 0 {
			return findings[0]
		}
		return control.NotApplicable("it is not bound, so it holds nothing")
	case s.Claim.Spec.VolumeName == "":
		return control.NotApplicable("it is not bound, so it holds nothing")
	case volume == nil:
		return control.Undecided("spec.volumeName", "is a volume that could not be read").OnlyLive()
	}
	places, shown := volumePlaces(s.World, volume)
	if findings := abroad(s, places); len(findings) > 0 {
		return findings[0]
	}
	if !shown {
		return control.Undecided("spec.volumeName", "is a volume that shows no region").OnlyLive().
			But("label the PersistentVolume with %s where its driver does not", corev1.LabelTopologyRegion)
	}
	return inRegion(&s.Profile.Residency, "", "pvc "+s.Claim.Name+": in region "+places[0].region, places[0].region)
}

// abroad are the places that the profile does not allow.
func abroad(s *control.Subject, places []place) []control.Finding {
	var findings []control.Finding
	for _, at := range places {
		if !allows(&s.Profile.Residency, at.region) {
			findings = append(findings, control.Failed(at.path, "%s region %q, which the profile does not allow", at.how, at.region).
				But("allowed: %s", regionsPhrase(&s.Profile.Residency)))
		}
	}
	return findings
}

// inRegion is the evidence of a region that is allowed. That a failover is needed is
// what people say.
func inRegion(p *control.ResidencyParameters, path, where, region string) control.Finding {
	if slices.Contains(p.Regions, region) {
		return control.Met(path, "%s", where)
	}
	return control.Met(path, "%s, which a failover allows until %s", where, p.FailoverEnds.UTC().Format(time.DateOnly)).Known(hipaav1.EvidenceAttested)
}

func allows(p *control.ResidencyParameters, region string) bool {
	return slices.Contains(p.Allowed, region)
}

func regionsPhrase(p *control.ResidencyParameters) string {
	if len(p.Allowed) == 0 {
		return "no region, for the profiles have none in common"
	}
	return strings.Join(p.Allowed, ", ")
}
