package repair

import (
	"context"
	"fmt"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/hipaa-operator/hipaa-operator/internal/podtemplate"
)

// maker is the controller of a pod.
type maker struct {
	// object is nil where the controller is of a kind that we do not know, or gone.
	object client.Object
	// group is the identity of what keeps the number of pods: the Deployment
	// behind a ReplicaSet, else the controller itself.
	group types.UID
	// wanted is how many pods it keeps.
	wanted int
	// makes says that it goes on making pods of template.
	makes    bool
	template podtemplate.Template
	// finishes says that its pods run to an end of their own.
	finishes bool
}

// makers reads the controllers of pods, each once.
type makers struct {
	live  client.Reader
	known map[types.UID]*maker
}

// of is the controller of a pod; nil where it has none.
func (m *makers) of(ctx context.Context, pod *corev1.Pod) (*maker, error) {
	ref := metav1.GetControllerOf(pod)
	if ref == nil {
		return nil, nil //nolint:nilnil // no controller is an answer
	}
	if known, ok := m.known[ref.UID]; ok {
		return known, nil
	}
	found, err := m.read(ctx, pod.Namespace, ref)
	if err != nil {
		return nil, err
	}
	m.known[ref.UID] = found
	return found, nil
}

func (m *makers) read(ctx context.Context, namespace string, ref *metav1.OwnerReference) (*maker, error) {
	found := &maker{group: ref.UID}
	object := emptyController(ref)
	if object == nil {
		return found, nil
	}
	err := m.live.Get(ctx, types.NamespacedName{Namespace: namespace, Name: ref.Name}, object)
	switch {
	case apierrors.IsNotFound(err):
		return found, nil // gone: it makes no more pods
	case err != nil:
		return nil, fmt.Errorf("reading %s %q: %w", ref.Kind, ref.Name, err)
	case object.GetUID() != ref.UID, !object.GetDeletionTimestamp().IsZero():
		return found, nil // another by the same name, or on its way out
	}
	found.object = object
	found.describe()
	if above := metav1.GetControllerOf(object); above != nil {
		found.group = above.UID
	}
	return found, nil
}

func emptyController(ref *metav1.OwnerReference) client.Object {
	switch ref.APIVersion + "/" + ref.Kind {
	case "apps/v1/ReplicaSet":
		return &appsv1.ReplicaSet{}
	case "apps/v1/StatefulSet":
		return &appsv1.StatefulSet{}
	case "apps/v1/DaemonSet":
		return &appsv1.DaemonSet{}
	case "batch/v1/Job":
		return &batchv1.Job{}
	case "v1/ReplicationController":
		return &corev1.ReplicationController{}
	default:
		return nil
	}
}

func (m *maker) describe() {
	m.template, m.makes = podtemplate.Of(m.object)
	switch o := m.object.(type) {
	case *appsv1.ReplicaSet:
		m.wanted = int(ptr.Deref(o.Spec.Replicas, 1))
	case *appsv1.StatefulSet:
		m.wanted = int(ptr.Deref(o.Spec.Replicas, 1))
	case *appsv1.DaemonSet:
		m.wanted = int(o.Status.DesiredNumberScheduled)
	case *corev1.ReplicationController:
		m.wanted = int(ptr.Deref(o.Spec.Replicas, 1))
	case *batchv1.Job:
		m.finishes, m.makes = true, false
	}
}

// replacement is the pod that the controller would make in place of one that it
// loses, under the name of rehearsals: the other one still has its own.
func (m *maker) replacement(lost *corev1.Pod) *corev1.Pod {
	pod := m.template.InPlaceOf(lost)
	pod.Name, pod.GenerateName = rehearsalName, ""
	if ref := metav1.GetControllerOf(lost); ref != nil {
		// Only the controller itself may say that it blocks the owner's deletion.
		pod.OwnerReferences = []metav1.OwnerReference{{
			APIVersion: ref.APIVersion, Kind: ref.Kind, Name: ref.Name, UID: ref.UID, Controller: ptr.To(true),
		}}
	}
	return pod
}
