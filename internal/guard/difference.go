package guard

import (
	"encoding/json"
	"slices"

	"gomodules.xyz/jsonpatch/v2"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	apiequality "k8s.io/apimachinery/pkg/api/equality"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// substance is what we own of an object: what it does, and our own labels. The
// certificate authority of webhooks is somebody else's to write, and so are
// labels and annotations that the manifests do not have.
type substance struct {
	Labels     map[string]string `json:"labels,omitempty"`
	Validating any               `json:"webhooks,omitempty"`
	Spec       any               `json:"spec,omitempty"`
}

func substanceOf(object client.Object, ours map[string]string) substance {
	s := substance{Labels: map[string]string{}}
	for key := range ours {
		if value, set := object.GetLabels()[key]; set {
			s.Labels[key] = value
		}
	}
	switch o := object.(type) {
	case *admissionregistrationv1.ValidatingWebhookConfiguration:
		hooks := slices.Clone(o.Webhooks)
		for i := range hooks {
			hooks[i].ClientConfig.CABundle = nil
		}
		s.Validating = hooks
	case *admissionregistrationv1.MutatingWebhookConfiguration:
		hooks := slices.Clone(o.Webhooks)
		for i := range hooks {
			hooks[i].ClientConfig.CABundle = nil
		}
		s.Validating = hooks
	case *admissionregistrationv1.ValidatingAdmissionPolicy:
		s.Spec = o.Spec
	case *admissionregistrationv1.ValidatingAdmissionPolicyBinding:
		s.Spec = o.Spec
	}
	return s
}

// difference lists the paths at which a live object is not as it should be. The
// manifests spell out what the API server would fill in, so that nothing has to
// be defaulted here; the suite of this package holds them to it.
func difference(want installed, live client.Object) []string {
	ours := want.object.GetLabels()
	wanted, found := substanceOf(want.object, ours), substanceOf(live, ours)
	if apiequality.Semantic.DeepEqual(wanted, found) {
		return nil
	}
	return pathsBetween(found, wanted)
}

// pathsBetween names where two substances differ. That they do is known.
func pathsBetween(found, wanted substance) []string {
	before, errBefore := json.Marshal(found)
	after, errAfter := json.Marshal(wanted)
	if errBefore != nil || errAfter != nil {
		return []string{"substance"}
	}
	operations, err := jsonpatch.CreatePatch(before, after)
	if err != nil || len(operations) == 0 {
		return []string{"substance"}
	}
	paths := make([]string, len(operations))
	for i, operation := range operations {
		paths[i] = operation.Path
	}
	slices.Sort(paths)
	return slices.Compact(paths)
}
