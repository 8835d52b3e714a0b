// Package podtemplate tells what pods an object makes. Its promise: the first pod
// and the claims that a controller makes of its object, exactly as the controller
// makes them as far as the object decides, and where in the object each of their
// fields stands.
package podtemplate

import (
	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
)

// Object is what the API server keeps, with its type.
type Object interface {
	metav1.Object
	runtime.Object
}

// List is a list of objects, with its type.
type List interface {
	metav1.ListInterface
	runtime.Object
}

// Lists are empty lists of each kind of object that makes pods of a template.
func Lists() []List {
	return []List{
		&appsv1.DeploymentList{}, &appsv1.StatefulSetList{}, &appsv1.DaemonSetList{}, &appsv1.ReplicaSetList{},
		&batchv1.JobList{}, &batchv1.CronJobList{}, &corev1.ReplicationControllerList{},
	}
}

// Template is the pod template of an object. It shares the object's fields; the
// pods and claims that it tells of do not.
type Template struct {
	object Object
	kind   string
	// path leads to the template in the object.
	path string
	spec *corev1.PodTemplateSpec
	// set is the object where it is a StatefulSet, whose pods have names and claims
	// of their own.
	set *appsv1.StatefulSet
	// before is how many init containers stand in a pod before those of the template.
	before int
}

// As is the template of a pod to which admission has put init containers before its own.
func (t Template) As(pod *corev1.Pod) Template {
	t.before = max(0, len(pod.Spec.InitContainers)-len(t.spec.Spec.InitContainers))
	return t
}

// Of is the template of an object; false where it makes no pods of one.
func Of(object runtime.Object) (Template, bool) {
	switch o := object.(type) {
	case *appsv1.Deployment:
		return Template{object: o, kind: "Deployment", path: inSpec, spec: &o.Spec.Template}, true
	case *appsv1.StatefulSet:
		return Template{object: o, kind: "StatefulSet", path: inSpec, spec: &o.Spec.Template, set: o}, true
	case *appsv1.DaemonSet:
		return Template{object: o, kind: "DaemonSet", path: inSpec, spec: &o.Spec.Template}, true
	case *appsv1.ReplicaSet:
		return Template{object: o, kind: "ReplicaSet", path: inSpec, spec: &o.Spec.Template}, true
	case *batchv1.Job:
		return Template{object: o, kind: "Job", path: inSpec, spec: &o.Spec.Template}, true
	case *batchv1.CronJob:
		return Template{object: o, kind: "CronJob", path: "spec.jobTemplate." + inSpec, spec: &o.Spec.JobTemplate.Spec.Template}, true
	case *corev1.ReplicationController:
		return Template{object: o, kind: "ReplicationController", path: inSpec, spec: o.Spec.Template}, o.Spec.Template != nil
	default:
		return Template{}, false
	}
}

// inSpec is where most kinds have their template.
const inSpec = "spec.template"

// String is kind/name of the object. While the API server has yet to choose the
// name it is what the name will begin with.
func (t Template) String() string { return t.kind + "/" + t.name() }

func (t Template) name() string {
	if name := t.object.GetName(); name != "" {
		return name
	}
	return t.object.GetGenerateName()
}

// Pod is the first pod that comes of the template. It has a name only where the
// object decides it, and no owner.
func (t Template) Pod() *corev1.Pod {
	if t.set == nil {
		return t.pod()
	}
	return t.member(first(t.set))
}

// InPlaceOf is the pod that the controller makes when it loses one of its pods.
func (t Template) InPlaceOf(lost *corev1.Pod) *corev1.Pod {
	if t.set == nil {
		return t.pod()
	}
	return t.member(ordinal(lost.Name))
}

// pod is what all controllers make of a template.
func (t Template) pod() *corev1.Pod {
	made := t.spec.DeepCopy()
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: t.object.GetNamespace(), GenerateName: t.name() + "-",
			Labels: made.Labels, Annotations: made.Annotations, Finalizers: made.Finalizers,
		},
		Spec: made.Spec,
	}
}
