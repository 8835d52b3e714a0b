package uses_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	testclock "k8s.io/utils/clock/testing"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
	"github.com/hipaa-operator/hipaa-operator/internal/phitest"
	"github.com/hipaa-operator/hipaa-operator/internal/uses"
)

var legacy = types.NamespacedName{Namespace: phitest.DefaultNamespace, Name: "legacy"}

func server(t *testing.T, on interceptor.Funcs, objects ...client.Object) client.Client {
	t.Helper()
	scheme := runtime.NewScheme()
	if err := hipaav1.AddToScheme(scheme); err != nil {
		t.Fatal(err)
	}
	return fake.NewClientBuilder().WithScheme(scheme).WithObjects(objects...).
		WithStatusSubresource(&hipaav1.ControlException{}).WithInterceptorFuncs(on).Build()
}

func exception() *hipaav1.ControlException {
	x := phitest.Exception(legacy.Name, "api", "pod-hardening").Created(phitest.After(0)).Obj()
	x.Status.SpecDigest = "sha256:somebody-elses-field"
	return x
}

func use(after time.Duration) uses.Use {
	return uses.Use{Exception: legacy, Control: "pod-hardening", At: phitest.Epoch.Add(after)}
}

// run runs a ledger until it has written a round, and ends it.
func run(t *testing.T, l *uses.Ledger) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := l.Start(ctx); err != nil {
		t.Fatal(err)
	}
}

func ledger(c client.Client) *uses.Ledger {
	return uses.New(c, c.Status(), testclock.NewFakeClock(phitest.Epoch))
}

func found(t *testing.T, c client.Client) *hipaav1.ExceptionUses {
	t.Helper()
	x := &hipaav1.ControlException{}
	if err := c.Get(t.Context(), legacy, x); err != nil {
		t.Fatal(err)
	}
	if x.Status.SpecDigest != "sha256:somebody-elses-field" {
		t.Errorf("specDigest = %q: it is not the ledger's", x.Status.SpecDigest)
	}
	return x.Status.Uses
}

func want(t *testing.T, c client.Client, count int64, last time.Duration) {
	t.Helper()
	want := &hipaav1.ExceptionUses{Count: count, Last: phitest.After(last)}
	if diff := cmp.Diff(want, found(t, c)); diff != "" {
		t.Errorf("uses (-want +got):\n%s", diff)
	}
}

func TestReplicasCountTogether(t *testing.T) {
	writes := 0
	c := server(t, interceptor.Funcs{SubResourceApply: func(ctx context.Context, c client.Client, name string, o runtime.ApplyConfiguration, options ...client.SubResourceApplyOption) error {
		writes++
		return c.SubResource(name).Apply(ctx, o, options...)
	}}, exception())
	here, there := ledger(c), ledger(c)
	for i := range 100 {
		here.Used(use(time.Duration(i) * time.Second))
	}
	there.Used(use(time.Hour))
	there.Used(use(time.Minute))
	run(t, there)
	want(t, c, 2, time.Hour)
	run(t, here)
	want(t, c, 102, time.Hour)
	run(t, here)
	if writes != 2 {
		t.Errorf("%d writes, want one for each replica that had something to tell", writes)
	}
}

func TestWhatWasCountedIsWrittenInRounds(t *testing.T) {
	written := make(chan struct{}, 10)
	c := server(t, interceptor.Funcs{SubResourceApply: func(ctx context.Context, c client.Client, name string, o runtime.ApplyConfiguration, options ...client.SubResourceApplyOption) error {
		defer func() { written <- struct{}{} }()
		return c.SubResource(name).Apply(ctx, o, options...)
	}}, exception())
	clock := testclock.NewFakeClock(phitest.Epoch)
	l := uses.New(c, c.Status(), clock)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- l.Start(ctx) }()
	for round := range 2 {
		l.Used(use(time.Duration(round) * time.Second))
		for len(written) == 0 { // the ledger may not have begun to tick
			clock.Step(uses.Round)
		}
		<-written
	}
	want(t, c, 2, time.Second)
	l.Used(use(time.Hour))
	cancel()
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	want(t, c, 3, time.Hour)
}

func TestWhatCouldNotBeWrittenGoesAlongLater(t *testing.T) {
	conflict := apierrors.NewConflict(schema.GroupResource{Resource: "controlexceptions"}, legacy.Name, errors.New("another replica wrote"))
	for name, tt := range map[string]struct {
		give error
		// times is how often it is given.
		times int
		// rounds is how many it takes.
		rounds int
	}{
		"another replica wrote at the same moment": {conflict, 2, 1},
		"others write all the time":                {conflict, 3, 2},
		"the API server is away":                   {apierrors.NewServiceUnavailable("down"), 1, 2},
	} {
		t.Run(name, func(t *testing.T) {
			left := tt.times
			c := server(t, interceptor.Funcs{SubResourceApply: func(ctx context.Context, c client.Client, name string, o runtime.ApplyConfiguration, options ...client.SubResourceApplyOption) error {
				if left > 0 {
					left--
					return tt.give
				}
				return c.SubResource(name).Apply(ctx, o, options...)
			}}, exception())
			l := ledger(c)
			l.Used(use(time.Second))
			for round := range tt.rounds {
				if got := found(t, c); got != nil {
					t.Errorf("written before round %d: %v", round+1, got)
				}
				run(t, l)
			}
			want(t, c, 1, time.Second)
		})
	}
}

func TestAnotherExceptionOfTheNameHasNoneOfTheUses(t *testing.T) {
	again := exception()
	again.CreationTimestamp = metav1.NewTime(phitest.Epoch.Add(time.Hour))
	c := server(t, interceptor.Funcs{}, again)
	l := ledger(c)
	l.Used(use(time.Minute))
	run(t, l)
	if got := found(t, c); got != nil {
		t.Errorf("uses = %v, want none", got)
	}
	if err := c.Delete(t.Context(), again); err != nil {
		t.Fatal(err)
	}
	l.Used(use(2 * time.Hour))
	run(t, l)
	if err := c.Create(t.Context(), exception()); err != nil {
		t.Fatal(err)
	}
	run(t, l)
	if got := found(t, c); got != nil {
		t.Errorf("uses = %v, want none: they were those of one that is gone", got)
	}
}
