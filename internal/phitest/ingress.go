package phitest

import (
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
)

// IngressBuilder builds an Ingress.
type IngressBuilder struct{ ingress networkingv1.Ingress }

// Ingress leads one host, with a certificate, to the port "http" of a Service.
func Ingress(name, host, service string) *IngressBuilder {
	return &IngressBuilder{networkingv1.Ingress{
		ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: DefaultNamespace},
		Spec: networkingv1.IngressSpec{
			IngressClassName: ptr.To("nginx"),
			TLS:              []networkingv1.IngressTLS{{Hosts: []string{host}, SecretName: name + "-tls"}},
			Rules: []networkingv1.IngressRule{{Host: host, IngressRuleValue: networkingv1.IngressRuleValue{
				HTTP: &networkingv1.HTTPIngressRuleValue{Paths: []networkingv1.HTTPIngressPath{{
					Path: "/", PathType: ptr.To(networkingv1.PathTypePrefix),
					Backend: networkingv1.IngressBackend{Service: &networkingv1.IngressServiceBackend{
						Name: service, Port: networkingv1.ServiceBackendPort{Name: "http"},
					}},
				}}},
			}}},
		},
	}}
}

// Namespace moves it to another namespace.
func (b *IngressBuilder) Namespace(name string) *IngressBuilder {
	b.ingress.Namespace = name
	return b
}

// Annotate adds annotations.
func (b *IngressBuilder) Annotate(keysAndValues ...string) *IngressBuilder {
	b.ingress.Annotations = merged(b.ingress.Annotations, pairs(keysAndValues))
	return b
}

// With applies any other change.
func (b *IngressBuilder) With(change func(*networkingv1.Ingress)) *IngressBuilder {
	change(&b.ingress)
	return b
}

// Obj returns the Ingress.
func (b *IngressBuilder) Obj() *networkingv1.Ingress { return b.ingress.DeepCopy() }
