package proxy

import "github.com/prometheus/client_golang/prometheus"

// metrics count what the proxy goes by. Those of connections are in package inbound.
type metrics struct {
	generation   prometheus.Gauge
	refused      prometheus.Counter
	certificates prometheus.Counter
	expiry       prometheus.GaugeFunc
}

func newMetrics(registry prometheus.Registerer, expiry func() float64) *metrics {
	m := &metrics{
		generation: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "phi_proxy_configuration_generation",
			Help: "Generation of the PHIWorkload whose configuration is in force; 0 while there is none.",
		}),
		refused: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "phi_proxy_configuration_refusals_total",
			Help: "Configurations that were refused; the one before stayed in force.",
		}),
		certificates: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "phi_proxy_certificate_failures_total",
			Help: "Changes of certificate, key or roots that could not be taken; those before stayed in use.",
		}),
		expiry: prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "phi_proxy_certificate_expiry_timestamp_seconds",
			Help: "When the proxy's certificate ends; 0 while there is none.",
		}, expiry),
	}
	registry.MustRegister(m.generation, m.refused, m.certificates, m.expiry)
	return m
}
