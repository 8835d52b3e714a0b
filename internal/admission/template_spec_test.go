package admission_test

import (
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/hipaa-operator/hipaa-operator/internal/phitest"
)

var _ = Describe("A pod template in a PHI namespace", func() {
	var (
		ns     string
		tenant *person
	)
	BeforeEach(func(ctx SpecContext) {
		tenant = as("tess@example.org")
		ns = namespace(ctx, "enforce")
		declare(ctx, ns, "patient-api")
	})
	meta := func() metav1.ObjectMeta { return metav1.ObjectMeta{Namespace: ns, Name: "patient-api"} }
	selector := &metav1.LabelSelector{MatchLabels: map[string]string{"app": "patient-api"}}
	template := func(pod *phitest.PodBuilder) corev1.PodTemplateSpec {
		p := pod.Obj()
		return corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: p.Labels}, Spec: p.Spec}
	}
	good := func() corev1.PodTemplateSpec { return template(phitest.Pod("patient-api")) }
	bad := func() corev1.PodTemplateSpec { return template(phitest.Pod("patient-api").Unhardened()) }
	once := func(t corev1.PodTemplateSpec) corev1.PodTemplateSpec {
		t.Spec.RestartPolicy = corev1.RestartPolicyNever
		return t
	}

	DescribeTable("is refused where its pods would be, by the path in the object",
		func(ctx SpecContext, object func() client.Object, path string) {
			Expect(tenant.Create(ctx, object())).To(MatchError(And(
				ContainSubstring(`admission webhook "templates.hipaa-operator.io" denied the request`),
				ContainSubstring("pod-hardening"),
				ContainSubstring(path+".spec.containers[0]"),
				Not(ContainSubstring("data-classification")), // mutation will have added the labels
			)))
		},
		Entry("Deployment", func() client.Object {
			return &appsv1.Deployment{ObjectMeta: meta(), Spec: appsv1.DeploymentSpec{Selector: selector, Template: bad()}}
		}, "spec.template"),
		Entry("StatefulSet", func() client.Object {
			return &appsv1.StatefulSet{ObjectMeta: meta(), Spec: appsv1.StatefulSetSpec{Selector: selector, Template: bad()}}
		}, "spec.template"),
		Entry("DaemonSet", func() client.Object {
			return &appsv1.DaemonSet{ObjectMeta: meta(), Spec: appsv1.DaemonSetSpec{Selector: selector, Template: bad()}}
		}, "spec.template"),
		Entry("ReplicaSet", func() client.Object {
			return &appsv1.ReplicaSet{ObjectMeta: meta(), Spec: appsv1.ReplicaSetSpec{Selector: selector, Template: bad()}}
		}, "spec.template"),
		Entry("Job", func() client.Object {
			return &batchv1.Job{ObjectMeta: meta(), Spec: batchv1.JobSpec{Template: once(bad())}}
		}, "spec.template"),
		Entry("CronJob", func() client.Object {
			return &batchv1.CronJob{ObjectMeta: meta(), Spec: batchv1.CronJobSpec{
				Schedule:    "0 3 * * *",
				JobTemplate: batchv1.JobTemplateSpec{Spec: batchv1.JobSpec{Template: once(bad())}},
			}}
		}, "spec.jobTemplate.spec.template"),
		Entry("ReplicationController", func() client.Object {
			t := bad()
			return &corev1.ReplicationController{ObjectMeta: meta(), Spec: corev1.ReplicationControllerSpec{Selector: selector.MatchLabels, Template: &t}}
		}, "spec.template"),
	)

	It("stays as it was written", func(ctx SpecContext) {
		deployment := &appsv1.Deployment{ObjectMeta: meta(), Spec: appsv1.DeploymentSpec{Selector: selector, Template: good()}}
		Expect(tenant.Create(ctx, deployment)).To(Succeed())
		Expect(deployment.Spec.Template.Labels).To(Equal(map[string]string{"app": "patient-api"}))
		Expect(tenant.warned.texts).To(BeEmpty())
	})

	It("only warns of a claim that is still to come", func(ctx SpecContext) {
		deployment := &appsv1.Deployment{ObjectMeta: meta(), Spec: appsv1.DeploymentSpec{
			Selector: selector, Template: template(phitest.Pod("patient-api").Mounts("data", "later")),
		}}
		Expect(tenant.Create(ctx, deployment)).To(Succeed())
		Expect(tenant.warned.texts).To(ContainElement(And(ContainSubstring("volume-encryption"), ContainSubstring("spec.template.spec.volumes[0]"))))
	})

	It("only warns when no PHIWorkload selects its pods yet", func(ctx SpecContext) {
		other := &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: "early"}, Spec: appsv1.DeploymentSpec{
			Selector: &metav1.LabelSelector{MatchLabels: map[string]string{"app": "early"}}, Template: template(phitest.Pod("early").Unhardened()),
		}}
		Expect(tenant.Create(ctx, other)).To(Succeed())
		Expect(tenant.warned.texts).To(ContainElement(And(ContainSubstring("undeclared-pod"), ContainSubstring("spec.template.metadata.labels"))))
	})

	It("brings claims that are judged where they stand", func(ctx SpecContext) {
		set := &appsv1.StatefulSet{ObjectMeta: meta(), Spec: appsv1.StatefulSetSpec{Selector: selector, Template: good()}}
		data := phitest.Claim("data").Class("plain").Obj()
		data.Namespace = ""
		set.Spec.VolumeClaimTemplates = []corev1.PersistentVolumeClaim{*data}
		set.Spec.Template.Spec.Containers[0].VolumeMounts = []corev1.VolumeMount{{Name: "data", MountPath: "/data"}}
		err := tenant.Create(ctx, set)
		AddReportEntry("refusal", err.Error())
		Expect(err).To(MatchError(And(ContainSubstring("volume-encryption"), ContainSubstring("spec.volumeClaimTemplates[0]"), Not(ContainSubstring("does not exist")))))

		set.Spec.VolumeClaimTemplates[0].Spec.StorageClassName = nil
		Expect(tenant.Create(ctx, set, client.DryRunAll)).To(Succeed())
		set.Spec.VolumeClaimTemplates[0].Spec.StorageClassName = ptr.To(phitest.EncryptedClass)
		Expect(tenant.Create(ctx, set)).To(Succeed())
		Expect(tenant.warned.texts).To(BeEmpty())
	})

	It("is told the volume of the template, whatever stands before it in the pod", func(ctx SpecContext) {
		pod := phitest.Pod("patient-api").Volume("data", corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{}}).
			Volume("node", corev1.VolumeSource{HostPath: &corev1.HostPathVolumeSource{Path: "/"}})
		set := &appsv1.StatefulSet{ObjectMeta: meta(), Spec: appsv1.StatefulSetSpec{Selector: selector, Template: template(pod)}}
		claims := []corev1.PersistentVolumeClaim{*phitest.Claim("data").Class(phitest.EncryptedClass).Obj(), *phitest.Claim("wal").Class(phitest.EncryptedClass).Obj()}
		for i := range claims {
			claims[i].Namespace = ""
		}
		set.Spec.VolumeClaimTemplates = claims
		Expect(tenant.Create(ctx, set)).To(MatchError(ContainSubstring("spec.template.spec.volumes[1]")))
	})

	It("may be scaled, and is judged again when it changes", func(ctx SpecContext) {
		deployment := &appsv1.Deployment{ObjectMeta: meta(), Spec: appsv1.DeploymentSpec{Selector: selector, Template: good()}}
		Expect(tenant.Create(ctx, deployment)).To(Succeed())
		deployment.Spec.Replicas = ptr.To[int32](3)
		Expect(tenant.Update(ctx, deployment)).To(Succeed())
		deployment.Spec.Template.Spec.HostPID = true
		Expect(tenant.Update(ctx, deployment)).To(MatchError(And(
			ContainSubstring("spec.template.spec.hostPID"), ContainSubstring(`deployment "patient-api"`))))
	})
})
