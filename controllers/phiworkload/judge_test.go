package phiworkload

import (
	"testing"
	"time"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
	"github.com/hipaa-operator/hipaa-operator/internal/control"
	"github.com/hipaa-operator/hipaa-operator/internal/engine"
	"github.com/hipaa-operator/hipaa-operator/internal/phitest"
	"github.com/hipaa-operator/hipaa-operator/internal/subject"
)

// No watch tells of time.
func TestAWorkloadIsJudgedAgainWhenAFindingEndsByItself(t *testing.T) {
	ends := control.Control{
		ID: "certificate-lifetimes", Since: 1, Judges: control.Workloads,
		Check: func(control.Subject) []control.Finding {
			return []control.Finding{control.Met("", "is right").EndsAt(phitest.Epoch.Add(90 * time.Minute))}
		},
	}
	e, err := engine.New([]control.Control{ends})
	if err != nil {
		t.Fatal(err)
	}
	namespace := phitest.Namespace("ehr").Obj()
	effective, err := e.Resolve([]*hipaav1.ComplianceProfile{phitest.Profile("p").Obj()}, namespace, nil, phitest.Epoch)
	if err != nil {
		t.Fatal(err)
	}
	s := &scope{
		workload: phitest.Workload("api").Obj(), now: phitest.Epoch, scene: &subject.Scene{Namespace: namespace}, effective: effective, goal: effective,
		subject: control.Subject{Namespace: namespace, World: &control.World{}, Profile: effective.Parameters},
	}
	if err := (&Reconciler{Engine: e}).judge(t.Context(), s); err != nil {
		t.Fatal(err)
	}
	if got := s.recheckAfter(); got != 90*time.Minute {
		t.Errorf("it is judged again after %s", got)
	}
}
