package catalog

import (
	"fmt"

	corev1 "k8s.io/api/core/v1"

	"github.com/hipaa-operator/hipaa-operator/internal/control"
	"github.com/hipaa-operator/hipaa-operator/internal/hipaa"
)

var _ = add(control.Control{
	ID:       "privileged-access",
	Title:    "Let nobody reach into a PHI pod without a grant",
	Cites:    []hipaa.Citation{hipaa.AccessControl, hipaa.ActivityReview},
	Severity: control.High,
	Since:    1,
	Why: "A shell in a PHI pod reads what the application reads, under the application's name: no access control of the application " +
		"applies to it and no audit log of the application shows it. A forwarded port passes every network policy. The built-in roles " +
		"edit and admin bring all of this along.",
	Remedy: "get a grant first: a ControlException for privileged-access on the PHIWorkload that ends with the work, decided by somebody else",
	Decides: "At admission: exec, attach, port-forward and requests proxied to a pod or Service are refused, whoever asks and whatever role " +
		"they have; so is an ephemeral container. A grant is a ControlException for this control on the PHIWorkload: with a reason and an " +
		"end, and decided by a second person. While one is in force everybody whose role allows it may reach into that workload, and each " +
		"use is on record: in the manager's log, as an annotation in the API server's audit log, in the metrics. A request that leads to pods " +
		"of several PHIWorkloads needs a grant for each; one that leads to none has nothing that it could be granted for. Live: an ephemeral " +
		"container that is there fails, for as long as its pod lives, and takes no pod away. Only mode Enforce refuses connections, so in any " +
		"other mode the verdict is Unknown at best. Probes of the kubelet and reading logs are no connections. Cannot be seen here: " +
		"nodes/proxy and the kubelet's own port.",
	Parameters: []control.Parameter{{
		Path: "controls", Basis: control.BasisProfile,
		Meaning: "The mode of this control is its only setting. The rule names no shell and no port; it has access granted and its use reviewed.",
	}},
	Example: `apiVersion: hipaa-operator.io/v1alpha1
kind: ControlException
metadata: {name: change-4711, namespace: ehr}
spec:
  controlID: privileged-access
  workloadRef: {name: patient-api}
  reason: Change 4711 takes a heap dump to find why the service slows down at noon.
  compensatingControl: Two people at one screen; the dump stays on the encrypted volume and is deleted with the change.
  expires: "2027-02-08T18:00:00Z"
`,
	Judges: control.Connections | control.Pods,
	Check: func(s control.Subject) []control.Finding {
		switch {
		case s.Connection != nil:
			return []control.Finding{checkConnection(&s)}
		case s.Pod != nil:
			return checkEphemeral(s.Pod)
		default:
			return nil
		}
	},
	Backstop: &control.Backstop{
		Faults: []control.Fault{{
			When: "(variables.whole ? object.spec.?ephemeralContainers.orValue([]) : variables.containers).size() > 0",
			Says: "spec.ephemeralContainers has one that is put into a running pod, which takes a grant",
		}},
		Less: "a connection tells no instant with which the end of a grant could be compared, so nothing but the webhook refuses it",
	},
	Breaks: control.Breaks{
		"a command in a pod":         breaksConnection(control.Exec),
		"attaching to a process":     breaksConnection(control.Attach),
		"a forwarded port":           breaksConnection(control.PortForward),
		"a request proxied to a pod": breaksConnection(control.PodProxy),
		"a request proxied to a Service": {Kind: control.Connections, Apply: func(s *control.Subject) {
			s.Connection.Way, s.Connection.Name = control.ServiceProxy, s.Workload.Name
		}},
		"an ephemeral container": breaksPod(func(p *corev1.PodSpec) {
			p.EphemeralContainers = append(p.EphemeralContainers, corev1.EphemeralContainer{
				EphemeralContainerCommon: corev1.EphemeralContainerCommon{
					Name: "debug", Image: "registry.example.org/tools:1.0.0", SecurityContext: p.Containers[0].SecurityContext,
				},
			})
		}),
	},
})

// reaching says what each way does, up to whose pods it does it to.
var reaching = map[control.Way]string{
	control.Exec:         "runs a command in a pod of",
	control.Attach:       "reaches the input and output of a process of",
	control.PortForward:  "reaches, past every network policy, ports of",
	control.PodProxy:     "reaches, past every network policy, a port of",
	control.ServiceProxy: "reaches, past every network policy, a port of",
}

func checkConnection(s *control.Subject) control.Finding {
	what := reaching[s.Connection.Way]
	if s.Workload == nil {
		return control.Failed("", "%s a namespace that holds PHI, and no PHIWorkload claims what it leads to", what).
			But("check the name; declare a PHIWorkload for what is there, and get a grant for it")
	}
	return control.Failed("", "%s PHIWorkload %s, which takes a grant", what, s.Workload.Name)
}

func checkEphemeral(pod *corev1.Pod) []control.Finding {
	var findings []control.Finding
	for i := range pod.Spec.EphemeralContainers {
		findings = append(findings, control.Failed(fmt.Sprintf("spec.ephemeralContainers[%d]", i), "is put into a running pod, which takes a grant").
			But("get a grant first, as for exec; if it is there already, replace the pod when the work is done"))
	}
	if len(findings) > 0 {
		return findings
	}
	return []control.Finding{control.Met("", "connections take a grant, and no container was put into a running pod")}
}

func breaksConnection(way control.Way) control.Break {
	return control.Break{Kind: control.Connections, Apply: func(s *control.Subject) { s.Connection.Way = way }}
}
