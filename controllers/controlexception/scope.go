package controlexception

import (
	"time"

	"k8s.io/apimachinery/pkg/types"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
	"github.com/hipaa-operator/hipaa-operator/internal/engine"
	"github.com/hipaa-operator/hipaa-operator/internal/outcome"
)

type steps = outcome.Steps[scope]

// scope is what one pass over an exception learns.
type scope struct {
	exception *hipaav1.ControlException
	now       time.Time

	// observe
	observed bool
	// workload is the UID of the PHIWorkload; empty where there is none.
	workload types.UID
	// effective is what the profiles come to for it.
	effective *engine.Effective
	// brought says that a profile brings the control.
	brought bool

	// judge
	judged bool
	digest string
	state  engine.ExceptionState
	// flaw is why it does not count, whatever people decide; empty is none.
	flaw  engine.ExceptionState
	known bool
	// warnings are the times before the end at which people hear of it, the longest
	// first.
	warnings []time.Duration
}

// left is how long the exception has to go.
func (s *scope) left() time.Duration { return s.exception.Spec.Expires.Sub(s.now) }

// inForce reports whether it counts now.
func (s *scope) inForce() bool { return s.state == engine.ExceptionInForce }

// warned is the shortest of the warnings that are due; zero is none.
func (s *scope) warned() time.Duration {
	var due time.Duration
	for _, before := range s.warnings {
		if s.left() <= before {
			due = before
		}
	}
	return due
}

// recheckAfter is when the exception ends, or the next warning is due; zero is
// never. At its end it is already void, so the very instant is right.
func (s *scope) recheckAfter() time.Duration {
	left := s.left()
	if left <= 0 {
		return 0
	}
	for _, before := range s.warnings {
		if left > before {
			return left - before
		}
	}
	return left
}
