package catalog

import (
	"cmp"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/validation"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
	"github.com/hipaa-operator/hipaa-operator/internal/control"
)

const labelTrue = "true"

// tag is one label of the classification.
type tag struct{ key, value string }

// tagging is how a profile spells the classification.
type tagging struct {
	owner, criticality, environment, classPrefix string
}

// taggingOf reads a profile's keys. What would not be a label key, or would be
// the key of another label, falls back to the default: a pod with a wrong key
// would be refused by the API server, and nothing would start.
func taggingOf(p *control.Profile) tagging {
	given, fallback := p.Tagging, control.DefaultTagging()
	taken := []string{hipaav1.LabelWorkload, hipaav1.LabelManagedBy}
	key := func(key, fallback string) string {
		if !isLabelKey(key) || slices.Contains(taken, key) {
			key = fallback
		}
		taken = append(taken, key)
		return key
	}
	t := tagging{
		owner:       key(given.OwnerKey, fallback.OwnerKey),
		criticality: key(given.CriticalityKey, fallback.CriticalityKey),
		environment: key(given.EnvironmentKey, fallback.EnvironmentKey),
		classPrefix: given.DataClassPrefix,
	}
	if !isLabelKey(t.classPrefix + "/x") {
		t.classPrefix = fallback.DataClassPrefix
	}
	return t
}

// isLabelKey accepts the usual keys without asking the expressions of the
// validation library, which cost more than all the rest of this control.
func isLabelKey(key string) bool {
	switch key {
	case hipaav1.DefaultOwnerKey, hipaav1.DefaultCriticalityKey, hipaav1.DefaultEnvironmentKey,
		hipaav1.DefaultDataClassPrefix + "/x", hipaav1.DefaultJurisdictionPrefix + "/x":
		return true
	default:
		return len(validation.IsQualifiedName(key)) == 0
	}
}

// tagsOf is the classification of the subject's workload, in a fixed order.
func tagsOf(s *control.Subject) []tag {
	spec, keys := &s.Workload.Spec, taggingOf(s.Profile)
	tags := make([]tag, 0, 4+len(spec.DataClasses))
	tags = append(tags,
		tag{hipaav1.LabelWorkload, s.Workload.Name},
		tag{keys.owner, spec.Owner.Team},
		tag{keys.criticality, string(spec.Continuity)},
		tag{keys.environment, string(cmp.Or(spec.Environment, hipaav1.EnvironmentProduction))},
	)
	for _, class := range spec.DataClasses {
		tags = append(tags, tag{keys.classPrefix + "/" + string(class), labelTrue})
	}
	return tags
}

// ownedLabels are on every object that the operator owns for the subject.
func ownedLabels(s *control.Subject) map[string]string {
	owned := map[string]string{hipaav1.LabelManagedBy: hipaav1.ManagedByValue}
	if s.Workload == nil {
		return owned
	}
	for _, tag := range tagsOf(s) {
		owned[tag.key] = tag.value
	}
	return owned
}

// isOf reports whether labels leave it open, or say, that an object is of the
// workload.
func isOf(w *hipaav1.PHIWorkload, labels map[string]string) bool {
	if w == nil {
		return false
	}
	name, named := labels[hipaav1.LabelWorkload]
	return !named || name == w.Name
}

// classifiedAs is another workload of the namespace that claims a pod and whose
// classification it carries; empty if there is none. Two workloads that select one
// pod, for as long as one takes the place of the other, must not both write it.
func classifiedAs(s *control.Subject, pod *corev1.Pod) string {
	name := pod.Labels[hipaav1.LabelWorkload]
	if s.Workload == nil || name == s.Workload.Name {
		return ""
	}
	other := s.World.Workloads[types.NamespacedName{Namespace: s.Workload.Namespace, Name: name}]
	if other == nil {
		return ""
	}
	selector, err := metav1.LabelSelectorAsSelector(&other.Spec.Selector)
	if err != nil || !selector.Matches(labels.Set(pod.Labels)) {
		return ""
	}
	return name
}

// checkPodLabels asks for the whole classification.
func checkPodLabels(s *control.Subject) []control.Finding {
	if name := classifiedAs(s, s.Pod); name != "" {
		return []control.Finding{control.NotApplicable("it is classified as of PHIWorkload " + name + ", which selects it too")}
	}
	tags := tagsOf(s)
	var missing []string
	for _, tag := range tags {
		if _, present := s.Pod.Labels[tag.key]; !present {
			missing = append(missing, tag.key)
		}
	}
	findings := contradictions(s, tags, s.Pod.Labels)
	if len(missing) > 0 {
		findings = append(findings, control.Failed("metadata.labels", "lack %s", strings.Join(missing, ", ")).
			But("nothing to write: the operator adds them to new pods in mode Enforce; let the pod be replaced"))
	}
	if len(findings) > 0 {
		return findings
	}
	return []control.Finding{control.Met("", "classified as PHIWorkload %s, owner %s", s.Workload.Name, s.Workload.Spec.Owner.Team)}
}

// checkUserLabels asks that labels which people write contradict nothing.
func checkUserLabels(s *control.Subject, labels map[string]string) []control.Finding {
	if !isOf(s.Workload, labels) {
		return []control.Finding{control.NotApplicable("it is classified as of another PHIWorkload")}
	}
	if findings := contradictions(s, tagsOf(s), labels); len(findings) > 0 {
		return findings
	}
	return []control.Finding{control.Met("", "contradicts nothing that PHIWorkload %s declares", s.Workload.Name)}
}

// contradictions are labels that say something else than the classification.
func contradictions(s *control.Subject, tags []tag, labels map[string]string) []control.Finding {
	var findings []control.Finding
	for _, tag := range tags {
		if value, present := labels[tag.key]; present && value != tag.value {
			findings = append(findings, control.Failed("metadata.labels["+tag.key+"]",
				"contradicts PHIWorkload %s, which says %q", s.Workload.Name, tag.value))
		}
	}
	prefix := taggingOf(s.Profile).classPrefix + "/"
	for _, key := range sortedLabels(labels) {
		class, found := strings.CutPrefix(key, prefix)
		if !found || labels[key] != labelTrue || slices.Contains(s.Workload.Spec.DataClasses, hipaav1.DataClass(class)) {
			continue
		}
		findings = append(findings, control.Failed("metadata.labels["+key+"]",
			"says a data class that PHIWorkload %s does not declare", s.Workload.Name).
			But("add it to spec.dataClasses of the PHIWorkload, or remove the label"))
	}
	return findings
}

func sortedLabels(labels map[string]string) []string {
	keys := make([]string, 0, len(labels))
	for key := range labels {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	return keys
}

// taggedFaults compare a pod's labels with settingsOf, unless it is classified as of
// another workload that claims it too.
var taggedFaults = []control.Fault{
	{
		When: ofWorkload + "!settings.all(s, s in variables.tags || s == settings[0])",
		Says: "metadata.labels lack what admission adds, or contradict the PHIWorkload",
	},
	{
		When: ofWorkload + "variables.tags.exists(t, t.startsWith(settings[0]) && t.endsWith('=true') && !(t in settings))",
		Says: "metadata.labels say what the PHIWorkload does not",
	},
}

// contradictingService compares labels that people write on a Service with settingsOf.
var contradictingService = control.Fault{
	Of: control.Services,
	When: "settings.size() > 0 && (object.spec.?selector.orValue({}).size() > 0 || " + serviceLabels + "[?'" + hipaav1.LabelWorkload + "'].orValue('') == workload) && " +
		serviceLabels + "[?'" + hipaav1.LabelWorkload + "'].orValue(workload) == workload && " +
		"(settings.exists(s, s.contains('=') && " + serviceLabels + "[?s.split('=')[0]].orValue(s.split('=')[1]) != s.split('=')[1]) || " +
		serviceLabels + ".exists(k, k.startsWith(settings[0]) && object.metadata.labels[k] == 'true' && !((k + '=true') in settings)))",
	Says: "metadata.labels contradict the PHIWorkload",
}

const serviceLabels = "object.metadata.?labels.orValue({})"

const ofWorkload = "variables.whole && (('" + hipaav1.LabelWorkload + "=' + workload) in variables.tags || " +
	"!(variables.labels[?'" + hipaav1.LabelWorkload + "'].orValue('') in variables.claiming)) && "

// settingsOf are the prefix under which no other label may stand, and the labels that
// have to, as key=value.
func settingsOf(prefix string, tags ...tag) []string {
	settings := make([]string, 0, 1+len(tags))
	settings = append(settings, prefix+"/")
	for _, tag := range tags {
		settings = append(settings, tag.key+"="+tag.value)
	}
	return settings
}
