package guard

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
)

// State is what the guard knows.
type State struct {
	// Unseen are objects that were not compared yet, sorted.
	Unseen []Ref
	// Wrong are objects that are not as installed and could not be put right yet,
	// sorted.
	Wrong []Ref
	// PausedUntil is the end of the pause that lasts longest; zero is none.
	PausedUntil time.Time
	// PausedBy is the field manager that wrote that pause.
	PausedBy string
	// Last is the latest restoration; nil if there was none.
	Last *Restoration
}

// Restoration is one object that was put back.
type Restoration struct {
	Ref Ref
	// Changed are the paths that were wrong; "." is the whole object.
	Changed []string
	// Who is the field manager that did it, as far as it can be known.
	Who string
	// At is when it was found.
	At time.Time
}

// rememberedFor is how long a restoration stays in the condition.
const rememberedFor = 24 * time.Hour

// Condition is the state as the condition AdmissionGuarded.
func (s *State) Condition(now time.Time) metav1.Condition {
	c := metav1.Condition{Type: hipaav1.ConditionAdmissionGuarded}
	switch {
	case len(s.Wrong) > 0:
		c.Status, c.Reason = metav1.ConditionFalse, hipaav1.ReasonInternalError
		c.Message = fmt.Sprintf("%s is not as installed and could not be put back yet", names(s.Wrong))
	case now.Before(s.PausedUntil):
		c.Status, c.Reason = metav1.ConditionFalse, hipaav1.ReasonPaused
		c.Message = fmt.Sprintf("webhooks do not block while the operator cannot answer, until %s, written by %s", s.PausedUntil.UTC().Format(time.RFC3339), s.PausedBy)
	case len(s.Unseen) > 0:
		c.Status, c.Reason = metav1.ConditionUnknown, hipaav1.ReasonProgressing
		c.Message = fmt.Sprintf("%s was not looked at yet", names(s.Unseen))
	case s.Last != nil && now.Sub(s.Last.At) < rememberedFor:
		c.Status, c.Reason = metav1.ConditionTrue, hipaav1.ReasonAdmissionRestored
		c.Message = fmt.Sprintf("%s was %s by %s at %s and has been put back",
			s.Last.Ref, what(s.Last.Changed), s.Last.Who, s.Last.At.UTC().Format(time.RFC3339))
	default:
		c.Status, c.Reason = metav1.ConditionTrue, hipaav1.ReasonAsInstalled
		c.Message = "webhook configurations and admission policies are as installed"
	}
	return c
}

func names(refs []Ref) string {
	text := make([]string, len(refs))
	for i, ref := range refs {
		text[i] = ref.String()
	}
	return strings.Join(text, ", ")
}

// wholeObject is the path of an object that is not there.
const wholeObject = "."

// what says what was done to an object, by the paths that were wrong.
func what(changed []string) string {
	const shown = 3
	switch {
	case len(changed) == 1 && changed[0] == wholeObject:
		return "deleted"
	case len(changed) > shown:
		return fmt.Sprintf("changed (%s and %d more)", strings.Join(changed[:shown], ", "), len(changed)-shown)
	default:
		return fmt.Sprintf("changed (%s)", strings.Join(changed, ", "))
	}
}

// seen is what one look at one object found. Nothing changed is as installed.
type seen struct {
	changed     []string
	who         string
	since       time.Time
	pausedUntil time.Time
	pausedBy    string
}

func (s *seen) what() string { return what(s.changed) }

// record is what State is made of.
type record struct {
	mu      sync.Mutex
	objects map[Ref]*seen
	last    *Restoration
}

func newRecord(manifests map[Ref]installed) *record {
	r := &record{objects: map[Ref]*seen{}}
	for ref := range manifests {
		r.objects[ref] = nil
	}
	return r
}

// note keeps what a look found. It reports whether that is news.
func (r *record) note(ref Ref, found seen) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	before := r.objects[ref]
	r.objects[ref] = &found
	return before == nil || len(before.changed) != len(found.changed) || !before.pausedUntil.Equal(found.pausedUntil)
}

func (r *record) restored(ref Ref, found seen) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.objects[ref] = &seen{pausedUntil: found.pausedUntil, pausedBy: found.pausedBy}
	r.last = &Restoration{Ref: ref, Changed: found.changed, Who: found.who, At: found.since}
}

func (r *record) state(now time.Time) State {
	r.mu.Lock()
	defer r.mu.Unlock()
	s := State{Last: r.last}
	for _, ref := range slices.SortedFunc(maps.Keys(r.objects), byName) {
		switch found := r.objects[ref]; {
		case found == nil:
			s.Unseen = append(s.Unseen, ref)
		case len(found.changed) > 0:
			s.Wrong = append(s.Wrong, ref)
		case now.Before(found.pausedUntil) && found.pausedUntil.After(s.PausedUntil):
			s.PausedUntil, s.PausedBy = found.pausedUntil, found.pausedBy
		}
	}
	return s
}

func byName(a, b Ref) int {
	return cmp.Or(strings.Compare(a.Kind, b.Kind), strings.Compare(a.Name, b.Name))
}
