package catalog

import (
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
	"github.com/hipaa-operator/hipaa-operator/internal/control"
	"github.com/hipaa-operator/hipaa-operator/internal/hipaa"
)

var _ = add(control.Control{
	ID:       "intrusion-detection",
	Title:    "Watch every node that runs PHI",
	Cites:    []hipaa.Citation{hipaa.MaliciousSoftware, hipaa.ActivityReview, hipaa.IncidentResponse},
	Severity: control.High,
	Since:    1,
	Why: "What prevents is passed one day. Whoever is then inside a container reads for months where nothing looks at what processes do, and the " +
		"days until somebody notices decide how many people have to be told.",
	Remedy: "let a runtime sensor run on every node, tolerating all taints, or declare yours under detection.sensors of the profile",
	Decides: "Only live: on the node of each pod a pod of a runtime sensor is ready. Falco (DaemonSets of namespace falco), Tetragon (of " +
		"kube-system) and the GuardDuty agent (of amazon-guardduty) are known by the name of the DaemonSet and its namespace; others the profile " +
		"declares. What stands in a PHI namespace never counts: its tenants write there. A sensor on the node that is not ready fails as if it " +
		"were none, and a node without DaemonSets, as of Fargate, has none. Which rules the sensor follows, that somebody reads its alerts, and " +
		"that the API server's audit log goes to a system that does, no object of the cluster shows.",
	Parameters: []control.Parameter{{
		Path: "detection.sensors", Basis: control.BasisProfile,
		Meaning: "DaemonSets that count as runtime sensors beside those that are known. The rule asks to guard against malicious software, to review " +
			"activity and to respond to incidents; that it takes a sensor on each node is the profile's reading.",
	}},
	Example: `apiVersion: hipaa-operator.io/v1alpha1
kind: ComplianceProfile
metadata: {name: sensors}
spec:
  namespaceSelector: {matchLabels: {hipaa-operator.io/phi: "true"}}
  rulesetVersion: "2026.1"
  detection:
    sensors:
    - name: endpoint-agent
      namespace: security
      podSelector: {matchLabels: {app: endpoint-agent}}
`,
	Judges:    control.Pods,
	NeedsLive: control.Agents,
	Check: func(s control.Subject) []control.Finding {
		if s.Pod == nil {
			return nil
		}
		return []control.Finding{watched(&s)}
	},
	Satisfy: func(s *control.Subject) {
		s.World.Agents = map[string][]*corev1.Pod{}
		for _, pod := range podsOf(s) {
			s.World.Agents[pod.Spec.NodeName] = []*corev1.Pod{sensorPod("falco", "falco")}
		}
	},
	Breaks: control.Breaks{
		"a node without agents":                                      agentsAre(),
		"a node with other agents only":                              agentsAre(sensorPod("kube-system", "kube-proxy")),
		"a pod with the name of a sensor, in a namespace of its own": agentsAre(sensorPod("lab", "falco")),
		"a sensor that is not ready": agentsAre(func() *corev1.Pod {
			pod := sensorPod("falco", "falco")
			pod.Status.Conditions = nil
			return pod
		}()),
	},
})

// agentsAre leaves only some agents on every node.
func agentsAre(agents ...*corev1.Pod) control.Break {
	return control.Break{Kind: control.Pods, Reported: true, Apply: func(s *control.Subject) {
		for node := range s.World.Agents {
			s.World.Agents[node] = agents
		}
	}}
}

// sensorPod is a ready pod of a DaemonSet.
func sensorPod(namespace, daemonSet string) *corev1.Pod {
	controls := true
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: namespace, Name: daemonSet + "-x7k2p",
			OwnerReferences: []metav1.OwnerReference{{Kind: "DaemonSet", Name: daemonSet, Controller: &controls}},
		},
		Status: corev1.PodStatus{Conditions: []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue}}},
	}
}

// sensor is one that is known without being declared. Labels are anybody's to write
// who writes pods; that a DaemonSet of this name stands in this namespace takes
// rights there.
type sensor struct{ name, namespace, daemonSet string }

// sensors stand where their projects' instructions put them. A Helm release of
// another name precedes that of Falco's DaemonSet with its own.
var sensors = []sensor{
	{"Falco", "falco", "falco"},
	{"Tetragon", "kube-system", "tetragon"},
	{"the GuardDuty agent", "amazon-guardduty", "aws-guardduty-agent"},
}

// watched judges what runs on the node of the pod.
func watched(s *control.Subject) control.Finding {
	node := s.Pod.Spec.NodeName
	if node == "" {
		return control.Undecided("spec.nodeName", "is not set: no node has it yet").OnlyLive()
	}
	asleep := ""
	for _, agent := range s.World.Agents[node] {
		name := sensorOf(s, agent)
		switch {
		case name == "":
		case isReady(agent):
			return control.Met("spec.nodeName", "is node %s, which %s watches", node, name)
		default:
			asleep = fmt.Sprintf(": %s is there and not ready", name)
		}
	}
	return control.Failed("spec.nodeName", "is node %s, which no runtime sensor watches%s", node, asleep).OnlyLive()
}

// sensorOf names the sensor that an agent is of; empty if it is of none.
func sensorOf(s *control.Subject, agent *corev1.Pod) string {
	if agent == nil {
		return ""
	}
	owner := metav1.GetControllerOf(agent)
	if owner == nil {
		return ""
	}
	for _, known := range sensors {
		if agent.Namespace == known.namespace && (owner.Name == known.daemonSet || strings.HasSuffix(owner.Name, "-"+known.daemonSet)) {
			return known.name
		}
	}
	for i := range s.Profile.Sensors {
		if declares(&s.Profile.Sensors[i], agent) {
			return s.Profile.Sensors[i].Name
		}
	}
	return ""
}

// declares reports whether a declared sensor selects an agent. A selector that
// cannot be read selects none.
func declares(declared *hipaav1.Sensor, agent *corev1.Pod) bool {
	if declared.Namespace != agent.Namespace {
		return false
	}
	selector, err := metav1.LabelSelectorAsSelector(&declared.PodSelector)
	return err == nil && selector.Matches(labels.Set(agent.Labels))
}

func isReady(pod *corev1.Pod) bool {
	for _, condition := range pod.Status.Conditions {
		if condition.Type == corev1.PodReady {
			return condition.Status == corev1.ConditionTrue
		}
	}
	return false
}
