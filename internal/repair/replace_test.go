package repair

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	testclock "k8s.io/utils/clock/testing"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
	"github.com/hipaa-operator/hipaa-operator/internal/control"
	"github.com/hipaa-operator/hipaa-operator/internal/engine"
	"github.com/hipaa-operator/hipaa-operator/internal/hipaa"
	"github.com/hipaa-operator/hipaa-operator/internal/phitest"
)

// The catalogue of these tests: one control that is worth an interruption and one
// that is not. Pods say by annotation what they lack.
const (
	major = "major-control"
	minor = "minor-control"
)

func judge(t *testing.T) *engine.Engine {
	t.Helper()
	lacking := func(id string) control.Control {
		return control.Control{
			ID: id, Cites: []hipaa.Citation{hipaa.Integrity}, Remedy: "mend it", Since: 1, Judges: control.Pods, Replaces: id == major,
			Check: func(s control.Subject) []control.Finding {
				if s.Pod != nil && s.Pod.Annotations[id] == "lacks" {
					return control.At("spec", "lacks it")
				}
				return nil
			},
		}
	}
	e, err := engine.New([]control.Control{lacking(major), lacking(minor)})
	if err != nil {
		t.Fatalf("building the engine: %v", err)
	}
	return e
}

// ward is a cluster with some workloads of ready pods, and a replacer.
type ward struct {
	t        *testing.T
	client   client.Client
	clock    *testclock.FakePassiveClock
	engine   *engine.Engine
	replacer *Replacer
	// answer is what the API server says to pods; nil admits them.
	answer     error
	rehearsals int
}

func newWard(t *testing.T) *ward {
	w := &ward{t: t, clock: testclock.NewFakePassiveClock(phitest.Epoch), engine: judge(t)}
	w.client = fake.NewClientBuilder().WithScheme(clientgoscheme.Scheme).WithInterceptorFuncs(interceptor.Funcs{
		Apply: func(ctx context.Context, c client.WithWatch, object runtime.ApplyConfiguration, options ...client.ApplyOption) error {
			if all := (&client.ApplyOptions{}).ApplyOptions(options); len(all.DryRun) == 0 {
				return c.Apply(ctx, object, options...)
			}
			w.rehearsals++
			return w.answer
		},
	}).Build()
	w.replacer = &Replacer{Client: w.client, Live: w.client, Engine: w.engine, Clock: w.clock}
	return w
}

// workload has so many pods that lack something, and a ReplicaSet whose template
// lacks nothing.
func (w *ward) workload(name string, n int, lacks ...string) Case {
	w.t.Helper()
	declared := phitest.Workload(name).Stored().Continuity(hipaav1.ContinuityBusiness).Obj()
	good := phitest.Pod(name).Of(declared).Obj()
	set := &appsv1.ReplicaSet{ObjectMeta: named(name), Spec: appsv1.ReplicaSetSpec{
		Replicas: ptr.To(int32(n)), Template: corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: good.Labels}, Spec: good.Spec},
	}}
	if err := w.client.Create(w.t.Context(), set); err != nil {
		w.t.Fatal(err)
	}
	for i := range n {
		pod := good.DeepCopy()
		pod.Name, pod.UID = fmt.Sprintf("%s-%d", name, i), types.UID(fmt.Sprintf("%s-%d", name, i))
		pod.CreationTimestamp = phitest.After(0)
		pod.OwnerReferences = []metav1.OwnerReference{*metav1.NewControllerRef(set, appsv1.SchemeGroupVersion.WithKind("ReplicaSet"))}
		pod.Annotations = map[string]string{}
		for _, id := range lacks {
			pod.Annotations[id] = "lacks"
		}
		pod.Status = corev1.PodStatus{Phase: corev1.PodRunning, Conditions: []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue}}}
		if err := w.client.Create(w.t.Context(), pod); err != nil {
			w.t.Fatal(err)
		}
	}
	return w.judged(declared)
}

// judged is a workload as a pass would judge it now.
func (w *ward) judged(declared *hipaav1.PHIWorkload, exceptions ...*hipaav1.ControlException) Case {
	w.t.Helper()
	profile := phitest.Profile("all").MaxUnavailable("100%").Obj()
	effective, err := w.engine.Resolve([]*hipaav1.ComplianceProfile{profile}, phitest.Namespace("ehr").Obj(), nil, w.clock.Now())
	if err != nil {
		w.t.Fatalf("resolving the profile: %v", err)
	}
	pods, err := LivePods(w.t.Context(), w.client, declared)
	if err != nil {
		w.t.Fatal(err)
	}
	return Case{
		Workload: declared,
		Subject:  control.Subject{Workload: declared, World: &control.World{Pods: pods}},
		Ruling:   engine.Ruling{Effective: effective, Exceptions: exceptions, Now: w.clock.Now()},
	}
}

// look is one pass: how many pods were evicted, and the reasons of those that
// stay with the time until the next look.
func (w *ward) look(c Case) (evicted int, stays []string, again time.Duration) {
	w.t.Helper()
	p, err := w.replacer.Replace(w.t.Context(), w.judged(c.Workload, c.Ruling.Exceptions...))
	if err != nil {
		w.t.Fatalf("Replace: %v", err)
	}
	for _, s := range p.Stays {
		stays = append(stays, s.Reason)
	}
	if !p.LookAgain.IsZero() {
		again = p.LookAgain.Sub(w.clock.Now())
	}
	return len(p.Evicted), stays, again
}

func TestWorkloadsAreNotRolledAllAtOnce(t *testing.T) {
	w := newWard(t)
	cases := []Case{w.workload("a", 3, major), w.workload("b", 3, major), w.workload("c", 6, major)}
	var got []int
	for range 4 {
		total := 0
		for _, c := range cases {
			evicted, stays, again := w.look(c)
			total += evicted
			if c.Workload.Name == "c" && (len(stays) == 0 || stays[0] != hipaav1.ReasonReplacementPending || again != evictionInterval) {
				t.Errorf("%v are looked at again after %s, want them pending until the next turn", stays, again)
			}
		}
		got = append(got, total)
		w.clock.SetTime(w.clock.Now().Add(evictionInterval))
	}
	// The last pod of each workload stays: nothing makes new ones here.
	if diff := cmp.Diff([]int{evictionBurst, 1, 1, 1}, got); diff != "" {
		t.Errorf("evicted in each pass (-want +got):\n%s", diff)
	}
}

func TestWhatAPodLacksDecidesWhetherItIsInterrupted(t *testing.T) {
	tests := map[string]struct {
		lacks      []string
		continuity hipaav1.Continuity
		evicted    int
		stays      []string
	}{
		"a safeguard that is worth it": {lacks: []string{major}, evicted: 1, stays: []string{hipaav1.ReasonReplacementPending}},
		"both":                         {lacks: []string{major, minor}, evicted: 1, stays: []string{hipaav1.ReasonReplacementPending}},
		"one that is not":              {lacks: []string{minor}, stays: []string{hipaav1.ReasonReplacementAwaitsRestart, hipaav1.ReasonReplacementAwaitsRestart}},
		"nothing":                      {},
		"one that is worth it, where care depends":  {lacks: []string{major}, continuity: hipaav1.ContinuityPatientCare, stays: []string{hipaav1.ReasonReplacementNeedsPerson, hipaav1.ReasonReplacementNeedsPerson}},
		"one that is not, where care depends on it": {lacks: []string{minor}, continuity: hipaav1.ContinuityPatientCare, stays: []string{hipaav1.ReasonReplacementAwaitsRestart, hipaav1.ReasonReplacementAwaitsRestart}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			w := newWard(t)
			c := w.workload("a", 2, tt.lacks...)
			if tt.continuity != "" {
				c.Workload.Spec.Continuity = tt.continuity
			}
			evicted, stays, _ := w.look(c)
			if diff := cmp.Diff(tt.stays, stays); diff != "" || evicted != tt.evicted {
				t.Errorf("evicted %d, want %d; stays (-want +got):\n%s", evicted, tt.evicted, diff)
			}
		})
	}
}

func TestWhatTheAPIServerSaysToTheNextPod(t *testing.T) {
	pods := schema.GroupResource{Resource: "pods"}
	forbidden := func(why string) error { return apierrors.NewForbidden(pods, "a-", errors.New(why)) }
	webhook := apierrors.NewForbidden(schema.GroupResource{}, "", nil)
	webhook.ErrStatus.Message = `admission webhook "x.example.org" denied the request: pods "a-" is forbidden: exceeded quota: mine`
	tests := map[string]struct {
		give   error
		reason string
		again  time.Duration
	}{
		"a full quota": {
			forbidden("exceeded quota: full, requested: pods=1, used: pods=2, limited: pods=2"), hipaav1.ReasonReplacementPending, heldRetry,
		},
		"a quota that nobody has counted yet": {forbidden("status unknown for quota: full, resources: pods"), hipaav1.ReasonReplacementPending, heldRetry},
		"a quota that asks for what the pod does not say": {
			forbidden("failed quota: full: must specify limits.cpu for: app"), hipaav1.ReasonReplacementWouldBeRefused, refusedRetry,
		},
		"Pod Security":             {forbidden(`violates PodSecurity "restricted:latest": seccompProfile`), hipaav1.ReasonReplacementWouldBeRefused, refusedRetry},
		"a webhook that plays one": {webhook, hipaav1.ReasonReplacementWouldBeRefused, refusedRetry},
		"a pod that makes no sense": {
			apierrors.NewInvalid(schema.GroupKind{Kind: "Pod"}, "a-", nil), hipaav1.ReasonReplacementWouldBeRefused, refusedRetry,
		},
		"a pod that cannot be applied": {
			apierrors.NewInternalError(errors.New(`failed to create typed patch object: .spec.imagePullSecrets: duplicate entries for key [name="a"]`)),
			hipaav1.ReasonReplacementNeedsPerson, refusedRetry,
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			w := newWard(t)
			c := w.workload("a", 3, major)
			w.answer = tt.give
			evicted, stays, again := w.look(c)
			if diff := cmp.Diff([]string{tt.reason, tt.reason, tt.reason}, stays); diff != "" || evicted != 0 {
				t.Errorf("evicted %d; stays (-want +got):\n%s", evicted, diff)
			}
			if again != tt.again {
				t.Errorf("looked at again after %s, want %s", again, tt.again)
			}
			if w.rehearsals != 1 {
				t.Errorf("the API server was asked %d times about pods of one template", w.rehearsals)
			}
			w.answer = nil
			w.clock.SetTime(w.clock.Now().Add(again))
			if evicted, _, _ := w.look(c); evicted == 0 {
				t.Error("nothing is replaced although the API server would now admit the next pod")
			}
		})
	}
}

func TestOurOwnRefusalIsLookedAtAgain(t *testing.T) {
	w := newWard(t)
	c := w.workload("a", 2, major)
	set := &appsv1.ReplicaSet{}
	if err := w.client.Get(t.Context(), client.ObjectKey{Namespace: "ehr", Name: "a"}, set); err != nil {
		t.Fatal(err)
	}
	set.Spec.Template.Annotations = map[string]string{minor: "lacks"}
	if err := w.client.Update(t.Context(), set); err != nil {
		t.Fatal(err)
	}
	evicted, stays, again := w.look(c)
	want := []string{hipaav1.ReasonReplacementWouldBeRefused, hipaav1.ReasonReplacementWouldBeRefused}
	if diff := cmp.Diff(want, stays); diff != "" || evicted != 0 || again != refusedRetry || w.rehearsals != 0 {
		t.Errorf("evicted %d, asked %d times, looked at again after %s; stays (-want +got):\n%s", evicted, w.rehearsals, again, diff)
	}
}

func TestOnlyAnExceptionThatCountedKeepsAPod(t *testing.T) {
	end := phitest.After(time.Hour)
	request := func(id string) *phitest.ExceptionBuilder { return phitest.Exception("x", "a", id).Expires(end) }
	tests := map[string]struct {
		give *hipaav1.ControlException
		kept bool
	}{
		"one that was in force":             {request(major).ApprovedBy("lead").Obj(), true},
		"one for another control":           {request(minor).ApprovedBy("lead").Obj(), false},
		"one that was denied":               {request(major).DeniedBy("lead").Obj(), false},
		"one that nobody decided":           {request(major).Obj(), false},
		"one whose text changed afterwards": {request(major).ApprovedBy("lead").Because("something else altogether").Obj(), false},
		"one that ended before the pod":     {request(major).Expires(phitest.After(0)).ApprovedBy("lead").Obj(), false},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			w := newWard(t)
			w.clock.SetTime(end.Add(time.Minute))
			c := w.workload("a", 2, major)
			c.Ruling.Exceptions = []*hipaav1.ControlException{tt.give}
			evicted, stays, _ := w.look(c)
			if kept := evicted == 0 && len(stays) == 2 && stays[0] == hipaav1.ReasonReplacementNeedsPerson; kept != tt.kept {
				t.Errorf("evicted %d, stays %v; want them kept: %v", evicted, stays, tt.kept)
			}
		})
	}
}
