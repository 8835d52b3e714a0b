package backstop

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
	"github.com/hipaa-operator/hipaa-operator/internal/control"
)

// ParametersName is that of the ConfigMap in each PHI namespace. It stands beside the
// pods and not with the operator: so one binding, which is installed and guarded as it
// stands, serves all namespaces, and one look-up finds it. What it says is no secret,
// and a policy lets nobody but the operator write it.
const ParametersName = "hipaa-operator-backstop"

// Parameters are what the policy knows of a namespace.
type Parameters struct {
	// Ungoverned says that no profile governs the namespace.
	Ungoverned bool
	// Undeclared says from when pods of no workload are refused.
	Undeclared From
	Workloads  []Workload
	// Reflects are the States that all this was made from.
	Reflects []string
}

// Workload is what the policy knows of a PHIWorkload.
type Workload struct {
	Name     string
	Selector *metav1.LabelSelector
	// Holds says, for each control that states a backstop, from when it refuses.
	Holds map[string]From
	// Settings are what a control's faults read.
	Settings map[string][]string
}

// From is the instant from which something refuses, in whole seconds as everything in
// the API. The zero value is never.
type From struct {
	// Always says that it refuses already.
	Always bool
	// At is when it will.
	At time.Time
}

// String is the form of the parameters.
func (f From) String() string {
	switch {
	case f.Always:
		return "always"
	case f.At.IsZero():
		return "never"
	default:
		return f.At.UTC().Format(time.RFC3339)
	}
}

// ConfigMap is the form in which the API server reads them.
func (p *Parameters) ConfigMap(namespace string) *corev1.ConfigMap {
	data := map[string]string{"undeclared": p.Undeclared.String()}
	if p.Ungoverned {
		data["ungoverned"] = "true"
	}
	names := make([]string, len(p.Workloads))
	for i, w := range p.Workloads {
		names[i] = w.Name
		data["selector."+w.Name] = selector(w.Selector)
		for id, from := range w.Holds {
			data[id+"."+w.Name] = from.String()
		}
		for id, settings := range w.Settings {
			data["settings."+id+"."+w.Name] = strings.Join(settings, " ")
		}
	}
	data["workloads"] = strings.Join(names, " ")
	return &corev1.ConfigMap{
		TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "ConfigMap"},
		ObjectMeta: metav1.ObjectMeta{
			Namespace: namespace, Name: ParametersName,
			Labels:      map[string]string{hipaav1.LabelManagedBy: hipaav1.ManagedByValue},
			Annotations: map[string]string{AnnotationReflects: strings.Join(p.Reflects, " ")},
		},
		Data: data,
	}
}

// selector writes a selector so that CEL can take it apart: requirements between
// bars, each an operator, a key and values. Labels hold none of the signs between.
func selector(s *metav1.LabelSelector) string {
	requirements := make([]string, 0, len(s.MatchLabels)+len(s.MatchExpressions))
	for _, key := range slices.Sorted(maps.Keys(s.MatchLabels)) {
		requirements = append(requirements, fmt.Sprintf("In %s %s", key, s.MatchLabels[key]))
	}
	for _, r := range s.MatchExpressions {
		requirements = append(requirements, fmt.Sprintf("%s %s %s", r.Operator, r.Key, strings.Join(r.Values, ",")))
	}
	return strings.Join(requirements, "|")
}

// Hold notes from when each control that states a backstop refuses for the subject's
// workload, and what its faults read.
func (w *Workload) Hold(controls []control.Control, s control.Subject, from map[string]From) {
	w.Holds, w.Settings = map[string]From{}, map[string][]string{}
	for i := range controls {
		c := &controls[i]
		if c.Backstop == nil || from[c.ID] == (From{}) {
			continue
		}
		w.Holds[c.ID] = from[c.ID]
		if c.Backstop.Settings != nil {
			w.Settings[c.ID] = c.Backstop.Settings(s)
		}
	}
}
