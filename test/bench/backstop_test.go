package bench

import (
	"context"
	"fmt"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
	"github.com/hipaa-operator/hipaa-operator/internal/backstop"
	"github.com/hipaa-operator/hipaa-operator/internal/control"
	"github.com/hipaa-operator/hipaa-operator/internal/control/catalog"
	"github.com/hipaa-operator/hipaa-operator/internal/control/controltest"
	"github.com/hipaa-operator/hipaa-operator/internal/phitest"
	"github.com/hipaa-operator/hipaa-operator/test/cluster"
)

// backstopWorkloads is how many workloads the namespace has.
const backstopWorkloads = 10

// BenchmarkBackstop creates a three-container pod, as admission leaves it, by
// server-side dry run in two namespaces without webhooks, turn by turn: one that no
// policy of this benchmark looks at, and one under the backstop with all controls.
// One iteration is one pod in each.
func BenchmarkBackstop(b *testing.B) {
	w := bench(b)
	ctx := b.Context()
	pod := w.backstopNamespaces(ctx, b)
	samples := map[string]sample{}
	for b.Loop() {
		for _, scenario := range []string{"nopolicy", "backstop"} {
			pod := pod.DeepCopy()
			pod.Namespace = "bench-" + scenario
			start := time.Now()
			if err := w.admin.Create(ctx, pod, client.DryRunAll); err != nil {
				b.Fatalf("creating a pod, %s: %v", scenario, err)
			}
			samples[scenario] = append(samples[scenario], time.Since(start))
		}
	}
	for scenario, s := range samples {
		s.report(b, scenario)
	}
	b.ReportMetric(samples["backstop"].at(0.5)/samples["nopolicy"].at(0.5), "backstop/nopolicy-p50")
}

// backstopNamespaces makes the namespaces, and the policy and its parameters for one
// of them; it returns the pod to create.
func (w *world) backstopNamespaces(ctx context.Context, b *testing.B) *corev1.Pod {
	b.Helper()
	for _, scenario := range []string{"nopolicy", "backstop"} {
		if err := w.namespace(ctx, "bench-"+scenario, false, map[string]string{yardstickLabel: scenario}); err != nil {
			b.Fatalf("making a namespace: %v", err)
		}
	}
	parameters, pod := backstopParameters(backstopWorkloads)
	for _, scenario := range []string{"nopolicy", "backstop"} {
		if err := w.account(ctx, "bench-"+scenario, pod.Spec.ServiceAccountName); err != nil {
			b.Fatalf("making a ServiceAccount: %v", err)
		}
	}
	if err := w.underBackstop(ctx, "bench-backstop", parameters, pod); err != nil {
		b.Fatal(err)
	}
	return pod
}

// underBackstop holds a namespace of this benchmark to a policy as the operator's is, and
// waits until the API server goes by it: it admits the pod, and not with a fault.
func (w *world) underBackstop(ctx context.Context, namespace string, parameters *hipaav1.BackstopSpec, pod *corev1.Pod) error {
	pods := backstop.Policies(catalog.All())[0]
	policy, binding := pods.Policy, pods.Binding
	policy.Name, binding.Name, binding.Spec.PolicyName = namespace, namespace, namespace
	policy.Spec.MatchConstraints.NamespaceSelector = &metav1.LabelSelector{MatchLabels: map[string]string{corev1.LabelMetadataName: namespace}}
	// Without the label of what the operator owns: it would take them away from a
	// namespace without PHI.
	given := backstop.Parameters(namespace, parameters)
	given.Labels = nil
	for _, object := range []client.Object{given, policy, binding} {
		if err := client.IgnoreAlreadyExists(w.admin.Create(ctx, object)); err != nil {
			return fmt.Errorf("making the backstop: %w", err)
		}
	}
	return cluster.Eventually(ctx, "the API server to go by the policy", time.Minute, func() error {
		bad := pod.DeepCopy()
		bad.Namespace, bad.Spec.HostPID = namespace, true
		if err := w.admin.Create(ctx, bad, client.DryRunAll); err == nil {
			return fmt.Errorf("a violation is admitted")
		}
		good := pod.DeepCopy()
		good.Namespace = namespace
		return w.admin.Create(ctx, good, client.DryRunAll)
	})
}

// backstopParameters are those of some workloads under all controls, and a pod of the
// last one as admission leaves it.
func backstopParameters(workloads int) (*hipaav1.BackstopSpec, *corev1.Pod) {
	parameters := &hipaav1.BackstopSpec{UndeclaredPods: &hipaav1.BackstopInstant{}}
	var s control.Subject
	for i := range workloads {
		w := phitest.Workload(fmt.Sprintf("api-%d", i)).Namespace("bench-backstop").Jurisdictions("US-IL").Obj()
		s = control.Subject{Profile: &control.Profile{Tagging: control.DefaultTagging()}, Workload: w, World: &control.World{}}
		already := backstop.Instants{}
		for _, c := range catalog.All() {
			already[c.ID] = time.Time{}
		}
		parameters.Workloads = append(parameters.Workloads, backstop.Workload(w, backstop.Holding(catalog.All(), s, already)))
	}
	s = s.Of(phitest.Pod("bench").Of(s.Workload).Container("second").Container("third").Obj())
	controltest.Admit(catalog.All(), &s)
	return parameters, s.Pod
}
