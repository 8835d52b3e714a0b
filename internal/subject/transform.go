package subject

import (
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
)

// lastApplied is kubectl's copy of what it applied; nothing here reads it.
const lastApplied = "kubectl.kubernetes.io/last-applied-configuration"

// Trim is a cache transform: it drops what no loader and no control reads of
// any object, so that the cache of a large cluster stays small.
func Trim(object any) (any, error) {
	accessor, err := meta.Accessor(object)
	if err != nil {
		// A tombstone; the cache knows what to do with it.
		return object, nil //nolint:nilerr // not an object, nothing to trim
	}
	accessor.SetManagedFields(nil)
	if annotations := accessor.GetAnnotations(); annotations[lastApplied] != "" {
		delete(annotations, lastApplied)
	}
	return object, nil
}

// TrimPod is Trim, and drops the fields of a pod that no control judges. The
// admission path sees whole pods; only live judgement reads the cache.
func TrimPod(object any) (any, error) {
	pod, ok := object.(*corev1.Pod)
	if !ok {
		return Trim(object)
	}
	for i := range pod.Spec.InitContainers {
		trimContainer(&pod.Spec.InitContainers[i])
	}
	for i := range pod.Spec.Containers {
		trimContainer(&pod.Spec.Containers[i])
	}
	pod.Spec.Affinity = nil
	pod.Spec.Tolerations = nil
	pod.Spec.TopologySpreadConstraints = nil
	pod.Status.ContainerStatuses = nil
	pod.Status.InitContainerStatuses = nil
	pod.Status.EphemeralContainerStatuses = nil
	return Trim(pod)
}

func trimContainer(c *corev1.Container) {
	c.Env = nil
	c.EnvFrom = nil
	c.Command = nil
	c.Args = nil
	c.VolumeMounts = nil
	c.Resources = corev1.ResourceRequirements{}
}
