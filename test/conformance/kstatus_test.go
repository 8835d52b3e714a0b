package conformance

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/fluxcd/cli-utils/pkg/kstatus/status"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/tools/events"
	"k8s.io/utils/clock"
	clocktesting "k8s.io/utils/clock/testing"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
	"github.com/hipaa-operator/hipaa-operator/controllers/complianceprofile"
	"github.com/hipaa-operator/hipaa-operator/controllers/controlexception"
	"github.com/hipaa-operator/hipaa-operator/controllers/namespace"
	"github.com/hipaa-operator/hipaa-operator/controllers/phiworkload"
	"github.com/hipaa-operator/hipaa-operator/internal/control/catalog"
	"github.com/hipaa-operator/hipaa-operator/internal/engine"
	"github.com/hipaa-operator/hipaa-operator/internal/metrics"
	"github.com/hipaa-operator/hipaa-operator/internal/phitest"
	"github.com/hipaa-operator/hipaa-operator/internal/repair"
	"github.com/hipaa-operator/hipaa-operator/internal/subject"
)

// create puts objects into the cluster, and takes those of the cluster away at
// the end: profiles would govern the namespaces of other tests.
func create(t *testing.T, objects ...client.Object) {
	t.Helper()
	for _, object := range objects {
		if err := cluster.Create(t.Context(), object); err != nil {
			t.Fatalf("creating a %T: %v", object, err)
		}
		if object.GetNamespace() != "" {
			continue
		}
		t.Cleanup(func() {
			if err := cluster.Delete(context.Background(), object); err != nil {
				t.Errorf("deleting a %T: %v", object, err)
			}
		})
	}
}

// compute is what kstatus says of an object as it stands in the cluster.
func compute(t *testing.T, object client.Object) *status.Result {
	t.Helper()
	if err := cluster.Get(t.Context(), client.ObjectKeyFromObject(object), object); err != nil {
		t.Fatalf("reading the object: %v", err)
	}
	content, err := runtime.DefaultUnstructuredConverter.ToUnstructured(object)
	if err != nil {
		t.Fatalf("converting the object: %v", err)
	}
	result, err := status.Compute(&unstructured.Unstructured{Object: content})
	if err != nil {
		t.Fatalf("computing kstatus: %v", err)
	}
	return result
}

// silent is an API server that does not answer who asks for namespaces.
func silent() client.Reader {
	return interceptor.NewClient(cluster, interceptor.Funcs{
		Get: func(ctx context.Context, c client.WithWatch, key client.ObjectKey, into client.Object, options ...client.GetOption) error {
			if _, ok := into.(*corev1.Namespace); ok {
				return errors.New("no answer")
			}
			return c.Get(ctx, key, into, options...)
		},
	})
}

func TestPHIWorkload(t *testing.T) {
	strict := func() *phitest.ProfileBuilder { return phitest.Profile("strict") }
	tests := map[string]struct {
		// profile governs the namespace; nil is none.
		profile   *phitest.ProfileBuilder
		workload  func(*phitest.WorkloadBuilder)
		namespace func(*phitest.NamespaceBuilder)
		// silent says that the API server does not answer.
		silent bool
		after  func(*testing.T, *hipaav1.PHIWorkload)
		want   status.Status
	}{
		"judged, although safeguards fail, is Current": {
			profile: strict(),
			want:    status.CurrentStatus,
		},
		"only judged, in Audit, is Current": {
			profile: strict().Mode(hipaav1.ModeAudit),
			want:    status.CurrentStatus,
		},
		"under a pause is Current": {
			profile: strict().PausedFor(time.Hour),
			want:    status.CurrentStatus,
		},
		"changed since it was judged is InProgress": {
			profile: strict(),
			after: func(t *testing.T, w *hipaav1.PHIWorkload) {
				change(t, w, func(w *hipaav1.PHIWorkload) { w.Spec.Continuity = hipaav1.ContinuityPatientCare })
			},
			want: status.InProgressStatus,
		},
		"while the API server does not answer is InProgress": {
			profile: strict(),
			silent:  true,
			want:    status.InProgressStatus,
		},
		"deleted, while a pod lives, is Terminating": {
			profile: strict(),
			after: func(t *testing.T, w *hipaav1.PHIWorkload) {
				create(t, phitest.Pod("patient-api").Namespace(w.Namespace).Of(w).Obj())
				if err := cluster.Delete(t.Context(), w); err != nil {
					t.Fatalf("deleting the workload: %v", err)
				}
				reconcile(t, w, cluster)
			},
			want: status.TerminatingStatus,
		},
		"without a profile is Failed": {
			want: status.FailedStatus,
		},
		"that names a profile which does not exist is Failed": {
			profile:  strict(),
			workload: func(b *phitest.WorkloadBuilder) { b.Profile("stricter") },
			want:     status.FailedStatus,
		},
		"in a namespace that nobody declared is Failed": {
			profile:   strict(),
			namespace: func(b *phitest.NamespaceBuilder) { b.WithoutPHI() },
			want:      status.FailedStatus,
		},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			w := arrange(t, tc.profile, tc.namespace, tc.workload)
			var reader client.Reader = cluster
			if tc.silent {
				reader = silent()
			}
			reconcile(t, w, reader)
			if tc.after != nil {
				tc.after(t, w)
			}
			if got := compute(t, w); got.Status != tc.want {
				t.Errorf("kstatus says %s, want %s: %s\n%+v", got.Status, tc.want, got.Message, w.Status.Conditions)
			}
		})
	}
}

// arrange puts a workload into a namespace of its own, which the profile governs.
func arrange(t *testing.T, profile *phitest.ProfileBuilder, changeNamespace func(*phitest.NamespaceBuilder), changeWorkload func(*phitest.WorkloadBuilder)) *hipaav1.PHIWorkload {
	t.Helper()
	name := fmt.Sprintf("case-%d", cases.Add(1))
	namespace, workload := phitest.Namespace(name), phitest.Workload("patient-api").Namespace(name)
	if changeNamespace != nil {
		changeNamespace(namespace)
	}
	if changeWorkload != nil {
		changeWorkload(workload)
	}
	create(t, namespace.Obj())
	if profile != nil {
		create(t, profile.Selecting(corev1.LabelMetadataName, name).Obj())
	}
	w := workload.Obj()
	create(t, w)
	return w
}

var cases atomic.Int32

// reconcile runs one pass of the real reconciler, as its cache would have it run.
// What a pass answers to its queue is no part of this contract.
func reconcile(t *testing.T, w *hipaav1.PHIWorkload, reader client.Reader) {
	t.Helper()
	e := judge(t)
	var now clock.PassiveClock = clocktesting.NewFakePassiveClock(phitest.Epoch)
	r := &phiworkload.Reconciler{
		Client: cluster, Live: cluster,
		Loader:    &subject.Loader{Cache: reader, Live: reader},
		Engine:    e,
		Corrector: &repair.Corrector{Client: cluster, Live: cluster, Clock: now},
		Replacer:  &repair.Replacer{Client: cluster, Live: cluster, Engine: e, Clock: now},
		Events:    events.NewFakeRecorder(100),
		Fleet:     &metrics.Fleet{},
		Clock:     now,
	}
	if err := cluster.Get(t.Context(), client.ObjectKeyFromObject(w), w); err != nil {
		t.Fatalf("reading the workload: %v", err)
	}
	if _, err := r.Reconcile(t.Context(), w); err != nil {
		t.Logf("the pass ended with: %v", err)
	}
}

// guard is what the manager's guard tells of admission.
type guard metav1.Condition

func (g guard) Condition(time.Time) metav1.Condition { return metav1.Condition(g) }

// indexed answers as the manager's cache does, which has indexes that an API
// server has not. Broken, it answers nothing.
func indexed(broken bool) client.Client {
	return interceptor.NewClient(cluster, interceptor.Funcs{
		List: func(ctx context.Context, c client.WithWatch, into client.ObjectList, options ...client.ListOption) error {
			if broken {
				return errors.New("no answer")
			}
			return c.List(ctx, into, slices.DeleteFunc(slices.Clone(options), func(option client.ListOption) bool {
				_, byField := option.(client.MatchingFields)
				return byField
			})...)
		},
		Get: func(ctx context.Context, c client.WithWatch, key client.ObjectKey, into client.Object, options ...client.GetOption) error {
			if broken {
				return errors.New("no answer")
			}
			return c.Get(ctx, key, into, options...)
		},
	})
}

func TestComplianceProfile(t *testing.T) {
	tests := map[string]struct {
		profile *phitest.ProfileBuilder
		guard   complianceprofile.Guard
		broken  bool
		change  func(*hipaav1.ComplianceProfile)
		want    status.Status
	}{
		"that means what it says is Current": {
			profile: phitest.Profile("strict"),
			guard:   guard{Status: metav1.ConditionTrue, Reason: hipaav1.ReasonAsInstalled},
			want:    status.CurrentStatus,
		},
		"under a pause is Current": {
			profile: phitest.Profile("strict").PausedFor(time.Hour),
			want:    status.CurrentStatus,
		},
		"changed since it was looked at is InProgress": {
			profile: phitest.Profile("strict"),
			change:  func(p *hipaav1.ComplianceProfile) { p.Spec.DefaultMode = hipaav1.ModeWarn },
			want:    status.InProgressStatus,
		},
		"while admission is being put right is InProgress": {
			profile: phitest.Profile("strict"),
			guard:   guard{Status: metav1.ConditionFalse, Reason: hipaav1.ReasonAdmissionRestored, Message: "restoring"},
			want:    status.InProgressStatus,
		},
		"while the API server does not answer is InProgress": {
			profile: phitest.Profile("strict"),
			broken:  true,
			want:    status.InProgressStatus,
		},
		"that names a control which does not exist is Failed": {
			profile: phitest.Profile("strict").Control("no-such-control", hipaav1.ModeEnforce),
			want:    status.FailedStatus,
		},
		"that extends a profile which does not exist is Failed": {
			profile: phitest.Profile("strict").Extends("stricter"),
			want:    status.FailedStatus,
		},
		"that extends itself is Failed": {
			profile: phitest.Profile("strict").Extends("strict"),
			want:    status.FailedStatus,
		},
		"of a ruleset that this version does not have is Failed": {
			profile: phitest.Profile("strict").Ruleset("2099.1"),
			want:    status.FailedStatus,
		},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			p := tc.profile.Obj()
			create(t, p)
			r := &complianceprofile.Reconciler{
				Client: indexed(tc.broken), Engine: judge(t), Guard: tc.guard, Census: namespace.NewCensus(),
				Events: events.NewFakeRecorder(100), Clock: clocktesting.NewFakePassiveClock(phitest.Epoch),
			}
			if _, err := r.Reconcile(t.Context(), p.DeepCopy()); err != nil {
				t.Logf("the pass ended with: %v", err)
			}
			if tc.change != nil {
				change(t, p, tc.change)
			}
			if got := compute(t, p); got.Status != tc.want {
				t.Errorf("kstatus says %s, want %s: %s\n%+v", got.Status, tc.want, got.Message, p.Status.Conditions)
			}
		})
	}
}

// change changes an object as it stands in the cluster.
func change[T client.Object](t *testing.T, object T, by func(T)) {
	t.Helper()
	if err := cluster.Get(t.Context(), client.ObjectKeyFromObject(object), object); err != nil {
		t.Fatalf("reading a %T: %v", object, err)
	}
	by(object)
	if err := cluster.Update(t.Context(), object); err != nil {
		t.Fatalf("changing a %T: %v", object, err)
	}
}

func TestControlException(t *testing.T) {
	exception := func() *phitest.ExceptionBuilder {
		return phitest.Exception("writable-root", "patient-api", "pod-hardening").Expires(phitest.After(time.Hour))
	}
	tests := map[string]struct {
		exception *phitest.ExceptionBuilder
		orphan    bool
		broken    bool
		change    func(*hipaav1.ControlException)
		want      status.Status
	}{
		"approved and not ended is Current": {
			exception: exception().ApprovedBy("officer@example.org"),
			want:      status.CurrentStatus,
		},
		"changed since it was looked at is InProgress": {
			exception: exception().ApprovedBy("officer@example.org"),
			change:    func(x *hipaav1.ControlException) { x.Spec.Reason += " and more" },
			want:      status.InProgressStatus,
		},
		"while the API server does not answer is InProgress": {
			exception: exception().ApprovedBy("officer@example.org"),
			broken:    true,
			want:      status.InProgressStatus,
		},
		"that waits for a decision is Failed, for only a person can help": {
			exception: exception(),
			want:      status.FailedStatus,
		},
		"denied is Failed": {
			exception: exception().DeniedBy("officer@example.org"),
			want:      status.FailedStatus,
		},
		"ended is Failed": {
			exception: exception().Expires(phitest.After(-time.Hour)).ApprovedBy("officer@example.org"),
			want:      status.FailedStatus,
		},
		"for a workload that does not exist is Failed": {
			exception: exception().ApprovedBy("officer@example.org"),
			orphan:    true,
			want:      status.FailedStatus,
		},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			w := arrange(t, nil, nil, nil)
			x := tc.exception.Namespace(w.Namespace).Obj()
			approval := x.Status.Approval
			create(t, x)
			if approval != nil {
				x.Status.Approval = approval
				x.Status.Approval.WorkloadUID, x.Status.Approval.Generation = string(w.UID), x.Generation
				if err := cluster.Status().Update(t.Context(), x); err != nil {
					t.Fatalf("deciding on the exception: %v", err)
				}
			}
			if tc.orphan {
				if err := cluster.Delete(t.Context(), w); err != nil {
					t.Fatalf("deleting the workload: %v", err)
				}
			}
			r := &controlexception.Reconciler{
				Client: indexed(tc.broken), Engine: judge(t),
				Events: events.NewFakeRecorder(100), Clock: clocktesting.NewFakePassiveClock(phitest.Epoch),
			}
			if _, err := r.Reconcile(t.Context(), x.DeepCopy()); err != nil {
				t.Logf("the pass ended with: %v", err)
			}
			if tc.change != nil {
				change(t, x, tc.change)
			}
			if got := compute(t, x); got.Status != tc.want {
				t.Errorf("kstatus says %s, want %s: %s\n%+v", got.Status, tc.want, got.Message, x.Status.Conditions)
			}
		})
	}
}

// judge is the engine with the whole catalogue.
func judge(t *testing.T) *engine.Engine {
	t.Helper()
	e, err := engine.New(catalog.All())
	if err != nil {
		t.Fatalf("making the engine: %v", err)
	}
	return e
}
