package install

import (
	"slices"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	psapi "k8s.io/pod-security-admission/api"
	"k8s.io/pod-security-admission/policy"

	"github.com/hipaa-operator/hipaa-operator/internal/control"
	"github.com/hipaa-operator/hipaa-operator/internal/enrol"
	"github.com/hipaa-operator/hipaa-operator/internal/gate"
)

// phi-egress comes with the proxies, and is found where they look for it.
func TestPHIEgressIsWhatProxiesLookFor(t *testing.T) {
	d := deploymentOf(t, "proxy", control.EgressName)
	spec := d.Spec.Template.Spec
	evaluator, err := policy.NewEvaluator(policy.DefaultChecks(), nil)
	if err != nil {
		t.Fatal(err)
	}
	restricted := psapi.LevelVersion{Level: psapi.LevelRestricted, Version: psapi.LatestVersion()}
	if result := policy.AggregateCheckResults(evaluator.EvaluatePod(restricted, &d.Spec.Template.ObjectMeta, &spec)); !result.Allowed {
		t.Errorf("it is not restricted: %s", result.ForbiddenDetail())
	}
	if spec.ServiceAccountName != control.EgressName || spec.AutomountServiceAccountToken == nil || *spec.AutomountServiceAccountToken || *d.Spec.Replicas != 2 {
		t.Errorf("it runs as %s, %d times", spec.ServiceAccountName, *d.Spec.Replicas)
	}
	for key, value := range control.EgressLabels() {
		if d.Spec.Template.Labels[key] != value {
			t.Errorf("its pods lack the label %s: %s, by which policies know them", key, value)
		}
	}
}

// It takes what is sealed for it alone, and nothing older than what it took.
func TestPHIEgressGoesByWhatIsSealedForIt(t *testing.T) {
	spec := deploymentOf(t, "proxy", control.EgressName).Spec.Template.Spec
	container := spec.Containers[0]
	if container.Image != "hipaa-operator/phi-proxy:v"+chartVersion(t) {
		t.Errorf("its image is %s", container.Image)
	}
	for _, want := range []string{"--workload-uid=" + gate.UID, "--issuer=" + enrol.ServiceName + ".hipaa-operator-system.svc"} {
		if !slices.Contains(container.Args, want) {
			t.Errorf("its arguments have no %s: %v", want, container.Args)
		}
	}
	if !keepsState(&spec) {
		t.Error("what it took last does not outlive its container")
	}
	if slices.ContainsFunc(container.Args, func(arg string) bool { return strings.HasPrefix(arg, "--unsigned") }) {
		t.Error("it takes what nobody has sealed")
	}
	if !slices.ContainsFunc(spec.Volumes, func(v corev1.Volume) bool { return v.ConfigMap != nil && v.ConfigMap.Name == control.EgressName }) {
		t.Error("it does not mount what it goes by")
	}
}

// keepsState reports whether the state of a container lies on a volume of its pod.
func keepsState(spec *corev1.PodSpec) bool {
	for _, arg := range spec.Containers[0].Args {
		at, is := strings.CutPrefix(arg, "--state-dir=")
		if !is {
			continue
		}
		return slices.ContainsFunc(spec.Containers[0].VolumeMounts, func(m corev1.VolumeMount) bool {
			return m.MountPath == at && !m.ReadOnly && slices.ContainsFunc(spec.Volumes, func(v corev1.Volume) bool { return v.Name == m.Name && v.EmptyDir != nil })
		})
	}
	return false
}

// It has a Service, and is not taken away whole.
func TestPHIEgressStaysReachable(t *testing.T) {
	d := deploymentOf(t, "proxy", control.EgressName)
	services := slices.DeleteFunc(all[*corev1.Service](t, "proxy"), func(s *corev1.Service) bool { return s.Name != control.EgressName })
	if len(services) != 1 || services[0].Spec.Ports[0].Port != control.EgressPort || services[0].Spec.Selector["app.kubernetes.io/component"] != "egress" {
		t.Errorf("its Service is %v", services)
	}
	if !slices.ContainsFunc(all[*policyv1.PodDisruptionBudget](t, "proxy"), func(b *policyv1.PodDisruptionBudget) bool {
		return selects(t, b.Spec.Selector, d.Spec.Template.Labels)
	}) {
		t.Error("no PodDisruptionBudget covers it")
	}
}

// Proxies of PHI namespaces reach it, and nobody else; the way to vendors the manager opens.
func TestPHIEgressIsReachedByProxiesAlone(t *testing.T) {
	p := policyOf(t, deploymentOf(t, "proxy", control.EgressName))
	if len(p.PolicyTypes) != 2 || len(p.Ingress) != 1 || len(p.Ingress[0].From) != 1 || !opens(p.Ingress[0].Ports, control.EgressPort) || len(p.Ingress[0].Ports) != 1 ||
		!selects(t, p.Ingress[0].From[0].NamespaceSelector, map[string]string{"hipaa-operator.io/phi": "true"}) ||
		selects(t, p.Ingress[0].From[0].NamespaceSelector, map[string]string{"a": "b"}) {
		t.Errorf("it is reached by %v", p.Ingress)
	}
	if slices.ContainsFunc(p.Egress, func(rule networkingv1.NetworkPolicyEgressRule) bool { return opens(rule.Ports, 443) }) {
		t.Error("it reaches vendors before the manager has said which")
	}
	if slices.ContainsFunc(all[*appsv1.Deployment](t, "default"), func(d *appsv1.Deployment) bool { return d.Name == control.EgressName }) {
		t.Error("it is installed where there are no proxies")
	}
}
