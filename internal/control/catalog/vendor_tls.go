package catalog

import (
	"fmt"
	"net/netip"
	"strings"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
	"github.com/hipaa-operator/hipaa-operator/internal/agreement"
	"github.com/hipaa-operator/hipaa-operator/internal/control"
	"github.com/hipaa-operator/hipaa-operator/internal/hipaa"
)

var _ = add(control.Control{
	ID:       "vendor-tls",
	Title:    "Let PHI reach vendors in TLS, at their declared hosts alone",
	Cites:    []hipaa.Citation{hipaa.TransmissionEncryption, hipaa.TransmissionSecurity, hipaa.BusinessAssociateContract},
	Severity: control.Critical,
	Since:    1,
	Why: "What goes to a vendor crosses networks that belong to others. In plaintext everybody on the way reads it; and whoever can have an " +
		"application call another host, by its settings, its name servers or an address, gets the data without any agreement.",
	Remedy: "install the operator with its proxy and phi-egress, and let nothing but them lead out",
	Decides: "Live alone, by what is in force. Applications call a vendor by a name that their proxy answers for; the proxy wants TLS of 1.2 or newer that names " +
		"a host which the Vendor declares, and hands the call to phi-egress, which decides the same anew by the caller's certificate, looks " +
		"the name up for itself and dials nothing inside. The verdict is Pass where phi-egress runs and lets this workload out to each host of each " +
		"vendor that it names, or has closed calls to it; Unknown where the operator has no proxy, phi-egress is not installed or takes no calls, or does " +
		"not know the workload yet; and Fail for a pod without the proxy, and for an ipBlock under spec.egress.to that opens a port of the vendor " +
		"outside of private networks, because it leads past phi-egress. Certificates of vendors are verified by the applications, which speak the TLS themselves. " +
		"A PHIWorkload that names no vendor is not judged.",
	Parameters: []control.Parameter{{
		Path: "controls", Basis: control.BasisProfile,
		Meaning: "The mode of this control. Where it is Off, calls to vendors leave by phi-egress all the same; what stays away is the verdict.",
	}},
	Example: `apiVersion: hipaa-operator.io/v1alpha1
kind: PHIWorkload
metadata: {name: patient-api, namespace: ehr}
spec:
  selector: {matchLabels: {app: patient-api}}
  continuity: PatientCare
  owner: {team: clinical-apps, contacts: [clinical-apps@example.org]}
  dataClasses: [Clinical]
  egress: {to: [{vendor: {name: eprescribe}}]}
`,
	Judges:    control.Workloads,
	Needs:     control.Vendors,
	NeedsLive: control.Proxies,
	Check:     checkVendorTLS,
	Breaks: control.Breaks{
		"calls to vendors and no proxy to make them": live(func(s *control.Subject) { s.World.Proxy = nil }),
		"an operator without phi-egress":             live(func(s *control.Subject) { s.World.Egress = nil }),
		"phi-egress of which no pod is ready": live(func(s *control.Subject) {
			s.World.Egress = &control.Egress{Exits: s.World.Egress.Exits}
		}),
		"a host to which phi-egress lets nobody out": live(func(s *control.Subject) {
			s.World.Egress = &control.Egress{Ready: s.World.Egress.Ready}
		}),
		"a pod that calls without the proxy": live(func(s *control.Subject) {
			bare := s.World.Pods[0].DeepCopy()
			bare.Name, bare.Spec.InitContainers = "bare", nil
			s.World.Pods = append(s.World.Pods, bare)
		}),
		"a way past phi-egress": live(func(s *control.Subject) {
			s.Workload.Spec.Egress.To = append(s.Workload.Spec.Egress.To, hipaav1.EgressPeer{
				IPBlock: &hipaav1.IPBlockPeer{CIDR: "203.0.113.0/24"}, Ports: []hipaav1.PeerPort{{Port: s.World.Vendors["eprescribe"].Spec.Hosts[0].Port}},
			})
		}),
	},
})

// checkVendorTLS judges each vendor that the workload names.
func checkVendorTLS(s control.Subject) []control.Finding {
	if s.Kind() != control.Workloads || s.Workload == nil {
		return nil
	}
	var findings []control.Finding
	named := false
	if s.Workload.Spec.Egress != nil {
		for i := range s.Workload.Spec.Egress.To {
			to := &s.Workload.Spec.Egress.To[i]
			if to.Vendor == nil {
				continue
			}
			if without := withoutEgress(&s); !named && len(without) > 0 {
				return without
			}
			named = true
			findings = append(findings, calledInTLS(&s, to.Vendor.Name, fmt.Sprintf("spec.egress.to[%d].vendor", i))...)
		}
	}
	if !named {
		return []control.Finding{control.NotApplicable("it declares no vendor, and nothing else may leave")}
	}
	return findings
}

// withoutEgress is what keeps anybody from telling how calls leave.
func withoutEgress(s *control.Subject) []control.Finding {
	egress := s.World.Egress
	switch {
	case s.World.Proxy == nil:
		return []control.Finding{control.Undecided("", "the operator was installed without a proxy, so that nothing says how calls to vendors leave").
			But("install it with proxy.enabled").OnlyLive()}
	case egress == nil:
		return []control.Finding{control.Undecided("", "phi-egress, by which calls to vendors leave, is not installed or not configured yet").
			But("install config/egress beside the operator, as proxy.enabled of the chart does").OnlyLive()}
	}
	var findings []control.Finding
	for _, pod := range s.World.Pods {
		if !control.HasProxy(pod) {
			findings = append(findings, control.Failed("", "pod %s has no proxy, so that nothing asks for TLS of what it sends", pod.Name).
				But("create the pod anew, so that admission gives it the proxy").OnlyLive())
		}
	}
	if egress.Ready == 0 {
		findings = append(findings, control.Undecided("", "no pod of phi-egress takes calls").
			But("see what its pods say of themselves at /readyz").OnlyLive())
	}
	return findings
}

// calledInTLS judges how calls reach one vendor.
func calledInTLS(s *control.Subject, name, path string) []control.Finding {
	v := s.World.Vendors[name]
	if v == nil {
		return []control.Finding{control.Undecided(path, "is %q, which no Vendor declares, so that no call leaves for it", name).
			But("ask the privacy officer to declare Vendor %q with its hosts and its agreement, or leave the flow out", name).OnlyLive()}
	}
	if past := waysPast(s, v); len(past) > 0 {
		return past
	}
	changes := agreement.Changes(v.Spec.Agreement, s.Now)
	calls := agreement.CallsTo(v, s.Now)
	if !calls.Open {
		return []control.Finding{control.Met(path, "is %q, to which phi-egress lets no call out: %s", name, calls.Why()).EndsAt(changes)}
	}
	if len(s.World.Pods) == 0 {
		return []control.Finding{control.Met(path, "is %q, and no pod runs that calls it", name)}
	}
	var hosts []string
	for _, host := range v.Spec.Hosts {
		if !letsOut(s, host) {
			return []control.Finding{control.Undecided(path, "is %q, to whose host %s:%d phi-egress does not let this workload out", name, host.Name, host.Port).
				But("wait: it learns of a workload from its first pod; a name of the cluster is no vendor's").OnlyLive()}
		}
		hosts = append(hosts, fmt.Sprintf("%s:%d", host.Name, host.Port))
	}
	return []control.Finding{control.Met(path, "is %q, called in TLS at %s and by phi-egress alone", name, strings.Join(hosts, ", ")).EndsAt(changes)}
}

// letsOut reports whether phi-egress lets any identity of the workload out to a host.
func letsOut(s *control.Subject, host hipaav1.VendorHost) bool {
	if s.Workload.Status.Proxy == nil {
		return false
	}
	for _, account := range s.Workload.Status.Proxy.ServiceAccounts {
		if s.World.Egress.Exits[control.Exit{From: s.World.Proxy.Identity(s.Workload.Namespace, account), Host: host.Name, Port: host.Port}] {
			return true
		}
	}
	return false
}

// waysPast are declared ranges by which the ports of a vendor are reached without
// phi-egress.
func waysPast(s *control.Subject, v *hipaav1.Vendor) []control.Finding {
	var findings []control.Finding
	for i := range s.Workload.Spec.Egress.To {
		to := &s.Workload.Spec.Egress.To[i]
		if to.IPBlock == nil {
			continue
		}
		prefix, err := netip.ParsePrefix(to.IPBlock.CIDR)
		if err != nil || prefix.Addr().IsPrivate() && prefix.Bits() >= privateBits(prefix.Addr()) {
			continue
		}
		for _, port := range to.Ports {
			for _, host := range v.Spec.Hosts {
				if port.Port == host.Port {
					findings = append(findings, control.Failed(fmt.Sprintf("spec.egress.to[%d].ipBlock", i), "opens port %d, by which Vendor %q can be called past phi-egress, in plaintext and at any host", port.Port, v.Name).
						As(fmt.Sprintf("%s past %s:%d", v.Name, to.IPBlock.CIDR, port.Port)).
						But("take the port away from the range, or declare whoever it is for as a Vendor").OnlyLive())
				}
			}
		}
	}
	return findings
}

// privateBits is how long a prefix of private networks is at least, by which it leads
// nowhere else.
func privateBits(a netip.Addr) int {
	switch first := a.As16(); {
	case !a.Unmap().Is4():
		return 7
	case first[12] == 10:
		return 8
	case first[12] == 172:
		return 12
	default:
		return 16
	}
}
