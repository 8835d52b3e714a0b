package engine_test

import (
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
	"github.com/hipaa-operator/hipaa-operator/internal/control"
	"github.com/hipaa-operator/hipaa-operator/internal/engine"
	"github.com/hipaa-operator/hipaa-operator/internal/hipaa"
	"github.com/hipaa-operator/hipaa-operator/internal/phitest"
)

// The catalogue of these tests: what the engine does with findings does not
// depend on what they are about.
const (
	first  = "first-control"
	second = "second-control"
	later  = "third-control" // of a ruleset that is not published yet
)

// finding makes a control that finds the same in every object that it judges.
func finding(id string, kinds control.Kinds, found ...control.Finding) control.Control {
	return control.Control{
		ID: id, Cites: []hipaa.Citation{hipaa.Integrity}, Remedy: "do what " + id + " asks", Since: 1, Judges: kinds,
		Check: func(control.Subject) []control.Finding { return found },
	}
}

func pair() []control.Control {
	third := finding(later, control.AllKinds)
	third.Since = control.LatestRuleset() + 1
	return []control.Control{finding(second, control.AllKinds), third, finding(first, control.AllKinds)}
}

func newEngine(t testing.TB, controls ...control.Control) *engine.Engine {
	t.Helper()
	e, err := engine.New(controls)
	if err != nil {
		t.Fatalf("building the engine: %v", err)
	}
	return e
}

func profiles(builders ...*phitest.ProfileBuilder) []*hipaav1.ComplianceProfile {
	list := make([]*hipaav1.ComplianceProfile, len(builders))
	for i, b := range builders {
		list[i] = b.Obj()
	}
	return list
}

func ehr() *corev1.Namespace { return phitest.Namespace(phitest.DefaultNamespace).Obj() }

// resolve merges profiles for the namespace ehr at Epoch.
func resolve(t testing.TB, e *engine.Engine, builders ...*phitest.ProfileBuilder) *engine.Effective {
	t.Helper()
	return resolveAt(t, e, phitest.Epoch, builders...)
}

func resolveAt(t testing.TB, e *engine.Engine, at time.Time, builders ...*phitest.ProfileBuilder) *engine.Effective {
	t.Helper()
	effective, err := e.Resolve(profiles(builders...), ehr(), nil, at)
	if err != nil {
		t.Fatalf("resolving: %v", err)
	}
	return effective
}

// modes are what is in force for each control; one that is not in force is absent.
func modes(e *engine.Engine, effective *engine.Effective) map[string]hipaav1.Mode {
	in := map[string]hipaav1.Mode{}
	s := control.Subject{Profile: effective.Parameters, Namespace: ehr(), World: &control.World{}}
	for _, result := range e.Judge(s, engine.Ruling{Effective: effective, Now: phitest.Epoch}) {
		in[result.ID] = result.Mode
	}
	return in
}

func podSubject(effective *engine.Effective, pod *corev1.Pod) control.Subject {
	return control.Subject{
		Profile: effective.Parameters, Namespace: ehr(), Workload: phitest.Workload("api").Stored().Obj(),
		World: &control.World{}, Pod: pod,
	}
}
