package users

import "github.com/prometheus/client_golang/prometheus"

// Metrics count what becomes of users. Refusals are counted by package inbound.
type Metrics struct {
	sessions    *prometheus.CounterVec
	locks       prometheus.Counter
	lockouts    prometheus.Counter
	shared      prometheus.Counter
	emergencies prometheus.Counter
	unreached   prometheus.Counter
	lost        prometheus.Counter
}

const labelBasis = "basis"

// NewMetrics registers the metrics.
func NewMetrics(registry prometheus.Registerer) *Metrics {
	m := &Metrics{
		sessions: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "phi_proxy_sessions_total",
			Help: "Sessions of users that began, by what tells them apart; with token each new token is another session.",
		}, []string{labelBasis}),
		locks: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "phi_proxy_session_locks_total",
			Help: "Sessions that were locked because they reached their limit.",
		}),
		lockouts: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "phi_proxy_user_lockouts_total",
			Help: "Users who were locked for a while after too many failures.",
		}),
		shared: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "phi_proxy_shared_credentials_total",
			Help: "Times that a user was on more devices at once than one person has; of each user once an hour.",
		}),
		emergencies: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "phi_proxy_emergency_requests_total",
			Help: "Requests that came with the word that they are an emergency, and passed.",
		}),
		unreached: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "phi_proxy_session_store_failures_total",
			Help: "Times that the store of sessions was asked and did not answer.",
		}),
		lost: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "phi_proxy_user_records_lost_total",
			Help: "Records of what happened to users that could not be written.",
		}),
	}
	registry.MustRegister(m.sessions, m.locks, m.lockouts, m.shared, m.emergencies, m.unreached, m.lost)
	return m
}

func (m *Metrics) asked(reached bool) {
	if !reached {
		m.unreached.Inc()
	}
}
