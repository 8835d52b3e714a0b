package catalog

import (
	"fmt"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
	"github.com/hipaa-operator/hipaa-operator/internal/control"
	"github.com/hipaa-operator/hipaa-operator/internal/flows"
	"github.com/hipaa-operator/hipaa-operator/internal/reach"
)

// toldWidenings bounds what a refusal says about one policy.
const toldWidenings = 12

// checkPolicy holds a policy against what the workload of the subject declares.
// Without a workload the question is that of the namespace: does the policy open
// pods that no workload claims?
func checkPolicy(s *control.Subject) []control.Finding {
	world := worldAround(s, *s.Policy)
	var findings []control.Finding
	if s.Workload == nil {
		findings = opensUnclaimed(s, world)
	} else if !isOwned(s, s.Policy) {
		findings = opensWorkload(s, world)
	}
	if more := len(findings) - toldWidenings; more > 0 {
		findings = append(findings[:toldWidenings], control.Failed("spec", "opens %d more flows that nobody declared", more))
	}
	return findings
}

func opensWorkload(s *control.Subject, world reach.World) []control.Finding {
	target := reach.Pods{Namespace: s.Workload.Namespace, Selector: s.Workload.Spec.Selector, Live: livePods(s.World.Pods)}
	var findings []control.Finding
	for _, widening := range world.Widenings(target, flows.Of(s, s.Workload).Allowed()) {
		if lost := mayBeLost(s, &widening); !lost || s.Policy.Name != ownedPrefix+s.Workload.Name {
			findings = append(findings, opens(s.Workload, &widening, lost))
		}
	}
	return findings
}

// mayBeLost reports whether a widening may be the way to what every cluster has
// and was not found. The workload's own policy has it rightly.
func mayBeLost(s *control.Subject, widening *reach.Widening) bool {
	return widening.Direction == reach.Egress && len(gaps(s)) > 0
}

// opensUnclaimed asks about pods that no workload of the namespace selects. They
// declare nothing, so whatever opens them but the way to the resolvers is too
// much - also if a workload that would claim them comes later: a policy that is
// there before it is held against nobody's declaration.
func opensUnclaimed(s *control.Subject, world reach.World) []control.Finding {
	target := reach.Pods{Namespace: s.Namespace.Name}
	for _, w := range judgedWorkloads(s) {
		if flows.IsParticular(w) {
			target.Except = append(target.Except, w.Spec.Selector)
		}
	}
	allowed := flows.Declared{Egress: flows.NameResolution(s)}.Allowed()
	var findings []control.Finding
	for _, widening := range world.Widenings(target, allowed) {
		found := control.Failed(widening.Path, "opens pods that no PHIWorkload claims: %s", widening.Opens)
		if widening.Presumed || widening.Unlisted {
			found = control.Undecided(widening.Path, "may open pods that no PHIWorkload claims: %s", widening.Opens)
		}
		findings = append(findings, found.But("narrow spec.podSelector to pods of a PHIWorkload, or apply the PHIWorkload first"))
	}
	return findings
}

// worldAround holds some policies of the subject's namespace.
func worldAround(s *control.Subject, policies ...networkingv1.NetworkPolicy) reach.World {
	return reach.World{Policies: policies, Namespaces: map[string]labels.Set{s.Namespace.Name: s.Namespace.Labels}}
}

// livePods are pods with what selectors look at.
func livePods(pods []*corev1.Pod) []corev1.Pod {
	live := make([]corev1.Pod, len(pods))
	for i, pod := range pods {
		live[i].ObjectMeta = metav1.ObjectMeta{Name: pod.Name, Namespace: pod.Namespace, Labels: pod.Labels}
	}
	return live
}

// opens words one widening. What is open for every pod of the workload, or for
// one that lives, fails. What waits for a pod with further labels, or for a
// plugin that ignores policyTypes, or that may be declared, is not known.
func opens(w *hipaav1.PHIWorkload, widening *reach.Widening, perhapsDeclared bool) control.Finding {
	remedy := "remove the rule, or declare the caller in access.from of the PHIWorkload"
	if widening.Direction == reach.Egress {
		remedy = "remove the rule, or declare the destination in egress.to of the PHIWorkload"
	}
	if needs := furtherLabels(w, widening); needs != "" {
		return control.Undecided(widening.Path, "may open PHIWorkload %s: as soon as one of its pods carries %s, %s", w.Name, needs, widening.Opens).
			But("narrow spec.podSelector so that it cannot select pods of the PHIWorkload, or %s", remedy)
	}
	if widening.Unlisted || perhapsDeclared {
		return control.Undecided(widening.Path, "may open PHIWorkload %s: %s", w.Name, widening.Opens).But("%s", remedy)
	}
	return control.Failed(widening.Path, "opens PHIWorkload %s: %s", w.Name, widening.Opens).But("%s", remedy)
}

// furtherLabels are the labels that the policy asks of a pod beyond those that
// the workload's selector speaks of; none where a pod of the workload needs no more.
func furtherLabels(w *hipaav1.PHIWorkload, widening *reach.Widening) string {
	if widening.SelectsNow > 0 || widening.Example == nil {
		return ""
	}
	known := map[string]bool{}
	for key := range w.Spec.Selector.MatchLabels {
		known[key] = true
	}
	for _, e := range w.Spec.Selector.MatchExpressions {
		known[e.Key] = true
	}
	further := labels.Set{}
	for key, value := range widening.Example.Selected {
		if !known[key] {
			further[key] = value
		}
	}
	return fmt.Sprint(further)
}
