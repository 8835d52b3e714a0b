package bench

import (
	"context"
	"net"
	"slices"
	"testing"
	"time"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/hipaa-operator/hipaa-operator/internal/phitest"
	"github.com/hipaa-operator/hipaa-operator/test/cluster"
)

var scenarios = []string{"none", "null", "labelling", "guarded", "operator"}

// BenchmarkAdmission creates a three-container pod by server-side dry run in
// five namespaces, turn by turn: without any webhook, with two that do nothing, with
// two of which one adds labels, with two that do nothing and the backstop's policy,
// and under the operator with all controls. One iteration is one pod in each. The
// operator's other admission policies are there for all; the output says how many of
// them look at every new pod. What the webhooks cost is operator/guarded: the policy
// has a budget and a benchmark of its own.
func BenchmarkAdmission(b *testing.B) {
	w := bench(b)
	ctx := b.Context()
	guarded := w.admissionNamespaces(ctx, b)
	pids := map[string]int{"null": w.null.PID(), "operator": w.operator.PID()}
	samples := map[string]sample{}
	used := map[string]time.Duration{}
	for b.Loop() {
		for _, scenario := range scenarios {
			before := spent(b, pids[scenario])
			start := time.Now()
			pod := phitest.Pod("bench").Namespace("bench-"+scenario).Label("app", "api").Container("second").Container("third").Obj()
			if scenario == "guarded" {
				pod = guarded.DeepCopy()
			}
			if err := w.admin.Create(ctx, pod, client.DryRunAll); err != nil {
				b.Fatalf("creating a pod, %s: %v", scenario, err)
			}
			samples[scenario] = append(samples[scenario], time.Since(start))
			used[scenario] += spent(b, pids[scenario]) - before
		}
	}
	for scenario, s := range samples {
		s.report(b, scenario)
	}
	b.ReportMetric(w.policiesAtEveryPod(ctx, b), "policies-at-every-pod")
	b.ReportMetric(samples["operator"].at(0.5)/samples["null"].at(0.5), "operator/null-p50")
	b.ReportMetric(samples["operator"].at(0.5)/samples["guarded"].at(0.5), "operator/guarded-p50")
	b.ReportMetric(samples["operator"].at(0.5)/samples["labelling"].at(0.5), "operator/labelling-p50")
	b.ReportMetric(samples["operator"].at(0.5)/samples["none"].at(0.5), "operator/none-p50")
	b.ReportMetric(float64(used["operator"])/float64(time.Millisecond)/float64(b.N), "operator-cpu-ms/pod")
	b.ReportMetric(float64(used["null"])/float64(time.Millisecond)/float64(b.N), "null-cpu-ms/pod")
}

// policiesAtEveryPod counts the admission policies that every new pod waits for,
// the yardsticks' too: what they cost no ratio shows.
func (w *world) policiesAtEveryPod(ctx context.Context, b *testing.B) float64 {
	b.Helper()
	var policies admissionregistrationv1.ValidatingAdmissionPolicyList
	if err := w.admin.List(ctx, &policies); err != nil {
		b.Fatalf("listing admission policies: %v", err)
	}
	n := 0
	for i := range policies.Items {
		if slices.ContainsFunc(policies.Items[i].Spec.MatchConstraints.ResourceRules, looksAtEveryPod) {
			n++
		}
	}
	return float64(n)
}

func looksAtEveryPod(rule admissionregistrationv1.NamedRuleWithOperations) bool {
	about := slices.Contains(rule.Resources, "pods") || slices.Contains(rule.Resources, "*") || slices.Contains(rule.Resources, "*/*")
	creates := slices.Contains(rule.Operations, admissionregistrationv1.Create) || slices.Contains(rule.Operations, admissionregistrationv1.OperationAll)
	return about && creates && len(rule.ResourceNames) == 0
}

// spent is the CPU time of a process; zero for the scenario without one.
func spent(b *testing.B, pid int) time.Duration {
	b.Helper()
	if pid == 0 {
		return 0
	}
	used, err := cpu(pid)
	if err != nil {
		b.Fatal(err)
	}
	return used
}

// admissionNamespaces makes the namespaces, and starts the yardsticks for the first
// round that asks. It returns the pod for the one whose webhooks do nothing and which
// is under the backstop: as admission would have left it.
func (w *world) admissionNamespaces(ctx context.Context, b *testing.B) *corev1.Pod {
	b.Helper()
	if w.null == nil {
		if err := w.yardsticks(ctx, freeAddress(b)); err != nil {
			b.Fatal(err)
		}
	}
	for _, scenario := range scenarios {
		if err := w.namespace(ctx, "bench-"+scenario, scenario == "operator", map[string]string{yardstickLabel: scenario}); err != nil {
			b.Fatalf("making a namespace: %v", err)
		}
	}
	workload := phitest.Workload("api").Namespace("bench-operator").Obj()
	if err := client.IgnoreAlreadyExists(w.admin.Create(ctx, workload)); err != nil {
		b.Fatalf("making a workload: %v", err)
	}
	for _, scenario := range scenarios {
		for _, name := range []string{"probe", "bench"} {
			if err := w.account(ctx, "bench-"+scenario, name); err != nil {
				b.Fatalf("making a ServiceAccount: %v", err)
			}
		}
		if scenario == "guarded" {
			continue // the policy awaits a pod of its own
		}
		err := cluster.Eventually(ctx, "pods in scenario "+scenario, time.Minute, func() error {
			return w.admin.Create(ctx, phitest.Pod("probe").Namespace("bench-"+scenario).Label("app", "api").Obj(), client.DryRunAll)
		})
		if err != nil {
			b.Fatal(err)
		}
	}
	parameters, guarded := backstopParameters(1)
	guarded.Namespace = "bench-guarded"
	if err := w.account(ctx, guarded.Namespace, guarded.Spec.ServiceAccountName); err != nil {
		b.Fatalf("making a ServiceAccount: %v", err)
	}
	if err := w.underBackstop(ctx, guarded.Namespace, parameters, guarded); err != nil {
		b.Fatal(err)
	}
	return guarded
}

func freeAddress(b *testing.B) string {
	b.Helper()
	listener, err := net.ListenTCP("tcp", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		b.Fatalf("looking for a free port: %v", err)
	}
	defer func() { _ = listener.Close() }()
	_, port, err := net.SplitHostPort(listener.Addr().String())
	if err != nil {
		b.Fatalf("reading a free port: %v", err)
	}
	return "localhost:" + port
}
