package podtemplate

import (
	"maps"
	"slices"
	"strconv"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// first is the ordinal of the first pod of a StatefulSet.
func first(set *appsv1.StatefulSet) string {
	if set.Spec.Ordinals == nil {
		return "0"
	}
	return strconv.Itoa(int(set.Spec.Ordinals.Start))
}

// ordinal is what stands behind the last dash of a pod's name.
func ordinal(pod string) string { return pod[strings.LastIndexByte(pod, '-')+1:] }

// member is the pod of a StatefulSet with an ordinal: it has a name, a host name
// and volumes that are its own.
func (t Template) member(ordinal string) *corev1.Pod {
	pod := t.pod()
	pod.Name = t.name() + "-" + ordinal
	pod.Spec.Hostname, pod.Spec.Subdomain = pod.Name, t.set.Spec.ServiceName
	metav1.SetMetaDataLabel(&pod.ObjectMeta, appsv1.StatefulSetPodNameLabel, pod.Name)
	metav1.SetMetaDataLabel(&pod.ObjectMeta, appsv1.PodIndexLabel, ordinal)
	var volumes []corev1.Volume
	for i := range t.set.Spec.VolumeClaimTemplates {
		source := &corev1.PersistentVolumeClaimVolumeSource{ClaimName: t.claimName(i, ordinal)}
		volumes = append(volumes, corev1.Volume{
			Name:         t.set.Spec.VolumeClaimTemplates[i].Name,
			VolumeSource: corev1.VolumeSource{PersistentVolumeClaim: source},
		})
	}
	for _, i := range t.kept() {
		volumes = append(volumes, pod.Spec.Volumes[i])
	}
	pod.Spec.Volumes = volumes
	return pod
}

func (t Template) claimName(i int, ordinal string) string {
	return t.set.Spec.VolumeClaimTemplates[i].Name + "-" + t.name() + "-" + ordinal
}

// kept are the volumes of the template that no claim template takes the place of,
// by their index.
func (t Template) kept() []int {
	var kept []int
	for i := range t.spec.Spec.Volumes {
		name := t.spec.Spec.Volumes[i].Name
		if !slices.ContainsFunc(t.claimTemplates(), func(c corev1.PersistentVolumeClaim) bool { return c.Name == name }) {
			kept = append(kept, i)
		}
	}
	return kept
}

func (t Template) claimTemplates() []corev1.PersistentVolumeClaim {
	if t.set == nil {
		return nil
	}
	return t.set.Spec.VolumeClaimTemplates
}

// Claims are those that come with the first pod, in the order of their templates.
// They carry the labels by which the object selects its pods.
func (t Template) Claims() []*corev1.PersistentVolumeClaim {
	var claims []*corev1.PersistentVolumeClaim
	for i := range t.claimTemplates() {
		claim := t.set.Spec.VolumeClaimTemplates[i].DeepCopy()
		claim.Namespace, claim.Name = t.object.GetNamespace(), t.claimName(i, first(t.set))
		if t.set.Spec.Selector != nil && len(t.set.Spec.Selector.MatchLabels) > 0 {
			if claim.Labels == nil {
				claim.Labels = map[string]string{}
			}
			maps.Copy(claim.Labels, t.set.Spec.Selector.MatchLabels)
		}
		claims = append(claims, claim)
	}
	return claims
}
