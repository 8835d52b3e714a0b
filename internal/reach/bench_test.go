package reach

import (
	"fmt"
	"testing"

	networkingv1 "k8s.io/api/networking/v1"
)

// crowded is a namespace of 50 policies with five rules each, all of which select the target.
func crowded(b *testing.B) (World, Pods, Allowed) {
	b.Helper()
	var w World
	var allowed Allowed
	for i := range 50 {
		p := policy(b, fmt.Sprintf(`{podSelector: {matchLabels: {app: db}}, policyTypes: [Ingress, Egress], ingress: [
			{from: [{podSelector: {matchLabels: {app: "portal-%[1]d"}}}], ports: [{port: 5432}]},
			{from: [{namespaceSelector: {matchLabels: {team: "t%[2]d"}}, podSelector: {matchLabels: {app: web}}}], ports: [{port: 8000, endPort: 8100}]},
			{from: [{podSelector: {matchExpressions: [{key: app, operator: In, values: ["portal-1", "portal-2", "portal-3"]}]}}], ports: [{port: 5432}]}],
			egress: [
			{to: [{ipBlock: {cidr: 10.%[1]d.0.0/16}}], ports: [{port: 443}]},
			{to: [{namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: kube-system}}}], ports: [{port: 53, protocol: UDP}, {port: 53}]}]}`, i, i%4))
		p.Name = fmt.Sprintf("p%02d", i)
		w.Policies = append(w.Policies, p)
	}
	allowed.Ingress = []Flow{{podsWhere(b, "team in (t0,t1,t2,t3)", "app=web"), []PortRange{tcpRange(8000, 8100)}}}
	for i := range 50 {
		allowed.Ingress = append(allowed.Ingress, Flow{podsIn(b, "ehr", fmt.Sprintf("app=portal-%d", i)), tcpPort(5432)})
	}
	allowed.Egress = []Flow{
		{block(b, "10.0.0.0/9"), tcpPort(443)},
		{podsIn(b, "kube-system", ""), []PortRange{{First: 53}, {Protocol: "UDP", First: 53}}},
	}
	return w, database(b), allowed
}

func BenchmarkWidenings(b *testing.B) {
	w, target, allowed := crowded(b)
	b.Run("all declared, 50 policies of 5 rules, 53 flows", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if got := w.Widenings(target, allowed); len(got) != 0 {
				b.Fatalf("%d widenings: %s", len(got), got[0].Opens)
			}
		}
	})
	b.Run("nothing declared, 50 policies of 5 rules", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if got := w.Widenings(target, Allowed{}); len(got) != 250 {
				b.Fatalf("%d widenings", len(got))
			}
		}
	})
	other := w
	other.Policies = make([]networkingv1.NetworkPolicy, len(w.Policies))
	for i := range w.Policies {
		w.Policies[i].DeepCopyInto(&other.Policies[i])
		other.Policies[i].Spec.PodSelector = *selector(b, "app=web")
	}
	b.Run("none selects the target, 50 policies", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if got := other.Widenings(target, allowed); len(got) != 0 {
				b.Fatalf("%d widenings", len(got))
			}
		}
	})
}
