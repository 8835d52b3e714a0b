package catalog

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"

	"github.com/hipaa-operator/hipaa-operator/internal/control"
)

// place is a region that some field names, and how.
type place struct{ path, how, region string }

const affinityPath = "spec.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution"

// pinnedTo says which regions a pod may run in, and whether it is bound to them. A
// selector decides for itself; the terms of an affinity only if each names regions.
func pinnedTo(spec *corev1.PodSpec) (places []place, bound bool) {
	if region, named := spec.NodeSelector[corev1.LabelTopologyRegion]; named {
		return []place{{"spec.nodeSelector[" + corev1.LabelTopologyRegion + "]", "asks for", region}}, true
	}
	terms := requiredTerms(spec)
	bound = len(terms) > 0
	for i := range terms {
		regions, named := termRegions(&terms[i])
		bound = bound && named
		for _, region := range regions {
			places = append(places, place{fmt.Sprintf("%s.nodeSelectorTerms[%d]", affinityPath, i), "lets it run in", region})
		}
	}
	return places, bound
}

func requiredTerms(spec *corev1.PodSpec) []corev1.NodeSelectorTerm {
	if spec.Affinity == nil || spec.Affinity.NodeAffinity == nil || spec.Affinity.NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution == nil {
		return nil
	}
	return spec.Affinity.NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution.NodeSelectorTerms
}

// termRegions are the regions that satisfy every expression of a term. A term
// without expressions selects nothing, and so it is bound to nowhere.
func termRegions(term *corev1.NodeSelectorTerm) (regions []string, named bool) {
	if len(term.MatchExpressions) == 0 && len(term.MatchFields) == 0 {
		return nil, true
	}
	for _, e := range term.MatchExpressions {
		switch {
		case e.Key != corev1.LabelTopologyRegion || e.Operator != corev1.NodeSelectorOpIn:
		case !named:
			regions, named = e.Values, true
		default:
			regions = slices.DeleteFunc(slices.Clone(regions), func(r string) bool { return !slices.Contains(e.Values, r) })
		}
	}
	return regions, named
}

// bindToRegions adds to a pod that leaves the region open a required affinity.
func bindToRegions(spec *corev1.PodSpec, regions []string) {
	if _, bound := pinnedTo(spec); bound {
		return
	}
	in := corev1.NodeSelectorRequirement{Key: corev1.LabelTopologyRegion, Operator: corev1.NodeSelectorOpIn, Values: slices.Clone(regions)}
	if spec.Affinity == nil {
		spec.Affinity = &corev1.Affinity{}
	}
	if spec.Affinity.NodeAffinity == nil {
		spec.Affinity.NodeAffinity = &corev1.NodeAffinity{}
	}
	required := &spec.Affinity.NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution
	if *required == nil || len((*required).NodeSelectorTerms) == 0 {
		*required = &corev1.NodeSelector{NodeSelectorTerms: []corev1.NodeSelectorTerm{{MatchExpressions: []corev1.NodeSelectorRequirement{in}}}}
		return
	}
	for i := range (*required).NodeSelectorTerms {
		term := &(*required).NodeSelectorTerms[i]
		if _, named := termRegions(term); !named {
			term.MatchExpressions = append(term.MatchExpressions, in)
		}
	}
}

// classPlaces are the regions that a class makes volumes in, as far as it says.
func classPlaces(class *storagev1.StorageClass) []place {
	var places []place
	for _, term := range class.AllowedTopologies {
		for _, e := range term.MatchLabelExpressions {
			for _, value := range e.Values {
				if region, known := regionOf(nil, e.Key, value); known {
					places = append(places, place{"spec.storageClassName", fmt.Sprintf("names class %q, which makes volumes in", class.Name), region})
				}
			}
		}
	}
	return places
}

// volumePlaces are the regions from which a volume can be reached. They are shown if
// each term of its affinity shows them, or its label does.
func volumePlaces(w *control.World, volume *corev1.PersistentVolume) (places []place, shown bool) {
	add := func(region string) {
		places = append(places, place{"spec.volumeName", fmt.Sprintf("names volume %q, which is in", volume.Name), region})
	}
	if region := volume.Labels[corev1.LabelTopologyRegion]; region != "" {
		add(region)
		return places, true
	}
	if volume.Spec.NodeAffinity == nil || volume.Spec.NodeAffinity.Required == nil {
		return nil, false
	}
	shown = true
	for _, term := range volume.Spec.NodeAffinity.Required.NodeSelectorTerms {
		of, known := termPlaces(w, &term)
		for _, region := range of {
			add(region)
		}
		shown = shown && known
	}
	return places, shown && len(places) > 0
}

// termPlaces are the regions of a term. One expression that shows them is enough.
func termPlaces(w *control.World, term *corev1.NodeSelectorTerm) (regions []string, known bool) {
	for _, e := range term.MatchExpressions {
		if e.Operator != corev1.NodeSelectorOpIn {
			continue
		}
		all := len(e.Values) > 0
		for _, value := range e.Values {
			region, is := regionOf(w, e.Key, value)
			if all = all && is; is {
				regions = append(regions, region)
			}
		}
		known = known || all
	}
	return regions, known
}

// regionOf is the region that a label of nodes stands for: its own value, that of
// the zone, that of the node. Drivers write these keys under names of their own,
// such as topology.ebs.csi.aws.com/zone.
func regionOf(w *control.World, key, value string) (string, bool) {
	switch {
	case strings.HasSuffix(key, "/region"):
		return value, true
	case strings.HasSuffix(key, "/zone"):
		return regionOfZone(value)
	case key == corev1.LabelHostname && w != nil && w.Nodes[value] != nil:
		region := w.Nodes[value].Labels[corev1.LabelTopologyRegion]
		return region, region != ""
	default:
		return "", false
	}
}

// zoneForms are how clouds name a zone after its region: us-east-1a and
// us-west-2-lax-1a of AWS, us-central1-a of Google, eastus2-1 of Azure.
var zoneForms = []*regexp.Regexp{
	regexp.MustCompile(`^([a-z]{2}(?:-[a-z]+)+-[0-9]+)(?:-[a-z]{3}-[0-9]+)?[a-z]$`),
	regexp.MustCompile(`^([a-z]+-[a-z]+[0-9]+)-[a-z]$`),
	regexp.MustCompile(`^([a-z]+[0-9]*)-[0-9]$`),
}

func regionOfZone(zone string) (string, bool) {
	for _, form := range zoneForms {
		if m := form.FindStringSubmatch(zone); m != nil {
			return m[1], true
		}
	}
	return "", false
}
