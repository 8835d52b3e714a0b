package metrics

import (
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/types"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
)

// Fleet keeps the gauges over all PHIWorkloads in step with each of them. It is
// safe for concurrent use; the zero value counts nothing yet.
type Fleet struct {
	mu    sync.Mutex
	known map[types.NamespacedName]counted
	// ends are the ends of exceptions in force, by control and workload.
	ends map[string]map[types.NamespacedName]float64
}

// counted is what a workload adds to the gauges.
type counted struct {
	stage   hipaav1.Stage
	held    bool
	waiting bool
	// failover says that a failover is in force.
	failover bool
	verdicts []prometheus.Labels
	// drift is what stands, by kind of object.
	drift map[string]float64
	// excused are the ends of exceptions in force, in seconds, by control.
	excused map[string]float64
}

// Observe counts a workload as its status says. Held says that it is deleted and
// waits for its pods.
func (f *Fleet) Observe(name types.NamespacedName, status *hipaav1.PHIWorkloadStatus, isHeld bool) {
	now := counted{stage: status.Stage, held: isHeld, drift: map[string]float64{}, excused: map[string]float64{}}
	if c := meta.FindStatusCondition(status.Conditions, hipaav1.ConditionHomeRegionsOnly); c != nil {
		now.failover = c.Reason == hipaav1.ReasonFailoverInForce
	}
	for i := range status.Drift {
		if d := &status.Drift[i]; d.State == hipaav1.DriftDetected {
			kind, _, _ := strings.Cut(d.Object, "/")
			now.drift[kindLabel(kind)]++
		}
	}
	for i := range status.Controls {
		c := &status.Controls[i]
		now.waiting = now.waiting || c.Stage == hipaav1.StagePreviewing
		if c.Exception != nil {
			now.excused[c.ID] = float64(c.Exception.Expires.Unix())
		}
		now.verdicts = append(now.verdicts, prometheus.Labels{
			labelControl: c.ID, labelMode: string(c.Mode), labelVerdict: string(c.Verdict),
		})
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.known == nil {
		f.known = map[types.NamespacedName]counted{}
	}
	if before, known := f.known[name]; known {
		before.add(-1)
		f.excuseNoMore(name, before.excused)
	}
	now.add(1)
	f.excuse(name, now.excused)
	f.known[name] = now
}

// excuse counts the exceptions of a workload, and excuseNoMore takes them out. Only the
// workloads that one excuses are looked at, to find the first that ends.
func (f *Fleet) excuse(name types.NamespacedName, ends map[string]float64) {
	for control, end := range ends {
		if f.ends == nil {
			f.ends = map[string]map[types.NamespacedName]float64{}
		}
		if f.ends[control] == nil {
			f.ends[control] = map[types.NamespacedName]float64{}
		}
		f.ends[control][name] = end
		f.tellEnds(control)
	}
}

func (f *Fleet) excuseNoMore(name types.NamespacedName, ends map[string]float64) {
	for control := range ends {
		delete(f.ends[control], name)
		f.tellEnds(control)
	}
}

func (f *Fleet) tellEnds(control string) {
	ends := f.ends[control]
	exceptionsInForce.WithLabelValues(control).Set(float64(len(ends)))
	if len(ends) == 0 {
		exceptionEnd.DeleteLabelValues(control)
		return
	}
	exceptionEnd.WithLabelValues(control).Set(slices.Min(slices.Collect(maps.Values(ends))))
}

// Forget takes a workload that is gone out of the gauges.
func (f *Fleet) Forget(name types.NamespacedName) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if before, known := f.known[name]; known {
		before.add(-1)
		f.excuseNoMore(name, before.excused)
		delete(f.known, name)
	}
}

func (c counted) add(n float64) {
	workloads.WithLabelValues(string(c.stage)).Add(n)
	if c.held {
		held.Add(n)
	}
	if c.waiting {
		waiting.Add(n)
	}
	if c.failover {
		failedOver.Add(n)
	}
	for kind, standing := range c.drift {
		driftStanding.WithLabelValues(kind).Add(n * standing)
	}
	for _, labels := range c.verdicts {
		verdicts.With(labels).Add(n)
	}
}
