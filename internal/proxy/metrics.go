package proxy

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/hipaa-operator/hipaa-operator/internal/proxy/inbound"
	"github.com/hipaa-operator/hipaa-operator/internal/proxy/users"
)

// The labels. Their values are the outcomes of the packages below, trusts, and reasons
// of configuration.go.
const (
	labelOutcome = "outcome"
	labelTrust   = "trust"
	labelReason  = "reason"
)

// metrics count what the proxy goes by, and how calls leave. Those of connections that
// come are in package inbound.
type metrics struct {
	generation   prometheus.Gauge
	signed       prometheus.Gauge
	refused      *prometheus.CounterVec
	unopened     prometheus.Gauge
	certificates prometheus.Counter
	enrolments   *prometheus.CounterVec
	expiry       prometheus.GaugeFunc
	calls        *prometheus.CounterVec
	names        *prometheus.CounterVec
	silences     prometheus.Counter
	egress       *prometheus.CounterVec
}

// RegisterMetrics registers every metric of a proxy, for who checks what rests on them.
func RegisterMetrics(registry prometheus.Registerer) {
	newMetrics(registry, func() float64 { return 0 })
	inbound.NewMetrics(registry)
	users.NewMetrics(registry)
}

func newMetrics(registry prometheus.Registerer, expiry func() float64) *metrics {
	m := &metrics{
		generation: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "phi_proxy_configuration_generation",
			Help: "Generation of the configuration that is in force, which counts its changes; 0 while there is none.",
		}),
		signed: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "phi_proxy_configuration_signature_expiry_timestamp_seconds",
			Help: "When the certificate ends by which the configuration in force was signed; 0 while none is, or where none is asked for.",
		}),
		refused: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "phi_proxy_configuration_refusals_total",
			Help: "Configurations that were refused, by reason; the one before stayed in force.",
		}, []string{labelReason}),
		unopened: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "phi_proxy_configuration_unopened",
			Help: "Ports and addresses of the configuration in force that cannot be opened; they are tried again, and the others serve.",
		}),
		certificates: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "phi_proxy_certificate_failures_total",
			Help: "Changes of certificate, key or roots that could not be had or taken; those before stayed in use.",
		}),
		enrolments: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "phi_proxy_enrolments_total",
			Help: "Times that the issuer was asked for a certificate, by what became of it; unreachable is an outage of the issuer.",
		}, []string{labelOutcome}),
		expiry: prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "phi_proxy_certificate_expiry_timestamp_seconds",
			Help: "When the proxy's certificate ends; 0 while there is none.",
		}, expiry),
		calls: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "phi_proxy_outbound_calls_total",
			Help: "Calls of the application, by the trust that is put in who is called, and by what became of them.",
		}, []string{labelTrust, labelOutcome}),
		names: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "phi_proxy_names_total",
			Help: "Questions of the application for names, by what became of them.",
		}, []string{labelOutcome}),
		silences: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "phi_proxy_names_failures_total",
			Help: "Times that answering questions for names ended or could not begin anew; it is tried again.",
		}),
		egress: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "phi_proxy_egress_calls_total",
			Help: "Calls of workloads that asked this gate to be let out, by what became of them.",
		}, []string{labelOutcome}),
	}
	registry.MustRegister(m.generation, m.signed, m.refused, m.unopened, m.certificates, m.enrolments, m.expiry, m.calls, m.names, m.silences, m.egress)
	return m
}
