package metrics

import "sync"

// Agreements keeps the gauge over the agreements with all Vendors in step with each of
// them. It is safe for concurrent use; the zero value counts nothing yet.
type Agreements struct {
	mu    sync.Mutex
	known map[string]string
}

// agreementEnding is the state of an agreement in force of whose end people were warned.
const agreementEnding = "Ending"

// Observe counts the agreement with a Vendor. The state must be one of the API's reasons.
func (a *Agreements) Observe(vendor, state string, ending bool) {
	if ending {
		state = agreementEnding
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.known == nil {
		a.known = map[string]string{}
	}
	if before, known := a.known[vendor]; known {
		agreements.WithLabelValues(before).Dec()
	}
	agreements.WithLabelValues(state).Inc()
	a.known[vendor] = state
}

// Forget takes the agreement with a Vendor that is gone out of the gauge.
func (a *Agreements) Forget(vendor string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if before, known := a.known[vendor]; known {
		agreements.WithLabelValues(before).Dec()
		delete(a.known, vendor)
	}
}
