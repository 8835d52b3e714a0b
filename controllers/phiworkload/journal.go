package phiworkload

import (
	"slices"
	"sync"

	"k8s.io/apimachinery/pkg/types"

	"github.com/hipaa-operator/hipaa-operator/internal/repair"
)

// journal keeps drift from the pass that found it until a status tells of it: a
// status that could not be written must not hide what was put right.
type journal struct {
	mu      sync.Mutex
	entries map[types.NamespacedName][]repair.Drift
}

// maxJournal bounds what is kept for one workload, as the status does.
const maxJournal = maxDrift

func (j *journal) read(name types.NamespacedName) []repair.Drift {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.entries[name]
}

func (j *journal) keep(name types.NamespacedName, drift []repair.Drift) {
	if len(drift) == 0 {
		return
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.entries == nil {
		j.entries = map[types.NamespacedName][]repair.Drift{}
	}
	all := slices.Concat(j.entries[name], drift)
	j.entries[name] = all[max(0, len(all)-maxJournal):]
}

func (j *journal) clear(name types.NamespacedName) {
	j.mu.Lock()
	defer j.mu.Unlock()
	delete(j.entries, name)
}
