package catalog

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
	"github.com/hipaa-operator/hipaa-operator/internal/control"
	"github.com/hipaa-operator/hipaa-operator/internal/phitest"
)

var residency = controlOf("data-residency")

func allowing(regions ...string) control.ResidencyParameters {
	return control.ResidencyParameters{Regions: regions, Allowed: regions}
}

func in(key string, values ...string) corev1.NodeSelectorRequirement {
	return corev1.NodeSelectorRequirement{Key: key, Operator: corev1.NodeSelectorOpIn, Values: values}
}

func terms(terms ...[]corev1.NodeSelectorRequirement) *corev1.NodeSelector {
	selector := &corev1.NodeSelector{}
	for _, expressions := range terms {
		selector.NodeSelectorTerms = append(selector.NodeSelectorTerms, corev1.NodeSelectorTerm{MatchExpressions: expressions})
	}
	return selector
}

func requiring(selector *corev1.NodeSelector) func(*corev1.Pod) {
	return func(p *corev1.Pod) {
		p.Spec.Affinity = &corev1.Affinity{NodeAffinity: &corev1.NodeAffinity{RequiredDuringSchedulingIgnoredDuringExecution: selector}}
	}
}

func selecting(region string) func(*corev1.Pod) {
	return func(p *corev1.Pod) { p.Spec.NodeSelector = map[string]string{corev1.LabelTopologyRegion: region} }
}

func onNode(name string) func(*corev1.Pod) { return func(p *corev1.Pod) { p.Spec.NodeName = name } }

const firstTerm = affinityPath + ".nodeSelectorTerms[0] "

func TestPlacesOfPodsAreJudged(t *testing.T) {
	nodes := map[string]*corev1.Node{
		"home": phitest.Node("home").Obj(), "abroad": phitest.Node("abroad").Region("eu-west-1").Obj(), "bare": phitest.Node("bare").Region("").Obj(),
	}
	spare := control.ResidencyParameters{
		Regions: []string{"us-east-2"}, Allowed: []string{"eu-west-1", "us-east-2"}, FailoverEnds: phitest.Epoch.Add(24 * time.Hour),
	}
	unbounded := phitest.After(24 * time.Hour)
	for name, tc := range map[string]struct {
		profile control.ResidencyParameters
		pod     func(*corev1.Pod)
		want    []string
	}{
		"bound by its selector": {allowing("us-east-2"), selecting("us-east-2"), []string{"Pass: spec is bound to us-east-2"}},
		"bound by its selector to another region": {
			allowing("us-east-2"), selecting("eu-west-1"),
			[]string{`spec.nodeSelector[topology.kubernetes.io/region] asks for region "eu-west-1", which the profile does not allow`},
		},
		"bound by its affinity": {
			allowing("us-east-1", "us-east-2"), requiring(terms([]corev1.NodeSelectorRequirement{in(corev1.LabelTopologyRegion, "us-east-2")})),
			[]string{"Pass: spec is bound to us-east-1, us-east-2"},
		},
		"bound by its affinity to one of two": {
			allowing("us-east-2"), requiring(terms([]corev1.NodeSelectorRequirement{in(corev1.LabelTopologyRegion, "us-east-2", "eu-west-1")})),
			[]string{firstTerm + `lets it run in region "eu-west-1", which the profile does not allow`},
		},
		"bound by two expressions of one term": {
			allowing("us-east-2"), requiring(terms([]corev1.NodeSelectorRequirement{
				in(corev1.LabelTopologyRegion, "us-east-2", "eu-west-1"), in(corev1.LabelTopologyRegion, "us-east-2"),
			})),
			[]string{"Pass: spec is bound to us-east-2"},
		},
		"with a term that leaves the region open": {
			allowing("us-east-2"), requiring(terms(
				[]corev1.NodeSelectorRequirement{in(corev1.LabelTopologyRegion, "us-east-2")}, []corev1.NodeSelectorRequirement{in("disk", "fast")},
			)),
			[]string{"Unknown: spec leaves the region open, and no node has it yet (live)"},
		},
		"that leaves the region open": {allowing("us-east-2"), nil, []string{"Unknown: spec leaves the region open, and no node has it yet (live)"}},
		"on a node of the region":     {allowing("us-east-2"), onNode("home"), []string{"Pass: spec.nodeName is in region us-east-2"}},
		"on a node of another region": {
			allowing("us-east-2"), onNode("abroad"), []string{`spec.nodeName is node abroad in region "eu-west-1", which the profile does not allow (live)`},
		},
		"on a node without a region": {
			allowing("us-east-2"), onNode("bare"), []string{"Unknown: spec.nodeName is node bare, which carries no label topology.kubernetes.io/region (live)"},
		},
		"on a node that is gone": {allowing("us-east-2"), onNode("gone"), []string{"Unknown: spec.nodeName is a node that could not be read (live)"}},
		"on a node that a failover allows": {
			spare, onNode("abroad"), []string{"Pass: spec.nodeName is in region eu-west-1, which a failover allows until 2026-03-03 [Attested]"},
		},
		"where profiles have no region in common": {
			control.ResidencyParameters{Regions: []string{}, Allowed: []string{}}, selecting("us-east-2"),
			[]string{`spec.nodeSelector[topology.kubernetes.io/region] asks for region "us-east-2", which the profile does not allow`},
		},
		"where no profile says anything": {
			control.ResidencyParameters{}, onNode("home"), []string{"Unknown: could be anywhere: no profile says in which regions PHI may be (live)"},
		},
		"where a profile states that nothing binds": {
			control.ResidencyParameters{Unbounded: &hipaav1.Statement{Expires: unbounded}}, onNode("home"),
			[]string{"NotApplicable: the profile states until 2026-03-03 that nothing binds PHI to a place"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := cabinet{}.subject()
			s.Profile.Residency, s.World.Nodes, s.Pod = tc.profile, nodes, phitest.Pod("app").Obj()
			if tc.pod != nil {
				tc.pod(s.Pod)
			}
			if diff := cmp.Diff(tc.want, sentences(residency.Check(s))); diff != "" {
				t.Errorf("findings (-want +got):\n%s", diff)
			}
		})
	}
}

func TestPlacesOfVolumesAreJudged(t *testing.T) {
	at := func(expressions ...corev1.NodeSelectorRequirement) *corev1.PersistentVolume {
		return phitest.Volume("pv-1").For(phitest.Claim("data").Obj()).With(func(v *corev1.PersistentVolume) {
			if len(expressions) > 0 {
				v.Spec.NodeAffinity = &corev1.VolumeNodeAffinity{Required: terms(expressions)}
			}
		}).Obj()
	}
	labelled := at()
	labelled.Labels = map[string]string{corev1.LabelTopologyRegion: "us-east-2"}
	abroad := phitest.Class("abroad").Obj()
	abroad.AllowedTopologies = []corev1.TopologySelectorTerm{{MatchLabelExpressions: []corev1.TopologySelectorLabelRequirement{
		{Key: "topology.gke.io/zone", Values: []string{"us-central1-a"}},
	}}}
	for name, tc := range map[string]struct {
		volume *corev1.PersistentVolume
		class  string
		want   string
	}{
		"not bound":                          {want: "NotApplicable: it is not bound, so it holds nothing"},
		"not bound, of a class elsewhere":    {class: "abroad", want: `spec.storageClassName names class "abroad", which makes volumes in region "us-central1", which the profile does not allow`},
		"in a zone of the region":            {volume: at(in("topology.ebs.csi.aws.com/zone", "us-east-2b")), want: "Pass: pvc data: in region us-east-2"},
		"in a zone of another region":        {volume: at(in(corev1.LabelTopologyZone, "eu-west-1a")), want: `spec.volumeName names volume "pv-1", which is in region "eu-west-1", which the profile does not allow`},
		"reachable from two regions":         {volume: at(in(corev1.LabelTopologyRegion, "us-east-2", "eu-west-1")), want: `spec.volumeName names volume "pv-1", which is in region "eu-west-1", which the profile does not allow`},
		"on a node of the region":            {volume: at(in(corev1.LabelHostname, "home")), want: "Pass: pvc data: in region us-east-2"},
		"with a label":                       {volume: labelled, want: "Pass: pvc data: in region us-east-2"},
		"in a zone of no form that is known": {volume: at(in(corev1.LabelTopologyZone, "rack 7")), want: "Unknown: spec.volumeName is a volume that shows no region (live)"},
		"that shows nothing":                 {volume: at(), want: "Unknown: spec.volumeName is a volume that shows no region (live)"},
	} {
		t.Run(name, func(t *testing.T) {
			shelf, claim := cabinet{classes: []*storagev1.StorageClass{phitest.Class(phitest.EncryptedClass).Obj(), abroad}}, phitest.Claim("data")
			if tc.class != "" {
				claim = claim.Class(tc.class)
			}
			if tc.volume != nil {
				claim, shelf.volumes = claim.BoundTo("pv-1"), []*corev1.PersistentVolume{tc.volume}
			}
			s := shelf.subject()
			s.Profile.Residency, s.Claim = allowing("us-east-2"), claim.Obj()
			s.World.Nodes = map[string]*corev1.Node{"home": phitest.Node("home").Obj()}
			if diff := cmp.Diff([]string{tc.want}, sentences(residency.Check(s))); diff != "" {
				t.Errorf("findings (-want +got):\n%s", diff)
			}
		})
	}
}

func TestRegionsOfZones(t *testing.T) {
	for zone, want := range map[string]string{
		"us-east-1a": "us-east-1", "us-gov-west-1b": "us-gov-west-1", "us-west-2-lax-1a": "us-west-2", "us-central1-f": "us-central1",
		"northamerica-northeast1-a": "northamerica-northeast1", "eastus-1": "eastus", "eastus2-3": "eastus2", "zone-a": "", "": "", "us-east-1": "",
	} {
		if got, _ := regionOfZone(zone); got != want {
			t.Errorf("zone %q is in region %q, want %q", zone, got, want)
		}
	}
}

func TestPodsAreBoundWhereTheProfileOptsIn(t *testing.T) {
	region, fast := in(corev1.LabelTopologyRegion, "us-east-2"), in("disk", "fast")
	for name, tc := range map[string]struct {
		placement hipaav1.Placement
		pod       func(*corev1.Pod)
		want      func(*corev1.Pod)
	}{
		"unless it does not":                {placement: hipaav1.PlacementAsDeclared},
		"where they leave the region open":  {placement: hipaav1.PlacementRequired, want: requiring(terms([]corev1.NodeSelectorRequirement{region}))},
		"unless they are bound by selector": {placement: hipaav1.PlacementRequired, pod: selecting("us-east-2"), want: selecting("us-east-2")},
		"in each term that leaves it open": {
			placement: hipaav1.PlacementRequired,
			pod:       requiring(terms([]corev1.NodeSelectorRequirement{fast}, []corev1.NodeSelectorRequirement{region}, nil)),
			want:      requiring(terms([]corev1.NodeSelectorRequirement{fast, region}, []corev1.NodeSelectorRequirement{region}, nil)),
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := cabinet{}.subject()
			s.Profile.Residency = allowing("us-east-2")
			s.Profile.Residency.Placement = tc.placement
			pod, want := phitest.Pod("app").Obj(), phitest.Pod("app").Obj()
			for change, of := range map[*corev1.Pod]func(*corev1.Pod){pod: tc.pod, want: tc.want} {
				if of != nil {
					of(change)
				}
			}
			residency.Mutate(s, pod)
			residency.Mutate(s, pod)
			if diff := cmp.Diff(want, pod); diff != "" {
				t.Errorf("pod (-want +got):\n%s", diff)
			}
		})
	}
}
