package namespace

import (
	"fmt"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
	"github.com/hipaa-operator/hipaa-operator/internal/metrics"
	"github.com/hipaa-operator/hipaa-operator/internal/outcome"
)

// +kubebuilder:rbac:groups=events.k8s.io,resources=events,verbs=create;patch

// maxNote bounds the text of an event, as the API server does.
const maxNote = 1000

// announce tells what is new: departures that did not stand before, and that
// nobody governs the namespace.
func (r *Reconciler) announce(s *scope, err error) {
	told, looked := r.standing.of(s.namespace.Name)
	// A namespace has no status of ours to remember what people were told. What
	// stood when this process began, the one before it has told.
	quiet := !looked && s.namespace.CreationTimestamp.Time.Before(r.started)
	now := map[string]bool{}
	if outcome.IsBlocked(err) {
		c := outcome.ConditionOf(err)
		if now[c.Reason] = true; !told[c.Reason] && !quiet {
			r.event(s, nil, corev1.EventTypeWarning, c.Reason, "Judge", c.Message)
		}
	}
	for _, d := range s.drift {
		related := &corev1.ObjectReference{Kind: d.Kind, Namespace: s.namespace.Name, Name: d.Name}
		key := fmt.Sprintf("%s %s %s", d.Object(), d.Path, d.Was)
		if !told[key] && (d.Corrected || !quiet) {
			metrics.DriftDetected(d.Kind)
			r.event(s, related, corev1.EventTypeWarning, hipaav1.EventDriftDetected, "Compare",
				fmt.Sprintf("%s %s: found %s, want %s, by %s", d.Object(), d.Path, d.Was, d.Want, d.Who))
		}
		if !d.Corrected {
			now[key] = true
			continue
		}
		r.event(s, related, corev1.EventTypeNormal, hipaav1.EventDriftCorrected, "Repair",
			fmt.Sprintf("%s %s put right after %s", d.Object(), d.Path, d.Took.Round(time.Millisecond)))
	}
	if s.looked || outcome.IsBlocked(err) || err == nil {
		r.standing.set(s.namespace.Name, now)
	}
}

func (r *Reconciler) event(s *scope, related *corev1.ObjectReference, kind, reason, action, note string) {
	note = outcome.Shorten(note, maxNote)
	if related == nil {
		r.Events.Eventf(s.namespace, nil, kind, reason, action, "%s", note)
		return
	}
	r.Events.Eventf(s.namespace, related, kind, reason, action, "%s", note)
}

// standing is what people have been told of and what still stands, by namespace.
type standing struct {
	mu   sync.Mutex
	told map[string]map[string]bool
}

func (st *standing) of(namespace string) (told map[string]bool, looked bool) {
	st.mu.Lock()
	defer st.mu.Unlock()
	told, looked = st.told[namespace]
	return told, looked
}

func (st *standing) set(namespace string, told map[string]bool) {
	st.mu.Lock()
	defer st.mu.Unlock()
	if st.told == nil {
		st.told = map[string]map[string]bool{}
	}
	st.told[namespace] = told
}

func (st *standing) clear(namespace string) {
	st.mu.Lock()
	defer st.mu.Unlock()
	delete(st.told, namespace)
}
