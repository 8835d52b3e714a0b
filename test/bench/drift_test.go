package bench

import (
	"context"
	"fmt"
	"net/http"
	"testing"
	"time"

	networkingv1 "k8s.io/api/networking/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/watch"
	"sigs.k8s.io/controller-runtime/pkg/client"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
	"github.com/hipaa-operator/hipaa-operator/internal/phitest"
	"github.com/hipaa-operator/hipaa-operator/test/cluster"
)

const (
	fleetNamespaces   = 20
	fleetPerNamespace = 50
)

// BenchmarkDrift measures, with 1,000 PHIWorkloads, the time from an edit of an
// owned policy to its correction, as a client that watches sees it; and what the
// manager holds in memory and spends on settling the fleet.
func BenchmarkDrift(b *testing.B) {
	w := bench(b)
	ctx := b.Context()
	token, err := w.cluster.MetricsReader(ctx)
	if err != nil {
		b.Fatal(err)
	}
	before := w.reconciled(b, token)
	settled, err := w.fleet(ctx)
	if err != nil {
		b.Fatal(err)
	}
	during := w.reconciled(b, token) - before
	var corrected sample
	turn := 0
	for b.Loop() {
		turn++
		key := client.ObjectKey{
			Namespace: fmt.Sprintf("fleet-%02d", turn%fleetNamespaces),
			Name:      fmt.Sprintf("hipaa-workload-%02d", (turn/fleetNamespaces)%fleetPerNamespace),
		}
		took, err := w.damage(ctx, key)
		if err != nil {
			b.Fatalf("damaging %s: %v", key, err)
		}
		corrected = append(corrected, took)
	}
	corrected.report(b, "corrected")
	memory, err := resident(w.operator.PID())
	if err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(memory, "manager-rss-MiB")
	if settled > 0 {
		b.ReportMetric(fleetNamespaces*fleetPerNamespace/settled.Seconds(), "settled-workloads/s")
		b.ReportMetric(during/settled.Seconds(), "reconciles/s")
	}
}

// reconciled is how often the manager has reconciled a PHIWorkload.
func (w *world) reconciled(b *testing.B, token string) float64 {
	b.Helper()
	status, text, err := w.operator.Metrics(b.Context(), token)
	if err != nil || status != http.StatusOK {
		b.Fatalf("reading the manager's metrics: %d, %v", status, err)
	}
	n, err := cluster.Sum(text, "controller_runtime_reconcile_total", `controller="phiworkload"`)
	if err != nil {
		b.Fatal(err)
	}
	return n
}

// fleet makes the workloads once, and says how long the operator took to have
// every policy in place; zero if the fleet was there already.
func (w *world) fleet(ctx context.Context) (time.Duration, error) {
	start := time.Now()
	for n := range fleetNamespaces {
		namespace := fmt.Sprintf("fleet-%02d", n)
		if err := w.namespace(ctx, namespace, true, nil); err != nil {
			return 0, fmt.Errorf("making namespace %s: %w", namespace, err)
		}
		for i := range fleetPerNamespace {
			name := fmt.Sprintf("workload-%02d", i)
			err := w.admin.Create(ctx, phitest.Workload(name).Namespace(namespace).Selecting("app", name).Obj())
			if client.IgnoreAlreadyExists(err) != nil {
				return 0, fmt.Errorf("making workload %s/%s: %w", namespace, name, err)
			}
			if apierrors.IsAlreadyExists(err) {
				return 0, nil // a fleet that is there already took no time
			}
		}
	}
	err := cluster.Eventually(ctx, "1,000 workloads to be ready", 10*time.Minute, func() error {
		var policies networkingv1.NetworkPolicyList
		if err := w.admin.List(ctx, &policies, client.HasLabels{hipaav1.LabelWorkload}); err != nil {
			return err
		}
		if have := len(policies.Items); have < fleetNamespaces*fleetPerNamespace {
			return fmt.Errorf("%d policies", have)
		}
		return nil
	})
	return time.Since(start), err
}

// damage takes one direction from a policy, which admission lets pass because the
// namespace's own policy still closes it, and waits until a watch sees it back.
func (w *world) damage(ctx context.Context, key client.ObjectKey) (time.Duration, error) {
	policy := &networkingv1.NetworkPolicy{}
	if err := w.admin.Get(ctx, key, policy); err != nil {
		return 0, err
	}
	policy.Spec.PolicyTypes = []networkingv1.PolicyType{networkingv1.PolicyTypeIngress}
	watching, err := w.admin.Watch(ctx, &networkingv1.NetworkPolicyList{}, client.InNamespace(key.Namespace), client.MatchingFields{"metadata.name": key.Name})
	if err != nil {
		return 0, err
	}
	defer watching.Stop()
	if err := w.admin.Update(ctx, policy); err != nil {
		return 0, err
	}
	start := time.Now()
	damaged := policy.ResourceVersion
	for event := range watching.ResultChan() {
		live, ok := event.Object.(*networkingv1.NetworkPolicy)
		if !ok || event.Type == watch.Deleted {
			continue
		}
		if newer(live.ResourceVersion, damaged) && len(live.Spec.PolicyTypes) == 2 {
			return time.Since(start), nil
		}
	}
	return 0, fmt.Errorf("the watch ended before the correction")
}

// newer compares resource versions, which are numbers that grow (KEP-5504).
func newer(a, b string) bool {
	if len(a) != len(b) {
		return len(a) > len(b)
	}
	return a > b
}
