package app

import (
	"errors"
	"flag"
	"fmt"
	"net/url"
	"os"

	"k8s.io/apimachinery/pkg/util/validation"
	"sigs.k8s.io/controller-runtime/pkg/log/zap"
)

// Options are how the manager is started.
type Options struct {
	// Namespace is where the operator lives.
	Namespace string
	// WebhookPort is where the webhooks are served.
	WebhookPort int
	// WebhookCertDir holds tls.crt and tls.key.
	WebhookCertDir string
	// WebhookBaseURL is set when the manager runs beside the cluster: the API
	// server calls this address instead of the Service.
	WebhookBaseURL string
	// WebhookClientCAFile holds who signs the client certificates of API servers.
	// Empty lets everybody ask who reaches the port.
	WebhookClientCAFile string
	// Certificates says who keeps the webhook certificate.
	Certificates CertificateSource
	// MetricsAddress serves metrics, behind TokenReview and SubjectAccessReview.
	MetricsAddress string
	// HealthAddress serves /healthz and /readyz.
	HealthAddress string
	// LeaderElection lets one replica reconcile; all of them answer webhooks.
	LeaderElection bool
	// Log says how to log.
	Log zap.Options
}

// CertificateSource says who keeps the webhook certificate.
type CertificateSource string

const (
	// CertificatesOwn means that the manager makes and rotates it.
	CertificatesOwn CertificateSource = "own"
	// CertificatesExternal means that somebody else, such as cert-manager, does.
	CertificatesExternal CertificateSource = "external"
)

// Bind declares the flags.
func (o *Options) Bind(flags *flag.FlagSet) {
	flags.StringVar(&o.Namespace, "namespace", os.Getenv("POD_NAMESPACE"), "the operator's namespace; by default that of its pod")
	flags.IntVar(&o.WebhookPort, "webhook-port", 9443, "where the webhooks are served")
	flags.StringVar(&o.WebhookCertDir, "webhook-cert-dir", "/tmp/k8s-webhook-server/serving-certs", "the folder of tls.crt and tls.key")
	flags.StringVar(&o.WebhookBaseURL, "webhook-base-url", "", "where the API server reaches a manager that runs beside the cluster, such as https://localhost:9443")
	flags.StringVar(&o.WebhookClientCAFile, "webhook-client-ca-file", "", "the authority, in PEM, whose client certificate the API servers must show; read at the start. By default anybody is answered")
	flags.Func("certificates", "who keeps the webhook certificate: own or external (default own)", func(value string) error {
		o.Certificates = CertificateSource(value)
		return nil
	})
	flags.StringVar(&o.MetricsAddress, "metrics-bind-address", ":8443", "where metrics are served; 0 turns them off")
	flags.StringVar(&o.HealthAddress, "health-probe-bind-address", ":8081", "where /healthz and /readyz are served")
	flags.BoolVar(&o.LeaderElection, "leader-elect", true, "let one replica reconcile; all of them answer webhooks")
	o.Log.BindFlags(flags)
}

// complete fills in and checks.
func (o *Options) complete() error {
	if o.Certificates == "" {
		o.Certificates = CertificatesOwn
	}
	if o.Certificates != CertificatesOwn && o.Certificates != CertificatesExternal {
		return fmt.Errorf("reading --certificates: %q is neither own nor external", o.Certificates)
	}
	if o.Namespace == "" {
		return errors.New("reading --namespace: it is empty, and POD_NAMESPACE is not set")
	}
	if problems := validation.IsDNS1123Label(o.Namespace); len(problems) > 0 {
		return fmt.Errorf("reading --namespace: %q %s", o.Namespace, problems[0])
	}
	if o.WebhookBaseURL == "" {
		return nil
	}
	base, err := url.Parse(o.WebhookBaseURL)
	if err != nil || base.Scheme != "https" || base.Host == "" {
		return fmt.Errorf("reading --webhook-base-url: %q is not of the form https://host:port", o.WebhookBaseURL)
	}
	return nil
}
