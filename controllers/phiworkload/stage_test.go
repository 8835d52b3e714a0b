package phiworkload

import (
	"testing"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
)

func TestStage(t *testing.T) {
	tests := map[string]struct {
		give adoption
		want hipaav1.Stage
	}{
		"one that first appears under Enforce is enforced at once": {
			adoption{enforces: true}, hipaav1.StageEnforced,
		},
		"one that first appears under Enforce is not asked for its preview": {
			adoption{enforces: true, agreed: true}, hipaav1.StageEnforced,
		},
		"one that first appears under Enforce over running pods previews": {
			adoption{enforces: true, occupied: true}, hipaav1.StagePreviewing,
		},
		"one that first appears under Enforce over running pods is enforced once that is agreed": {
			adoption{enforces: true, occupied: true, agreed: true}, hipaav1.StageEnforced,
		},
		"one that is enforced stays so although its pods are older": {
			adoption{previous: hipaav1.StageEnforced, enforces: true, occupied: true}, hipaav1.StageEnforced,
		},
		"one that first appears under Audit previews": {
			adoption{}, hipaav1.StagePreviewing,
		},
		"an agreed preview changes nothing while nothing enforces": {
			adoption{previous: hipaav1.StagePreviewing, agreed: true}, hipaav1.StagePreviewing,
		},
		"one that previews waits when its profile turns to Enforce": {
			adoption{previous: hipaav1.StagePreviewing, enforces: true}, hipaav1.StagePreviewing,
		},
		"an agreed preview lets it enter Enforce": {
			adoption{previous: hipaav1.StagePreviewing, enforces: true, agreed: true}, hipaav1.StageEnforced,
		},
		"one that is enforced stays so whatever a preview would say": {
			adoption{previous: hipaav1.StageEnforced, enforces: true}, hipaav1.StageEnforced,
		},
		"one that is enforced stays so while it is not known what a missing profile enforces": {
			adoption{previous: hipaav1.StageEnforced, incomplete: true}, hipaav1.StageEnforced,
		},
		"one that previews gains nothing from a missing profile": {
			adoption{previous: hipaav1.StagePreviewing, incomplete: true}, hipaav1.StagePreviewing,
		},
		"one that first appears gains nothing from a missing profile": {
			adoption{incomplete: true}, hipaav1.StagePreviewing,
		},
		"one that is enforced goes back when nothing enforces any more": {
			adoption{previous: hipaav1.StageEnforced}, hipaav1.StagePreviewing,
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if got := tt.give.next(); got != tt.want {
				t.Errorf("%+v: next() = %s, want %s", tt.give, got, tt.want)
			}
		})
	}
}
