package metrics

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
	ctrlmetrics "sigs.k8s.io/controller-runtime/pkg/metrics"
)

// IssuerResult says what the issuer answered to a request for a certificate.
type IssuerResult string

// Answers of the issuer.
const (
	IssuerIssued IssuerResult = "issued"
	// IssuerRequest is a request that could not be read.
	IssuerRequest IssuerResult = "bad-request"
	// IssuerToken is a token that does not count, or is not bound to a pod.
	IssuerToken IssuerResult = "bad-token"
	// IssuerPod is a pod that is not entitled to an identity.
	IssuerPod IssuerResult = "pod-refused"
	// IssuerAddress is a request from another address than the pod's.
	IssuerAddress IssuerResult = "foreign-address"
	// IssuerBusy is a request, or a connection, beyond the limits.
	IssuerBusy IssuerResult = "busy"
	// IssuerError is a question that could not be asked.
	IssuerError IssuerResult = "error"
)

// States of gateways.
const (
	GatewayCertified = "certified"
	GatewayLacking   = "lacking"
)

var (
	issuerAnswers = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "hipaa_operator_issuer_requests_total",
		Help: "Requests for certificates, by what the issuer answered. foreign-address may be a stolen token.",
	}, []string{labelResult})

	issuerRoots = prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "hipaa_operator_issuer_roots",
		Help: "Roots in the bundle that workloads trust; more than one while roots rotate.",
	})

	issuerRootEnd = prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "hipaa_operator_issuer_root_expiry_timestamp_seconds",
		Help: "When the root ends that signs now.",
	})

	issuerIntermediateEnd = prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "hipaa_operator_issuer_intermediate_expiry_timestamp_seconds",
		Help: "When the intermediate of this replica ends; it is renewed at half of its lifetime.",
	})

	issuerGateways = prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Name: "hipaa_operator_issuer_gateways",
		Help: "Gateways that profiles declare, by whether their Secret holds a certificate in force: certified, or lacking.",
	}, []string{labelState})

	issuerRefreshFailures = prometheus.NewCounter(prometheus.CounterOpts{
		Name: "hipaa_operator_issuer_refresh_failures_total",
		Help: "Times that the roots could not be read, written or published. A few at a start, while replicas agree, are in order.",
	})
)

// RegisterIssuer puts the issuer's metrics into the registry that it serves.
func RegisterIssuer() {
	ctrlmetrics.Registry.MustRegister(IssuerCollectors()...)
}

// IssuerCollectors lists every metric of the issuer.
func IssuerCollectors() []prometheus.Collector {
	return []prometheus.Collector{issuerAnswers, issuerRoots, issuerRootEnd, issuerIntermediateEnd, issuerGateways, issuerRefreshFailures}
}

// IssuerAnswered counts an answer.
func IssuerAnswered(result IssuerResult) { issuerAnswers.WithLabelValues(string(result)).Inc() }

// IssuerHolds says what a replica of the issuer holds.
func IssuerHolds(roots int, rootEnd, intermediateEnd time.Time) {
	issuerRoots.Set(float64(roots))
	issuerRootEnd.Set(float64(rootEnd.Unix()))
	issuerIntermediateEnd.Set(float64(intermediateEnd.Unix()))
}

// IssuerGateways says how many gateways have a certificate, and how many should and have none.
func IssuerGateways(certified, lacking int) {
	issuerGateways.WithLabelValues(GatewayCertified).Set(float64(certified))
	issuerGateways.WithLabelValues(GatewayLacking).Set(float64(lacking))
}

// IssuerRefreshFailed counts a refresh that did not succeed.
func IssuerRefreshFailed() { issuerRefreshFailures.Inc() }
