package catalog

import (
	"fmt"
	"slices"
	"time"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
	"github.com/hipaa-operator/hipaa-operator/internal/control"
	"github.com/hipaa-operator/hipaa-operator/internal/edge"
)

// tested is what dialling the ways to an object showed, if anything.
type tested struct {
	// failed are the ways that are not in order.
	failed []control.Finding
	// met is set where every way was seen to be in order.
	met *control.Finding
}

// dialled judges every way in by what it answered. One of which nothing is known leaves
// the others to count against the object, never for it.
func dialled(s *control.Subject, ways []edge.Way) tested {
	var t tested
	shown, first := 0, time.Time{}
	until := time.Time{}
	for _, way := range ways {
		last, counts := s.Dial(way.Endpoint)
		if grade, says := judgeDial(s, way.Endpoint, last); grade == edge.Violated {
			t.failed = append(t.failed, control.Failed(way.Path, "%s when it was dialled on %s", says, onDay(last.At)).
				But("%s", mendings[way.Ask]).Known(hipaav1.EvidenceTested).OnlyLive().EndsAt(counts))
		} else if grade == edge.Settled {
			shown++
			first, until = earliest(first, last.At), earliest(until, counts)
		}
	}
	if shown > 0 && shown == len(ways) && someSpoke(s, ways) {
		more := ""
		if len(ways) > 1 {
			more = fmt.Sprintf(" (+%d more)", len(ways)-1)
		}
		met := control.Met(ways[0].Path, "%s; dialled on %s%s", inOrder[ways[0].Ask], onDay(first), more).
			Known(hipaav1.EvidenceTested).EndsAt(until)
		t.met = &met
	}
	return t
}

var inOrder = map[control.Ask]string{
	control.AskTLS: "refuses TLS below 1.2", control.AskPlaintext: "answers nothing in plaintext but where TLS is",
}

var mendings = map[control.Ask]string{
	control.AskTLS:       "set the oldest version that the load balancer or the ingress controller accepts to TLS 1.2",
	control.AskPlaintext: "close the port, or let the load balancer or the ingress controller turn its callers to https on the same host",
}

func onDay(at time.Time) string { return at.UTC().Format(time.DateOnly) }

// earliest is the earlier of two instants, of which the first may be none.
func earliest(a, b time.Time) time.Time {
	if a.IsZero() || b.Before(a) {
		return b
	}
	return a
}

// judgeDial grades one answer. A port of a load balancer is asked both ways: one that
// only turns callers to TLS need not speak it, and one that speaks TLS may say anything
// to plaintext but what it would say to a caller.
func judgeDial(s *control.Subject, e control.Endpoint, last control.Dialled) (edge.Grade, string) {
	other := e
	other.Ask = control.AskTLS + control.AskPlaintext - e.Ask
	beside, _ := s.Dial(other)
	switch last.Answer {
	case control.OldRefused, control.Turned, control.Closed:
		return edge.Settled, ""
	case control.OldAccepted:
		return edge.Violated, "accepted " + versionName(last.Version)
	case control.Answered:
		return edge.Violated, fmt.Sprintf("answered plaintext with status %d", last.Status)
	case control.Rejected:
		if speaksTLS(beside) {
			return edge.Settled, ""
		}
	case control.Unclear:
		if e.Ask == control.AskTLS && (beside.Answer == control.Turned || beside.Answer == control.Closed) {
			return edge.Settled, ""
		}
	}
	return edge.Open, ""
}

func speaksTLS(d control.Dialled) bool {
	return d.Answer == control.OldRefused || d.Answer == control.OldAccepted
}

// someSpoke keeps what only turns callers away from showing that TLS is new enough.
func someSpoke(s *control.Subject, ways []edge.Way) bool {
	return ways[0].Ask == control.AskPlaintext || slices.ContainsFunc(ways, func(w edge.Way) bool {
		last, _ := s.Dial(w.Endpoint)
		return speaksTLS(last)
	})
}

func versionName(wire uint16) string {
	switch wire {
	case 0x0300:
		return "SSL 3.0"
	case 0x0301:
		return "TLS 1.0"
	case 0x0302:
		return "TLS 1.1"
	default:
		return "an unknown version of TLS"
	}
}

// over puts what was seen in the place of what is declared. What the object itself asks
// for wrongly stays wrong: the next look may find it so.
func (t tested) over(declared []control.Finding) []control.Finding {
	if t.met == nil {
		return append(declared, t.failed...)
	}
	kept := slices.DeleteFunc(declared, func(f control.Finding) bool { return f.Verdict != hipaav1.VerdictFail })
	if len(kept) > 0 {
		return kept
	}
	return []control.Finding{*t.met}
}
