package catalog

import (
	"fmt"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
	"github.com/hipaa-operator/hipaa-operator/internal/control"
	"github.com/hipaa-operator/hipaa-operator/internal/reach"
)

// toldWidenings bounds what a refusal says about one policy.
const toldWidenings = 12

// checkPolicy holds a policy against what workloads declare: that of the
// subject, or every one of the namespace.
func checkPolicy(s *control.Subject) []control.Finding {
	if isOwned(s, s.Policy) {
		return nil
	}
	world := reach.World{
		Policies:   []networkingv1.NetworkPolicy{*s.Policy},
		Namespaces: map[string]labels.Set{s.Namespace.Name: s.Namespace.Labels},
	}
	workloads := judgedWorkloads(s)
	if s.Workload != nil {
		workloads = []*hipaav1.PHIWorkload{s.Workload}
	}
	var findings []control.Finding
	for _, w := range workloads {
		target := reach.Pods{Namespace: w.Namespace, Selector: w.Spec.Selector}
		if w == s.Workload {
			target.Live = livePods(s.World.Pods)
		}
		for _, widening := range world.Widenings(target, declaration{subject: s, workload: w}.allowed()) {
			findings = append(findings, opens(w, &widening))
		}
	}
	if more := len(findings) - toldWidenings; more > 0 {
		findings = append(findings[:toldWidenings], control.Failed("spec", "opens %d more flows that nobody declared", more))
	}
	return findings
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
// plugin that ignores policyTypes, is not known.
func opens(w *hipaav1.PHIWorkload, widening *reach.Widening) control.Finding {
	remedy := "remove the rule, or declare the caller in access.from of the PHIWorkload"
	if widening.Direction == reach.Egress {
		remedy = "remove the rule, or declare the destination in egress.to of the PHIWorkload"
	}
	if needs := furtherLabels(w, widening); needs != "" {
		return control.Undecided(widening.Path, "may open PHIWorkload %s: as soon as one of its pods carries %s, %s", w.Name, needs, widening.Opens).
			But("narrow spec.podSelector so that it cannot select pods of the PHIWorkload, or %s", remedy)
	}
	if widening.Unlisted {
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
