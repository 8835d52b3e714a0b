package engine_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
	"github.com/hipaa-operator/hipaa-operator/internal/control"
	"github.com/hipaa-operator/hipaa-operator/internal/engine"
	"github.com/hipaa-operator/hipaa-operator/internal/hipaa"
	"github.com/hipaa-operator/hipaa-operator/internal/phitest"
)

// citing makes a control that always fails and cites this.
func citing(id string, cites ...hipaa.Citation) control.Control {
	c := finding(id, control.Pods, control.Failed("spec", "is wrong"))
	c.Cites = cites
	return c
}

const hour = time.Hour

func TestAnExceptionCountsWithinWhatProfilesAllow(t *testing.T) {
	e := newEngine(t, citing(first, hipaa.Integrity), citing(second, hipaa.EncryptionAtRest, hipaa.MediaReuse))
	for name, tc := range map[string]struct {
		profiles []*phitest.ProfileBuilder
		give     *phitest.ExceptionBuilder
		want     engine.ExceptionState
	}{
		"as long as allowed":                                 {bounded(24 * hour), asked(first, 24*hour), engine.ExceptionInForce},
		"a second longer":                                    {bounded(24 * hour), asked(first, 24*hour+time.Second), engine.ExceptionTooLong},
		"by the shortest of profiles":                        {append(bounded(48*hour), phitest.Profile("b").LongestException(24*hour), phitest.Profile("c")), asked(first, 48*hour), engine.ExceptionTooLong},
		"a year where none says":                             {unbounded(), asked(first, 365*24*hour), engine.ExceptionInForce},
		"and no longer":                                      {unbounded(), asked(first, 365*24*hour+time.Second), engine.ExceptionTooLong},
		"by its creation, not by its decision":               {bounded(24 * hour), asked(first, 2*hour).Created(phitest.After(-23 * hour)), engine.ExceptionTooLong},
		"not stored yet, from now on":                        {bounded(24 * hour), asked(first, 24*hour).Created(metav1.Time{}), engine.ExceptionInForce},
		"without the record of an addressable specification": {unbounded(), asked(second, hour).Unrecorded(), engine.ExceptionUnrecorded},
		"with it":                            {unbounded(), asked(second, hour), engine.ExceptionInForce},
		"without one where nobody asks":      {unbounded(), asked(first, hour).Unrecorded(), engine.ExceptionInForce},
		"from a control that a profile bars": {append(unbounded(), phitest.Profile("b").NoExceptions(second, first)), asked(first, hour), engine.ExceptionBarred},
		"from one that it does not":          {append(unbounded(), phitest.Profile("b").NoExceptions(second)), asked(first, hour), engine.ExceptionInForce},
		"barred, and too long":               {append(bounded(hour), phitest.Profile("b").NoExceptions(first)), asked(first, 2*hour), engine.ExceptionBarred},
		"too long and unrecorded, the first": {bounded(hour), asked(second, 2*hour).Unrecorded(), engine.ExceptionTooLong},
	} {
		t.Run(name, func(t *testing.T) {
			effective, x := resolve(t, e, tc.profiles...), tc.give.ApprovedBy("lead").Obj()
			if got := effective.StateOf(x, phitest.UIDOf("api"), phitest.Epoch); got != tc.want {
				t.Errorf("StateOf() = %s, want %s", got, tc.want)
			}
			s := podSubject(effective, phitest.Pod("api").Obj())
			d := e.Admit(s, engine.Ruling{Effective: effective, Exceptions: []*hipaav1.ControlException{x}, Now: phitest.Epoch})
			excused := len(d.Warned) == 1 && d.Warned[0].ExceptedBy == x.Name
			if excused != (tc.want == engine.ExceptionInForce) {
				t.Errorf("admission excuses: %v, the state is %s", excused, tc.want)
			}
		})
	}
}

func TestAProfileBarsExceptionsWhereItIsInForce(t *testing.T) {
	effective := resolve(t, newEngine(t, citing(first, hipaa.Integrity)),
		phitest.Profile("b").NoExceptions(first), phitest.Profile("a").NoExceptions(first, second), phitest.Profile("c"))
	for id, want := range map[string][]string{first: {"a", "b"}, second: {"a"}, "another": nil} {
		if diff := cmp.Diff(want, effective.Barring(id)); diff != "" {
			t.Errorf("Barring(%s) (-want +got):\n%s", id, diff)
		}
	}
	if barring := newEngine(t).Ungoverned().Barring(first); barring != nil {
		t.Errorf("where nobody governs %q bar it", barring)
	}
}

func bounded(d time.Duration) []*phitest.ProfileBuilder {
	return []*phitest.ProfileBuilder{phitest.Profile("a").LongestException(d)}
}

func unbounded() []*phitest.ProfileBuilder { return []*phitest.ProfileBuilder{phitest.Profile("a")} }

// asked is an exception that was stored at Epoch and ends so long after it.
func asked(id string, left time.Duration) *phitest.ExceptionBuilder {
	return phitest.Exception("x", "api", id).Created(phitest.After(0)).Expires(phitest.After(left))
}

func TestAnExceptionWithAFlawIsStillWaitingForItsDecision(t *testing.T) {
	effective := resolve(t, newEngine(t, citing(first, hipaa.Integrity)), bounded(hour)...)
	x := asked(first, 2*hour).Obj()
	if got := effective.StateOf(x, phitest.UIDOf("api"), phitest.Epoch); got != engine.ExceptionPending {
		t.Errorf("StateOf() = %s, want %s", got, engine.ExceptionPending)
	}
	if got := effective.Flaw(x, phitest.Epoch); got != engine.ExceptionTooLong {
		t.Errorf("Flaw() = %q, want %q: people hear of it before they decide", got, engine.ExceptionTooLong)
	}
}

func TestExcusesTellsTheWorkloadAndTheEnd(t *testing.T) {
	effective := resolve(t, newEngine(t, citing(first, hipaa.Integrity)), unbounded()...)
	x := asked(first, hour).ApprovedBy("lead").Obj()
	workload := phitest.Workload("api").Stored().Obj()
	for name, tc := range map[string]struct {
		workload *hipaav1.PHIWorkload
		after    time.Duration
		want     bool
	}{
		"the workload that it names":    {workload, 0, true},
		"a nanosecond before its end":   {workload, hour - 1, true},
		"at its end":                    {workload, hour, false},
		"another workload":              {phitest.Workload("db").Stored().Obj(), 0, false},
		"one of that name elsewhere":    {phitest.Workload("api").Namespace("lab").Stored().Obj(), 0, false},
		"what no workload claims":       {nil, 0, false},
		"one of that name created anew": {phitest.Workload("api").Obj(), 0, false},
	} {
		t.Run(name, func(t *testing.T) {
			until, counts := effective.Excuses(x, tc.workload, phitest.Epoch.Add(tc.after))
			if counts != tc.want || counts && !until.Equal(x.Spec.Expires.Time) {
				t.Errorf("Excuses() = %s, %v, want %v", until, counts, tc.want)
			}
		})
	}
}

func TestWhatIsExceptedIsNotMet(t *testing.T) {
	for name, tc := range map[string]struct {
		cites []hipaa.Citation
		want  string
	}{
		"a required specification":            {[]hipaa.Citation{hipaa.MediaReuse}, "not met, risk accepted until 2026-03-02T10:00:00Z: "},
		"a standard alone":                    {[]hipaa.Citation{hipaa.Integrity}, "not met, risk accepted until "},
		"an addressable one":                  {[]hipaa.Citation{hipaa.EncryptionAtRest}, "not met, an equivalent measure in its place until "},
		"an addressable one and its standard": {[]hipaa.Citation{hipaa.TransmissionSecurity, hipaa.TransmissionEncryption}, "not met, an equivalent measure in its place until "},
		"an addressable and a required one":   {[]hipaa.Citation{hipaa.EncryptionAtRest, hipaa.MediaReuse}, "not met, risk accepted until "},
	} {
		t.Run(name, func(t *testing.T) {
			e := newEngine(t, citing(first, tc.cites...))
			effective := resolve(t, e, phitest.Profile("a"))
			x := asked(first, hour).ApprovedBy("lead").Obj()
			s := podSubject(effective, nil)
			s.World = &control.World{Pods: []*corev1.Pod{phitest.Pod("api").Obj()}}
			got := e.Judge(s, engine.Ruling{Effective: effective, Exceptions: []*hipaav1.ControlException{x}, Now: phitest.Epoch})[0]
			if got.Verdict != hipaav1.VerdictExcepted || !strings.HasPrefix(got.Message, tc.want) || !strings.HasSuffix(got.Message, ": Pod/api: spec is wrong; do what first-control asks") {
				t.Errorf("%s: %s, want Excepted: %s and the finding", got.Verdict, got.Message, tc.want)
			}
		})
	}
}

func TestWarningsAreThoseOfAllProfiles(t *testing.T) {
	e := newEngine(t)
	for name, tc := range map[string]struct {
		give []*phitest.ProfileBuilder
		want []time.Duration
	}{
		"none says":   {unbounded(), []time.Duration{7 * 24 * hour, 24 * hour}},
		"one says":    {[]*phitest.ProfileBuilder{phitest.Profile("a").WarnsBefore(1)}, []time.Duration{hour}},
		"several say": {[]*phitest.ProfileBuilder{phitest.Profile("a").WarnsBefore(1, 48), phitest.Profile("b").WarnsBefore(12, 1)}, []time.Duration{48 * hour, 12 * hour, hour}},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(tc.want, resolve(t, e, tc.give...).Warnings()); diff != "" {
				t.Errorf("Warnings() (-want +got):\n%s", diff)
			}
		})
	}
}

func TestOffNeedsARecordForAnAddressableSpecification(t *testing.T) {
	e := newEngine(t, citing(first, hipaa.Integrity), citing(second, hipaa.EncryptionAtRest))
	unrecorded := func(b *phitest.ProfileBuilder) *hipaav1.ComplianceProfile {
		p := b.Obj()
		for i := range p.Spec.Controls {
			p.Spec.Controls[i].Record = nil
		}
		return p
	}
	for name, tc := range map[string]struct {
		give *hipaav1.ComplianceProfile
		want string
	}{
		"recorded":                   {phitest.Profile("a").Control(second, hipaav1.ModeOff).Obj(), ""},
		"no addressable one":         {unrecorded(phitest.Profile("a").Control(first, hipaav1.ModeOff)), ""},
		"no Off":                     {unrecorded(phitest.Profile("a").Control(second, hipaav1.ModeAudit)), ""},
		"nothing that anybody knows": {unrecorded(phitest.Profile("a").Control("else", hipaav1.ModeOff)), ""},
		"unrecorded": {unrecorded(phitest.Profile("a").Control(first, hipaav1.ModeOff).Control(second, hipaav1.ModeOff)),
			"spec.controls[1].record: second-control stands for an addressable specification (45 CFR 164.312(a)(2)(iv)): "},
	} {
		t.Run(name, func(t *testing.T) {
			if got := strings.Join(e.Unrecorded(tc.give), "\n"); !strings.HasPrefix(got, tc.want) || tc.want == "" && got != "" {
				t.Errorf("Unrecorded() = %q, want %q", got, tc.want)
			}
		})
	}
}
