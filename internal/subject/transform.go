package subject

import (
	"crypto/sha256"
	"slices"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	toolscache "k8s.io/client-go/tools/cache"
	"k8s.io/utils/lru"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/hipaa-operator/hipaa-operator/internal/control"
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

// CacheOptions keep the cache small: nothing in it that no loader and no control
// reads. Network policies stay whole: their field managers tell who changed them.
func CacheOptions() cache.Options {
	keep := func(object any) (any, error) { return object, nil }
	return cache.Options{
		DefaultTransform: Trim,
		ByObject: map[client.Object]cache.ByObject{
			&corev1.Pod{}:                 {Transform: TrimPods()},
			&corev1.Node{}:                {Transform: TrimNode},
			&networkingv1.NetworkPolicy{}: {Transform: keep},
		},
	}
}

// TrimNode is Trim, and keeps of a node's status what runs on it, and its addresses.
func TrimNode(object any) (any, error) {
	if node, is := object.(*corev1.Node); is {
		node.Status = corev1.NodeStatus{NodeInfo: node.Status.NodeInfo, Addresses: node.Status.Addresses}
	}
	return Trim(object)
}

// settingsKept is how many different settings of containers are kept for sharing. A
// cluster lists and updates the pods of one template close to each other.
const settingsKept = 4096

// TrimPods is Trim for pods. It drops the fields of a pod that no control judges,
// and lets pods of one template share the settings of their containers, which are
// the largest part of what is left. The admission path sees whole pods; only live
// judgement reads the cache.
func TrimPods() toolscache.TransformFunc {
	settings := sharedSettings{lru.New(settingsKept)}
	return func(object any) (any, error) {
		pod, ok := object.(*corev1.Pod)
		if !ok {
			return Trim(object)
		}
		for i := range pod.Spec.InitContainers {
			settings.trim(&pod.Spec.InitContainers[i])
		}
		for i := range pod.Spec.Containers {
			settings.trim(&pod.Spec.Containers[i])
		}
		pod.Spec.Affinity = nil
		pod.Spec.Tolerations = nil
		pod.Spec.TopologySpreadConstraints = nil
		pod.Status.ContainerStatuses = nil
		pod.Status.InitContainerStatuses = nil
		pod.Status.EphemeralContainerStatuses = nil
		return Trim(pod)
	}
}

// sharedSettings keeps one copy of equal settings.
type sharedSettings struct{ byDigest *lru.Cache }

// trim leaves of a container its settings, shared, and what it may do.
func (s sharedSettings) trim(c *corev1.Container) {
	if c.Name != control.ProxyContainer && c.Name != control.RulesContainer {
		c.VolumeMounts = slices.DeleteFunc(c.VolumeMounts, func(m corev1.VolumeMount) bool { return !control.IsOfProxy(m) })
		if len(c.VolumeMounts) == 0 {
			c.VolumeMounts = nil // and its array
		}
		c.Resources = corev1.ResourceRequirements{}
	}
	own := &corev1.Container{Env: c.Env, EnvFrom: c.EnvFrom, Command: c.Command, Args: c.Args}
	encoded, err := own.Marshal()
	if err != nil {
		return // not to be shared, and nothing is lost
	}
	digest := sha256.Sum256(encoded)
	if kept, found := s.byDigest.Get(digest); found {
		if same, is := kept.(*corev1.Container); is {
			own = same
		}
	} else {
		s.byDigest.Add(digest, own)
	}
	c.Env, c.EnvFrom, c.Command, c.Args = own.Env, own.EnvFrom, own.Command, own.Args
}
