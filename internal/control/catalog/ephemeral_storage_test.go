package catalog

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
	"github.com/hipaa-operator/hipaa-operator/internal/control"
	"github.com/hipaa-operator/hipaa-operator/internal/control/controltest"
)

func scratch(medium corev1.StorageMedium, limit string) corev1.VolumeSource {
	d := &corev1.EmptyDirVolumeSource{Medium: medium}
	if limit != "" {
		d.SizeLimit = ptr.To(resource.MustParse(limit))
	}
	return corev1.VolumeSource{EmptyDir: d}
}

func TestWhatIsOnTheNodeIsToldApart(t *testing.T) {
	for name, tc := range map[string]struct {
		volume corev1.VolumeSource
		stated bool
		want   []string
	}{
		"nothing": {
			volume: corev1.VolumeSource{Secret: &corev1.SecretVolumeSource{SecretName: "s"}},
			want:   []string{"NotApplicable: no volume is on the node"},
		},
		"memory": {volume: scratch("Memory", ""), want: []string{`Pass: spec.volumes[0] "v" is in the node's memory`}},
		"the node's disk": {
			volume: scratch("", ""), want: []string{`Unknown: spec.volumes[0] "v" is on the node's own disk, and nothing shows that it is encrypted`},
		},
		"the node's disk, which somebody states to be encrypted": {
			volume: scratch("", ""), stated: true,
			want: []string{`Pass: spec.volumes[0] "v" is on the node's own disk, which is stated to be encrypted until 2027-01-01 [Attested]`},
		},
		"a directory of the node, whatever is stated about its disk": {
			volume: corev1.VolumeSource{HostPath: &corev1.HostPathVolumeSource{Path: "/data"}}, stated: true,
			want: []string{`spec.volumes[0] "v" is a hostPath`},
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := controltest.Baseline(control.Pods)
			s.Pod.Spec.Volumes = []corev1.Volume{{Name: "v", VolumeSource: tc.volume}}
			if tc.stated {
				s.Profile.Storage.NodeDisks = &hipaav1.Statement{StatedBy: "ops", Reason: "LUKS on every node", Expires: metav1.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC)}
			}
			if diff := cmp.Diff(tc.want, sentences(checkNodeDisk(&s))); diff != "" {
				t.Errorf("findings (-want +got):\n%s", diff)
			}
		})
	}
}

func TestScratchGoesIntoMemoryWhereTheProfileOptsIn(t *testing.T) {
	for name, tc := range map[string]struct {
		placement  hipaav1.EmptyDirPlacement
		limit      string
		give, want corev1.VolumeSource
	}{
		"not unless it does":          {placement: hipaav1.EmptyDirAsDeclared, give: scratch("", ""), want: scratch("", "")},
		"with the default limit":      {placement: hipaav1.EmptyDirMemory, give: scratch("", ""), want: scratch("Memory", "64Mi")},
		"with the profile's limit":    {placement: hipaav1.EmptyDirMemory, limit: "1Gi", give: scratch("", ""), want: scratch("Memory", "1Gi")},
		"with its own limit":          {placement: hipaav1.EmptyDirMemory, limit: "1Gi", give: scratch("", "2Gi"), want: scratch("Memory", "2Gi")},
		"and what names a medium not": {placement: hipaav1.EmptyDirMemory, give: scratch("HugePages-2Mi", ""), want: scratch("HugePages-2Mi", "")},
	} {
		t.Run(name, func(t *testing.T) {
			s := controltest.Baseline(control.Pods)
			s.Profile.Storage.EmptyDir = tc.placement
			if tc.limit != "" {
				s.Profile.Storage.EmptyDirSizeLimit = resource.MustParse(tc.limit)
			}
			s.Pod.Spec.Volumes = []corev1.Volume{{Name: "v", VolumeSource: tc.give}}
			controlOf("ephemeral-storage").Mutate(s, s.Pod)
			if diff := cmp.Diff(tc.want, s.Pod.Spec.Volumes[0].VolumeSource); diff != "" {
				t.Errorf("volume (-want +got):\n%s", diff)
			}
		})
	}
}
