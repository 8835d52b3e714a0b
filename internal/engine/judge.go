package engine

import (
	"cmp"
	"fmt"
	"strings"
	"time"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
	"github.com/hipaa-operator/hipaa-operator/internal/control"
)

// Result is the verdict of one control on one workload.
type Result struct {
	ID      string
	Verdict hipaav1.Verdict
	Class   hipaav1.EvidenceClass
	Mode    hipaav1.Mode
	// Message is the evidence, the first violation, or why there is no verdict.
	Message string
	// Warning is evidence that will before long be against it; empty is none.
	Warning string
	// Violations are all findings against it.
	Violations []Violation
	// Exception excuses the workload from the control now, whether or not there is
	// anything to excuse; nil is none. A grant of access is one as well.
	Exception *hipaav1.ControlException
	// Idle says that the installation lacks what the control acts by: it has entered no
	// mode.
	Idle bool
	// Until is the first instant after the ruling's at which a finding may be another
	// by itself; zero is never.
	Until time.Time
}

// Judge gives the verdict of every control in force on a workload, sorted by
// ID. The subject brings the workload and its world and has no object of its
// own; each control is asked about every object of the kinds that it judges.
func (e *Engine) Judge(s control.Subject, r Ruling) []Result {
	var results []Result
	s.Now = r.Now
	for i := range r.Effective.controls {
		if !r.inForce(i) {
			continue
		}
		results = append(results, e.judgeOne(i, s, r))
	}
	return results
}

func (e *Engine) judgeOne(i int, s control.Subject, r Ruling) Result {
	c := &r.Effective.controls[i]
	result := Result{ID: c.ID, Mode: r.mode(i), Idle: idle(c, s.World)}
	if result.Mode == hipaav1.ModeOff {
		result.Verdict = hipaav1.VerdictUnknown
		result.Message = "not judged: the profile's mode for this control is Off"
		return result
	}
	t := tally{control: c}
	t.ask(s)
	t.conclude(&result)
	result.Exception = r.exception(s.Workload, c.ID)
	if result.Verdict == hipaav1.VerdictFail && result.Exception != nil {
		result.Verdict = hipaav1.VerdictExcepted
		result.Message = r.Effective.Standing(c.ID, result.Exception.Spec.Expires) + ": " + result.Message
		for v := range result.Violations {
			result.Violations[v].ExceptedBy = result.Exception.Name
		}
	}
	return result
}

// Idle reports whether the installation lacks what a control acts by. It is then only
// reported, and enters Enforce when it can act: people see before that what it will do.
func (e *Engine) Idle(id string, w *control.World) bool {
	i, known := e.byID[id]
	return known && idle(&e.controls[i], w)
}

func idle(c *control.Control, w *control.World) bool {
	return c.Needs.Has(control.Proxies) && w.Proxy == nil && w.Missing[control.Proxies] == ""
}

// tally collects what one control says about all objects of a workload.
type tally struct {
	control    *control.Control
	judged     int
	pods       int
	violations []Violation
	failed     bool
	met        []control.Finding
	exempt     []control.Finding
	// exempted is the weakest class that exemptions name.
	exempted hipaav1.EvidenceClass
	class    hipaav1.EvidenceClass
	against  hipaav1.EvidenceClass
	soon     []control.Finding
	until    time.Time
}

func (t *tally) ask(s control.Subject) {
	needs := t.control.Needs | t.control.NeedsLive
	if missing := missingEvidence(s.World, needs); missing != nil {
		t.take(&s, missing)
		return
	}
	for _, kind := range t.control.Judges.Each() {
		if kind == control.Workloads {
			t.judged++
			t.take(&s, check(t.control, s, 0))
			continue
		}
		for _, object := range s.World.Objects(kind) {
			one := s.Of(object)
			t.judged++
			if kind == control.Pods {
				t.pods++
			}
			t.take(&one, check(t.control, one, 0))
		}
	}
}

func (t *tally) take(s *control.Subject, findings []control.Finding) {
	for _, f := range findings {
		if f.Until.After(s.Now) && (t.until.IsZero() || f.Until.Before(t.until)) {
			t.until = f.Until
		}
		switch f.Verdict {
		case hipaav1.VerdictPass:
			t.met = append(t.met, f)
			if f.Soon {
				t.soon = append(t.soon, f)
			}
			t.class = weaker(t.class, classOf(f))
		case hipaav1.VerdictNotApplicable:
			t.exempt, t.exempted = append(t.exempt, f), weaker(t.exempted, f.Class)
		default:
			t.violations = append(t.violations, violation(t.control, s, f))
			if f.Verdict == hipaav1.VerdictFail {
				t.failed, t.against = true, weaker(t.against, classOf(f))
			}
		}
	}
}

func classOf(f control.Finding) hipaav1.EvidenceClass {
	if f.Class == "" {
		return hipaav1.EvidenceObserved
	}
	return f.Class
}

// conclude turns the tally into a verdict. Nothing judged is Unknown, never a pass.
func (t *tally) conclude(result *Result) {
	result.Violations, result.Until = t.violations, t.until
	if len(t.soon) > 0 {
		result.Warning = listed(t.soon)
	}
	switch {
	case t.failed:
		result.Verdict, result.Class = hipaav1.VerdictFail, t.against
		result.Message = t.summary(hipaav1.VerdictFail)
	case len(t.violations) > 0:
		result.Verdict = hipaav1.VerdictUnknown
		result.Message = t.summary(hipaav1.VerdictUnknown)
	case t.judged == 0, t.control.Judges.Has(control.Pods) && t.pods == 0:
		result.Verdict = hipaav1.VerdictUnknown
		result.Message = fmt.Sprintf("nothing to judge yet: no %s", t.control.Judges.Each()[0])
	case t.control.Judges&control.Unseen != 0 && result.Mode != hipaav1.ModeEnforce:
		// What is not refused leaves nothing behind that could be looked at.
		result.Verdict = hipaav1.VerdictUnknown
		result.Message = fmt.Sprintf("mode %s refuses no %s, and what came of those there were cannot be seen",
			result.Mode, strings.ToLower((t.control.Judges & control.Unseen).String()))
	case len(t.exempt) > 0 && len(t.exempt) == t.judged:
		result.Verdict, result.Class = hipaav1.VerdictNotApplicable, cmp.Or(t.exempted, hipaav1.EvidenceObserved)
		result.Message = t.exempt[0].Message
	default:
		result.Verdict, result.Class = hipaav1.VerdictPass, cmp.Or(weaker(t.class, t.exempted), hipaav1.EvidenceObserved)
		result.Message = t.evidence()
	}
}

// summary is the first violation of a verdict, and how many more there are.
func (t *tally) summary(verdict hipaav1.Verdict) string {
	first, more := "", -1
	for _, v := range t.violations {
		if v.Verdict != verdict {
			continue
		}
		if more++; more == 0 {
			first = v.Object + ": " + v.Sentence()
		}
	}
	if more > 0 {
		return fmt.Sprintf("%s (+%d more)", first, more)
	}
	return first
}

func (t *tally) evidence() string {
	if len(t.met) == 0 {
		return fmt.Sprintf("%d judged, nothing found", t.judged)
	}
	return listed(t.met)
}

// listed is the first finding, and how many more there are.
func listed(findings []control.Finding) string {
	first := findings[0]
	text := first.Message
	if first.Path != "" {
		text = first.Path + " " + text
	}
	if len(findings) > 1 {
		text = fmt.Sprintf("%s (+%d more)", text, len(findings)-1)
	}
	return text
}
