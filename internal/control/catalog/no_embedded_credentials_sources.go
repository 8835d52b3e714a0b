package catalog

import (
	"cmp"
	"maps"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
	"github.com/hipaa-operator/hipaa-operator/internal/control"
)

var (
	// What is read of an ExternalSecret stands in the same fields since v1beta1.
	externalSecrets       = control.ResourceType{Group: "external-secrets.io", Version: "v1", Kind: "ExternalSecret", Resource: "externalsecrets"}
	secretProviderClasses = control.ResourceType{Group: "secrets-store.csi.x-k8s.io", Version: "v1", Kind: "SecretProviderClass", Resource: "secretproviderclasses"}
)

var externalSecretReports = []control.ReportType{
	{ResourceType: externalSecrets, Trim: trimExternalSecret, Shares: remoteKeys},
	{ResourceType: externalSecrets.In("v1beta1"), Trim: trimExternalSecret, Shares: remoteKeys},
}

// trimExternalSecret keeps which Secret it makes, whether it has, and what it reads.
func trimExternalSecret(r *unstructured.Unstructured) {
	keepOnly(r, []string{"spec", "target", "name"}, []string{"spec", "target", "creationPolicy"}, []string{"status", "conditions"},
		[]string{"spec", "secretStoreRef"}, []string{"spec", "data"}, []string{"spec", "dataFrom"})
	conditions, _, _ := unstructured.NestedSlice(r.Object, "status", "conditions") // what is no list says nothing
	kept := make([]any, 0, len(conditions))
	for i := range conditions {
		if condition, is := conditions[i].(map[string]any); is {
			kept = append(kept, map[string]any{"type": condition["type"], "status": condition["status"]})
		}
	}
	r.Object["status"] = map[string]any{"conditions": kept}
}

// trimProviderClass keeps which Secrets it keeps in step, and drops how a provider is
// asked.
func trimProviderClass(r *unstructured.Unstructured) {
	keepOnly(r, []string{"spec", "secretObjects"})
}

// keepOnly leaves some fields of spec and status.
func keepOnly(r *unstructured.Unstructured, paths ...[]string) {
	kept := map[string]any{"apiVersion": r.GetAPIVersion(), "kind": r.GetKind(), "metadata": r.Object["metadata"]}
	for _, path := range paths {
		if value, found, _ := unstructured.NestedFieldNoCopy(r.Object, path...); found { // what is no map holds no field
			_ = unstructured.SetNestedField(kept, value, path...) // kept has maps on every path
		}
	}
	r.Object = kept
}

// reviewed says of the Secrets that were there before admission judged them what people
// state: they are not read.
func reviewed(s *control.Subject) control.Finding {
	stated := s.Profile.Access.SecretsReviewed
	if stated == nil {
		return control.Undecided("", "Secrets are not read, and nobody states that those from before have been looked through").OnlyLive().
			But("look through them, as docs/adoption.md says, and state it under access.secretsReviewed in the ComplianceProfile")
	}
	return control.Met("", "the Secrets from before are stated to have been looked through until %s", stated.Expires.UTC().Format(time.DateOnly)).
		Known(hipaav1.EvidenceAttested)
}

// stateReview states that the Secrets from before have been looked through.
func stateReview(s *control.Subject) {
	s.Profile.Access.SecretsReviewed = &hipaav1.Statement{StatedBy: "platform lead", Expires: metav1.Date(2027, time.June, 30, 0, 0, 0, 0, time.UTC)}
}

// notReviewed takes that statement away.
func notReviewed(s *control.Subject) { s.Profile.Access.SecretsReviewed = nil }

var secretsReviewed = control.Parameter{
	Path: "access.secretsReviewed", Basis: control.BasisProfile,
	Meaning: "States that somebody has looked through the Secrets that were there before, which the operator does not read. Without it the verdict is Unknown.",
}

// sourced says where the Secrets of the workload's pods come from, where the profile
// asks for it.
func sourced(s *control.Subject) []control.Finding {
	if s.Profile.Access.SecretSource != hipaav1.SecretSourceExternal {
		return nil
	}
	taken := map[string]string{}
	for _, pod := range s.World.Pods {
		for _, name := range secretsTaken(&pod.Spec) {
			taken[name] = cmp.Or(taken[name], pod.Name)
		}
	}
	makers := makersOf(s)
	var findings []control.Finding
	for _, name := range slices.Sorted(maps.Keys(taken)) {
		path := "Secret/" + name
		switch maker := makers[name]; {
		case maker.name == "":
			findings = append(findings, control.Undecided(path, "is made by no ExternalSecret or SecretProviderClass of the namespace, and Pod/%s takes from it: "+
				"it cannot be seen where it comes from", taken[name]).OnlyLive().As(name).
				But("let an ExternalSecret or a SecretProviderClass make it"))
		case maker.flaw != "":
			findings = append(findings, control.Undecided(path, "is named by %s, which %s, and Pod/%s takes from it", maker.name, maker.flaw, taken[name]).
				OnlyLive().As(name).But("look at the conditions of %s, and let it make the Secret alone", maker.name))
		default:
			findings = append(findings, control.Met(path, "is kept by %s", maker.name))
		}
	}
	return findings
}

// secretsTaken names the Secrets that variables and files of a pod come from.
func secretsTaken(spec *corev1.PodSpec) []string {
	var names []string
	for _, c := range control.Containers(spec) {
		for i := range c.Env {
			if from := c.Env[i].ValueFrom; from != nil && from.SecretKeyRef != nil {
				names = append(names, from.SecretKeyRef.Name)
			}
		}
		for i := range c.EnvFrom {
			if from := c.EnvFrom[i].SecretRef; from != nil {
				names = append(names, from.Name)
			}
		}
	}
	for i := range spec.Volumes {
		if from := spec.Volumes[i].Secret; from != nil {
			names = append(names, from.SecretName)
		}
		if projected := spec.Volumes[i].Projected; projected != nil {
			for _, source := range projected.Sources {
				if source.Secret != nil {
					names = append(names, source.Secret.Name)
				}
			}
		}
	}
	return names
}

// maker is what makes a Secret; a flaw says why that shows nothing.
type maker struct{ name, flaw string }

// makersOf finds what makes the Secrets of the namespace. A maker without a flaw goes
// before one with.
func makersOf(s *control.Subject) map[string]maker {
	makers := map[string]maker{}
	note := func(secret, name, flaw string) {
		if known, there := makers[secret]; secret != "" && (!there || known.flaw != "" && flaw == "") {
			makers[secret] = maker{name, flaw}
		}
	}
	for _, r := range reportsOf(s, externalSecrets) {
		target, _, _ := unstructured.NestedString(r.Object, "spec", "target", "name") // absent is its own name
		note(cmp.Or(target, r.GetName()), "ExternalSecret/"+r.GetName(), flawOf(r))
	}
	for _, r := range reportsOf(s, secretProviderClasses) {
		objects, _, _ := unstructured.NestedSlice(r.Object, "spec", "secretObjects") // what is no list makes none
		for i := range objects {
			fields, _ := objects[i].(map[string]any) // of nil every field is absent
			name, _, _ := unstructured.NestedString(fields, "secretName")
			note(name, "SecretProviderClass/"+r.GetName(), "")
		}
	}
	// Its type is watched for certificate-expiry; a key that cert-manager made was never
	// anywhere else.
	for _, r := range reportsOf(s, certificates) {
		name, _, _ := unstructured.NestedString(r.Object, "spec", "secretName")
		note(name, "Certificate/"+r.GetName(), "")
	}
	return makers
}

// flawOf says why an ExternalSecret does not show that it made its target.
func flawOf(r *unstructured.Unstructured) string {
	policy, _, _ := unstructured.NestedString(r.Object, "spec", "target", "creationPolicy") // absent is Owner
	switch policy {
	case "", "Owner", "Orphan":
	case "None":
		return "makes no Secret"
	default:
		return "may add to one that somebody else made"
	}
	if !control.HasCondition(r, "Ready") {
		return "is not Ready"
	}
	return ""
}

// externalSecret makes a Secret of its name by a policy, and says whether it is Ready.
func externalSecret(name, policy, ready string) *unstructured.Unstructured {
	return &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "external-secrets.io/v1", "kind": "ExternalSecret", "metadata": map[string]any{"namespace": "ehr", "name": name},
		"spec":   map[string]any{"target": map[string]any{"creationPolicy": policy}},
		"status": map[string]any{"conditions": []any{map[string]any{"type": "Ready", "status": ready}}},
	}}
}

// takingFrom is a workload whose pod takes a credential from the Secret eprescribe,
// under a profile that asks where it comes from.
func takingFrom(reports ...*unstructured.Unstructured) control.Break {
	return control.Break{Kind: control.Workloads, Reported: true, Apply: func(s *control.Subject) {
		s.Profile.Access.SecretSource = hipaav1.SecretSourceExternal
		s.World.Pods[0].Spec.Containers[0].EnvFrom = []corev1.EnvFromSource{{
			SecretRef: &corev1.SecretEnvSource{LocalObjectReference: corev1.LocalObjectReference{Name: "eprescribe"}},
		}}
		s.World.Reports = append(s.World.Reports, reports...)
	}}
}
