package catalog

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
	"github.com/hipaa-operator/hipaa-operator/internal/phitest"
)

func TestNodesOfPodsAreWatched(t *testing.T) {
	detection := controlOf("intrusion-detection")
	asleep, own, bare := sensorPod("kube-system", "tetragon"), sensorPod("security", "agent"), sensorPod("falco", "falco")
	asleep.Status.Conditions[0].Status = corev1.ConditionFalse
	own.Labels = map[string]string{"app": "agent"}
	bare.OwnerReferences = nil
	nobody := []string{"spec.nodeName is node node-1, which no runtime sensor watches (live)"}
	for name, tc := range map[string]struct {
		agents   []*corev1.Pod
		declared []hipaav1.Sensor
		pending  bool
		want     []string
	}{
		"by Falco":               {agents: []*corev1.Pod{sensorPod("falco", "falco")}, want: []string{"Pass: spec.nodeName is node node-1, which Falco watches"}},
		"by Falco of a release":  {agents: []*corev1.Pod{sensorPod("falco", "prod-falco")}, want: []string{"Pass: spec.nodeName is node node-1, which Falco watches"}},
		"by the GuardDuty agent": {agents: []*corev1.Pod{sensorPod("amazon-guardduty", "aws-guardduty-agent")}, want: []string{"Pass: spec.nodeName is node node-1, which the GuardDuty agent watches"}},
		"by one that is ready beside one that is not": {
			agents: []*corev1.Pod{asleep, sensorPod("falco", "falco")}, want: []string{"Pass: spec.nodeName is node node-1, which Falco watches"},
		},
		"by one that the profile declares": {
			agents: []*corev1.Pod{own}, declared: []hipaav1.Sensor{{Name: "agent", Namespace: "security", PodSelector: *phitest.Labels("app", "agent")}},
			want: []string{"Pass: spec.nodeName is node node-1, which agent watches"},
		},
		"not by one that nobody declares":              {agents: []*corev1.Pod{own}, want: nobody},
		"not by one of the name of a sensor elsewhere": {agents: []*corev1.Pod{sensorPod("lab", "falco")}, want: nobody},
		"not by a pod that no DaemonSet runs":          {agents: []*corev1.Pod{bare}, want: nobody},
		"not by one that is not ready": {
			agents: []*corev1.Pod{asleep}, want: []string{"spec.nodeName is node node-1, which no runtime sensor watches: Tetragon is there and not ready (live)"},
		},
		"nobody knows before it runs": {pending: true, want: []string{"Unknown: spec.nodeName is not set: no node has it yet (live)"}},
	} {
		t.Run(name, func(t *testing.T) {
			s := cabinet{}.subject()
			s.Pod, s.Profile.Sensors = phitest.Pod("app").Obj(), tc.declared
			if !tc.pending {
				s.Pod.Spec.NodeName = phitest.NodeName
			}
			s.World.Agents = map[string][]*corev1.Pod{phitest.NodeName: tc.agents}
			if diff := cmp.Diff(tc.want, sentences(detection.Check(s))); diff != "" {
				t.Errorf("findings (-want +got):\n%s", diff)
			}
		})
	}
}
