package isolation

import (
	"maps"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// replicasLike selects all replicas by one of them, whichever version they are of.
func replicasLike(pod *corev1.Pod) metav1.LabelSelector {
	all := maps.Clone(pod.Labels)
	delete(all, appsv1.DefaultDeploymentUniqueLabelKey)
	return metav1.LabelSelector{MatchLabels: all}
}

// peerOf is a replica that listens on every port, on the same node if there is one: between
// nodes a firewall may drop what policies do not. That it is ready says that it listens: the
// kubelet asks it, and comes through whatever policies say.
func peerOf(own *corev1.Pod, replicas []corev1.Pod) *corev1.Pod {
	var found *corev1.Pod
	for i := range replicas {
		pod := &replicas[i]
		if pod.UID == own.UID || pod.Spec.HostNetwork || pod.DeletionTimestamp != nil || !isReady(pod) {
			continue
		}
		if found == nil || found.Spec.NodeName != own.Spec.NodeName && pod.Spec.NodeName == own.Spec.NodeName {
			found = pod
		}
	}
	return found
}

func isReady(pod *corev1.Pod) bool {
	for _, c := range pod.Status.Conditions {
		if c.Type == corev1.PodReady {
			return c.Status == corev1.ConditionTrue
		}
	}
	return false
}

// ports are those of a replica by their names; 0 is none.
type ports struct{ health, metrics, webhook uint16 }

func portsOf(pod *corev1.Pod) ports {
	var p ports
	for i := range pod.Spec.Containers {
		for _, port := range pod.Spec.Containers[i].Ports {
			number := uint16(port.ContainerPort) //nolint:gosec // the API server lets no other number in
			switch port.Name {
			case "health":
				p.health = number
			case "metrics":
				p.metrics = number
			case "webhook":
				p.webhook = number
			}
		}
	}
	return p
}
