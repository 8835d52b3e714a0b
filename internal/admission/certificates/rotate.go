// Package certificates keeps the webhook server's certificate where cert-manager
// does not. Its promise: the certificate is renewed long before its end, both
// webhook configurations trust it, and of all Secrets one is read.
package certificates

import (
	"fmt"

	"github.com/open-policy-agent/cert-controller/pkg/rotator"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"
	ctrl "sigs.k8s.io/controller-runtime"

	"github.com/hipaa-operator/hipaa-operator/internal/guard"
)

// The rights that go with the Secret are a Role of the operator's namespace: get,
// list, watch and update of the one Secret by its name.
// +kubebuilder:rbac:groups=admissionregistration.k8s.io,resources=validatingwebhookconfigurations;mutatingwebhookconfigurations,verbs=get;list;watch
// +kubebuilder:rbac:groups=admissionregistration.k8s.io,resources=validatingwebhookconfigurations;mutatingwebhookconfigurations,resourceNames=hipaa-operator-validating;hipaa-operator-mutating,verbs=update

const (
	// SecretName is the Secret with the certificate; it must exist, empty at first.
	SecretName = "hipaa-operator-webhook-cert"
	// ServiceName is the Service that the certificate is for.
	ServiceName = "hipaa-operator-webhook"
)

// Options say for whom certificates are made and who must trust them.
type Options struct {
	// Namespace is that of the operator.
	Namespace string
	// ExtraNames are names beside those of the Service, for a manager that runs
	// beside the cluster.
	ExtraNames []string
	// Directory is where the Secret is mounted; the webhook server reads there.
	Directory string
	// Validating and Mutating are the names of the webhook configurations.
	Validating, Mutating string
}

// Rotate makes and renews the certificate with the manager, on every replica:
// each of them serves. The channel closes once the certificate is mounted and
// trusted; webhooks are registered after that.
func Rotate(mgr ctrl.Manager, o Options) (<-chan struct{}, error) {
	ready := make(chan struct{})
	host := fmt.Sprintf("%s.%s.svc", ServiceName, o.Namespace)
	err := rotator.AddRotator(ofOneSecret(mgr, SecretName), &rotator.CertRotator{
		SecretKey:      types.NamespacedName{Namespace: o.Namespace, Name: SecretName},
		CertDir:        o.Directory,
		CAName:         ServiceName + "-ca",
		CAOrganization: "hipaa-operator",
		DNSName:        host,
		ExtraDNSNames:  append([]string{host + ".cluster.local"}, o.ExtraNames...),
		IsReady:        ready,
		FieldOwner:     guard.CertificateFieldOwner,
		ControllerName: "webhook-certificates",
		Webhooks: []rotator.WebhookInfo{
			{Name: o.Validating, Type: rotator.Validating},
			{Name: o.Mutating, Type: rotator.Mutating},
		},
	})
	if err != nil {
		return nil, fmt.Errorf("setting up webhook certificates: %w", err)
	}
	return ready, nil
}

// narrowed is a manager whose configuration asks for one Secret only.
type narrowed struct {
	ctrl.Manager
	config *rest.Config
}

// GetConfig is the configuration with which the rotator builds its cache.
func (m narrowed) GetConfig() *rest.Config { return m.config }

// ofOneSecret narrows the rotator's cache, which would list every Secret of the
// namespace and so need the right to read them.
func ofOneSecret(mgr ctrl.Manager, name string) ctrl.Manager {
	config := rest.CopyConfig(mgr.GetConfig())
	config.Wrap(narrowSecrets(name))
	return narrowed{Manager: mgr, config: config}
}
