package metrics_test

import (
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
	dto "github.com/prometheus/client_model/go"
	"k8s.io/apimachinery/pkg/types"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
	"github.com/hipaa-operator/hipaa-operator/internal/metrics"
)

// registry holds the metrics as a manager would serve them.
func registry(t *testing.T) *prometheus.Registry {
	t.Helper()
	r := prometheus.NewPedanticRegistry()
	r.MustRegister(metrics.Collectors()...)
	return r
}

func status(stage hipaav1.Stage, verdict hipaav1.Verdict) *hipaav1.PHIWorkloadStatus {
	return &hipaav1.PHIWorkloadStatus{Stage: stage, Controls: []hipaav1.ControlResult{
		{ID: "network-isolation", Mode: hipaav1.ModeEnforce, Stage: stage, Verdict: verdict},
	}, Drift: []hipaav1.Drift{
		{Object: "NetworkPolicy/a", State: hipaav1.DriftDetected},
		{Object: "NetworkPolicy/b", State: hipaav1.DriftCorrected},
		{Object: "EndpointSlice/c", State: hipaav1.DriftDetected},
	}}
}

func TestFleetFollowsEachWorkload(t *testing.T) {
	r := registry(t)
	api, db := types.NamespacedName{Namespace: "ehr", Name: "api"}, types.NamespacedName{Namespace: "ehr", Name: "db"}
	var fleet metrics.Fleet
	fleet.Observe(api, status(hipaav1.StageEnforced, hipaav1.VerdictUnknown), false)
	fleet.Observe(api, status(hipaav1.StageEnforced, hipaav1.VerdictPass), false)
	fleet.Observe(db, status(hipaav1.StagePreviewing, hipaav1.VerdictFail), true)
	want := map[string]float64{
		"hipaa_operator_held_workloads":                                                  1,
		"hipaa_operator_waiting_workloads":                                               1,
		"hipaa_operator_drift_standing kind=NetworkPolicy":                               2,
		"hipaa_operator_drift_standing kind=EndpointSlice":                               2,
		"hipaa_operator_verdicts control=network-isolation mode=Enforce verdict=Fail":    1,
		"hipaa_operator_verdicts control=network-isolation mode=Enforce verdict=Pass":    1,
		"hipaa_operator_verdicts control=network-isolation mode=Enforce verdict=Unknown": 0,
		"hipaa_operator_workloads stage=Enforced":                                        1,
		"hipaa_operator_workloads stage=Previewing":                                      1,
	}
	if diff := cmp.Diff(want, values(t, r, slices.Sorted(maps.Keys(want))...)); diff != "" {
		t.Errorf("gauges with both workloads (-want +got):\n%s", diff)
	}

	fleet.Forget(db)
	fleet.Forget(db)
	want = map[string]float64{
		"hipaa_operator_held_workloads":                    0,
		"hipaa_operator_waiting_workloads":                 0,
		"hipaa_operator_drift_standing kind=NetworkPolicy": 1,
		"hipaa_operator_workloads stage=Enforced":          1,
		"hipaa_operator_workloads stage=Previewing":        0,
	}
	if diff := cmp.Diff(want, values(t, r, slices.Sorted(maps.Keys(want))...)); diff != "" {
		t.Errorf("gauges after one is gone (-want +got):\n%s", diff)
	}
}

func TestTheSetOfKindsIsClosed(t *testing.T) {
	r := registry(t)
	metrics.DriftDetected("NetworkPolicy")
	metrics.DriftDetected("SomebodysKind")
	metrics.DriftDetected("AnotherKind")
	want := map[string]float64{
		"hipaa_operator_drift_detected_total kind=NetworkPolicy": 1,
		"hipaa_operator_drift_detected_total kind=other":         2,
	}
	if diff := cmp.Diff(want, values(t, r, slices.Sorted(maps.Keys(want))...)); diff != "" {
		t.Errorf("counters (-want +got):\n%s", diff)
	}
}

func TestEveryMetricSaysWhatItIs(t *testing.T) {
	r := registry(t)
	metrics.DriftCorrected("NetworkPolicy", 12*time.Millisecond)
	metrics.Evicted(metrics.EvictionHeld)
	metrics.Admitted("Pod", metrics.AdmissionDenied, time.Millisecond)
	metrics.AdmissionFinding("pod-hardening", "Enforce")
	metrics.OpenNamespaces(1)
	metrics.UndeclaredPods("Deny", 3)
	metrics.UndeclaredPods("", -1)
	metrics.GuardRestored("ValidatingWebhookConfiguration")
	families := gather(t, r)
	problems, err := promlint.NewWithMetricFamilies(families).Lint()
	if err != nil {
		t.Fatalf("linting the metrics: %v", err)
	}
	for _, problem := range problems {
		t.Errorf("%s: %s", problem.Metric, problem.Text)
	}
	for _, family := range families {
		if !strings.HasPrefix(family.GetName(), "hipaa_operator_") || len(family.GetHelp()) < 20 {
			t.Errorf("metric %q has no prefix or no help", family.GetName())
		}
	}
	if len(families) < len(metrics.Collectors())-1 { // only what no test touched may lack a series
		t.Errorf("gathered %d of %d metrics", len(families), len(metrics.Collectors()))
	}
}

func gather(t *testing.T, r prometheus.Gatherer) []*dto.MetricFamily {
	t.Helper()
	families, err := r.Gather()
	if err != nil {
		t.Fatalf("gathering the metrics: %v", err)
	}
	return families
}

// values reads single series, each named by its metric and its labels.
func values(t *testing.T, r prometheus.Gatherer, names ...string) map[string]float64 {
	t.Helper()
	read := map[string]float64{}
	for _, family := range gather(t, r) {
		for _, metric := range family.GetMetric() {
			name := family.GetName()
			for _, label := range metric.GetLabel() {
				name += " " + label.GetName() + "=" + label.GetValue()
			}
			if slices.Contains(names, name) {
				read[name] = metric.GetGauge().GetValue() + metric.GetCounter().GetValue()
			}
		}
	}
	return read
}
