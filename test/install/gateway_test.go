package install

import (
	"testing"

	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/hipaa-operator/hipaa-operator/internal/pki"
)

const gatewaySample = "samples/gateway"

// The sample for gateways lets the issuer write what it writes for the gateway of the shipped
// profile, and nothing else, as the API server sees it.
func TestTheSampleLetsTheIssuerWriteTheGatewaysCertificate(t *testing.T) {
	c := start(t)
	c.apply(t, build(t, "default"))
	j := newJudge(t)
	for _, gateway := range j.ruling.Effective.Parameters.Network.Gateways {
		if err := c.Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: gateway.Namespace}}); err != nil {
			t.Fatal(err)
		}
		may := func(verb, name string) bool { return c.issuerMay(t, verb, gateway.Namespace, name) }
		secret := "hipaa-gateway-" + gateway.Name
		if may("patch", secret) {
			t.Error("the issuer writes it before anybody has let it")
		}
		for _, object := range build(t, gatewaySample) {
			if object.GetNamespace() == gateway.Namespace {
				if err := c.Create(t.Context(), object); err != nil {
					t.Fatal(err)
				}
			}
		}
		for _, verb := range []string{"get", "create", "patch"} {
			if !may(verb, secret) {
				t.Errorf("the issuer may not %s Secret %s", verb, secret)
			}
			if may(verb, "another") {
				t.Errorf("the issuer may %s any Secret there", verb)
			}
		}
	}
}

func (c *cluster) issuerMay(t *testing.T, verb, namespace, secret string) bool {
	t.Helper()
	review := &authorizationv1.SubjectAccessReview{Spec: authorizationv1.SubjectAccessReviewSpec{
		User: "system:serviceaccount:hipaa-operator-system:hipaa-operator-issuer",
		ResourceAttributes: &authorizationv1.ResourceAttributes{
			Verb: verb, Resource: "secrets", Namespace: namespace, Name: secret,
		},
	}}
	if err := c.Create(t.Context(), review); err != nil {
		t.Fatal(err)
	}
	return review.Status.Allowed
}

// The Ingress of the sample passes the shipped profile, and asks for the workload that it calls
// by the name that its certificate has.
func TestTheIngressOfTheSampleKnowsWhomItCalls(t *testing.T) {
	j := newJudge(t)
	for _, ingress := range all[*networkingv1.Ingress](t, gatewaySample) {
		pod := called(t, ingress)
		for _, w := range j.scene.Claiming(pod.Labels) {
			j.expectNothing(t, "Ingress "+ingress.Name, w, ingress)
		}
		id, err := pki.WorkloadID("cluster.local", ingress.Namespace, pod.Spec.ServiceAccountName)
		if err != nil {
			t.Fatal(err)
		}
		if want, got := pki.CommonName(id), ingress.Annotations["nginx.ingress.kubernetes.io/proxy-ssl-name"]; want != got {
			t.Errorf("Ingress %s asks for %s, and the certificate is of %s", ingress.Name, got, want)
		}
	}
}

// called is a pod behind an Ingress.
func called(t *testing.T, ingress *networkingv1.Ingress) *corev1.Pod {
	t.Helper()
	service := ingress.Spec.Rules[0].HTTP.Paths[0].Backend.Service.Name
	for _, s := range all[*corev1.Service](t, "samples") {
		for _, pod := range pods(t) {
			if s.Name == service && s.Namespace == ingress.Namespace && selects(t, &metav1.LabelSelector{MatchLabels: s.Spec.Selector}, pod.Labels) {
				return pod
			}
		}
	}
	t.Fatalf("no pod of the sample is behind Service %s", service)
	return nil
}
