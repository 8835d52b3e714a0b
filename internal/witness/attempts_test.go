package witness_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"k8s.io/client-go/tools/events"
	testclock "k8s.io/utils/clock/testing"

	"github.com/hipaa-operator/hipaa-operator/internal/phitest"
	"github.com/hipaa-operator/hipaa-operator/internal/witness"
)

func TestAttemptsAreToldInASentence(t *testing.T) {
	for name, tc := range map[string]struct {
		give witness.Attempt
		want string
	}{
		"an object of the cluster": {
			witness.Attempt{Kind: "ComplianceProfile", Name: "strict", Operation: "UPDATE", User: "tess@example.org"},
			`Warning ChangeRefused "tess@example.org" tried to update ComplianceProfile/strict and was refused`,
		},
		"an object of a namespace": {
			witness.Attempt{Kind: "NetworkPolicy", Namespace: "ehr", Name: "hipaa-api", Operation: "DELETE", User: "tess@example.org"},
			`Warning ChangeRefused "tess@example.org" tried to delete NetworkPolicy ehr/hipaa-api and was refused`,
		},
		"one that is not stored": {
			witness.Attempt{Kind: "NetworkPolicy", Namespace: "ehr", Operation: "CREATE", User: "tess@example.org"},
			`Warning ChangeRefused "tess@example.org" tried to create a NetworkPolicy and was refused`,
		},
		"a user that writes lines": {
			witness.Attempt{Kind: "Namespace", Name: "ehr", Operation: "UPDATE", User: "tess\nadmin did it"},
			`Warning ChangeRefused "tess\nadmin did it" tried to update Namespace/ehr and was refused`,
		},
		"a user without end": {
			witness.Attempt{Kind: "Namespace", Name: "ehr", Operation: "UPDATE", User: strings.Repeat("x", 300)},
			`Warning ChangeRefused "` + strings.Repeat("x", 256) + `" tried to update Namespace/ehr and was refused`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			told := events.NewFakeRecorder(1)
			witness.NewAttempts(told, system, testclock.NewFakePassiveClock(phitest.Epoch)).Refused(tc.give)
			if got := <-told.Events; got != tc.want {
				t.Errorf("told %q, want %q", got, tc.want)
			}
		})
	}
}

func TestAttemptsAreToldAtABoundedRate(t *testing.T) {
	told := events.NewFakeRecorder(1000)
	clock := testclock.NewFakePassiveClock(phitest.Epoch)
	attempts := witness.NewAttempts(told, system, clock)
	try := func(times int) int {
		before := len(told.Events)
		for i := range times {
			attempts.Refused(witness.Attempt{Kind: "ComplianceProfile", Name: fmt.Sprint(i), Operation: "DELETE", User: "tess"})
		}
		return len(told.Events) - before
	}
	if n := try(500); n != 100 {
		t.Errorf("told of %d of 500 at once, want 100", n)
	}
	clock.SetTime(phitest.Epoch.Add(time.Minute))
	if n := try(500); n != 60 {
		t.Errorf("told of %d of 500 a minute later, want 60", n)
	}
}
