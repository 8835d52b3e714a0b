package catalog

import (
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/utils/ptr"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
	"github.com/hipaa-operator/hipaa-operator/internal/control"
	"github.com/hipaa-operator/hipaa-operator/internal/hipaa"
	"github.com/hipaa-operator/hipaa-operator/internal/injection"
)

var _ = add(control.Control{
	ID:       "mutual-tls",
	Title:    "Let PHI pods speak mutual TLS",
	Cites:    []hipaa.Citation{hipaa.TransmissionEncryption, hipaa.TransmissionSecurity, hipaa.EntityAuthentication},
	Severity: control.Critical,
	Since:    1,
	Why: "What pods say to each other crosses cables, switches and other people's machines. In plaintext everybody on the way reads it, and " +
		"whoever takes an address is taken for its owner. With mutual TLS nobody reads along, and both sides prove who they are.",
	Remedy: "create the pod anew, so that admission gives it the operator's proxy",
	Decides: "Admission puts the proxy, a container phi-proxy, before everything else in the pod. It has a certificate of the workload's identity, " +
		"takes calls for the ports that the PHIWorkload declares from those whom it lets in, and makes the calls that it declares. Names of " +
		"ports lead to the proxy; so does name resolution for declared destinations. At admission and live, a pod is refused whose proxy is " +
		"missing or another one, that has containers which pass for it or reach into it, or that leads callers past it; and a Service that leads " +
		"to a port of the application by its number. Live, policies let nobody to the ports of the application itself once every pod has its " +
		"proxy, and those of its declared callers have theirs; as long as one has none the verdict is Fail. Until then proxies take plaintext " +
		"from declared callers, and they call in plaintext whoever has a pod without a proxy, so that nobody is cut off while pods are " +
		"replaced one by one. A gateway that shows no certificate and is known by its addresses is a lower grade, and the message says so; " +
		"one that may speak plaintext is a failure. Where the operator was installed without a proxy the verdict " +
		"is Fail, and admission refuses nothing for it. While the issuer has published no roots, it refuses pods until it has.",
	Parameters: []control.Parameter{
		{Path: "transmission.proxy.minimumTLS", Basis: control.BasisGuidance, Meaning: "The oldest version of TLS that proxies speak (NIST SP 800-52r2). Absent means 1.3."},
		{
			Path: "transmission.proxy.outageGrace", Basis: control.BasisProfile,
			Meaning: "For how long after its end the certificate of a known peer is taken while the issuer cannot be reached, so that its outage is not the hospital's. Absent means 72h.",
		},
		{
			Path: "transmission.proxy.capture", Basis: control.BasisProfile,
			Meaning: "Redirect lets workloads ask by spec.transmission.capture that rules in the pod bring all of its traffic to the proxy. That takes an init container with NET_ADMIN. Absent means Names.",
		},
		{Path: "transmission.proxy.cpu", Basis: control.BasisProfile, Meaning: "What a proxy asks for. Absent means 20m."},
		{Path: "transmission.proxy.memory", Basis: control.BasisProfile, Meaning: "What a proxy asks for, and may not exceed. Absent means 64Mi."},
	},
	Example: `apiVersion: v1
kind: Service
metadata: {name: patient-api, namespace: ehr}
spec:
  selector: {app: patient-api}
  ports: [{name: http, port: 80, targetPort: http}]
`,
	Judges:    control.Pods | control.Services | control.Workloads,
	Needs:     control.Proxies,
	NeedsLive: control.FlowPeers | control.Vendors,
	Check:     checkMutualTLS,
	Mutate:    injectProxy,
	Lasts:     hasProxies,
	Keeps:     injection.CheckUpdate,
	Owns:      proxyConfiguration,
	Replaces:  true,
	Breaks: control.Breaks{
		"a gateway that speaks plaintext": {Kind: control.Workloads, Reported: true, Apply: func(s *control.Subject) {
			s.Profile.Network.Gateways = map[string]hipaav1.Gateway{"edge": {Name: "edge", Namespace: "ingress", Authentication: hipaav1.GatewayPlaintext}}
			s.Workload.Spec.Access = &hipaav1.Access{From: []hipaav1.AccessPeer{{Gateway: &hipaav1.GatewayPeer{Name: "edge"}}}}
		}},
		"a caller without a proxy": {Kind: control.Workloads, Reported: true, Apply: func(s *control.Subject) {
			s.Workload.Status.Proxy.Plaintext = hipaav1.PlaintextOpen
			s.Workload.Spec.Access = &hipaav1.Access{From: []hipaav1.AccessPeer{{PHIWorkload: &hipaav1.PHIWorkloadPeer{Name: "portal"}}}}
			s.World.Parties = map[types.NamespacedName]control.Party{{Namespace: s.Workload.Namespace, Name: "portal"}: {Pods: []*corev1.Pod{{}}}}
		}},
		"the node's network": breaksPod(func(p *corev1.PodSpec) { p.HostNetwork = true }),
		"a container by the name of the proxy": breaksPod(func(p *corev1.PodSpec) {
			c := *p.Containers[0].DeepCopy()
			c.Name = injection.Name
			p.Containers = append(p.Containers, c)
		}),
		"a second proxy": {Kind: control.Pods, Apply: func(s *control.Subject) {
			c := *s.Pod.Spec.Containers[0].DeepCopy()
			c.Name, c.Image, c.Ports = "phi-proxy-two", s.World.Proxy.Image, nil
			s.Pod.Spec.InitContainers = append(s.Pod.Spec.InitContainers, c)
		}},
		"processes in common": breaksPod(func(p *corev1.PodSpec) { p.ShareProcessNamespace = ptr.To(true) }),
		"the proxy's token in another container": breaksPod(func(p *corev1.PodSpec) {
			p.Containers[0].VolumeMounts = append(p.Containers[0].VolumeMounts, corev1.VolumeMount{Name: "phi-proxy-trust", MountPath: "/var/run/borrowed"})
		}),
		"a token for the issuer in a volume of its own": breaksPod(func(p *corev1.PodSpec) {
			p.Volumes = append(p.Volumes, corev1.Volume{Name: "borrowed", VolumeSource: corev1.VolumeSource{Projected: &corev1.ProjectedVolumeSource{
				Sources: []corev1.VolumeProjection{{ServiceAccountToken: &corev1.ServiceAccountTokenProjection{Audience: "issuer.hipaa-operator.io", Path: "token"}}},
			}}})
		}),
		"another resolver": breaksPod(func(p *corev1.PodSpec) {
			p.Containers[0].VolumeMounts = append(p.Containers[0].VolumeMounts, corev1.VolumeMount{Name: "data", MountPath: "/etc/resolv.conf", SubPath: "resolv.conf"})
		}),
		"a name of the cluster in the hosts file": breaksPod(func(p *corev1.PodSpec) {
			p.HostAliases = append(p.HostAliases, corev1.HostAlias{IP: "192.0.2.1", Hostnames: []string{"patient-db.ehr.svc"}})
		}),
		"the port of the node": breaksPod(func(p *corev1.PodSpec) { p.Containers[0].Ports[0].HostPort = 8080 }),
		"a Service by the number of the port": {Kind: control.Services, Apply: func(s *control.Subject) {
			s.Service.Spec.Ports[0].TargetPort = intstr.FromInt32(s.Workload.Spec.Ports[0].Port)
		}},
		"an operator without a proxy": {Kind: control.Workloads, Reported: true, Apply: func(s *control.Subject) { s.World.Proxy = nil }},
		"a workload that plaintext still reaches": {Kind: control.Workloads, Reported: true, Apply: func(s *control.Subject) {
			s.Workload.Status.Proxy.Plaintext = hipaav1.PlaintextOpen
		}},
	},
})
