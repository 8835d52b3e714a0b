package storage

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
)

func BenchmarkOfVolume(b *testing.B) {
	cases := map[string]*links{
		"class":  made("ebs.csi.aws.com", p("type", "gp3", "encrypted", "true", "kmsKeyId", awsKey), p("storage.kubernetes.io/csiProvisionerIdentity", "x")),
		"volume": made("rbd.csi.ceph.com", nil, p("pool", "phi", "imageName", "i", "encrypted", "true", "encryptionKMSID", "vault")),
		"gone":   made("ebs.csi.aws.com", nil, nil).but(func(l *links) { l.class = nil }),
	}
	for name, l := range cases {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				OfVolume(l.volume, l.claim, l.class)
			}
		})
	}
}

func BenchmarkOfPodVolume(b *testing.B) {
	cases := map[string]*corev1.Volume{
		"claim":    {VolumeSource: corev1.VolumeSource{PersistentVolumeClaim: &corev1.PersistentVolumeClaimVolumeSource{ClaimName: "data"}}},
		"emptyDir": {VolumeSource: corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{}}},
	}
	for name, v := range cases {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				OfPodVolume(v)
			}
		})
	}
}

// TestOneVolumeCostsLittle holds the share of the engine's budget that one volume may take: it runs for each volume of
// each pod on each admission.
func TestOneVolumeCostsLittle(t *testing.T) {
	l := made("ebs.csi.aws.com", p("type", "gp3", "encrypted", "true", "kmsKeyId", awsKey), nil)
	if got := testing.AllocsPerRun(100, func() { OfVolume(l.volume, l.claim, l.class) }); got > 2 {
		t.Errorf("%v allocations for a volume with evidence, want 2 at most", got)
	}
	l.class = nil
	if got := testing.AllocsPerRun(100, func() { OfVolume(l.volume, l.claim, l.class) }); got > 3 {
		t.Errorf("%v allocations for a volume without evidence, want 3 at most", got)
	}
}
