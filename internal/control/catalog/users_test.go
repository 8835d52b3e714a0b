package catalog

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
	"github.com/hipaa-operator/hipaa-operator/internal/control"
	"github.com/hipaa-operator/hipaa-operator/internal/control/controltest"
)

// peopled is a workload whose proxies ask for people, with two pods.
func peopled() control.Subject {
	s := controltest.Baseline(control.Workloads)
	controltest.Protect(All(), &s)
	return s
}

func TestReplicasKnowOfEachOthersSessions(t *testing.T) {
	const path = "spec.users.replicas"
	store := &hipaav1.ReplicaSessions{KnowBy: hipaav1.ReplicaKnowledgeStore, Store: &hipaav1.SessionStore{PHIWorkload: hipaav1.PHIWorkloadPeer{Name: "redis"}}}
	for name, tc := range map[string]struct {
		says  *hipaav1.ReplicaSessions
		asks  hipaav1.UserAsking
		pods  int
		want  string
		class hipaav1.EvidenceClass
	}{
		"by a store that the proxies go by":    {store, hipaav1.UserAskingShared, 2, "Pass: " + path + " has its replicas know of each other's sessions by a store", ""},
		"by a store that cannot be reached":    {store, hipaav1.UserAskingEachReplica, 2, path + ".store is not reached by mutual TLS, so that each replica ends sessions by what it saw itself (live)", ""},
		"in no way, and there are two":         {nil, hipaav1.UserAskingEachReplica, 2, path + " is not there, and 2 replicas end sessions each by what it saw itself: who is idle at one may go on at another (live)", ""},
		"in no way, and there is one":          {nil, hipaav1.UserAskingEachReplica, 1, "Pass: one replica alone knows all sessions", ""},
		"by routing, as its team states":       {&hipaav1.ReplicaSessions{KnowBy: hipaav1.ReplicaKnowledgeSticky}, hipaav1.UserAskingEachReplica, 2, "Pass: " + path + " is stated to lead each user to one replica [Attested]", ""},
		"not at all, for nobody is asked here": {nil, "", 2, "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			s := peopled()
			s.Workload.Spec.Users.Replicas, s.Workload.Status.Proxy.Users = tc.says, tc.asks
			s.World.Pods = s.World.Pods[:tc.pods]
			var want []string
			if tc.want != "" {
				want = []string{tc.want}
			}
			if diff := cmp.Diff(want, sentences(controlOf("automatic-logoff").Check(s))); diff != "" {
				t.Errorf("findings (-want +got):\n%s", diff)
			}
		})
	}
}

func TestAProxyEndsSessionsForAnApplicationThatSaysNothing(t *testing.T) {
	pod := func(change func(*control.Subject)) []string {
		s := peopled()
		s = s.Of(s.World.Pods[0].DeepCopy())
		s.Pod.Spec.Containers[0].Env = nil
		change(&s)
		return sentences(controlOf("automatic-logoff").Check(s))
	}
	const ends = "Pass: its proxy locks sessions that nobody uses for 15m, and all after 12h"
	for name, tc := range map[string]struct {
		give func(*control.Subject)
		want []string
	}{
		"that says nothing": {func(*control.Subject) {}, []string{ends}},
		"that is told to do longer": {func(s *control.Subject) {
			s.Pod.Spec.Containers[0].Env = []corev1.EnvVar{{Name: "SESSION_IDLE_TIMEOUT", Value: "8h"}}
		}, []string{`spec.containers[0].env[0] "SESSION_IDLE_TIMEOUT" is an idle limit of 8h, and the profile asks for 15m`, ends}},
		"whose proxy asks for nobody yet": {func(s *control.Subject) { s.Workload.Status.Proxy.Users = "" },
			[]string{"Unknown: spec.containers nothing shows when a session ends that nobody uses (live)"}},
		"without a proxy": {func(s *control.Subject) { s.Pod.Spec.InitContainers = nil },
			[]string{"Unknown: spec.containers nothing shows when a session ends that nobody uses (live)"}},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(tc.want, pod(tc.give)); diff != "" {
				t.Errorf("findings (-want +got):\n%s", diff)
			}
		})
	}
}

func TestSeveralReplicasLockAfterMoreFailures(t *testing.T) {
	s := peopled()
	s.Profile.Users.Failures = 4
	want := []string{
		`Pass: spec.users.realms[0] is realm "staff", which is stated to end the guessing of passwords [Attested]`,
		"Pass: spec.users a user is locked for 15m after 4 failures; each of 2 replicas counts for itself, so that it may be 8 in all",
	}
	if diff := cmp.Diff(want, sentences(controlOf("login-lockout").Check(s))); diff != "" {
		t.Errorf("findings (-want +got):\n%s", diff)
	}
}

func TestAPortThatPeopleCallWithoutRequestsIsUnknown(t *testing.T) {
	s := peopled()
	s.Workload.Spec.Ports = append(s.Workload.Spec.Ports, hipaav1.WorkloadPort{Name: "dicom", Port: 11112, Protocol: hipaav1.PortProtocolTCP})
	check := controlOf("unique-user-identity").Check
	if diff := cmp.Diff([]string{"Unknown: spec.ports[1] is of protocol TCP, where proxies see no user (live)"}, sentences(check(s))); diff != "" {
		t.Errorf("findings (-want +got):\n%s", diff)
	}
	for i := range s.Workload.Spec.Access.From {
		s.Workload.Spec.Access.From[i].Ports = []string{"http"}
	}
	if got := sentences(check(s)); len(got) != 1 || got[0][:5] != "Pass:" {
		t.Errorf("where no person calls it: %q", got)
	}
}
