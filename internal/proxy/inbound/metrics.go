package inbound

import "github.com/prometheus/client_golang/prometheus"

// Reasons for which a connection or a request is refused, beside those of http1.
const (
	reasonPlaintext  = "plaintext"
	reasonSlow       = "slow"
	reasonCrowded    = "crowded"
	reasonUntrusted  = "untrusted"
	reasonExpired    = "expired"
	reasonNobody     = "nobody"
	reasonNotReady   = "not-ready"
	reasonHandshake  = "handshake"
	reasonNotAllowed = "not-allowed"
	reasonProtocol   = "protocol"
	reasonWithdrawn  = "withdrawn"
	reasonUpstream   = "application"
	reasonUndeclared = "undeclared-port"
)

// Metrics count what comes in. Labels are closed sets: no port, peer or path.
type Metrics struct {
	connections prometheus.Gauge
	handshakes  prometheus.Counter
	refusals    *prometheus.CounterVec
	lower       *prometheus.CounterVec
	requests    [6]prometheus.Counter // by the first digit of the status
}

// NewMetrics registers the metrics.
func NewMetrics(registry prometheus.Registerer) *Metrics {
	requests := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "phi_proxy_inbound_requests_total",
		Help: "Requests of peers that were answered, by class of status.",
	}, []string{"class"})
	m := &Metrics{
		connections: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "phi_proxy_inbound_connections",
			Help: "Connections of callers that are open now.",
		}),
		handshakes: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "phi_proxy_inbound_handshakes_total",
			Help: "Handshakes of peers with an identity.",
		}),
		refusals: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "phi_proxy_inbound_refusals_total",
			Help: "Connections and requests that were refused, by reason.",
		}, []string{"reason"}),
	}
	m.lower = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "phi_proxy_inbound_uncertified_total",
		Help: "Connections that were let in without a certificate of the caller, by grade: one-way is TLS from a declared range, plaintext is from a caller without a proxy while workloads are adopted.",
	}, []string{"grade"})
	for _, g := range []grade{oneWay, plain} {
		m.lower.WithLabelValues(string(g))
	}
	for digit, class := range []string{"1xx", "1xx", "2xx", "3xx", "4xx", "5xx"} {
		m.requests[digit] = requests.WithLabelValues(class)
	}
	registry.MustRegister(m.connections, m.handshakes, m.refusals, m.lower, requests)
	return m
}

func (m *Metrics) refused(reason string) { m.refusals.WithLabelValues(reason).Inc() }

func (m *Metrics) answered(status int) { m.requests[min(status/100, 5)].Inc() }
