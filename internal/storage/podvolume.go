package storage

import (
	"strings"

	corev1 "k8s.io/api/core/v1"
)

// OfPodVolume says where a volume of a pod keeps its data, and grades it as far as the pod alone shows. For KindClaim
// and KindClaimTemplate the grade is Unknown until [OfVolume] is asked; for kinds that are not AtRest it has no meaning.
// Nil is Unknown.
func OfPodVolume(v *corev1.Volume) (Verdict, Kind) {
	switch {
	case v == nil:
		return unknown(nothingRead, ""), KindUnrecognised
	case v.PersistentVolumeClaim != nil:
		return Verdict{
			Source: FromPodVolume, Evidence: "persistentVolumeClaim",
			Why: "the claim decides, and was not asked yet", Remedy: remedyRead,
		}, KindClaim
	case v.Ephemeral != nil:
		return Verdict{
			Source: FromPodVolume, Evidence: "ephemeral",
			Why: "the claim made from its template decides, and was not asked yet", Remedy: remedyRead,
		}, KindClaimTemplate
	case v.EmptyDir != nil:
		return ofEmptyDir(v.EmptyDir)
	case v.Image != nil:
		return Verdict{Source: FromPodVolume, Evidence: "image", Why: "content of an image is read-only and not the workload's data"}, KindImage
	}
	if field := fromAPI(&v.VolumeSource); field != "" {
		return Verdict{Source: FromPodVolume, Evidence: field, Why: "the API server keeps the original; encryption of etcd decides"}, KindAPI
	}
	return ofSource(&v.VolumeSource)
}

// TemplateOf returns the claim that Kubernetes makes for a generic ephemeral volume, without name and namespace, to be
// judged before it exists. Nil for every other volume. It shares its fields with v: read only.
func TemplateOf(v *corev1.Volume) *corev1.PersistentVolumeClaim {
	if v == nil || v.Ephemeral == nil || v.Ephemeral.VolumeClaimTemplate == nil {
		return nil
	}
	t := v.Ephemeral.VolumeClaimTemplate
	claim := &corev1.PersistentVolumeClaim{Spec: t.Spec}
	claim.Labels, claim.Annotations = t.Labels, t.Annotations
	return claim
}

func ofEmptyDir(d *corev1.EmptyDirVolumeSource) (Verdict, Kind) {
	switch {
	case d.Medium == corev1.StorageMediumMemory:
		return inMemory("emptyDir medium Memory")
	case strings.HasPrefix(string(d.Medium), string(corev1.StorageMediumHugePages)):
		return inMemory("emptyDir medium HugePages")
	case d.Medium == corev1.StorageMediumDefault:
		return location{kind: KindNodeDisk, field: "emptyDir"}.verdict(FromPodVolume), KindNodeDisk
	default:
		return location{}.verdict(FromPodVolume), KindUnrecognised
	}
}

func inMemory(saw string) (Verdict, Kind) {
	return Verdict{Source: FromPodVolume, Evidence: saw, Why: "the data is in the node's memory and not at rest"}, KindMemory
}

// fromAPI names the source of a volume whose content the API server keeps, empty for others.
func fromAPI(s *corev1.VolumeSource) string {
	switch {
	case s.Secret != nil:
		return "secret"
	case s.ConfigMap != nil:
		return "configMap"
	case s.Projected != nil:
		return "projected"
	case s.DownwardAPI != nil:
		return "downwardAPI"
	default:
		return ""
	}
}

// ofSource grades what a pod attaches without a claim. Its attributes are the pod author's and decide nothing, so only
// what the driver does to every volume counts.
func ofSource(s *corev1.VolumeSource) (Verdict, Kind) {
	at := locateInPod(s)
	if at.driver == "" {
		return at.verdict(FromPodVolume), at.kind
	}
	row := find(at.driver)
	switch {
	case row == nil:
		return unlisted(at.driver, FromPodVolume), at.kind
	case row.Memory:
		return inMemory(row.Name)
	default:
		e := evidence{row: row, name: at.driver, classFlaw: inline, bare: true}
		return e.judge(), at.kind
	}
}
