package catalog

import (
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
	"github.com/hipaa-operator/hipaa-operator/internal/control"
	"github.com/hipaa-operator/hipaa-operator/internal/hipaa"
	"github.com/hipaa-operator/hipaa-operator/internal/injection"
	"github.com/hipaa-operator/hipaa-operator/internal/proxy/config"
)

// refusedCallers is what callers are told of the safeguard.
var refusedCallers = config.Refusal{Control: "mutual-tls", Citation: "45 CFR " + hipaa.TransmissionSecurity.Paragraph}

func checkMutualTLS(s control.Subject) []control.Finding {
	switch {
	case s.Workload == nil:
		return nil
	case s.Kind() == control.Workloads:
		return checkProxies(&s)
	case s.World.Proxy == nil:
		return nil // the workload as a whole fails for it
	case s.Kind() == control.Pods:
		return checkProxied(&s)
	case s.Kind() == control.Services:
		return injection.PlanOf(&s).CheckService(s.Service, s.World.Pods)
	default:
		return nil
	}
}

// checkProxies judges the workload as a whole.
func checkProxies(s *control.Subject) []control.Finding {
	bare := 0
	for _, pod := range s.World.Pods {
		if !control.HasProxy(pod) {
			bare++
		}
	}
	status := s.Workload.Status.Proxy
	switch {
	case s.World.Proxy == nil:
		return []control.Finding{control.Failed("", "the operator was installed without a proxy, so that pods speak as their applications do").
			But("install it with proxy.enabled, or state another encryption by a ControlException").OnlyLive()}
	case bare > 0:
		return nil // each of them fails by itself
	case len(s.World.Pods) == 0:
		return []control.Finding{control.Met("", "no pod runs; admission gives each its proxy")}
	case status == nil:
		return []control.Finding{control.Undecided("", "its proxies have nothing yet that they go by").
			But("wait: the operator seals it as soon as it can; condition FlowsResolved says what keeps it").OnlyLive()}
	}
	if findings := checkCallers(s); len(findings) > 0 {
		return findings
	}
	if status.Plaintext != hipaav1.PlaintextClosed {
		return []control.Finding{control.Undecided("", "policies still let callers to the application's own ports").
			But("wait: they close now that every pod has its proxy and callers hear of it").OnlyLive()}
	}
	met := control.Met("", "%d pods speak mutual TLS by their proxies, and policies let nobody past them", len(s.World.Pods))
	if gateways := gatewaysBy(s, hipaav1.GatewayAddress); len(gateways) > 0 {
		met = control.Met("", "%d pods speak TLS by their proxies, and policies let nobody past them; of a lower grade: gateway %s shows no certificate and is known by its addresses alone",
			len(s.World.Pods), strings.Join(gateways, ", "))
	}
	return []control.Finding{met}
}

// checkCallers says who still calls in plaintext.
func checkCallers(s *control.Subject) []control.Finding {
	var findings []control.Finding
	if s.Workload.Status.Proxy.Plaintext != hipaav1.PlaintextClosed {
		for _, caller := range injection.BareCallers(s.Workload, s.World.Parties) {
			findings = append(findings, control.Failed("", "is called in plaintext by PHIWorkload %s, which has pods without a proxy", caller).
				But("roll out %s", caller.Name).OnlyLive())
		}
	}
	for _, gateway := range gatewaysBy(s, hipaav1.GatewayPlaintext) {
		findings = append(findings, control.Failed("", "lets gateway %s speak plaintext, as the profile says", gateway).
			But("let it speak TLS (docs/gateways.md), and set its authentication in network.gateways to Certificate or Address").OnlyLive())
	}
	return findings
}

// gatewaysBy are those that the workload lets in and that are known in this way.
func gatewaysBy(s *control.Subject, how hipaav1.GatewayAuthentication) []string {
	if s.Workload.Spec.Access == nil {
		return nil
	}
	var names []string
	for i := range s.Workload.Spec.Access.From {
		if peer := s.Workload.Spec.Access.From[i].Gateway; peer != nil && s.Profile.Network.Gateways[peer.Name].Authentication == how {
			names = append(names, peer.Name)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// checkProxied judges one pod. What the API server has stored was admitted with the
// configuration of its time.
func checkProxied(s *control.Subject) []control.Finding {
	plan := injection.PlanOf(s)
	if len(plan.NameServers) == 0 {
		return []control.Finding{control.Failed("", "has to ask for names by its proxy, and nobody knows where the cluster resolves them").
			But("name the addresses in network.dns of the profile, or let the Service kube-system/kube-dns have one")}
	}
	findings := refusedCapture(s)
	if of := injection.WorkloadOf(s.Pod); of != "" && of != plan.UID {
		findings = append(findings, control.Failed("", "has the proxy of another PHIWorkload").
			But("let one PHIWorkload alone select it; where another of the same name was before, create the pod anew"))
		plan.UID = of
	}
	if injection.Stored(s.Pod) {
		*plan = plan.Running(s.Pod)
	} else {
		*plan = plan.Beside(s.Pod)
	}
	return append(findings, plan.Check(s.Pod)...)
}

// refusedCapture says that a workload asks for what its profile does not let it have.
func refusedCapture(s *control.Subject) []control.Finding {
	if !control.AsksRedirect(s.Workload) || injection.CaptureOf(s) == hipaav1.CaptureRedirect {
		return nil
	}
	return []control.Finding{control.Failed("", "belongs to a PHIWorkload that asks for spec.transmission.capture: Redirect, which its profile does not allow").
		But("have the profile allow it by transmission.proxy.capture: Redirect, or ask for Names")}
}

// hasProxies reports whether other workloads know this one by its proxies. A new pod
// without one would be reached by nobody, whatever mode holds now.
func hasProxies(s control.Subject) bool { return s.Workload != nil && s.Workload.Status.Proxy != nil }

// injectProxy gives a pod the proxy.
func injectProxy(s control.Subject, pod *corev1.Pod) {
	if s.World.Proxy == nil || s.Workload == nil {
		return
	}
	injection.PlanOf(&s).Apply(pod)
}

// proxyConfiguration is what the proxies of the workload are configured by, sealed
// before it is written, and what the workload declares and they keep closed. Without a
// configuration the object has no content, so that what stands stays.
func proxyConfiguration(s control.Subject) (owned []client.Object, unresolved []string) {
	if s.World.Proxy == nil || s.Workload == nil {
		return nil, nil
	}
	object := &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{Namespace: s.Workload.Namespace, Name: injection.ConfigMapOf(s.Workload.Name), Labels: ownedLabels(&s)},
	}
	c, closed, err := injection.Configuration(&s, injection.SettingsOf(&s, refusedCallers, refusedUsers))
	if err != nil {
		return []client.Object{object}, []string{"its proxies get no configuration: " + err.Error()}
	}
	text, err := injection.Encode(c)
	if err != nil {
		return []client.Object{object}, []string{"its proxies get no configuration: " + err.Error()}
	}
	object.Data = map[string]string{injection.FileConfiguration: string(text)}
	return []client.Object{object}, closed
}
