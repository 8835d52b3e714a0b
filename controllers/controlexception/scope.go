package controlexception

import (
	"time"

	"k8s.io/apimachinery/pkg/types"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
	"github.com/hipaa-operator/hipaa-operator/internal/engine"
	"github.com/hipaa-operator/hipaa-operator/internal/outcome"
)

type steps = outcome.Steps[scope]

// Warnings before the end, the longest first.
const (
	week = 7 * 24 * time.Hour
	day  = 24 * time.Hour
)

// scope is what one pass over an exception learns.
type scope struct {
	exception *hipaav1.ControlException
	now       time.Time

	// observe
	observed bool
	// workload is the UID of the PHIWorkload; empty where there is none.
	workload types.UID
	// brought says that a profile brings the control.
	brought bool

	// judge
	judged bool
	digest string
	state  engine.ExceptionState
	known  bool
}

// left is how long the exception has to go.
func (s *scope) left() time.Duration { return s.exception.Spec.Expires.Sub(s.now) }

// recheckAfter is when the exception ends, or the next warning is due; zero is
// never. At its end it is already void, so the very instant is right.
func (s *scope) recheckAfter() time.Duration {
	left := s.left()
	switch {
	case left <= 0:
		return 0
	case left > week:
		return left - week
	case left > day:
		return left - day
	default:
		return left
	}
}
