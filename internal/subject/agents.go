package subject

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
)

// ByAgentOf is the index of pods that DaemonSets run, by the node that they are on.
const ByAgentOf = "hipaa.agentOf"

// AgentOf is the value of ByAgentOf: none for pods that no DaemonSet runs.
func AgentOf(object client.Object) []string {
	pod, is := object.(*corev1.Pod)
	if !is || pod.Spec.NodeName == "" {
		return nil
	}
	owner := metav1.GetControllerOf(pod)
	if owner == nil || owner.Kind != "DaemonSet" {
		return nil
	}
	return []string{pod.Spec.NodeName}
}

// agents reads the pods of DaemonSets on the nodes that pods run on. Those of PHI
// namespaces are left out: their tenants could put there what looks like a sensor.
func (l *Loader) agents(ctx context.Context, w *world) error {
	for _, pod := range w.Pods {
		node := pod.Spec.NodeName
		if _, known := w.Agents[node]; known || node == "" {
			continue
		}
		var running corev1.PodList
		if err := l.Cache.List(ctx, &running, client.MatchingFields{ByAgentOf: node}, client.UnsafeDisableDeepCopy); err != nil {
			return fmt.Errorf("listing the agents on node %q: %w", node, err)
		}
		agents, err := l.outsidePHI(ctx, pointers(running.Items))
		if err != nil {
			return err
		}
		slices.SortFunc(agents, func(a, b *corev1.Pod) int {
			return cmp.Or(cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Name, b.Name))
		})
		w.Agents[node] = agents
	}
	return nil
}

func (l *Loader) outsidePHI(ctx context.Context, pods []*corev1.Pod) ([]*corev1.Pod, error) {
	holdsPHI := map[string]bool{}
	var outside []*corev1.Pod
	for _, pod := range pods {
		if _, known := holdsPHI[pod.Namespace]; !known {
			namespace := &corev1.Namespace{}
			if _, err := l.cached(ctx, types.NamespacedName{Name: pod.Namespace}, namespace); err != nil {
				return nil, err
			}
			holdsPHI[pod.Namespace] = namespace.Labels[hipaav1.LabelPHI] == hipaav1.LabelPHIValue
		}
		if !holdsPHI[pod.Namespace] {
			outside = append(outside, pod)
		}
	}
	return outside, nil
}
