package install

import (
	"flag"
	"path"
	"slices"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/hipaa-operator/hipaa-operator/internal/app"
	"github.com/hipaa-operator/hipaa-operator/internal/enrol"
)

// A manager that gives proxies finds its token where it looks for it, and a manager
// that does not has none.
func TestTheManagerHasTheTokenThatItAsksWith(t *testing.T) {
	var o app.Options
	o.Bind(flag.NewFlagSet("", flag.ContinueOnError))
	for folder, want := range map[string]bool{"default": false, "proxy": true} {
		d := deploymentOf(t, folder, "hipaa-operator-manager")
		container := d.Spec.Template.Spec.Containers[0]
		if got := slices.Contains(container.Args, "--proxy-image=hipaa-operator/phi-proxy:v"+chartVersion(t)); got != want {
			t.Errorf("config/%s gives proxies: %t", folder, got)
		}
		found := false
		for _, volume := range d.Spec.Template.Spec.Volumes {
			if volume.Projected == nil {
				continue
			}
			token := volume.Projected.Sources[0].ServiceAccountToken
			found = token.Audience == enrol.Audience && slices.ContainsFunc(container.VolumeMounts, func(m corev1.VolumeMount) bool {
				return m.Name == volume.Name && m.ReadOnly && path.Join(m.MountPath, token.Path) == o.IssuerTokenFile
			})
		}
		if found != want {
			t.Errorf("config/%s mounts the token: %t", folder, found)
		}
	}
}

// Whoever needs a certificate reaches the issuer, and nobody else; the manager may go
// there.
func TestTheIssuerIsReachedByThoseWhoNeedIt(t *testing.T) {
	const issuerPort = 9443
	issuer, manager := deploymentOf(t, "proxy", "hipaa-operator-issuer"), deploymentOf(t, "proxy", "hipaa-operator-manager")
	var into []networkingv1.NetworkPolicyPeer
	for _, rule := range policyOf(t, issuer).Ingress {
		if opens(rule.Ports, issuerPort) {
			into = append(into, rule.From...)
		}
	}
	if !slices.ContainsFunc(policyOf(t, manager).Egress, func(rule networkingv1.NetworkPolicyEgressRule) bool {
		return opens(rule.Ports, issuerPort) && len(rule.To) == 1 && selects(t, rule.To[0].PodSelector, issuer.Spec.Template.Labels)
	}) {
		t.Error("the manager does not reach the issuer")
	}
	admitted := func(namespace, pod map[string]string) bool {
		return slices.ContainsFunc(into, func(peer networkingv1.NetworkPolicyPeer) bool {
			if peer.NamespaceSelector == nil {
				return namespace == nil && selects(t, peer.PodSelector, pod)
			}
			return namespace != nil && selects(t, peer.NamespaceSelector, namespace) && (peer.PodSelector == nil || selects(t, peer.PodSelector, pod))
		})
	}
	own := func(component string) map[string]string {
		return map[string]string{"app.kubernetes.io/name": "hipaa-operator", "app.kubernetes.io/component": component}
	}
	for who, test := range map[string]struct {
		namespace, pod map[string]string
		want           bool
	}{
		"a pod of a PHI namespace":          {map[string]string{"hipaa-operator.io/phi": "true"}, nil, true},
		"a pod of any other namespace":      {map[string]string{metav1.NamespaceDefault: ""}, nil, false},
		"the manager":                       {nil, manager.Spec.Template.Labels, true},
		"the gate of calls to vendors":      {nil, own("egress"), true},
		"whatever else runs beside them":    {nil, own("another"), false},
		"one that calls itself so, outside": {map[string]string{"a": "b"}, own("egress"), false},
	} {
		if got := admitted(test.namespace, test.pod); got != test.want {
			t.Errorf("%s reaches the issuer: %t", who, got)
		}
	}
}

// policyOf is the one NetworkPolicy of the pods of a Deployment.
func policyOf(t *testing.T, d *appsv1.Deployment) networkingv1.NetworkPolicySpec {
	t.Helper()
	var found []networkingv1.NetworkPolicySpec
	for _, p := range all[*networkingv1.NetworkPolicy](t, "proxy") {
		if selects(t, &p.Spec.PodSelector, d.Spec.Template.Labels) {
			found = append(found, p.Spec)
		}
	}
	if len(found) != 1 {
		t.Fatalf("%d NetworkPolicies cover %s", len(found), d.Name)
	}
	return found[0]
}

func opens(ports []networkingv1.NetworkPolicyPort, number int) bool {
	return slices.ContainsFunc(ports, func(p networkingv1.NetworkPolicyPort) bool { return p.Port != nil && p.Port.IntValue() == number })
}

func deploymentOf(t *testing.T, folder, name string) *appsv1.Deployment {
	t.Helper()
	for _, d := range all[*appsv1.Deployment](t, folder) {
		if d.Name == name {
			return d
		}
	}
	t.Fatalf("config/%s has no Deployment %s", folder, name)
	return nil
}
