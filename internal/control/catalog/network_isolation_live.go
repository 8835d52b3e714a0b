package catalog

import (
	"fmt"
	"slices"
	"strings"
	"time"

	networkingv1 "k8s.io/api/networking/v1"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
	"github.com/hipaa-operator/hipaa-operator/internal/control"
	"github.com/hipaa-operator/hipaa-operator/internal/flows"
	"github.com/hipaa-operator/hipaa-operator/internal/reach"
)

// checkIsolation judges what is true of the workload as a whole. All of it is
// live: policies come after the workload, and proof after both.
func checkIsolation(s *control.Subject) []control.Finding {
	findings := append(gaps(s), escapes(s)...)
	closedBy, closed := closedByDefault(s)
	if !closed {
		findings = append(findings, control.Failed("", "not every pod of namespace %s is closed by default", s.Namespace.Name).
			But("the operator keeps NetworkPolicy %s in mode Enforce, once every pod of the namespace is claimed by a PHIWorkload", defaultDenyName).OnlyLive())
	}
	if s.Workload != nil {
		for _, f := range flows.Of(s, s.Workload).All() {
			if f.Fault != nil {
				findings = append(findings, *f.Fault)
			}
		}
	}
	enforced := proof(s, closedBy)
	if !closed && enforced.Verdict == hipaav1.VerdictPass {
		return findings
	}
	return append(findings, enforced)
}

// closedByDefault asks whether every pod that the namespace could ever have is
// closed in both directions, and by which policies.
func closedByDefault(s *control.Subject) (string, bool) {
	world := reach.World{Policies: make([]networkingv1.NetworkPolicy, 0, len(s.World.Policies))}
	for _, policy := range s.World.Policies {
		world.Policies = append(world.Policies, *policy)
	}
	ingress, egress := world.Isolated(reach.Pods{Namespace: s.Namespace.Name})
	if !ingress.Isolated || !egress.Isolated {
		return "", false
	}
	if slices.Contains(ingress.By, defaultDenyName) && slices.Contains(egress.By, defaultDenyName) {
		return defaultDenyName, true
	}
	by := slices.Concat(ingress.By, egress.By)
	slices.Sort(by)
	return strings.Join(slices.Compact(by), ", "), true
}

// escapes are pods that no policy holds.
func escapes(s *control.Subject) []control.Finding {
	var findings []control.Finding
	for _, pod := range s.World.Pods {
		if pod.Spec.HostNetwork {
			findings = append(findings, control.Failed("", "pod %s shares the node's network, where no NetworkPolicy holds it", pod.Name).
				But("remove spec.hostNetwork").OnlyLive())
		}
	}
	return findings
}

// proof says whether the network plugin enforces policies, and how that is known.
func proof(s *control.Subject, closedBy string) control.Finding {
	probe, statement := s.World.Isolation, s.Profile.Network.Enforcement
	shown := probe != nil && probe.Problem == ""
	closed := fmt.Sprintf("closed by default (%s), open for declared flows only", closedBy)
	switch {
	case shown && probe.Dropped:
		return control.Met("", "%s; %s", closed, orElse(probe.Detail, "a probe saw a denied connection dropped")).Known(hipaav1.EvidenceTested)
	case shown:
		return control.Failed("", "the network plugin does not enforce NetworkPolicies: %s", orElse(probe.Detail, "a probe saw a denied connection pass")).
			But("install a network plugin that enforces them").Known(hipaav1.EvidenceTested).OnlyLive()
	case statement != nil:
		return control.Met("", "%s; the profile states until %s that the network plugin enforces it", closed,
			statement.Expires.UTC().Format(time.DateOnly)).Known(hipaav1.EvidenceAttested)
	}
	because := "nobody looked"
	if probe != nil {
		because = probe.Problem
	}
	return control.Undecided("", "nothing has shown that this cluster's network plugin enforces NetworkPolicies: %s", because).
		But("run two replicas of the operator under the NetworkPolicy of config/manager, which dial each other; or test it, and state it with an end in network.enforcement of the profile").OnlyLive()
}

func orElse(text, fallback string) string {
	if text == "" {
		return fallback
	}
	return text
}
