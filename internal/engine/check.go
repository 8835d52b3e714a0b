package engine

import (
	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
	"github.com/hipaa-operator/hipaa-operator/internal/control"
)

// check asks one control about one subject. Missing evidence is Undecided and
// the control is not asked.
func check(c *control.Control, s control.Subject, needs control.Evidence) []control.Finding {
	if missing := missingEvidence(s.World, needs); missing != nil {
		return missing
	}
	if c.Check == nil {
		return nil
	}
	return c.Check(s)
}

func missingEvidence(w *control.World, needs control.Evidence) []control.Finding {
	if len(w.Missing) == 0 {
		return nil
	}
	var missing []control.Finding
	for _, source := range needs.Each() {
		if why, absent := w.Missing[source]; absent {
			missing = append(missing, control.Undecided("", "could not be judged: %s: %s", source, why))
		}
	}
	return missing
}

// isViolation reports whether a finding stands against its object.
func isViolation(f control.Finding) bool {
	return f.Verdict == hipaav1.VerdictFail || f.Verdict == hipaav1.VerdictUnknown
}

// Violation is a finding with what people need to act on it.
type Violation struct {
	// ControlID and Cites say which safeguard is missing.
	ControlID string
	Cites     string
	// Object is kind/name.
	Object string
	// Path, Message and Remedy are the finding.
	Path    string
	Message string
	Remedy  string
	// Key is that of the finding; never shown.
	Key string
	// Verdict is Fail, or Unknown where evidence was missing.
	Verdict hipaav1.Verdict
	// ExceptedBy names the exception that covers it; empty if none does.
	ExceptedBy string
}

func violation(c *control.Control, s *control.Subject, f control.Finding) Violation {
	remedy := f.Remedy
	if remedy == "" {
		remedy = c.Remedy
	}
	return Violation{
		ControlID: c.ID,
		Cites:     c.Cites[0].String(),
		Object:    s.Object(),
		Path:      f.Path,
		Message:   f.Message,
		Remedy:    remedy,
		Key:       f.Key,
		Verdict:   f.Verdict,
	}
}

// Is reports whether two violations are one: the same control finds the same
// thing wrong with the same object. How it is remedied, and what covers it, does
// not count.
func (v Violation) Is(other Violation) bool {
	if v.ControlID != other.ControlID || v.Object != other.Object || v.Verdict != other.Verdict || v.Key != other.Key {
		return false
	}
	return v.Key != "" || v.Path == other.Path && v.Message == other.Message
}

// Sentence is the violation in one line: path, finding, remedy.
func (v Violation) Sentence() string {
	text := v.Message
	if v.Path != "" {
		text = v.Path + " " + text
	}
	if v.Remedy != "" {
		text += "; " + v.Remedy
	}
	return text
}
