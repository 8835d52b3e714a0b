package issuer

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"time"

	"k8s.io/apimachinery/pkg/util/validation"
	"sigs.k8s.io/controller-runtime/pkg/log/zap"

	"github.com/hipaa-operator/hipaa-operator/internal/enrol"
	"github.com/hipaa-operator/hipaa-operator/internal/pki"
)

// Options are how the issuer is started.
type Options struct {
	// Namespace is where the operator lives.
	Namespace string
	// TrustDomain is that of every identity. It stays: another one is another world.
	TrustDomain string
	// Address is where certificates are asked for.
	Address string
	// MetricsAddress serves metrics, behind TokenReview and SubjectAccessReview.
	MetricsAddress string
	// HealthAddress serves /healthz and /readyz.
	HealthAddress string
	// Plan is how long everything lasts.
	Plan pki.Plan
	// Refresh is how often the roots are read.
	Refresh time.Duration
	// Log says how to log.
	Log zap.Options
}

const (
	// managerAccount is the ServiceAccount that signs configurations, egressAccount that
	// of the gate through which calls leave to vendors.
	managerAccount, egressAccount = "hipaa-operator-manager", "phi-egress"
	// How admission names the proxy's container, and tells it its PHIWorkload.
	proxyContainer, proxyWorkload = "phi-proxy", "--workload-uid="
)

// Bind declares the flags.
func (o *Options) Bind(flags *flag.FlagSet) {
	plan := pki.DefaultPlan()
	flags.StringVar(&o.Namespace, "namespace", os.Getenv("POD_NAMESPACE"), "the operator's namespace; by default that of its pod")
	flags.StringVar(&o.TrustDomain, "trust-domain", "cluster.local", "the host of every SPIFFE ID; roots are bound to it")
	flags.StringVar(&o.Address, "bind-address", ":9443", "where certificates are asked for")
	flags.StringVar(&o.MetricsAddress, "metrics-bind-address", ":8443", "where metrics are served; 0 turns them off")
	flags.StringVar(&o.HealthAddress, "health-probe-bind-address", ":8081", "where /healthz and /readyz are served")
	flags.DurationVar(&o.Plan.Leaf, "leaf-lifetime", plan.Leaf, "how long certificates of workloads last; they are renewed at half")
	flags.DurationVar(&o.Plan.Intermediate, "intermediate-lifetime", plan.Intermediate, "how long the certificate lasts by which a replica signs")
	flags.DurationVar(&o.Plan.Root, "root-lifetime", plan.Root, "how long roots last that the issuer makes")
	flags.DurationVar(&o.Plan.Renewal, "root-renewal", plan.Renewal, "how long before its end a root gets a successor")
	flags.DurationVar(&o.Plan.Distribution, "distribution", plan.Distribution, "how old a bundle may be that a workload goes by; a new root signs only after that")
	flags.DurationVar(&o.Plan.Grace, "grace", plan.Grace, "for how long after its end a certificate may be accepted during an outage")
	flags.DurationVar(&o.Refresh, "refresh", time.Minute, "how often the roots are read")
	o.Log.BindFlags(flags)
}

// complete checks.
func (o *Options) complete() error {
	if problems := validation.IsDNS1123Label(o.Namespace); len(problems) > 0 {
		return fmt.Errorf("reading --namespace: %q %s; without the flag it is POD_NAMESPACE", o.Namespace, problems[0])
	}
	if err := pki.CheckTrustDomain(o.TrustDomain); err != nil {
		return fmt.Errorf("reading --trust-domain: %w", err)
	}
	if o.Refresh <= 0 || o.Refresh > o.Plan.Leaf {
		return errors.New("reading --refresh: it is more than nothing and no longer than a leaf lasts")
	}
	return o.Plan.Check()
}

// names are those of the Service, as pods write them.
func (o *Options) names() []string {
	host := enrol.ServiceName + "." + o.Namespace + ".svc"
	return []string{host, host + ".cluster.local"}
}
