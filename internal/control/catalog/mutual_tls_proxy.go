package catalog

import (
	"fmt"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
	"github.com/hipaa-operator/hipaa-operator/internal/control"
	"github.com/hipaa-operator/hipaa-operator/internal/hipaa"
	"github.com/hipaa-operator/hipaa-operator/internal/injection"
	"github.com/hipaa-operator/hipaa-operator/internal/proxy/config"
	"github.com/hipaa-operator/hipaa-operator/internal/reach"
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
		return checkTargets(&s)
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
	case status.Plaintext != hipaav1.PlaintextClosed:
		return []control.Finding{control.Undecided("", "policies still let callers to the application's own ports").
			But("wait: they close now that every pod has its proxy").OnlyLive()}
	default:
		return []control.Finding{control.Met("", "%d pods speak mutual TLS by their proxies, and policies let nobody past them", len(s.World.Pods))}
	}
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
	if s.Pod.ResourceVersion != "" {
		*plan = plan.Running(s.Pod)
	} else {
		*plan = plan.Beside(s.Pod)
	}
	return append(findings, plan.Check(s.Pod)...)
}

// refusedCapture says that a workload asks for what its profile does not let it have.
func refusedCapture(s *control.Subject) []control.Finding {
	if t := s.Workload.Spec.Transmission; t == nil || t.Capture != hipaav1.CaptureRedirect || injection.CaptureOf(s) == hipaav1.CaptureRedirect {
		return nil
	}
	return []control.Finding{control.Failed("", "belongs to a PHIWorkload that asks for spec.transmission.capture: Redirect, which its profile does not allow").
		But("have the profile allow it by transmission.proxy.capture: Redirect, or ask for Names")}
}

// checkTargets judges a Service that leads to the workload.
func checkTargets(s *control.Subject) []control.Finding {
	if injection.CaptureOf(s) == hipaav1.CaptureRedirect {
		return nil // whatever port is called, the proxy is reached
	}
	if s.Service.Spec.ClusterIP == corev1.ClusterIPNone || s.Service.Spec.Type == corev1.ServiceTypeExternalName || len(s.Service.Spec.Selector) == 0 {
		return nil
	}
	var findings []control.Finding
	for i := range s.Service.Spec.Ports {
		port := &s.Service.Spec.Ports[i]
		if port.Protocol != corev1.ProtocolTCP && port.Protocol != "" {
			continue
		}
		number := reach.TargetPort(port).First
		for j := range s.Workload.Spec.Ports {
			if own := &s.Workload.Spec.Ports[j]; own.Port == number {
				findings = append(findings, control.Failed(fmt.Sprintf("spec.ports[%d].targetPort", i), "is %d, which leads to the application past its proxy", number).
					But("name the port: targetPort: %s", injection.PortName(s, own)))
			}
		}
	}
	return findings
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

// proxyConfigurations are what the proxies of the workload are configured by. It is
// sealed before it is written.
func proxyConfigurations(s control.Subject) []client.Object {
	if s.World.Proxy == nil || s.Workload == nil {
		return nil
	}
	owned := &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{Namespace: s.Workload.Namespace, Name: injection.ConfigMapOf(s.Workload.Name), Labels: ownedLabels(&s)},
	}
	c, _, err := injection.Configuration(&s, injection.SettingsOf(&s, refusedCallers))
	if err != nil {
		return []client.Object{owned} // without anything to seal, so that what stands stays; unproxiedFlows says why
	}
	text, err := injection.Encode(c)
	if err != nil {
		return []client.Object{owned}
	}
	owned.Data = map[string]string{injection.FileConfiguration: string(text)}
	return []client.Object{owned}
}

// unproxiedFlows says what the workload declares and its proxies keep closed.
func unproxiedFlows(s control.Subject) []string {
	if s.World.Proxy == nil || s.Workload == nil {
		return nil
	}
	_, closed, err := injection.Configuration(&s, injection.SettingsOf(&s, refusedCallers))
	if err != nil {
		return []string{"its proxies get no configuration: " + err.Error()}
	}
	return closed
}
