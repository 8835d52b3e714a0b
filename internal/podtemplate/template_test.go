package podtemplate

import (
	"reflect"
	"testing"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/utils/ptr"

	"github.com/hipaa-operator/hipaa-operator/internal/phitest"
)

// spec has, between two volumes of its own, one that a claim template replaces.
func spec() corev1.PodTemplateSpec {
	return corev1.PodTemplateSpec{
		ObjectMeta: metav1.ObjectMeta{
			Labels: map[string]string{"app": "db"}, Annotations: map[string]string{"a": "b"}, Finalizers: []string{"example.org/f"},
		},
		Spec: corev1.PodSpec{Volumes: []corev1.Volume{{Name: "scratch"}, {Name: "data"}, {Name: "config"}}},
	}
}

func named(name string) metav1.ObjectMeta { return metav1.ObjectMeta{Namespace: "ehr", Name: name} }

func claim(name string, labels map[string]string) corev1.PersistentVolumeClaim {
	return corev1.PersistentVolumeClaim{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: labels}}
}

func statefulSet(name string) *appsv1.StatefulSet {
	return &appsv1.StatefulSet{ObjectMeta: named(name), Spec: appsv1.StatefulSetSpec{
		ServiceName: "peers", Selector: &metav1.LabelSelector{MatchLabels: map[string]string{"app": "db"}}, Template: spec(),
		VolumeClaimTemplates: []corev1.PersistentVolumeClaim{claim("wal", nil), claim("data", map[string]string{"app": "other", "tier": "fast"})},
	}}
}

func of(t *testing.T, object runtime.Object) Template {
	t.Helper()
	template, is := Of(object)
	if !is {
		t.Fatalf("%T makes no pods", object)
	}
	return template
}

func TestEveryKindMakesPods(t *testing.T) {
	deployment := &appsv1.Deployment{ObjectMeta: named("web"), Spec: appsv1.DeploymentSpec{Template: spec()}}
	unnamed := deployment.DeepCopy()
	unnamed.Name, unnamed.GenerateName = "", "web-"
	tests := map[string]struct {
		give runtime.Object
		want string
		at   string
	}{
		"Deployment":                    {deployment, "Deployment/web", "spec.template"},
		"one without a name yet":        {unnamed, "Deployment/web-", "spec.template"},
		"StatefulSet":                   {statefulSet("db"), "StatefulSet/db", "spec.template"},
		"DaemonSet":                     {&appsv1.DaemonSet{ObjectMeta: named("agent"), Spec: appsv1.DaemonSetSpec{Template: spec()}}, "DaemonSet/agent", "spec.template"},
		"ReplicaSet":                    {&appsv1.ReplicaSet{ObjectMeta: named("web-1"), Spec: appsv1.ReplicaSetSpec{Template: spec()}}, "ReplicaSet/web-1", "spec.template"},
		"Job":                           {&batchv1.Job{ObjectMeta: named("once"), Spec: batchv1.JobSpec{Template: spec()}}, "Job/once", "spec.template"},
		"CronJob":                       {&batchv1.CronJob{ObjectMeta: named("nightly"), Spec: batchv1.CronJobSpec{JobTemplate: batchv1.JobTemplateSpec{Spec: batchv1.JobSpec{Template: spec()}}}}, "CronJob/nightly", "spec.jobTemplate.spec.template"},
		"ReplicationController":         {&corev1.ReplicationController{ObjectMeta: named("old"), Spec: corev1.ReplicationControllerSpec{Template: ptr.To(spec())}}, "ReplicationController/old", "spec.template"},
		"a controller with no template": {&corev1.ReplicationController{ObjectMeta: named("old")}, "", ""},
		"a pod":                         {&corev1.Pod{ObjectMeta: named("web")}, "", ""},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			template, is := Of(tt.give)
			if !is {
				if tt.want != "" {
					t.Fatal("makes no pods")
				}
				return
			}
			if template.String() != tt.want || template.Path("") != tt.at {
				t.Errorf("%s at %s, want %s at %s", template, template.Path(""), tt.want, tt.at)
			}
			pod := template.Pod()
			if pod.Namespace != "ehr" || pod.Labels["app"] != "db" || pod.Annotations["a"] != "b" || len(pod.Finalizers) != 1 || len(pod.OwnerReferences) != 0 {
				t.Errorf("metadata %+v, want those of the template", pod.ObjectMeta)
			}
		})
	}
}

func TestListsHoldEveryKind(t *testing.T) {
	held := map[string]bool{}
	for _, list := range Lists() {
		item, is := reflect.TypeAssert[runtime.Object](reflect.New(items(t, list)))
		if !is {
			t.Fatalf("%T holds no objects", list)
		}
		if controller, is := item.(*corev1.ReplicationController); is {
			controller.Spec.Template = &corev1.PodTemplateSpec{}
		}
		held[of(t, item).kind] = true
	}
	want := map[string]bool{"Deployment": true, "StatefulSet": true, "DaemonSet": true, "ReplicaSet": true, "Job": true, "CronJob": true, "ReplicationController": true}
	if diff := cmp.Diff(want, held); diff != "" {
		t.Errorf("kinds (-want +got):\n%s", diff)
	}
}

// items is the type of what a list holds.
func items(t *testing.T, list List) reflect.Type {
	t.Helper()
	field, found := reflect.TypeOf(list).Elem().FieldByName("Items")
	if !found {
		t.Fatalf("%T has no items", list)
	}
	return field.Type.Elem()
}

func TestPodsOfAStatefulSet(t *testing.T) {
	later := statefulSet("db")
	later.Spec.Ordinals = &appsv1.StatefulSetOrdinals{Start: 5}
	lost := &corev1.Pod{ObjectMeta: named("db-12")}
	tests := map[string]struct {
		give *corev1.Pod
		want []string
	}{
		"the first":                       {of(t, statefulSet("db")).Pod(), []string{"db-0", "0", "wal=wal-db-0", "data=data-db-0", "scratch", "config"}},
		"the first where ordinals begin":  {of(t, later).Pod(), []string{"db-5", "5", "wal=wal-db-5", "data=data-db-5", "scratch", "config"}},
		"the one in place of another":     {of(t, statefulSet("db")).InPlaceOf(lost), []string{"db-12", "12", "wal=wal-db-12", "data=data-db-12", "scratch", "config"}},
		"the first of a name with a dash": {of(t, statefulSet("db-2")).Pod(), []string{"db-2-0", "0", "wal=wal-db-2-0", "data=data-db-2-0", "scratch", "config"}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			pod := tt.give
			if diff := cmp.Diff(tt.want, append([]string{pod.Name, pod.Labels[appsv1.PodIndexLabel]}, phitest.MountedClaims(pod)...)); diff != "" {
				t.Errorf("pod (-want +got):\n%s", diff)
			}
			if pod.Labels[appsv1.StatefulSetPodNameLabel] != pod.Name || pod.Spec.Hostname != pod.Name || pod.Spec.Subdomain != "peers" {
				t.Errorf("labels %v, hostname %q, subdomain %q; want those of %s", pod.Labels, pod.Spec.Hostname, pod.Spec.Subdomain, pod.Name)
			}
		})
	}
}

func TestClaimsOfAStatefulSet(t *testing.T) {
	set := statefulSet("db")
	var got []string
	for _, c := range of(t, set).Claims() {
		got = append(got, c.Namespace+"/"+c.Name+" app="+c.Labels["app"]+" tier="+c.Labels["tier"])
	}
	want := []string{"ehr/wal-db-0 app=db tier=", "ehr/data-db-0 app=db tier=fast"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("claims (-want +got):\n%s", diff)
	}
	if claims := of(t, &appsv1.Deployment{}).Claims(); claims != nil {
		t.Errorf("a Deployment brings claims: %v", claims)
	}
}

func TestThePodOfOtherControllersHasNoName(t *testing.T) {
	template := of(t, &appsv1.ReplicaSet{ObjectMeta: named("web-1"), Spec: appsv1.ReplicaSetSpec{Template: spec()}})
	for _, pod := range []*corev1.Pod{template.Pod(), template.InPlaceOf(&corev1.Pod{ObjectMeta: named("web-1-x7")})} {
		if pod.Name != "" || pod.GenerateName != "web-1-" || len(pod.Spec.Volumes) != 3 {
			t.Errorf("name %q, prefix %q, volumes %v", pod.Name, pod.GenerateName, phitest.MountedClaims(pod))
		}
	}
}

func TestPaths(t *testing.T) {
	set := of(t, statefulSet("db"))
	job := of(t, &batchv1.CronJob{Spec: batchv1.CronJobSpec{JobTemplate: batchv1.JobTemplateSpec{Spec: batchv1.JobSpec{Template: spec()}}}})
	proxied := job.As(&corev1.Pod{Spec: corev1.PodSpec{InitContainers: make([]corev1.Container, 1+len(job.Pod().Spec.InitContainers))}})
	tests := map[string]struct {
		give Template
		path string
		want string
	}{
		"the pod":                               {set, "", "spec.template"},
		"a label":                               {set, "metadata.labels", "spec.template.metadata.labels"},
		"a claim":                               {set, "spec.volumes[1]", "spec.volumeClaimTemplates[1]"},
		"a field of a claim":                    {set, "spec.volumes[0].persistentVolumeClaim", "spec.volumeClaimTemplates[0].persistentVolumeClaim"},
		"the volume before the one replaced":    {set, "spec.volumes[2].hostPath", "spec.template.spec.volumes[0].hostPath"},
		"the volume behind the one replaced":    {set, "spec.volumes[3]", "spec.template.spec.volumes[2]"},
		"a volume that was added":               {set, "spec.volumes[4]", "spec.template.spec.volumes[3]"},
		"a number that no list has":             {set, "spec.volumes[99999999999999999999]", "spec.template.spec.volumes[99999999999999999999]"},
		"a volume where there are no claims":    {job, "spec.volumes[1].hostPath", "spec.jobTemplate.spec.template.spec.volumes[1].hostPath"},
		"an init container":                     {job, "spec.initContainers[1].image", "spec.jobTemplate.spec.template.spec.initContainers[1].image"},
		"one behind what admission put first":   {proxied, "spec.initContainers[1].image", "spec.jobTemplate.spec.template.spec.initContainers[0].image"},
		"what admission put first":              {proxied, "spec.initContainers[0]", "spec.jobTemplate.spec.template.spec.initContainers[0]"},
		"a field whose name begins like volume": {set, "spec.volumesAttached[0]", "spec.template.spec.volumesAttached[0]"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if got := tt.give.Path(tt.path); got != tt.want {
				t.Errorf("Path(%q) = %q, want %q", tt.path, got, tt.want)
			}
		})
	}
	if got := set.ClaimPath(1, "spec.storageClassName"); got != "spec.volumeClaimTemplates[1].spec.storageClassName" {
		t.Errorf("ClaimPath = %q", got)
	}
}

func TestATemplateMakesWhatItsPodWasChangedTo(t *testing.T) {
	labelled := statefulSet("db")
	labelled.Spec.Template.Labels[appsv1.PodIndexLabel] = "own"
	labelled.Spec.Template.Spec.Hostname = "own"
	bare := statefulSet("db")
	bare.Spec.Template.Spec.Volumes = nil
	tests := map[string]struct {
		give runtime.Object
		want []string
	}{
		"a Deployment":  {&appsv1.Deployment{ObjectMeta: named("web"), Spec: appsv1.DeploymentSpec{Template: spec()}}, []string{"scratch", "data", "config", "new"}},
		"a CronJob":     {&batchv1.CronJob{Spec: batchv1.CronJobSpec{JobTemplate: batchv1.JobTemplateSpec{Spec: batchv1.JobSpec{Template: spec()}}}}, []string{"scratch", "data", "config", "new"}},
		"a StatefulSet": {statefulSet("db"), []string{"scratch", "data", "config", "new"}},
		"one that says what its pods have of their own": {labelled, []string{"scratch", "data", "config", "new"}},
		"one without volumes":                           {bare, []string{"new"}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			template := of(t, tt.give)
			pod := template.Pod()
			if diff := cmp.Diff(*template.spec, template.Making(pod)); diff != "" {
				t.Errorf("the template of an unchanged pod (-want +got):\n%s", diff)
			}
			pod.Labels["added"] = "x"
			pod.Spec.Volumes = append(pod.Spec.Volumes, corev1.Volume{Name: "new"})
			got := template.Making(pod)
			var volumes []string
			for _, v := range got.Spec.Volumes {
				volumes = append(volumes, v.Name)
			}
			if diff := cmp.Diff(tt.want, volumes); diff != "" || got.Labels["added"] != "x" {
				t.Errorf("labels %v, volumes (-want +got):\n%s", got.Labels, diff)
			}
			path := ""
			for _, step := range template.Steps() {
				path = under(path, step)
			}
			if path = path[1:]; path != template.path {
				t.Errorf("steps lead to %s, want %s", path, template.path)
			}
		})
	}
}

func TestWhatIsToldIsNotShared(t *testing.T) {
	set := statefulSet("db")
	before := set.DeepCopy()
	template := of(t, set)
	pod, claims := template.Pod(), template.Claims()
	pod.Labels["app"], pod.Spec.Volumes[2].Name, claims[0].Labels["app"] = "x", "x", "x"
	if diff := cmp.Diff(before, set); diff != "" {
		t.Errorf("the object was changed (-before +after):\n%s", diff)
	}
}
