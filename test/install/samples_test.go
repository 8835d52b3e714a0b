package install

import (
	"maps"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
	"github.com/hipaa-operator/hipaa-operator/internal/control"
	"github.com/hipaa-operator/hipaa-operator/internal/control/catalog"
	"github.com/hipaa-operator/hipaa-operator/internal/engine"
	"github.com/hipaa-operator/hipaa-operator/internal/subject"
)

const sampleNamespace = "ehr"

// judge is the engine over the samples, under hipaa-security-rule.
type judge struct {
	engine *engine.Engine
	loader *subject.Loader
	scene  *subject.Scene
	ruling engine.Ruling
}

func newJudge(t *testing.T) *judge { return newJudgeOf(t, "samples") }

// newJudgeOf judges the objects of these folders of config/ as one cluster.
func newJudgeOf(t *testing.T, folders ...string) *judge {
	t.Helper()
	objects := []client.Object{
		&corev1.Service{
			ObjectMeta: metav1.ObjectMeta{Namespace: metav1.NamespaceSystem, Name: "kube-dns"},
			Spec:       corev1.ServiceSpec{ClusterIPs: []string{"10.96.0.10"}, Selector: map[string]string{"k8s-app": "kube-dns"}, Ports: []corev1.ServicePort{{Port: 53}}},
		},
	}
	for _, folder := range append(folders, "profiles") {
		for _, object := range all[runtime.Object](t, folder) {
			o, ok := object.(client.Object)
			if !ok {
				t.Fatalf("config/%s holds a %T", folder, object)
			}
			if _, isNamespace := object.(*corev1.Namespace); isNamespace {
				labels := maps.Clone(o.GetLabels())
				labels[corev1.LabelMetadataName] = o.GetName() // as the API server does
				o.SetLabels(labels)
			}
			objects = append(objects, o)
		}
	}
	for _, folder := range folders {
		for _, claim := range claimsOf(t, folder) {
			objects = append(objects, claim)
		}
	}
	cluster := fake.NewClientBuilder().WithScheme(scheme(t)).WithObjects(objects...).
		WithIndex(&corev1.Pod{}, subject.ByServiceAccount, subject.ServiceAccountOf).Build()
	j := &judge{loader: &subject.Loader{Cache: cluster, Live: cluster}}
	var err error
	if j.engine, err = engine.New(catalog.All()); err != nil {
		t.Fatalf("making the engine: %v", err)
	}
	if j.scene, err = j.loader.Scene(t.Context(), sampleNamespace); err != nil {
		t.Fatalf("reading the scene: %v", err)
	}
	now := time.Date(2026, 11, 2, 15, 0, 0, 0, time.UTC)
	effective, err := j.engine.Resolve(j.scene.Profiles, j.scene.Namespace, nil, now)
	if err != nil {
		t.Fatalf("merging the profiles: %v", err)
	}
	if len(effective.Conflicts)+len(effective.NotFound) > 0 || !effective.Enforces() {
		t.Fatalf("the profile is not as shipped: conflicts %v, not found %v, enforces %t", effective.Conflicts, effective.NotFound, effective.Enforces())
	}
	j.ruling = engine.Ruling{Effective: effective, Now: now}
	return j
}

func claims(t *testing.T) []*corev1.PersistentVolumeClaim { return claimsOf(t, "samples") }

// claimsOf are what a StatefulSet's controller makes for its first pod.
func claimsOf(t *testing.T, folder string) []*corev1.PersistentVolumeClaim {
	t.Helper()
	var made []*corev1.PersistentVolumeClaim
	for _, set := range all[*appsv1.StatefulSet](t, folder) {
		for _, template := range set.Spec.VolumeClaimTemplates {
			claim := template.DeepCopy()
			claim.Name, claim.Namespace = template.Name+"-"+set.Name+"-0", set.Namespace
			made = append(made, claim)
		}
	}
	return made
}

func pods(t *testing.T) map[string]*corev1.Pod { return podsOf(t, "samples") }

// podsOf are the first pods of a sample's controllers.
func podsOf(t *testing.T, folder string) map[string]*corev1.Pod {
	t.Helper()
	made := map[string]*corev1.Pod{}
	for name, template := range podTemplates(t, folder) {
		made[name] = &corev1.Pod{
			ObjectMeta: metav1.ObjectMeta{Namespace: sampleNamespace, GenerateName: "pod-", Labels: template.Labels},
			Spec:       *template.Spec.DeepCopy(),
		}
	}
	for _, set := range all[*appsv1.StatefulSet](t, folder) {
		pod := made["StatefulSet "+set.Name]
		pod.Name = set.Name + "-0"
		for _, template := range set.Spec.VolumeClaimTemplates {
			source := corev1.VolumeSource{PersistentVolumeClaim: &corev1.PersistentVolumeClaimVolumeSource{ClaimName: template.Name + "-" + pod.Name}}
			pod.Spec.Volumes = append(pod.Spec.Volumes, corev1.Volume{Name: template.Name, VolumeSource: source})
		}
	}
	return made
}

// expectNothing asks for an answer without a word against the object.
func (j *judge) expectNothing(t *testing.T, name string, w *hipaav1.PHIWorkload, object metav1.Object) {
	t.Helper()
	var kind control.Subject
	kind = kind.Of(object)
	s := j.loader.AtAdmission(t.Context(), j.scene, w, object, j.engine.AdmissionEvidence(kind.Kind()))
	s.Profile = j.ruling.Effective.Parameters
	if len(s.World.Missing) > 0 {
		t.Fatalf("%s: evidence is missing: %v", name, s.World.Missing)
	}
	var d engine.Decision
	if s.Pod != nil {
		_, _, d = j.engine.Preview(s, j.ruling)
	} else {
		d = j.engine.Admit(s, j.ruling)
	}
	for _, violation := range append(d.Denied, d.Warned...) {
		t.Errorf("%s: %s: %s", name, violation.ControlID, violation.Sentence())
	}
}

func TestSamplesLackNoSafeguardUnderTheShippedProfile(t *testing.T) {
	j := newJudge(t)
	claimed := map[string]bool{}
	for name, pod := range pods(t) {
		claiming := j.scene.Claiming(pod.Labels)
		if len(claiming) != 1 {
			t.Errorf("%s is declared by %d PHIWorkloads, want one", name, len(claiming))
			continue
		}
		claimed[claiming[0].Name] = true
		j.expectNothing(t, name, claiming[0], pod)
	}
	for _, w := range j.scene.Workloads {
		if !claimed[w.Name] {
			t.Errorf("PHIWorkload %s declares no pod of the sample", w.Name)
		}
		j.expectNothing(t, "PHIWorkload "+w.Name, w, w)
	}
	for _, claim := range claims(t) {
		j.expectNothing(t, "claim "+claim.Name, nil, claim)
	}
	for _, service := range all[*corev1.Service](t, "samples") {
		j.expectNothing(t, "Service "+service.Name, nil, service)
	}
}

func TestTheSampleExceptionCountsForNothingUntilItIsApproved(t *testing.T) {
	for _, exception := range all[*hipaav1.ControlException](t, "samples") {
		before := exception.Spec.Expires.Add(-time.Hour)
		if state := engine.StateOf(exception, "any", before); state != engine.ExceptionPending {
			t.Errorf("exception %s is %s, want %s", exception.Name, state, engine.ExceptionPending)
		}
		known := false
		for _, w := range all[*hipaav1.PHIWorkload](t, "samples") {
			known = known || w.Name == exception.Spec.WorkloadRef.Name && w.Namespace == exception.Namespace
		}
		if !known {
			t.Errorf("exception %s excuses %s, which the sample does not declare", exception.Name, exception.Spec.WorkloadRef.Name)
		}
	}
}

func TestSamplePodsHaveIdentitiesOfTheirOwn(t *testing.T) {
	accounts := map[string]bool{}
	for _, account := range all[*corev1.ServiceAccount](t, "samples") {
		accounts[account.Name] = true
	}
	used := map[string]string{}
	for name, pod := range pods(t) {
		account := pod.Spec.ServiceAccountName
		if !accounts[account] || used[account] != "" {
			t.Errorf("%s runs as %q, which the sample lacks or %q has", name, account, used[account])
		}
		used[account] = name
		for _, container := range pod.Spec.Containers {
			for _, port := range container.Ports {
				if port.Name == "" {
					t.Errorf("%s: port %d has no name", name, port.ContainerPort)
				}
			}
		}
	}
}

// One apply creates a workload before what runs its pods, so that nobody is warned of pods
// that nobody declares.
func TestTheSampleDeclaresWorkloadsBeforeTheirPods(t *testing.T) {
	declared := false
	for _, object := range build(t, "samples") {
		switch object.GetKind() {
		case "PHIWorkload":
			declared = true
		case "Deployment", "StatefulSet", "CronJob":
			if !declared {
				t.Errorf("%s %s comes before its PHIWorkload", object.GetKind(), object.GetName())
			}
			declared = false
		}
	}
}
