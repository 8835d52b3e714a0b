package repair

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/hipaa-operator/hipaa-operator/internal/podtemplate"
)

// +kubebuilder:rbac:groups=apps,resources=deployments;statefulsets;daemonsets;replicasets,verbs=get;list
// +kubebuilder:rbac:groups=batch,resources=jobs;cronjobs,verbs=get;list
// +kubebuilder:rbac:groups="",resources=replicationcontrollers,verbs=get;list

// Template is what makes pods.
type Template struct {
	// Object is kind/name of what holds it.
	Object string
	// Pod is the first pod that it makes.
	Pod *corev1.Pod
	// Claims are those that it makes for that pod.
	Claims []*corev1.PersistentVolumeClaim
	// Idle says that no pod is wanted of it now: it is scaled to none, or suspended.
	Idle bool
}

// anyVersion lets the API server answer a list from its own cache. Each list
// needs options of its own: the client writes into them.
func anyVersion() client.ListOption {
	return &client.ListOptions{Raw: &metav1.ListOptions{ResourceVersion: "0"}}
}

// Templates lists what makes pods with labels that a selector matches, sorted by
// object. What another controller manages is left out: that one's template
// counts. It asks the API server: only previews need templates, and workloads
// without a pod, and a cache of them would be large.
func Templates(ctx context.Context, live client.Reader, namespace string, selector labels.Selector) ([]Template, error) {
	var found []Template
	for _, list := range podtemplate.Lists() {
		if err := live.List(ctx, list, client.InNamespace(namespace), anyVersion()); err != nil {
			return nil, fmt.Errorf("listing %T: %w", list, err)
		}
		err := meta.EachListItem(list, func(item runtime.Object) error {
			t, makes := podtemplate.Of(item)
			if !makes || !goesOn(item) {
				return nil
			}
			if pod := t.Pod(); selector.Matches(labels.Set(pod.Labels)) {
				found = append(found, Template{Object: t.String(), Pod: pod, Claims: t.Claims(), Idle: idle(item)})
			}
			return nil
		})
		if err != nil {
			return nil, fmt.Errorf("reading %T: %w", list, err)
		}
	}
	slices.SortFunc(found, func(a, b Template) int { return cmp.Compare(a.Object, b.Object) })
	return found, nil
}

// goesOn reports whether an object makes pods of its own accord, and will make
// more.
func goesOn(item runtime.Object) bool {
	object, is := item.(metav1.Object)
	if !is || metav1.GetControllerOf(object) != nil {
		return false
	}
	job, is := item.(*batchv1.Job)
	return !is || !slices.ContainsFunc(job.Status.Conditions, func(c batchv1.JobCondition) bool {
		return (c.Type == batchv1.JobComplete || c.Type == batchv1.JobFailed) && c.Status == corev1.ConditionTrue
	})
}

// idle reports whether an object wants no pod now.
func idle(item runtime.Object) bool {
	one := int32(1)
	switch o := item.(type) {
	case *appsv1.Deployment:
		return ptr.Deref(o.Spec.Replicas, one) == 0
	case *appsv1.StatefulSet:
		return ptr.Deref(o.Spec.Replicas, one) == 0
	case *appsv1.ReplicaSet:
		return ptr.Deref(o.Spec.Replicas, one) == 0
	case *corev1.ReplicationController:
		return ptr.Deref(o.Spec.Replicas, one) == 0
	case *batchv1.Job:
		return ptr.Deref(o.Spec.Suspend, false) || ptr.Deref(o.Spec.Parallelism, one) == 0
	case *batchv1.CronJob:
		return ptr.Deref(o.Spec.Suspend, false)
	default:
		return false
	}
}
