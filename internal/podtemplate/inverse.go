package podtemplate

import (
	"slices"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
)

// Making is the template that makes a pod: the one at hand, with what was changed of
// the Pod that came of it. Only what a controller gives each pod of its own is left
// out.
func (t Template) Making(pod *corev1.Pod) corev1.PodTemplateSpec {
	made := pod.DeepCopy()
	spec := *t.spec.DeepCopy()
	spec.Labels, spec.Annotations, spec.Finalizers = made.Labels, made.Annotations, made.Finalizers
	volumes := made.Spec.Volumes
	if t.set != nil {
		t.withoutOwn(made)
		volumes = t.withReplaced(volumes)
	}
	spec.Spec = made.Spec
	spec.Spec.Volumes = volumes
	return spec
}

// withoutOwn takes from a pod of a StatefulSet what names it.
func (t Template) withoutOwn(pod *corev1.Pod) {
	for _, label := range []string{appsv1.StatefulSetPodNameLabel, appsv1.PodIndexLabel} {
		if was, own := t.spec.Labels[label]; own {
			pod.Labels[label] = was
		} else {
			delete(pod.Labels, label)
		}
	}
	pod.Spec.Hostname, pod.Spec.Subdomain = t.spec.Spec.Hostname, t.spec.Spec.Subdomain
}

// withReplaced are the volumes of the template in the order in which it has them:
// without those of claim templates, with those that claim templates replace.
func (t Template) withReplaced(volumes []corev1.Volume) []corev1.Volume {
	volumes = volumes[len(t.claimTemplates()):]
	if len(volumes) == 0 && len(t.spec.Spec.Volumes) == 0 {
		return nil
	}
	ordered, kept := slices.Clone(t.spec.Spec.Volumes), t.kept()
	for i, at := range kept {
		ordered[at] = volumes[i]
	}
	return append(ordered, volumes[len(kept):]...)
}

// Steps are the names of the fields that lead to the template in the object.
func (t Template) Steps() []string { return strings.Split(t.path, ".") }
