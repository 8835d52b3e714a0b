package subject_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/hipaa-operator/hipaa-operator/internal/subject"
)

func trimmed(t *testing.T, transform func(any) (any, error), give any) *corev1.Pod {
	t.Helper()
	got, err := transform(give)
	if err != nil {
		t.Fatalf("trimming a pod: %v", err)
	}
	pod, is := got.(*corev1.Pod)
	if !is {
		t.Fatalf("a pod has become %T", got)
	}
	return pod
}

func running(name, password string) *corev1.Pod {
	p := pod(name, map[string]string{"app": "api"}, "data")
	p.ManagedFields = []metav1.ManagedFieldsEntry{{Manager: "kubectl"}}
	p.Annotations = map[string]string{"kubectl.kubernetes.io/last-applied-configuration": "{}", "keep": "me"}
	p.Spec.Affinity = &corev1.Affinity{}
	p.Spec.Containers = []corev1.Container{{
		Name: "api", Image: "api:1", Env: []corev1.EnvVar{{Name: "PASSWORD", Value: password}}, Args: []string{"--serve"},
		VolumeMounts:    []corev1.VolumeMount{{Name: "kube-api-access-" + name}},
		SecurityContext: &corev1.SecurityContext{Privileged: ptr.To(true)},
	}}
	return p
}

func TestTrimPodsKeepsWhatControlsJudge(t *testing.T) {
	got := trimmed(t, subject.TrimPods(), running("api-1", "x"))
	want := running("api-1", "x")
	want.ManagedFields, want.Annotations, want.Spec.Affinity = nil, map[string]string{"keep": "me"}, nil
	want.Spec.Containers[0].VolumeMounts = nil
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestTrimPodsLetsPodsOfOneTemplateShareTheirSettings(t *testing.T) {
	transform := subject.TrimPods()
	first, second := trimmed(t, transform, running("api-1", "x")), trimmed(t, transform, running("api-2", "x"))
	if &first.Spec.Containers[0].Env[0] != &second.Spec.Containers[0].Env[0] {
		t.Error("two pods of one template hold their environment twice")
	}
	other := trimmed(t, transform, running("api-3", "y"))
	if got := other.Spec.Containers[0].Env[0].Value; got != "y" {
		t.Errorf("a pod with settings of its own got %q", got)
	}
}

func TestTrimNodeKeepsWhereItIsAndWhatRunsOnIt(t *testing.T) {
	give := &corev1.Node{
		ObjectMeta: metav1.ObjectMeta{Name: "n1", Labels: map[string]string{corev1.LabelTopologyRegion: "us-east-1"}},
		Status: corev1.NodeStatus{
			NodeInfo:  corev1.NodeSystemInfo{KubeletVersion: "v1.36.3"},
			Addresses: []corev1.NodeAddress{{Type: corev1.NodeInternalIP, Address: "192.0.2.7"}},
			Images:    []corev1.ContainerImage{{Names: []string{"api:1"}}},
		},
	}
	want := give.DeepCopy()
	want.Status.Images = nil
	got, err := subject.TrimNode(give)
	if err != nil {
		t.Fatalf("trimming a node: %v", err)
	}
	if diff := cmp.Diff(any(want), got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
