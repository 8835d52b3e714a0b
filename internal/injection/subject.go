package injection

import (
	"net/netip"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/utils/ptr"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
	"github.com/hipaa-operator/hipaa-operator/internal/control"
	"github.com/hipaa-operator/hipaa-operator/internal/enrol"
	"github.com/hipaa-operator/hipaa-operator/internal/proxy/config"
)

// Defaults of what profiles say about proxies.
const (
	defaultCPU    = "20m"
	defaultMemory = "64Mi"
)

// ConfigMapOf is the name of what configures the proxies of a workload.
func ConfigMapOf(workload string) string { return "hipaa-" + workload + "-proxy" }

// PlanOf is the plan for the pods of the subject's workload, under its profile. The
// subject has a workload, and its world a proxy.
func PlanOf(s *control.Subject) *Plan {
	proxy, w := s.World.Proxy, s.Workload
	plan := &Plan{
		UID: string(w.UID), Generation: generationFor(w), Ports: w.Spec.Ports, Capture: captureOfNew(s),
		Image: proxy.Image, Former: proxy.Former, Resources: resourcesOf(s.Profile.Transmission.Proxy), User: proxy.User,
		Issuer: proxy.Issuer, Audience: enrol.Audience, Roots: proxy.Roots,
		NameServers: NameServersOf(s), ConfigMap: ConfigMapOf(w.Name),
		Searches: []string{w.Namespace + ".svc." + proxy.ClusterDomain, "svc." + proxy.ClusterDomain, proxy.ClusterDomain},
		Options:  []corev1.PodDNSConfigOption{{Name: "ndots", Value: ptr.To("5")}},
		Calls:    callsOf(w),
	}
	return plan
}

// generationFor is the generation of a workload's configuration; the first is 1.
func generationFor(w *hipaav1.PHIWorkload) int64 {
	if w.Status.Proxy == nil {
		return 1
	}
	return w.Status.Proxy.ConfigurationGeneration
}

// NameServersOf are whom the proxies of the subject's workload ask for names: those that
// its profile names by their addresses, or else the cluster's. None means that nobody
// knows.
func NameServersOf(s *control.Subject) []netip.AddrPort {
	if servers := control.NamedServers(s.Profile); len(servers) > 0 {
		return servers
	}
	return s.World.Proxy.NameServers
}

// resourcesOf are what a proxy asks for, and how much memory it may have.
func resourcesOf(p *hipaav1.ProxyParameters) corev1.ResourceRequirements {
	cpu, memory := resource.MustParse(defaultCPU), resource.MustParse(defaultMemory)
	if p != nil && p.CPU != nil {
		cpu = p.CPU.DeepCopy()
	}
	if p != nil && p.Memory != nil {
		memory = p.Memory.DeepCopy()
	}
	return corev1.ResourceRequirements{
		Limits:   corev1.ResourceList{corev1.ResourceMemory: memory},
		Requests: corev1.ResourceList{corev1.ResourceCPU: cpu},
	}
}

// SettingsOf are those of the configuration of the subject's workload, under its
// profile, with the generation that its status tells. Refused callers and users are told of
// the safeguard that refused them.
func SettingsOf(s *control.Subject, refusal config.Refusal, users config.UserRefusals) Settings {
	proxy := s.World.Proxy
	with := Settings{
		Generation: generationFor(s.Workload), TrustDomain: proxy.TrustDomain, ClusterDomain: proxy.ClusterDomain, Egress: proxy.IssuerNamespace,
		OutageGrace: config.Duration(control.DefaultOutageGrace), Refusal: refusal, Users: users,
		NameServers: NameServersOf(s), Pods: s.World.Pods, Parties: s.World.Parties, Capture: CaptureOf(s),
	}
	if p := s.Profile.Transmission.Proxy; p != nil {
		with.TLS.MinVersion = string(p.MinimumTLS)
		if p.OutageGrace != nil {
			with.OutageGrace = config.Duration(p.OutageGrace.Duration)
		}
	}
	return with
}

// Regenerate writes a configuration that Encode wrote with another generation.
func Regenerate(encoded []byte, generation int64) ([]byte, error) {
	c, err := config.Parse(encoded)
	if err != nil {
		return nil, err
	}
	c.Workload.Generation = generation
	return Encode(c)
}
