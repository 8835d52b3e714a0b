package engine

import (
	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
	"github.com/hipaa-operator/hipaa-operator/internal/control"
	"github.com/hipaa-operator/hipaa-operator/internal/hipaa"
)

// Decision is the answer to one object at admission. Every list is sorted by
// control, then as the control found it.
type Decision struct {
	// Denied is why the object is refused; empty means admitted.
	Denied []Violation
	// Warned is what people are told: mode Warn, and what an exception covers.
	Warned []Violation
	// Audited is what is only recorded.
	Audited []Violation
	// Workloads names those under whose rules it is refused, sorted. The empty name
	// stands for the namespace's own rules.
	Workloads []string
}

// Admit judges one object at admission. What only live evidence decides does
// not count here; missing admission evidence does, and refuses in Enforce.
func (e *Engine) Admit(s control.Subject, r Ruling) Decision {
	var d Decision
	kind := s.Kind()
	s.Now = r.Now
	for i := range r.Effective.controls {
		c := &r.Effective.controls[i]
		if !c.Admits(kind) || !r.inForce(i) || r.mode(i) == hipaav1.ModeOff {
			continue
		}
		for _, f := range check(c, s, c.Needs) {
			if isViolation(f) && !f.Live {
				d.add(violation(c, &s, f), r.mode(i), r.exception(s.Workload, c.ID))
			}
		}
	}
	if len(d.Denied) > 0 {
		name := ""
		if s.Workload != nil {
			name = s.Workload.Name
		}
		d.Workloads = []string{name}
	}
	return d
}

// Foresees reports whether a control that states a backstop refuses the subject's pod,
// as far as the pod alone tells.
func (e *Engine) Foresees(s control.Subject, r Ruling) bool {
	for i := range r.Effective.controls {
		c := &r.Effective.controls[i]
		if c.Backstop == nil || !e.enforces(i, &s, r) {
			continue
		}
		for _, f := range check(c, s, 0) {
			if isViolation(f) && !f.Live {
				return true
			}
		}
	}
	return false
}

func (d *Decision) add(v Violation, mode hipaav1.Mode, exception *hipaav1.ControlException) {
	switch {
	case exception != nil:
		v.ExceptedBy = exception.Name
		d.Warned = append(d.Warned, v)
	case mode == hipaav1.ModeEnforce:
		d.Denied = append(d.Denied, v)
	case mode == hipaav1.ModeWarn:
		d.Warned = append(d.Warned, v)
	default:
		d.Audited = append(d.Audited, v)
	}
}

// undeclaredPod takes the place of a control's ID in answers about pods that no
// workload selects. It is no control: there is no workload to have a verdict.
const undeclaredPod = "undeclared-pod"

// AdmitUndeclared answers a pod that no workload selects. While the namespace is
// Previewing it is admitted with a warning, as everything there is.
func AdmitUndeclared(pod control.Subject, r Ruling) Decision {
	v := Violation{
		ControlID: undeclaredPod,
		Cites:     hipaa.RiskAnalysis.String(),
		Object:    pod.Object(),
		Path:      "metadata.labels",
		Message:   "are selected by no PHIWorkload of the namespace",
		Remedy:    "declare a PHIWorkload whose selector matches them, or run the pod in a namespace without PHI",
		Verdict:   hipaav1.VerdictFail,
	}
	switch answer := r.Effective.Undeclared; {
	case answer == hipaav1.UndeclaredPodsAllow:
		return Decision{Audited: []Violation{v}}
	case answer == hipaav1.UndeclaredPodsWarn, r.Stage == hipaav1.StagePreviewing:
		return Decision{Warned: []Violation{v}}
	default:
		return Decision{Denied: []Violation{v}}
	}
}
