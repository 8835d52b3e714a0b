package catalog

import (
	"fmt"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
	"github.com/hipaa-operator/hipaa-operator/internal/control"
)

// byProxy is what the pod's proxy does about sessions; nil where it does nothing.
func byProxy(s *control.Subject) *control.Finding {
	if s.Workload == nil || s.Workload.Spec.Users == nil || !control.AsksUsers(s.Workload) || !control.HasProxy(s.Pod) {
		return nil
	}
	met := control.Met("", "its proxy locks sessions that nobody uses for %s, and all after %s",
		spoken(s.Profile.Session.Idle()), spoken(s.Profile.Session.Absolute()))
	return &met
}

// checkReplicas judges how the replicas of a workload whose proxies end sessions know of
// each other's, and the streams that no limit ends.
func checkReplicas(s *control.Subject) []control.Finding {
	if why := withoutPeople(s); why != nil {
		return []control.Finding{*why}
	}
	if s.Workload == nil || s.Workload.Spec.Users == nil || !control.AsksUsers(s.Workload) {
		return nil
	}
	return append(endlessStreams(s), replicaKnowledge(s))
}

func replicaKnowledge(s *control.Subject) control.Finding {
	const path = "spec.users.replicas"
	says, shared := s.Workload.Spec.Users.Replicas, s.Workload.Status.Proxy.Users == hipaav1.UserAskingShared
	switch n := len(s.World.Pods); {
	case shared:
		return control.Met(path, "has its replicas know of each other's sessions by a store")
	case says != nil && says.KnowBy == hipaav1.ReplicaKnowledgeSticky:
		return control.Met(path, "is stated to lead each user to one replica").Known(hipaav1.EvidenceAttested)
	case says != nil:
		return control.Failed(path+".store", "is not reached by mutual TLS, so that each replica ends sessions by what it saw itself").OnlyLive().
			But("declare the store under spec.egress.to, give it a Service and proxies; condition FlowsResolved says what is missing")
	case n > 1:
		return control.Failed(path, "is not there, and %d replicas end sessions each by what it saw itself: who is idle at one may go on at another", n).OnlyLive().
			But("name a store that they have in common, or state that routing is sticky")
	default:
		return control.Met("", "one replica alone knows all sessions")
	}
}

// endlessStreams are routes that no limit ends. A profile has to take the team's word for
// them.
func endlessStreams(s *control.Subject) []control.Finding {
	var findings []control.Finding
	for i := range s.Workload.Spec.Users.Routes {
		if s.Workload.Spec.Users.Routes[i].Activity != hipaav1.RouteActivityMonitoringStream {
			continue
		}
		path := fmt.Sprintf("spec.users.routes[%d].activity", i)
		if s.Profile.Session.WithoutPeople == hipaav1.SessionsWithoutPeopleStated {
			findings = append(findings, control.Met(path, "is a stream of monitors by the team's word").Known(hipaav1.EvidenceAttested))
		} else {
			findings = append(findings, control.Failed(path, "is MonitoringStream, which no limit ends, and the profile does not take the team's word for it").
				As("stream "+s.Workload.Spec.Users.Routes[i].Name).OnlyLive().
				But("have the security team set session.withoutPeople to Stated, or leave activity out"))
		}
	}
	return findings
}
