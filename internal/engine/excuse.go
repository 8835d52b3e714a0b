package engine

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
	"github.com/hipaa-operator/hipaa-operator/internal/hipaa"
)

// States of an exception that profiles and the law do not let count, whoever has
// approved it.
const (
	// ExceptionBarred means that a profile takes no exception from the control.
	ExceptionBarred ExceptionState = "Barred"
	// ExceptionTooLong means that more lies between creation and end than a profile
	// allows: it was let in under a milder one, or while admission was away.
	ExceptionTooLong ExceptionState = "TooLong"
	// ExceptionUnrecorded means that the control stands for an addressable
	// specification and the record of 45 CFR 164.306(d)(3) is missing.
	ExceptionUnrecorded ExceptionState = "Unrecorded"
)

// defaultWarnings are the times before its end at which people hear of an exception,
// where no profile names any.
var defaultWarnings = []time.Duration{7 * 24 * time.Hour, 24 * time.Hour}

// exceptionLimits are what profiles say of exceptions.
type exceptionLimits struct {
	longest  time.Duration
	warnings []time.Duration
	// barred names, for each control that accepts none, the profiles that say so.
	barred map[string][]string
}

func (m *merge) addExceptions(p *hipaav1.ComplianceProfile) {
	from := p.Spec.Exceptions
	if from == nil {
		return
	}
	into := &m.effective.exceptions
	into.longest = shortest(into.longest, from.MaximumLength)
	for _, hours := range from.WarnHoursBefore {
		into.warnings = append(into.warnings, time.Duration(hours)*time.Hour)
	}
	for _, id := range from.NeverFor {
		if into.barred == nil {
			into.barred = map[string][]string{}
		}
		into.barred[id] = append(into.barred[id], p.Name)
	}
	slices.SortFunc(into.warnings, func(a, b time.Duration) int { return cmp.Compare(b, a) })
	into.warnings = slices.Compact(into.warnings)
}

// Ungoverned is what holds of exceptions where no profile governs: what the law and the
// catalogue ask for. Nothing can be judged by it.
func (e *Engine) Ungoverned() *Effective { return &Effective{controls: e.controls} }

// LongestException is the most that may lie between an exception's creation and its
// end.
func (f *Effective) LongestException() time.Duration {
	return cmp.Or(f.exceptions.longest, hipaav1.DefaultExceptionLength)
}

// Barring names the profiles that take no exception from a control, sorted.
func (f *Effective) Barring(controlID string) []string { return f.exceptions.barred[controlID] }

// Warnings are the times before the end of an exception at which people hear of it,
// the longest first.
func (f *Effective) Warnings() []time.Duration {
	if len(f.exceptions.warnings) == 0 {
		return slices.Clone(defaultWarnings)
	}
	return slices.Clone(f.exceptions.warnings)
}

// LatestEnd is the latest instant at which an exception may end, by when it was
// created. That is the API server's own clock and cannot be written, so that neither
// another decision nor another end makes an exception last longer. One that is not
// stored yet is created now.
func (f *Effective) LatestEnd(x *hipaav1.ControlException, now time.Time) time.Time {
	created := x.CreationTimestamp.Time
	if created.IsZero() {
		created = now
	}
	return created.Add(f.LongestException())
}

// Addressable are the addressable specifications that a control stands for.
func (f *Effective) Addressable(controlID string) []hipaa.Citation {
	return hipaa.AddressableOf(f.cites(controlID))
}

func (f *Effective) cites(controlID string) []hipaa.Citation {
	for i := range f.controls {
		if f.controls[i].ID == controlID {
			return f.controls[i].Cites
		}
	}
	return nil
}

// Standing says what an exception from a control leaves behind, and until when, as
// reports show it.
func (f *Effective) Standing(controlID string, until metav1.Time) string {
	return fmt.Sprintf("%s until %s", hipaa.NotMet(f.cites(controlID)), until.UTC().Format(time.RFC3339))
}

// Flaw is why an exception does not count, whatever people decide: Barred, TooLong or
// Unrecorded. Empty is none.
func (f *Effective) Flaw(x *hipaav1.ControlException, now time.Time) ExceptionState {
	switch {
	case len(f.Barring(x.Spec.ControlID)) > 0:
		return ExceptionBarred
	case x.Spec.Expires.After(f.LatestEnd(x, now)):
		return ExceptionTooLong
	case x.Spec.Record == nil && len(f.Addressable(x.Spec.ControlID)) > 0:
		return ExceptionUnrecorded
	default:
		return ""
	}
}

// StateOf is [StateOf] under what the profiles allow. One that counts does so until
// its spec.expires, and at that instant no more.
func (f *Effective) StateOf(x *hipaav1.ControlException, workload types.UID, now time.Time) ExceptionState {
	state := StateOf(x, workload, now)
	if flaw := f.Flaw(x, now); state == ExceptionInForce && flaw != "" {
		return flaw
	}
	return state
}

// Excuses reports whether an exception excuses a workload from its control at an
// instant, and the instant from which it no longer does. Whatever asks - admission,
// the live judgement, the backstop - asks here, with its own clock.
func (f *Effective) Excuses(x *hipaav1.ControlException, workload *hipaav1.PHIWorkload, now time.Time) (until time.Time, counts bool) {
	if workload == nil || x.Namespace != workload.Namespace || x.Spec.WorkloadRef.Name != workload.Name {
		return time.Time{}, false
	}
	return x.Spec.Expires.Time, f.StateOf(x, workload.UID, now) == ExceptionInForce
}

// Unrecorded lists the controls that a profile sets to Off without the record that
// their addressable specifications ask for, as sentences.
func (e *Engine) Unrecorded(p *hipaav1.ComplianceProfile) []string {
	var missing []string
	for i, setting := range p.Spec.Controls {
		if setting.Mode != hipaav1.ModeOff || setting.Record != nil {
			continue
		}
		if addressable := hipaa.AddressableOf(e.citesUnder(p, setting.ID)); len(addressable) > 0 {
			missing = append(missing, fmt.Sprintf("spec.controls[%d].record: %s stands for an addressable specification (%s): "+
				"write why it is not reasonable and appropriate, and what is in its place (45 CFR 164.306(d)(3))", i, setting.ID, hipaa.Join(addressable)))
		}
	}
	return missing
}

// citesUnder are the citations of a control of the catalogue, or of one that the
// profile brings.
func (e *Engine) citesUnder(p *hipaav1.ComplianceProfile, id string) []hipaa.Citation {
	if i, known := e.byID[id]; known {
		return e.controls[i].Cites
	}
	for i := range p.Spec.CustomControls {
		if custom := &p.Spec.CustomControls[i]; custom.ID == id {
			if c, err := e.custom(custom); err == nil {
				return c.Cites
			}
		}
	}
	return nil
}
