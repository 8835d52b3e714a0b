package subject_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
	"github.com/hipaa-operator/hipaa-operator/internal/subject"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// since gives an object an age.
func since[T client.Object](object T, after time.Duration) T {
	object.SetCreationTimestamp(metav1.NewTime(noon.Add(after)))
	return object
}

// inStage is a workload that claims app=name.
func inStage(name string, stage hipaav1.Stage) *hipaav1.PHIWorkload {
	w := since(workload(name, map[string]string{"app": "api"}), 0)
	w.Status.Stage = stage
	return w
}

// kept is a policy that the operator keeps for a workload; for the namespace
// where that is empty.
func kept(workload string) *networkingv1.NetworkPolicy {
	p := &networkingv1.NetworkPolicy{ObjectMeta: metav1.ObjectMeta{
		Namespace: "ehr", Name: "kept-" + workload, Labels: map[string]string{hipaav1.LabelManagedBy: hipaav1.ManagedByValue},
	}}
	if workload != "" {
		p.Labels[hipaav1.LabelWorkload] = workload
	}
	return p
}

func apiPod() *corev1.Pod { return since(pod("api-1", map[string]string{"app": "api"}), -time.Hour) }

func finished() *corev1.Pod {
	p := apiPod()
	p.Status.Phase = corev1.PodSucceeded
	return p
}

// sceneOf is a loader over objects in the namespace ehr, and the scene there.
func sceneOf(t *testing.T, objects ...client.Object) (*subject.Loader, *subject.Scene) {
	t.Helper()
	all := reader(t, append(objects, phiNamespace("ehr"))...)
	loader := &subject.Loader{Cache: all, Live: all}
	scene, err := loader.Scene(t.Context(), "ehr")
	if err != nil {
		t.Fatalf("Scene: %v", err)
	}
	return loader, scene
}

func TestUnclaimedPodsAreThoseThatClosingWouldCut(t *testing.T) {
	tests := map[string]struct {
		give []client.Object
		want []string
	}{
		"nothing runs":                             {},
		"a pod that nobody claims":                 {give: []client.Object{apiPod()}, want: []string{"api-1"}},
		"a pod that was made since":                {give: []client.Object{since(apiPod(), time.Hour)}, want: []string{"api-1"}},
		"a pod that has finished":                  {give: []client.Object{finished()}},
		"a pod of a workload that nobody judged":   {give: []client.Object{apiPod(), inStage("api", "")}, want: []string{"api-1"}},
		"a pod of a workload that previews":        {give: []client.Object{apiPod(), inStage("api", hipaav1.StagePreviewing)}},
		"a namespace that has been closed":         {give: []client.Object{apiPod(), kept("")}},
		"a namespace with rules of workloads only": {give: []client.Object{apiPod(), kept("api")}, want: []string{"api-1"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			loader, scene := sceneOf(t, test.give...)
			got, err := loader.Unclaimed(t.Context(), scene)
			if err != nil {
				t.Fatalf("Unclaimed: %v", err)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("unclaimed pods (-want +got):\n%s", diff)
			}
		})
	}
}

func TestAWorkloadThatWasLetGoCountsNoMore(t *testing.T) {
	deleted := func(finalizers ...string) *hipaav1.PHIWorkload {
		w := inStage("api", hipaav1.StagePreviewing)
		w.DeletionTimestamp, w.Finalizers = &metav1.Time{Time: noon}, finalizers
		return w
	}
	tests := map[string]struct {
		give *hipaav1.PHIWorkload
		want hipaav1.Stage // of the namespace: Previewing while the workload counts
	}{
		"one that waits for its pods":             {deleted(hipaav1.FinalizerRelease), hipaav1.StagePreviewing},
		"the same with a finalizer of its own":    {deleted("example.org/never", hipaav1.FinalizerRelease), hipaav1.StagePreviewing},
		"one that only others keep there":         {deleted("example.org/never"), hipaav1.StageEnforced},
		"one that nobody has taken on or deleted": {inStage("api", hipaav1.StagePreviewing), hipaav1.StagePreviewing},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			loader, scene := sceneOf(t, test.give)
			claims := test.want == hipaav1.StagePreviewing
			if got := scene.Stage(nil); got != test.want || len(scene.Claiming(apiPod().Labels)) > 0 != claims {
				t.Errorf("stage of the namespace = %s, want %s; claims its pods %t, want %t", got, test.want, !claims, claims)
			}
			live, err := loader.ClaimingLive(t.Context(), scene, apiPod().Labels)
			if err != nil || len(live) > 0 != claims {
				t.Errorf("claims its pods live: %v, %v, want %t", live, err, claims)
			}
		})
	}
}

func TestAWorkloadIsOccupiedByPodsThatMayHaveRunBeforeIt(t *testing.T) {
	fresh := inStage("api", "")
	tests := map[string]struct {
		give       []client.Object
		of         *hipaav1.PHIWorkload
		undeclared hipaav1.UndeclaredPods
		want       bool
	}{
		"nothing runs":                                           {of: fresh},
		"an older pod":                                           {give: []client.Object{apiPod()}, of: fresh, want: true},
		"a pod of the same second":                               {give: []client.Object{since(apiPod(), 0)}, of: fresh},
		"an older pod that has finished":                         {give: []client.Object{finished()}, of: fresh},
		"an older pod of others":                                 {give: []client.Object{since(pod("web", map[string]string{"app": "web"}), -time.Hour)}, of: fresh},
		"one that has been judged":                               {give: []client.Object{apiPod()}, of: inStage("api", hipaav1.StageEnforced)},
		"a pod that an enforced one claims":                      {give: []client.Object{apiPod(), inStage("old", hipaav1.StageEnforced)}, of: fresh},
		"a pod that a previewing one claims":                     {give: []client.Object{apiPod(), inStage("old", hipaav1.StagePreviewing)}, of: fresh, want: true},
		"an older pod where undeclared pods have been refused":   {give: []client.Object{apiPod(), kept("")}, of: fresh},
		"an older pod where undeclared pods have been let in":    {give: []client.Object{apiPod(), kept("")}, of: fresh, undeclared: hipaav1.UndeclaredPodsAllow, want: true},
		"an older pod where undeclared pods have been warned of": {give: []client.Object{apiPod(), kept("")}, of: fresh, undeclared: hipaav1.UndeclaredPodsWarn, want: true},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			loader, scene := sceneOf(t, append(test.give, test.of.DeepCopy())...)
			undeclared := test.undeclared
			if undeclared == "" {
				undeclared = hipaav1.UndeclaredPodsDeny
			}
			got, err := loader.Occupied(t.Context(), scene, test.of, undeclared)
			if err != nil || got != test.want {
				t.Errorf("Occupied() = %t, %v, want %t", got, err, test.want)
			}
		})
	}
}

func TestAControlEntersTheNamespaceWithTheLastWorkload(t *testing.T) {
	with := func(name string, results ...hipaav1.ControlResult) *hipaav1.PHIWorkload {
		w := workload(name, nil)
		w.Status.Controls = results
		if name != "new" {
			w.Status.Stage = hipaav1.StageEnforced
		}
		return w
	}
	in := func(id string) hipaav1.ControlResult {
		return hipaav1.ControlResult{ID: id, Stage: hipaav1.StageEnforced}
	}
	out := func(id string) hipaav1.ControlResult {
		return hipaav1.ControlResult{ID: id, Stage: hipaav1.StagePreviewing}
	}
	tests := map[string]struct {
		give []*hipaav1.PHIWorkload
		want map[string]bool
	}{
		"no workload":                            {},
		"one that nobody has judged":             {give: []*hipaav1.PHIWorkload{with("new")}},
		"one of which nothing is known any more": {give: []*hipaav1.PHIWorkload{with("a")}, want: map[string]bool{}},
		"one":                                    {give: []*hipaav1.PHIWorkload{with("a", in("x"), out("y"))}, want: map[string]bool{"x": true}},
		"one beside one that nobody judged":      {give: []*hipaav1.PHIWorkload{with("a", in("x")), with("new")}, want: map[string]bool{"x": true}},
		"two that differ":                        {give: []*hipaav1.PHIWorkload{with("a", in("x"), in("y")), with("b", in("x"), out("y"))}, want: map[string]bool{"x": true}},
		"one in which nothing has entered yet":   {give: []*hipaav1.PHIWorkload{with("a", in("x")), with("b", out("x"))}, want: map[string]bool{}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			scene := subject.Scene{Workloads: test.give}
			if diff := cmp.Diff(test.want, scene.Entered(nil)); diff != "" {
				t.Errorf("entered (-want +got):\n%s", diff)
			}
		})
	}
}
