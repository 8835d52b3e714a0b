package phiworkload_test

import (
	"context"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/hipaa-operator/hipaa-operator/internal/phitest"
	"github.com/hipaa-operator/hipaa-operator/internal/podtemplate"
)

// What previews and admission judge is told by internal/podtemplate; here
// Kubernetes' own controllers say whether it is right.
var _ = Describe("The first pod of a template", func() {
	made := func(ctx context.Context, p place) *corev1.Pod {
		GinkgoHelper()
		var pods corev1.PodList
		Eventually(func() ([]corev1.Pod, error) {
			err := cluster.Admin.List(ctx, &pods, client.InNamespace(p.name))
			return pods.Items, err
		}, patience, interval).Should(HaveLen(1))
		return &pods.Items[0]
	}
	told := func(object podtemplate.Object) podtemplate.Template {
		GinkgoHelper()
		t, is := podtemplate.Of(object)
		Expect(is).To(BeTrue())
		return t
	}
	// mounts lists volumes, each with its claim.
	mounts := func(pod *corev1.Pod) []string {
		var list []string
		for _, v := range pod.Spec.Volumes {
			if v.PersistentVolumeClaim != nil {
				v.Name += "=" + v.PersistentVolumeClaim.ClaimName
			}
			list = append(list, v.Name)
		}
		return list
	}

	It("is what the StatefulSet controller makes, with its claims", func(ctx context.Context) {
		p := newPlace(ctx, nil)
		w := p.workload("db").Obj()
		pod := phitest.Pod("db").Of(w).Volume("scratch", corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{}}).
			Volume("data", corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{}}).Obj()
		data := *phitest.Claim("data").Obj()
		data.Namespace, data.Labels = "", map[string]string{"app": "other", "tier": "fast"}
		set := create(ctx, &appsv1.StatefulSet{
			ObjectMeta: metav1.ObjectMeta{Namespace: p.name, Name: "db"},
			Spec: appsv1.StatefulSetSpec{
				Replicas: ptr.To[int32](1), Ordinals: &appsv1.StatefulSetOrdinals{Start: 3}, ServiceName: "peers",
				Selector: &w.Spec.Selector, Template: template(pod), VolumeClaimTemplates: []corev1.PersistentVolumeClaim{data},
			},
		})
		want, got := told(set), made(ctx, p)
		delete(got.Labels, appsv1.ControllerRevisionHashLabelKey)
		for _, first := range []*corev1.Pod{want.Pod(), want.InPlaceOf(got)} {
			Expect(got.Name).To(Equal(first.Name))
			Expect(got.Labels).To(Equal(first.Labels))
			Expect(got.Spec.Hostname + "." + got.Spec.Subdomain).To(Equal(first.Spec.Hostname + "." + first.Spec.Subdomain))
			Expect(mounts(got)).To(Equal(mounts(first)))
		}
		Expect(want.Claims()).To(HaveLen(1))
		for _, claim := range want.Claims() {
			Expect(get(ctx, &corev1.PersistentVolumeClaim{}, p.key(claim.Name)).Labels).To(Equal(claim.Labels))
		}
		Expect(want.Path("spec.volumes[1]")).To(Equal("spec.template.spec.volumes[0]"), "of "+mounts(got)[1])
	})

	DescribeTable("is what the controller makes of a", func(ctx context.Context, object func(place, corev1.PodTemplateSpec) podtemplate.Object) {
		p := newPlace(ctx, nil)
		pod := phitest.Pod("web").Of(p.workload("web").Obj()).Volume("scratch", corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{}}).Obj()
		pod.Annotations = map[string]string{"note": "here"}
		o := object(p, corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: pod.Labels, Annotations: pod.Annotations}, Spec: pod.Spec})
		Expect(cluster.Admin.Create(ctx, o)).To(Succeed())
		want, got := told(o).Pod(), made(ctx, p)
		Expect(got.GenerateName).To(Equal(want.GenerateName))
		Expect(got.Labels).To(Equal(want.Labels))
		Expect(got.Annotations).To(Equal(want.Annotations))
		Expect(mounts(got)).To(Equal(mounts(want)))
	},
		Entry("ReplicaSet", func(p place, t corev1.PodTemplateSpec) podtemplate.Object {
			return &appsv1.ReplicaSet{ObjectMeta: metav1.ObjectMeta{Namespace: p.name, Name: "web"}, Spec: appsv1.ReplicaSetSpec{
				Selector: &metav1.LabelSelector{MatchLabels: t.Labels}, Template: t,
			}}
		}),
		Entry("Job", func(p place, t corev1.PodTemplateSpec) podtemplate.Object {
			t.Spec.RestartPolicy = corev1.RestartPolicyNever
			return &batchv1.Job{ObjectMeta: metav1.ObjectMeta{Namespace: p.name, Name: "web"}, Spec: batchv1.JobSpec{Template: t}}
		}),
	)
})
