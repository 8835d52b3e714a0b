package repair

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	"github.com/hipaa-operator/hipaa-operator/internal/phitest"
)

func named(name string, controlledBy ...string) metav1.ObjectMeta {
	m := metav1.ObjectMeta{Namespace: "ehr", Name: name, UID: types.UID(name)}
	for _, owner := range controlledBy {
		m.OwnerReferences = append(m.OwnerReferences, metav1.OwnerReference{Name: owner, UID: types.UID(owner), Controller: ptr.To(true)})
	}
	return m
}

// podTemplate has the label app and, in its volumes, one that a claim template
// replaces.
func podTemplate(app string) corev1.PodTemplateSpec {
	pod := phitest.Pod(app).Volume("scratch", corev1.VolumeSource{}).Volume("data", corev1.VolumeSource{}).Obj()
	return corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: pod.Labels}, Spec: pod.Spec}
}

func statefulSet() *appsv1.StatefulSet {
	return &appsv1.StatefulSet{ObjectMeta: named("db"), Spec: appsv1.StatefulSetSpec{
		Replicas: ptr.To(int32(3)), ServiceName: "db", Template: podTemplate("api"),
		VolumeClaimTemplates: []corev1.PersistentVolumeClaim{*phitest.Claim("data").Obj()},
	}}
}

func TestTemplates(t *testing.T) {
	ended := func(how batchv1.JobConditionType) batchv1.JobStatus {
		return batchv1.JobStatus{Conditions: []batchv1.JobCondition{{Type: how, Status: corev1.ConditionTrue}}}
	}
	live := fake.NewClientBuilder().WithScheme(clientgoscheme.Scheme).WithObjects(
		&appsv1.Deployment{ObjectMeta: named("web"), Spec: appsv1.DeploymentSpec{Template: podTemplate("api")}},
		&appsv1.Deployment{ObjectMeta: named("elsewhere"), Spec: appsv1.DeploymentSpec{Template: podTemplate("other")}},
		&appsv1.ReplicaSet{ObjectMeta: named("web-1", "web"), Spec: appsv1.ReplicaSetSpec{Template: podTemplate("api")}},
		&appsv1.ReplicaSet{ObjectMeta: named("alone"), Spec: appsv1.ReplicaSetSpec{Template: podTemplate("api")}},
		&appsv1.DaemonSet{ObjectMeta: named("agent"), Spec: appsv1.DaemonSetSpec{Template: podTemplate("api")}},
		&batchv1.CronJob{ObjectMeta: named("nightly"), Spec: batchv1.CronJobSpec{JobTemplate: batchv1.JobTemplateSpec{Spec: batchv1.JobSpec{Template: podTemplate("api")}}}},
		&batchv1.Job{ObjectMeta: named("nightly-1", "nightly"), Spec: batchv1.JobSpec{Template: podTemplate("api")}},
		&batchv1.Job{ObjectMeta: named("once"), Spec: batchv1.JobSpec{Template: podTemplate("api")}},
		&batchv1.Job{ObjectMeta: named("over"), Spec: batchv1.JobSpec{Template: podTemplate("api")}, Status: ended(batchv1.JobComplete)},
		&batchv1.Job{ObjectMeta: named("in-vain"), Spec: batchv1.JobSpec{Template: podTemplate("api")}, Status: ended(batchv1.JobFailed)},
		&corev1.ReplicationController{ObjectMeta: named("old"), Spec: corev1.ReplicationControllerSpec{Template: ptr.To(podTemplate("api"))}},
		statefulSet(),
	).Build()
	found, err := Templates(t.Context(), live, "ehr", labels.SelectorFromSet(labels.Set{"app": "api"}))
	if err != nil {
		t.Fatalf("Templates: %v", err)
	}
	var objects []string
	for _, f := range found {
		objects = append(objects, f.Object)
	}
	want := []string{"CronJob/nightly", "DaemonSet/agent", "Deployment/web", "Job/once", "ReplicaSet/alone", "ReplicationController/old", "StatefulSet/db"}
	if diff := cmp.Diff(want, objects); diff != "" {
		t.Errorf("templates (-want +got):\n%s", diff)
	}
	set := found[len(found)-1]
	if diff := cmp.Diff([]string{"data=data-db-0", "scratch"}, phitest.MountedClaims(set.Pod)); diff != "" {
		t.Errorf("volumes of the first pod of a StatefulSet (-want +got):\n%s", diff)
	}
	if len(set.Claims) != 1 || set.Claims[0].Name != "data-db-0" || set.Claims[0].Namespace != "ehr" {
		t.Errorf("claims of the first pod of a StatefulSet: %v, want data-db-0", set.Claims)
	}
}

func TestWhatWantsNoPodIsIdle(t *testing.T) {
	none, some := ptr.To(int32(0)), ptr.To(int32(1))
	tests := map[string]struct {
		give runtime.Object
		want bool
	}{
		"a Deployment":                    {&appsv1.Deployment{}, false},
		"a Deployment scaled to none":     {&appsv1.Deployment{Spec: appsv1.DeploymentSpec{Replicas: none}}, true},
		"a Deployment scaled to one":      {&appsv1.Deployment{Spec: appsv1.DeploymentSpec{Replicas: some}}, false},
		"a StatefulSet scaled to none":    {&appsv1.StatefulSet{Spec: appsv1.StatefulSetSpec{Replicas: none}}, true},
		"a ReplicaSet scaled to none":     {&appsv1.ReplicaSet{Spec: appsv1.ReplicaSetSpec{Replicas: none}}, true},
		"a controller scaled to none":     {&corev1.ReplicationController{Spec: corev1.ReplicationControllerSpec{Replicas: none}}, true},
		"a DaemonSet, by its nodes alone": {&appsv1.DaemonSet{}, false},
		"a Job":                           {&batchv1.Job{}, false},
		"a Job that is suspended":         {&batchv1.Job{Spec: batchv1.JobSpec{Suspend: ptr.To(true)}}, true},
		"a Job that runs nothing at once": {&batchv1.Job{Spec: batchv1.JobSpec{Parallelism: none}}, true},
		"a CronJob between its runs":      {&batchv1.CronJob{}, false},
		"a CronJob that is suspended":     {&batchv1.CronJob{Spec: batchv1.CronJobSpec{Suspend: ptr.To(true)}}, true},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if got := idle(tt.give); got != tt.want {
				t.Errorf("idle() = %v, want %v", got, tt.want)
			}
		})
	}
}

func TestWhoMakesAPod(t *testing.T) {
	controlled := func(apiVersion, kind, name, uid string) *corev1.Pod {
		pod := phitest.Pod("x").Obj()
		pod.OwnerReferences = []metav1.OwnerReference{{APIVersion: apiVersion, Kind: kind, Name: name, UID: types.UID(uid), Controller: ptr.To(true), BlockOwnerDeletion: ptr.To(true)}}
		return pod
	}
	leaving := &appsv1.ReplicaSet{ObjectMeta: named("leaving"), Spec: appsv1.ReplicaSetSpec{Template: podTemplate("api")}}
	leaving.DeletionTimestamp, leaving.Finalizers = ptr.To(metav1.Now()), []string{"example.org/held"}
	live := fake.NewClientBuilder().WithScheme(clientgoscheme.Scheme).WithObjects([]client.Object{
		&appsv1.ReplicaSet{ObjectMeta: named("web-1", "web"), Spec: appsv1.ReplicaSetSpec{Replicas: ptr.To(int32(2)), Template: podTemplate("api")}},
		&appsv1.DaemonSet{ObjectMeta: named("agent"), Spec: appsv1.DaemonSetSpec{Template: podTemplate("api")}, Status: appsv1.DaemonSetStatus{DesiredNumberScheduled: 4}},
		&batchv1.Job{ObjectMeta: named("once")}, leaving, statefulSet(),
	}...).Build()
	type want struct {
		None, Finishes, Makes bool
		Group                 types.UID
		Wanted                int
	}
	tests := map[string]struct {
		give *corev1.Pod
		want want
	}{
		"nobody":                         {phitest.Pod("x").Obj(), want{None: true}},
		"a ReplicaSet of a Deployment":   {controlled("apps/v1", "ReplicaSet", "web-1", "web-1"), want{Makes: true, Group: "web", Wanted: 2}},
		"a StatefulSet":                  {controlled("apps/v1", "StatefulSet", "db", "db"), want{Makes: true, Group: "db", Wanted: 3}},
		"a DaemonSet":                    {controlled("apps/v1", "DaemonSet", "agent", "agent"), want{Makes: true, Group: "agent", Wanted: 4}},
		"a Job":                          {controlled("batch/v1", "Job", "once", "once"), want{Finishes: true, Group: "once"}},
		"a node, of a static pod":        {controlled("v1", "Node", "n1", "n1"), want{Group: "n1"}},
		"a kind that we do not know":     {controlled("example.org/v1", "Rollout", "x", "x"), want{Group: "x"}},
		"one that is gone":               {controlled("apps/v1", "ReplicaSet", "gone", "gone"), want{Group: "gone"}},
		"one that is going":              {controlled("apps/v1", "ReplicaSet", "leaving", "leaving"), want{Group: "leaving"}},
		"another one by the same name":   {controlled("apps/v1", "ReplicaSet", "web-1", "former"), want{Group: "former"}},
		"the same kind of another group": {controlled("extensions/v1beta1", "ReplicaSet", "web-1", "web-1"), want{Group: "web-1"}},
		"an owner that does not control it": {func() *corev1.Pod {
			pod := controlled("apps/v1", "ReplicaSet", "web-1", "web-1")
			pod.OwnerReferences[0].Controller = nil
			return pod
		}(), want{None: true}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			m, err := (&makers{live: live, known: map[types.UID]*maker{}}).of(t.Context(), tt.give)
			if err != nil {
				t.Fatalf("of: %v", err)
			}
			got := want{None: m == nil}
			if m != nil {
				got = want{Finishes: m.finishes, Makes: m.makes, Group: m.group, Wanted: m.wanted}
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("maker (-want +got):\n%s", diff)
			}
		})
	}
}

func TestReplacementOfAStatefulPod(t *testing.T) {
	set := statefulSet()
	m := &maker{object: set}
	m.describe()
	lost := phitest.Pod("db-2").Obj()
	lost.OwnerReferences = []metav1.OwnerReference{{APIVersion: "apps/v1", Kind: "StatefulSet", Name: "db", UID: "db", Controller: ptr.To(true), BlockOwnerDeletion: ptr.To(true)}}
	pod := m.replacement(lost)
	if diff := cmp.Diff([]string{"data=data-db-2", "scratch"}, phitest.MountedClaims(pod)); diff != "" {
		t.Errorf("volumes (-want +got):\n%s", diff)
	}
	if pod.Labels[appsv1.PodIndexLabel] != "2" || pod.Spec.Hostname != "db-2" || pod.Name != rehearsalName {
		t.Errorf("identity: name %q, labels %v, hostname %q; want those of db-2, whose name is taken", pod.Name, pod.Labels, pod.Spec.Hostname)
	}
	if ref := metav1.GetControllerOf(pod); ref == nil || ref.UID != "db" || ref.BlockOwnerDeletion != nil {
		t.Errorf("controller %v, want db without blocking its deletion", ref)
	}
}
