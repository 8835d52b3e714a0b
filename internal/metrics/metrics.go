// Package metrics declares every metric of the operator. Its promise: label sets
// are closed - controls, modes, verdicts, kinds, results - so that no name of a
// user's object ever becomes a time series.
package metrics

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
	ctrlmetrics "sigs.k8s.io/controller-runtime/pkg/metrics"

	"github.com/hipaa-operator/hipaa-operator/internal/control"
)

// The labels.
const (
	labelControl = "control"
	labelMode    = "mode"
	labelVerdict = "verdict"
	labelKind    = "kind"
	labelResult  = "result"
	labelStage   = "stage"
	labelAnswer  = "answer"
	labelAsked   = "asked"
	labelReply   = "reply"
	labelState   = "state"
)

// AdmissionResult says what admission answered.
type AdmissionResult string

// Answers of admission.
const (
	AdmissionAllowed AdmissionResult = "allowed"
	AdmissionWarned  AdmissionResult = "warned"
	AdmissionDenied  AdmissionResult = "denied"
	// AdmissionMutated is a pod or claim that was changed and let pass.
	AdmissionMutated AdmissionResult = "mutated"
	// AdmissionError is an answer that could not be found; it refuses.
	AdmissionError AdmissionResult = "error"
)

// EvictionResult says what became of a pod without its safeguards.
type EvictionResult string

// Ends of an attempt to replace a pod.
const (
	EvictionDone EvictionResult = "evicted"
	// EvictionHeld is an eviction that a PodDisruptionBudget does not allow now, or
	// after which a ResourceQuota has no room for the next pod.
	EvictionHeld EvictionResult = "held-by-budget"
	// EvictionRefused is a pod that stays because admission would refuse the pod
	// that comes after it.
	EvictionRefused EvictionResult = "replacement-refused"
	// EvictionError is an eviction that failed unexpectedly.
	EvictionError EvictionResult = "error"
)

var (
	verdicts = prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Name: "hipaa_operator_verdicts",
		Help: "PHIWorkloads by control, mode in force and verdict. Unknown and Excepted are not met.",
	}, []string{labelControl, labelMode, labelVerdict})

	workloads = prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Name: "hipaa_operator_workloads",
		Help: "PHIWorkloads by stage of adoption; empty where no profile governs them.",
	}, []string{labelStage})

	held = prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "hipaa_operator_held_workloads",
		Help: "Deleted PHIWorkloads that are held because pods they select still live.",
	})

	waiting = prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "hipaa_operator_waiting_workloads",
		Help: "PHIWorkloads with a control that a profile enforces and whose preview nobody has accepted yet.",
	})

	failedOver = prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "hipaa_operator_failed_over_workloads",
		Help: "PHIWorkloads whose PHI may be in further regions now, because a failover of a profile is in force.",
	})

	openNamespaces = prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "hipaa_operator_open_namespaces",
		Help: "PHI namespaces that are not closed yet, because pods ran there before that no PHIWorkload claims.",
	})

	undeclaredPods = prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Name: "hipaa_operator_undeclared_pods",
		Help: "Live pods of PHI namespaces that no PHIWorkload selects, by what admission answers to another one there.",
	}, []string{labelAnswer})

	driftStanding = prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Name: "hipaa_operator_drift_standing",
		Help: "Departures that stand in the status of PHIWorkloads, by kind of object.",
	}, []string{labelKind})

	driftDetected = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "hipaa_operator_drift_detected_total",
		Help: "Departures from what the operator owns or guards, by kind of object.",
	}, []string{labelKind})

	driftCorrected = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "hipaa_operator_drift_corrected_total",
		Help: "Departures that the operator put right, by kind of object.",
	}, []string{labelKind})

	correctionSeconds = prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name:    "hipaa_operator_drift_correction_seconds",
		Help:    "Time from noticing a departure to having put it right.",
		Buckets: []float64{.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5},
	}, []string{labelKind})

	evictions = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "hipaa_operator_evictions_total",
		Help: "Attempts to replace pods that run without their safeguards, by result.",
	}, []string{labelResult})

	admissions = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "hipaa_operator_admission_decisions_total",
		Help: "Answers of admission, by kind of object and result.",
	}, []string{labelKind, labelResult})

	admissionSeconds = prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name:    "hipaa_operator_admission_duration_seconds",
		Help:    "Time that one answer of admission took, by kind of object.",
		Buckets: []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, 1},
	}, []string{labelKind})

	admissionTurnedAway = prometheus.NewCounter(prometheus.CounterOpts{
		Name: "hipaa_operator_admission_turned_away_total",
		Help: "Reviews that were not read because too many were in hand; the API server tries again.",
	})

	admissionFindings = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "hipaa_operator_admission_findings_total",
		Help: "Findings of admission, by control and mode in force.",
	}, []string{labelControl, labelMode})

	edgeDials = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "hipaa_operator_edge_dials_total",
		Help: "Questions to addresses at the edge of the cluster, by what was asked and what was answered; unclear is nobody reached, or nothing that settles it.",
	}, []string{labelAsked, labelReply})

	exceptionsInForce = prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Name: "hipaa_operator_exceptions_in_force",
		Help: "PHIWorkloads that an exception excuses from a control now, by control.",
	}, []string{labelControl})

	exceptionEnd = prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Name: "hipaa_operator_exception_end_timestamp_seconds",
		Help: "Unix time at which the first of the exceptions in force ends, by control; absent where there is none.",
	}, []string{labelControl})

	exceptionUses = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "hipaa_operator_exception_uses_total",
		Help: "Answers of admission that let something in because of an exception, by control.",
	}, []string{labelControl})

	agreements = prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Name: "hipaa_operator_vendor_agreements",
		Help: "Agreements with vendors by state: InForce, Ending (in force, and its end 60 days away or less), or why it does not count.",
	}, []string{labelState})

	guardRefusals = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "hipaa_operator_guard_refusals_total",
		Help: "Attempts to change owned objects, PHI labels, profiles, vendors and definitions that policies refused, by kind.",
	}, []string{labelKind})

	guardRestorations = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "hipaa_operator_guard_restorations_total",
		Help: "Webhook configurations and admission policies put right after somebody changed or deleted them, by kind.",
	}, []string{labelKind})

	// Without labels, so that it is absent where nobody has a certificate.
	signerEnd = prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Name: "hipaa_operator_signer_certificate_expiry_timestamp_seconds",
		Help: "When the certificate ends by which the leader seals configurations of proxies; it is renewed at half of its lifetime.",
	}, nil)
)

// Register adds the metrics to the registry that the manager serves. It panics
// if called twice, as every registration does.
func Register() {
	ctrlmetrics.Registry.MustRegister(Collectors()...)
}

// Collectors lists every metric.
func Collectors() []prometheus.Collector {
	return []prometheus.Collector{
		verdicts, workloads, held, waiting, failedOver, openNamespaces, undeclaredPods,
		driftStanding, driftDetected, driftCorrected, correctionSeconds, evictions,
		admissions, admissionSeconds, admissionTurnedAway, admissionFindings,
		exceptionsInForce, exceptionEnd, exceptionUses, agreements, guardRefusals, guardRestorations, edgeDials, signerEnd,
	}
}

// SignerHolds says when the certificate ends by which configurations are sealed.
func SignerHolds(end time.Time) { signerEnd.WithLabelValues().Set(float64(end.Unix())) }

// OpenNamespaces says how many PHI namespaces wait for pods that predate them.
func OpenNamespaces(n int) { openNamespaces.Set(float64(n)) }

// UndeclaredPods adds pods that no PHIWorkload selects, or takes them away. The
// answer is one of the API's; where there is none, nothing was counted.
func UndeclaredPods(answer string, n int32) {
	if answer != "" {
		undeclaredPods.WithLabelValues(answer).Add(float64(n))
	}
}

// DriftDetected counts a departure.
func DriftDetected(kind string) { driftDetected.WithLabelValues(kindLabel(kind)).Inc() }

// DriftCorrected counts a departure that was put right, and how long it took.
func DriftCorrected(kind string, took time.Duration) {
	driftCorrected.WithLabelValues(kindLabel(kind)).Inc()
	correctionSeconds.WithLabelValues(kindLabel(kind)).Observe(took.Seconds())
}

// Evicted counts an attempt to replace a pod.
func Evicted(result EvictionResult) { evictions.WithLabelValues(string(result)).Inc() }

// Admitted counts an answer of admission and how long it took.
func Admitted(kind string, result AdmissionResult, took time.Duration) {
	admissions.WithLabelValues(kindLabel(kind), string(result)).Inc()
	admissionSeconds.WithLabelValues(kindLabel(kind)).Observe(took.Seconds())
}

// AdmissionTurnedAway counts a review for which there was no room.
func AdmissionTurnedAway() { admissionTurnedAway.Inc() }

// AdmissionFinding counts a finding of admission. The control must come from the
// catalogue, the mode from the API.
func AdmissionFinding(id, mode string) { admissionFindings.WithLabelValues(id, mode).Inc() }

// ExceptionUsed counts an answer of admission under an exception. The control must come
// from the catalogue or from a profile.
func ExceptionUsed(id string) { exceptionUses.WithLabelValues(id).Inc() }

// EdgeDialled counts a question to the edge of the cluster.
func EdgeDialled(asked control.Ask, answer control.Answer) {
	edgeDials.WithLabelValues(asked.String(), answer.String()).Inc()
}

// GuardRefused counts an attempt to change what the operator guards.
func GuardRefused(kind string) { guardRefusals.WithLabelValues(kindLabel(kind)).Inc() }

// GuardRestored counts a webhook configuration or admission policy put right.
func GuardRestored(kind string) { guardRestorations.WithLabelValues(kindLabel(kind)).Inc() }

// kinds are the values of the label kind.
var kinds = map[string]bool{
	"Pod": true, "PersistentVolumeClaim": true, "Service": true, "EndpointSlice": true, "Endpoints": true,
	"NetworkPolicy": true, "Namespace": true, "Binding": true,
	"Deployment": true, "StatefulSet": true, "DaemonSet": true, "ReplicaSet": true, "ReplicationController": true, "Job": true, "CronJob": true,
	"PodExecOptions": true, "PodAttachOptions": true, "PodPortForwardOptions": true, "PodProxyOptions": true, "ServiceProxyOptions": true,
	"CustomResourceDefinition": true,
	"PHIWorkload":              true, "ComplianceProfile": true, "ControlException": true, "Vendor": true,
	"ValidatingWebhookConfiguration": true, "MutatingWebhookConfiguration": true,
	"ValidatingAdmissionPolicy": true, "ValidatingAdmissionPolicyBinding": true,
}

// otherKind stands for a kind that the operator does not know: the set stays closed.
const otherKind = "other"

func kindLabel(kind string) string {
	if kinds[kind] {
		return kind
	}
	return otherKind
}
