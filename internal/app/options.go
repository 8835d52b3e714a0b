package app

import (
	"errors"
	"flag"
	"fmt"
	"net/url"
	"os"
	"time"

	"k8s.io/apimachinery/pkg/util/validation"
	"sigs.k8s.io/controller-runtime/pkg/log/zap"

	"github.com/hipaa-operator/hipaa-operator/internal/enrol"
	"github.com/hipaa-operator/hipaa-operator/internal/pki"
)

// Options are how the manager is started.
type Options struct {
	// Namespace is where the operator lives.
	Namespace string
	// Pod is the name of the pod that this runs in; empty where it runs beside the cluster.
	Pod string
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
	// ProxyImage is the image of the proxy that pods of PHI workloads get. Empty gives
	// them none, and nobody is asked for certificates.
	ProxyImage string
	// ProxyFormerImages are others that are in order in pods that run.
	ProxyFormerImages []string
	// ProxyUser is the id that proxies run under and nobody else may; 0 leaves it to the
	// cluster.
	ProxyUser int64
	// ProxySettles is how long the proxies of callers may take to hear that all pods of a
	// workload have theirs. Plaintext stays open for so long.
	ProxySettles time.Duration
	// ClusterDomain is that of the names of Services.
	ClusterDomain string
	// IssuerAddress is the host of who gives certificates, to proxies as to the manager,
	// with its port where that is not 443.
	IssuerAddress string
	// IssuerTokenFile holds the manager's own token for it.
	IssuerTokenFile string
	// TrustDomain is that of every identity, as the issuer has it.
	TrustDomain string
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
	flags.StringVar(&o.Pod, "pod", os.Getenv("POD_NAME"), "the name of the operator's own pod; empty where it runs beside the cluster, from where nobody sees whether NetworkPolicies are enforced")
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
	flags.StringVar(&o.ProxyImage, "proxy-image", "", "the image of the proxy that pods of PHI workloads get; by default they get none")
	flags.Func("proxy-former-image", "an image of the proxy that is in order in pods that run; may be given several times", func(value string) error {
		o.ProxyFormerImages = append(o.ProxyFormerImages, value)
		return nil
	})
	flags.Int64Var(&o.ProxyUser, "proxy-user", 15443, "the user id that proxies run under and no other container may; 0 leaves it to the cluster, as OpenShift wants it")
	flags.DurationVar(&o.ProxySettles, "proxy-settles", 3*time.Minute, "for how long plaintext stays open once the last pod has its proxy; kubelets take up to two minutes to tell the proxies of callers")
	flags.StringVar(&o.ClusterDomain, "cluster-domain", "cluster.local", "the domain of the names of Services")
	flags.StringVar(&o.IssuerAddress, "issuer-address", "", "the host, and port where it is not 443, of the issuer of certificates; by default its Service in the operator's namespace")
	flags.StringVar(&o.IssuerTokenFile, "issuer-token", "/var/run/secrets/issuer.hipaa-operator.io/token", "the projected token of audience "+enrol.Audience)
	flags.StringVar(&o.TrustDomain, "trust-domain", "cluster.local", "the host of every SPIFFE ID, as the issuer has it")
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
	if err := o.completeProxies(); err != nil {
		return err
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

// proxyImages are those of proxies that are in order, that of new pods first.
func (o *Options) proxyImages() []string {
	if o.ProxyImage == "" {
		return nil
	}
	return append([]string{o.ProxyImage}, o.ProxyFormerImages...)
}

// completeProxies fills in and checks what proxies need, where there are any.
func (o *Options) completeProxies() error {
	if o.ProxyImage == "" {
		return nil
	}
	if o.IssuerAddress == "" {
		o.IssuerAddress = enrol.ServiceName + "." + o.Namespace + ".svc." + o.ClusterDomain
	}
	if o.ProxySettles < 0 {
		return errors.New("reading --proxy-settles: it is a span of time, such as 3m")
	}
	if problems := validation.IsDNS1123Subdomain(o.ClusterDomain); len(problems) > 0 {
		return fmt.Errorf("reading --cluster-domain: %q %s", o.ClusterDomain, problems[0])
	}
	if o.ProxyUser < 0 {
		return fmt.Errorf("reading --proxy-user: %d is no user id; 0 leaves it to the cluster", o.ProxyUser)
	}
	if err := pki.CheckTrustDomain(o.TrustDomain); err != nil {
		return fmt.Errorf("reading --trust-domain: %w", err)
	}
	return nil
}
