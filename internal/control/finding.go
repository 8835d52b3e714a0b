package control

import (
	"fmt"
	"time"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
)

// Finding is what a control says about one path of the object under judgement.
// It never holds values of environment variables, Secret data, or free text of
// users.
type Finding struct {
	// Verdict is Fail, Unknown, Pass (with its evidence) or NotApplicable (with
	// its reason).
	Verdict hipaav1.Verdict
	// Path is the field, such as `spec.volumes[1]`; empty is the whole object.
	Path string
	// Message says what is there: "is a hostPath".
	Message string
	// Key tells the finding from others where Path and Message do not: by names,
	// not by places in a list. It is stable over edits of other fields and never
	// shown. Empty is Path and Message.
	Key string
	// Remedy says what to change, where the control's own remedy is too general.
	Remedy string
	// Class says how it is known; empty is Observed.
	Class hipaav1.EvidenceClass
	// Live marks what cannot decide at admission: the object under admission is
	// not refused for it.
	Live bool
	// Soon marks evidence that will before long be against it, of which people should
	// hear now.
	Soon bool
	// Until is the instant from which the finding may be another although nothing
	// but time has passed; zero is never.
	Until time.Time
}

// Failed is a violation at a path.
func Failed(path, format string, args ...any) Finding {
	return Finding{Verdict: hipaav1.VerdictFail, Path: path, Message: fmt.Sprintf(format, args...)}
}

// Undecided is missing evidence at a path.
func Undecided(path, format string, args ...any) Finding {
	return Finding{Verdict: hipaav1.VerdictUnknown, Path: path, Message: fmt.Sprintf(format, args...)}
}

// Met is evidence that the safeguard is in place at a path.
func Met(path, format string, args ...any) Finding {
	return Finding{Verdict: hipaav1.VerdictPass, Path: path, Message: fmt.Sprintf(format, args...)}
}

// NotApplicable says why there is nothing to judge.
func NotApplicable(reason string) Finding {
	return Finding{Verdict: hipaav1.VerdictNotApplicable, Message: reason}
}

// At is a single violation, for controls that find at most one.
func At(path, message string) []Finding {
	return []Finding{Failed(path, "%s", message)}
}

// But gives the finding a remedy of its own.
func (f Finding) But(format string, args ...any) Finding {
	f.Remedy = fmt.Sprintf(format, args...)
	return f
}

// As gives the finding a key of its own.
func (f Finding) As(key string) Finding {
	f.Key = key
	return f
}

// OnlyLive marks the finding as one that cannot decide at admission.
func (f Finding) OnlyLive() Finding {
	f.Live = true
	return f
}

// Warning marks evidence of which people should hear before it is against them.
func (f Finding) Warning() Finding {
	f.Soon = true
	return f
}

// EndsAt says from when on the finding may be another by itself.
func (f Finding) EndsAt(at time.Time) Finding {
	f.Until = at
	return f
}

// Known says how the finding is known.
func (f Finding) Known(class hipaav1.EvidenceClass) Finding {
	f.Class = class
	return f
}
