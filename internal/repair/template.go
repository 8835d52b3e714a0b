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
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// +kubebuilder:rbac:groups=apps,resources=deployments;statefulsets;daemonsets;replicasets,verbs=get;list
// +kubebuilder:rbac:groups=batch,resources=jobs;cronjobs,verbs=get;list
// +kubebuilder:rbac:groups="",resources=replicationcontrollers,verbs=get;list

// Template is what makes pods.
type Template struct {
	// Object is kind/name of what holds it.
	Object string
	// Pod is the pod that it makes, without a name.
	Pod *corev1.Pod
	// Claims are those that a StatefulSet makes for its first pod.
	Claims []*corev1.PersistentVolumeClaim
}

// anyVersion lets the API server answer a list from its own cache. Each list
// needs options of its own: the client writes into them.
func anyVersion() client.ListOption {
	return &client.ListOptions{Raw: &metav1.ListOptions{ResourceVersion: "0"}}
}

// Templates lists what makes pods with labels that a selector matches, sorted by
// object. What another controller manages is left out: that one's template
// counts. It asks the API server: only previews need templates, and a cache of
// them would be large.
func Templates(ctx context.Context, live client.Reader, namespace string, selector labels.Selector) ([]Template, error) {
	g := gathering{namespace: namespace, selector: selector}
	for _, list := range []client.ObjectList{
		&appsv1.DeploymentList{}, &appsv1.StatefulSetList{}, &appsv1.DaemonSetList{}, &appsv1.ReplicaSetList{},
		&batchv1.CronJobList{}, &batchv1.JobList{}, &corev1.ReplicationControllerList{},
	} {
		if err := live.List(ctx, list, client.InNamespace(namespace), anyVersion()); err != nil {
			return nil, fmt.Errorf("listing %T: %w", list, err)
		}
		err := meta.EachListItem(list, func(item runtime.Object) error {
			g.add(item)
			return nil
		})
		if err != nil {
			return nil, fmt.Errorf("reading %T: %w", list, err)
		}
	}
	slices.SortFunc(g.found, func(a, b Template) int { return cmp.Compare(a.Object, b.Object) })
	return g.found, nil
}

type gathering struct {
	namespace string
	selector  labels.Selector
	found     []Template
}

// templateOf is the kind and the pod template of what makes pods; nil if it
// makes none, or no more.
func templateOf(item runtime.Object) (kind string, holder client.Object, template *corev1.PodTemplateSpec) {
	switch o := item.(type) {
	case *appsv1.Deployment:
		return "Deployment", o, &o.Spec.Template
	case *appsv1.StatefulSet:
		return "StatefulSet", o, &o.Spec.Template
	case *appsv1.DaemonSet:
		return "DaemonSet", o, &o.Spec.Template
	case *appsv1.ReplicaSet:
		return "ReplicaSet", o, &o.Spec.Template
	case *batchv1.CronJob:
		return "CronJob", o, &o.Spec.JobTemplate.Spec.Template
	case *batchv1.Job:
		if o.Status.CompletionTime == nil {
			return "Job", o, &o.Spec.Template
		}
	case *corev1.ReplicationController:
		return "ReplicationController", o, o.Spec.Template
	}
	return "", nil, nil
}

func (g *gathering) add(item runtime.Object) {
	kind, holder, template := templateOf(item)
	if template == nil || metav1.GetControllerOf(holder) != nil || !g.selector.Matches(labels.Set(template.Labels)) {
		return
	}
	t := Template{Object: kind + "/" + holder.GetName(), Pod: podFrom(template, holder)}
	if set, ok := holder.(*appsv1.StatefulSet); ok {
		for i := range set.Spec.VolumeClaimTemplates {
			claim := set.Spec.VolumeClaimTemplates[i].DeepCopy()
			claim.Namespace, claim.Name = g.namespace, fmt.Sprintf("%s-%s-0", claim.Name, set.Name)
			t.Claims = append(t.Claims, claim)
		}
		mountClaims(t.Pod, set, set.Name+"-0")
	}
	g.found = append(g.found, t)
}

// podFrom is the pod that a template makes for what holds it.
func podFrom(template *corev1.PodTemplateSpec, holder client.Object) *corev1.Pod {
	t := template.DeepCopy()
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: holder.GetNamespace(), GenerateName: holder.GetName() + "-",
			Labels: t.Labels, Annotations: t.Annotations, Finalizers: t.Finalizers,
		},
		Spec: t.Spec,
	}
}

// mountClaims gives the pod of a StatefulSet the volumes of its claims, in place
// of those of the same name in the template, as the controller does.
func mountClaims(pod *corev1.Pod, set *appsv1.StatefulSet, podName string) {
	for i := range set.Spec.VolumeClaimTemplates {
		name := set.Spec.VolumeClaimTemplates[i].Name
		pod.Spec.Volumes = slices.DeleteFunc(pod.Spec.Volumes, func(v corev1.Volume) bool { return v.Name == name })
		source := &corev1.PersistentVolumeClaimVolumeSource{ClaimName: name + "-" + podName}
		pod.Spec.Volumes = append(pod.Spec.Volumes, corev1.Volume{
			Name: name, VolumeSource: corev1.VolumeSource{PersistentVolumeClaim: source},
		})
	}
}
