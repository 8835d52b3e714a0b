package namespace

import (
	"fmt"
	"sync"

	corev1 "k8s.io/api/core/v1"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
	"github.com/hipaa-operator/hipaa-operator/internal/metrics"
	"github.com/hipaa-operator/hipaa-operator/internal/outcome"
)

// +kubebuilder:rbac:groups=events.k8s.io,resources=events,verbs=create;patch

// announce tells what is new: departures that did not stand before, that nobody
// governs the namespace, and for which pods it waits.
func (r *Reconciler) announce(s *scope, err error) {
	told, looked := r.standing.of(s.namespace.Name)
	// A namespace has no status of ours to remember what people were told. What
	// stood when this process began, the one before it has told.
	quiet := !looked && s.namespace.CreationTimestamp.Time.Before(r.started)
	now := s.waiting()
	if outcome.IsBlocked(err) {
		c := outcome.ConditionOf(err)
		if now[c.Reason] = true; !told[c.Reason] && !quiet {
			outcome.Event{Warning: true, Reason: c.Reason, Action: "Judge", Note: c.Message}.About(s.namespace, r.Events)
		}
	}
	if now[hipaav1.EventPodsUnclaimed] && !told[hipaav1.EventPodsUnclaimed] {
		r.tell(outcome.Event{
			Warning: true, Reason: hipaav1.EventPodsUnclaimed, Action: "Judge", Note: unclaimedNote(s.unclaimed),
			Related: &corev1.ObjectReference{APIVersion: "v1", Kind: "Pod", Namespace: s.namespace.Name, Name: s.unclaimed[0]},
		})
	}
	for i := range s.drift {
		d := &s.drift[i]
		key := fmt.Sprintf("%s %s %s", d.Object(), d.Path, d.Was)
		if !told[key] && (d.Corrected || !quiet) {
			metrics.DriftDetected(d.Kind)
			r.tell(d.DetectedEvent())
		}
		if !d.Corrected {
			now[key] = true
			continue
		}
		r.tell(d.CorrectedEvent())
	}
	if s.looked || outcome.IsBlocked(err) || err == nil {
		r.standing.set(s.namespace.Name, now)
	}
}

// waiting is for what the namespace waits.
func (s *scope) waiting() map[string]bool {
	now := map[string]bool{}
	if len(s.unclaimed) > 0 {
		now[hipaav1.EventPodsUnclaimed] = true
	}
	for i := range s.owned {
		if !s.owned[i].Enforce {
			now[waits(s.owned[i].ControlID)] = true
		}
	}
	return now
}

// waits stands among what people were told for a control whose objects the
// namespace does without for now: when they appear, nobody had taken them away.
func waits(control string) string { return "waits for " + control }

func unclaimedNote(pods []string) string {
	return fmt.Sprintf("%d pods live in the namespace that no PHIWorkload claims, such as %q: "+
		"the namespace is closed once each is claimed, has gone, or rollout.enforceBy of a profile has passed", len(pods), pods[0])
}

// tell reports about the object that it concerns: an event about the namespace
// itself would not stand in the namespace, where people look.
func (r *Reconciler) tell(e outcome.Event) {
	object := e.Related
	e.Related = nil
	e.About(object, r.Events)
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
	st.count()
}

func (st *standing) clear(namespace string) {
	st.mu.Lock()
	defer st.mu.Unlock()
	delete(st.told, namespace)
	st.count()
}

// count keeps the gauge of open namespaces; the caller holds the lock.
func (st *standing) count() {
	open := 0
	for _, told := range st.told {
		if told[hipaav1.EventPodsUnclaimed] {
			open++
		}
	}
	metrics.OpenNamespaces(open)
}
