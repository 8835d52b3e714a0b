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
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
	"github.com/hipaa-operator/hipaa-operator/internal/control"
	"github.com/hipaa-operator/hipaa-operator/internal/metrics"
)

// registry holds the metrics as a manager would serve them.
func registry(t *testing.T) *prometheus.Registry {
	t.Helper()
	r := prometheus.NewPedanticRegistry()
	r.MustRegister(metrics.Collectors()...)
	r.MustRegister(metrics.IssuerCollectors()...)
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

func TestFailoversAreCountedWhileTheyLast(t *testing.T) {
	r := registry(t)
	const gauge = "hipaa_operator_failed_over_workloads"
	of := func(reason string) *hipaav1.PHIWorkloadStatus {
		return &hipaav1.PHIWorkloadStatus{Conditions: []metav1.Condition{{Type: hipaav1.ConditionHomeRegionsOnly, Reason: reason}}}
	}
	before := values(t, r, gauge)[gauge]
	api, db := types.NamespacedName{Namespace: "ehr", Name: "api"}, types.NamespacedName{Namespace: "ehr", Name: "db"}
	var fleet metrics.Fleet
	for i, step := range []struct {
		change func()
		want   float64
	}{
		{func() { fleet.Observe(api, of(hipaav1.ReasonNoFailover), false) }, 0},
		{func() { fleet.Observe(api, of(hipaav1.ReasonFailoverInForce), false) }, 1},
		{func() { fleet.Observe(db, of(hipaav1.ReasonFailoverInForce), false) }, 2},
		{func() { fleet.Observe(api, of(hipaav1.ReasonNoFailover), false) }, 1},
		{func() { fleet.Observe(db, of(hipaav1.ReasonInternalError), false) }, 0},
		{func() { fleet.Observe(db, of(hipaav1.ReasonFailoverInForce), false) }, 1},
		{func() { fleet.Forget(db) }, 0},
	} {
		if step.change(); values(t, r, gauge)[gauge] != before+step.want {
			t.Errorf("after step %d: %v, want %v", i, values(t, r, gauge)[gauge]-before, step.want)
		}
	}
}

func TestDialsAreCountedByWhatWasAnswered(t *testing.T) {
	r := registry(t)
	for _, ask := range []control.Ask{control.AskTLS, control.AskPlaintext, control.Ask(7)} {
		for answer := control.Answer(-1); answer < 12; answer++ {
			metrics.EdgeDialled(ask, answer)
		}
	}
	names := map[string]float64{
		"hipaa_operator_edge_dials_total asked=tls reply=unclear":       14,
		"hipaa_operator_edge_dials_total asked=tls reply=old-accepted":  2,
		"hipaa_operator_edge_dials_total asked=plaintext reply=turned":  1,
		"hipaa_operator_edge_dials_total asked=plaintext reply=unclear": 7,
	}
	if diff := cmp.Diff(names, values(t, r, slices.Sorted(maps.Keys(names))...)); diff != "" {
		t.Errorf("dials (-want +got):\n%s", diff)
	}
}

func excused(control string, end time.Time) *hipaav1.PHIWorkloadStatus {
	return &hipaav1.PHIWorkloadStatus{Controls: []hipaav1.ControlResult{
		{ID: control, Exception: &hipaav1.ExceptionReference{Name: "x", Expires: metav1.NewTime(end)}}, {ID: "network-isolation"},
	}}
}

func TestTheFirstExceptionToEndIsTold(t *testing.T) {
	r := registry(t)
	const control = "ephemeral-storage"
	api, db := types.NamespacedName{Namespace: "ehr", Name: "api"}, types.NamespacedName{Namespace: "ehr", Name: "db"}
	var fleet metrics.Fleet
	count, end := "hipaa_operator_exceptions_in_force control="+control, "hipaa_operator_exception_end_timestamp_seconds control="+control
	expect := func(step string, want map[string]float64) {
		t.Helper()
		if diff := cmp.Diff(want, values(t, r, slices.Sorted(maps.Keys(want))...)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", step, diff)
		}
	}
	fleet.Observe(api, excused(control, time.Unix(300, 0)), false)
	fleet.Observe(db, excused(control, time.Unix(200, 0)), false)
	expect("two", map[string]float64{count: 2, end: 200})
	fleet.Observe(db, excused(control, time.Unix(400, 0)), false)
	expect("the first became the last", map[string]float64{count: 2, end: 300})
	fleet.Observe(api, &hipaav1.PHIWorkloadStatus{}, false)
	expect("one ended", map[string]float64{count: 1, end: 400})
	fleet.Forget(db)
	expect("none is left", map[string]float64{count: 0})
	for _, family := range gather(t, r) {
		for _, metric := range family.GetMetric() {
			if family.GetName() == "hipaa_operator_exception_end_timestamp_seconds" && metric.GetLabel()[0].GetValue() == control {
				t.Error("an end is told where there is none")
			}
		}
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
	metrics.GuardRefused("ComplianceProfile")
	metrics.ExceptionUsed("pod-hardening")
	var fleet metrics.Fleet
	fleet.Observe(types.NamespacedName{Name: "api"}, excused("pod-hardening", time.Unix(60, 0)), false)
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

func TestAgreementsFollowEachVendor(t *testing.T) {
	r := registry(t)
	var agreements metrics.Agreements
	agreements.Observe("eprescribe", hipaav1.ReasonInForce, false)
	agreements.Observe("clearinghouse", hipaav1.ReasonInForce, false)
	agreements.Observe("eprescribe", hipaav1.ReasonInForce, true)
	agreements.Observe("clearinghouse", hipaav1.ReasonExpired, false)
	agreements.Observe("lab", hipaav1.ReasonExpired, false)
	agreements.Forget("lab")
	agreements.Forget("nobody")
	want := map[string]float64{
		"hipaa_operator_vendor_agreements state=InForce": 0,
		"hipaa_operator_vendor_agreements state=Ending":  1,
		"hipaa_operator_vendor_agreements state=Expired": 1,
	}
	if diff := cmp.Diff(want, values(t, r, slices.Sorted(maps.Keys(want))...)); diff != "" {
		t.Errorf("the gauge (-want +got):\n%s", diff)
	}
}
