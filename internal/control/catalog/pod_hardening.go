package catalog

import (
	corev1 "k8s.io/api/core/v1"
	"k8s.io/utils/ptr"

	"github.com/hipaa-operator/hipaa-operator/internal/control"
	"github.com/hipaa-operator/hipaa-operator/internal/hipaa"
	"github.com/hipaa-operator/hipaa-operator/internal/injection"
)

var _ = add(control.Control{
	ID:       "pod-hardening",
	Title:    "Keep PHI pods inside their container",
	Cites:    []hipaa.Citation{hipaa.AccessControl, hipaa.RiskManagement},
	Severity: control.Critical,
	Since:    1,
	Why: "A process that leaves its container, by privilege, by the node's namespaces or by the node's disk, reads the memory " +
		"and files of every pod on the node. No control on the data itself survives that.",
	Remedy: "make the pod satisfy Pod Security level restricted",
	Decides: "The pod decides, at admission and live alike: every check of Pod Security level restricted, in the newest version " +
		"that this release of the operator knows, for containers, init containers and ephemeral containers; beyond it, no process " +
		"namespace shared between containers. A pod of Linux that runs in a user namespace (hostUsers: false) may run as root in it, " +
		"as Pod Security says. The container phi-proxy-rules, which admission puts into pods whose traffic is redirected, may have NET_ADMIN and " +
		"be root, if it is the very one that admission makes. The operator changes nothing by itself: each of these settings can break an application that relies on " +
		"its absence, so that only its team can make it.",
	Parameters: []control.Parameter{{
		Path: "controls", Basis: control.BasisProfile,
		Meaning: "The mode of this control is its only setting. Pod Security restricted has no parameters, and a part of it cannot be left out.",
	}},
	Example: `apiVersion: v1
kind: Pod
metadata:
  name: patient-api
  namespace: ehr
  labels: {app: patient-api}
spec:
  serviceAccountName: patient-api
  securityContext:
    runAsNonRoot: true
    seccompProfile: {type: RuntimeDefault}
  containers:
  - name: app
    image: registry.example.org/patient-api:1.0.0
    securityContext:
      allowPrivilegeEscalation: false
      capabilities: {drop: [ALL]}
`,
	Judges:   control.Pods,
	Check:    checkHardening,
	Backstop: hardeningBackstop,
	Replaces: true,
	Satisfy: func(s *control.Subject) {
		for _, pod := range podsOf(s) {
			pod.Spec.SecurityContext = &corev1.PodSecurityContext{
				RunAsNonRoot:   ptr.To(true),
				SeccompProfile: &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault},
			}
			for i := range pod.Spec.Containers {
				pod.Spec.Containers[i].SecurityContext = &corev1.SecurityContext{
					AllowPrivilegeEscalation: ptr.To(false),
					Capabilities:             &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}},
				}
			}
		}
	},
	Breaks: control.Breaks{
		"a privileged container": breaksContainer(func(c *corev1.SecurityContext) {
			c.Privileged, c.AllowPrivilegeEscalation = ptr.To(true), nil
		}),
		"privilege escalation": breaksContainer(func(c *corev1.SecurityContext) { c.AllowPrivilegeEscalation = ptr.To(true) }),
		"a capability kept":    breaksContainer(func(c *corev1.SecurityContext) { c.Capabilities = nil }),
		"an unconfined container": breaksContainer(func(c *corev1.SecurityContext) {
			c.SeccompProfile = &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeUnconfined}
		}),
		"the root user": breaksPod(func(p *corev1.PodSpec) { p.SecurityContext.RunAsNonRoot = nil }),
		"the user 0": breaksPod(func(p *corev1.PodSpec) {
			p.SecurityContext.RunAsUser, p.SecurityContext.RunAsNonRoot = ptr.To[int64](0), ptr.To(false)
		}),
		"the node's network": breaksPod(func(p *corev1.PodSpec) { p.HostNetwork = true }),
		"the node's processes": breaksPod(func(p *corev1.PodSpec) {
			p.HostPID = true
		}),
		"the node's disk": breaksPod(func(p *corev1.PodSpec) {
			p.Volumes = append(p.Volumes, corev1.Volume{Name: "node", VolumeSource: corev1.VolumeSource{
				HostPath: &corev1.HostPathVolumeSource{Path: "/var"},
			}})
		}),
		"a port of the node": breaksPod(func(p *corev1.PodSpec) {
			p.Containers[0].Ports = append(p.Containers[0].Ports, corev1.ContainerPort{ContainerPort: 9099, HostPort: 9099})
		}),
		"shared processes": breaksPod(func(p *corev1.PodSpec) { p.ShareProcessNamespace = ptr.To(true) }),
		"a privileged init container": breaksPod(func(p *corev1.PodSpec) {
			p.InitContainers = append(p.InitContainers, corev1.Container{
				Name: "prepare", Image: "registry.example.org/prepare:1.0.0",
				SecurityContext: &corev1.SecurityContext{Privileged: ptr.To(true)},
			})
		}),
	},
})

func checkHardening(s control.Subject) []control.Finding {
	if s.Pod == nil {
		return nil
	}
	var findings []control.Finding
	if ptr.Deref(s.Pod.Spec.ShareProcessNamespace, false) {
		findings = append(findings, control.Failed("spec.shareProcessNamespace", "is true").
			But("remove it: containers that share processes read each other's memory and files"))
	}
	findings = append(findings, restricted.findings(injection.RulesOf(&s).Hardened(s.Pod))...)
	if len(findings) > 0 {
		return findings
	}
	return []control.Finding{control.Met("", "Pod Security restricted holds, and no processes are shared")}
}

// podsOf are the pod under judgement and the live ones.
func podsOf(s *control.Subject) []*corev1.Pod {
	if s.Pod == nil {
		return s.World.Pods
	}
	return append([]*corev1.Pod{s.Pod}, s.World.Pods...)
}

func breaksPod(change func(*corev1.PodSpec)) control.Break {
	return control.Break{Kind: control.Pods, Apply: func(s *control.Subject) { change(&s.Pod.Spec) }}
}

func breaksContainer(change func(*corev1.SecurityContext)) control.Break {
	return breaksPod(func(p *corev1.PodSpec) { change(p.Containers[0].SecurityContext) })
}
