package prober

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/clock"

	"github.com/hipaa-operator/hipaa-operator/internal/control"
)

var (
	ehr    = types.NamespacedName{Namespace: "ehr", Name: "api"}
	portal = types.NamespacedName{Namespace: "ehr", Name: "portal"}
)

// bench is a prober over servers that a test tells what to answer.
type bench struct {
	*Prober
	begin time.Time

	mu      sync.Mutex
	answers control.Answer
	// asked is when endpoints were asked, after the beginning; told are the workloads
	// that were told of something new.
	asked map[string][]time.Duration
	told  []string
	// counted are the answers that were told of one by one.
	counted map[control.Answer]int
}

// on runs a prober in a bubble of time of its own.
func on(t *testing.T, test func(*testing.T, *bench)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		b := &bench{begin: time.Now(), asked: map[string][]time.Duration{}, counted: map[control.Answer]int{}}
		b.Prober = prober(clock.RealClock{}, b.ask, func(w types.NamespacedName) {
			b.mu.Lock()
			defer b.mu.Unlock()
			b.told = append(b.told, w.Name)
		})
		b.Prober.asked = func(_ control.Endpoint, d control.Dialled) {
			b.mu.Lock()
			defer b.mu.Unlock()
			b.counted[d.Answer]++
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- b.Start(ctx) }()
		test(t, b)
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Start() = %v", err)
		}
	})
}

func (b *bench) ask(_ context.Context, e control.Endpoint) control.Dialled {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.asked[e.Host] = append(b.asked[e.Host], time.Since(b.begin).Truncate(time.Millisecond))
	return control.Dialled{Answer: b.answers}
}

// when tells when endpoints were asked, and who was told.
func (b *bench) when() (asked map[string][]time.Duration, told []string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return maps.Clone(b.asked), slices.Clone(b.told)
}

func (b *bench) answer(a control.Answer) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.answers = a
}

// after lets time pass, and the prober do what is due.
func after(d time.Duration) {
	time.Sleep(d) //nolint:forbidigo // the time of the bubble
	synctest.Wait()
}

func wants(version string, hosts ...string) []Wanted {
	list := make([]Wanted, len(hosts))
	for i, host := range hosts {
		list[i] = Wanted{Endpoint: control.Endpoint{Address: "198.51.100.80", Port: 443, Host: host}, Version: version}
	}
	return list
}

func TestAnEndpointIsAskedAtOnceAndEachInterval(t *testing.T) {
	on(t, func(t *testing.T, b *bench) {
		b.answer(control.Turned)
		b.Want(ehr, time.Hour, wants("1", "a"))
		after(24 * time.Hour)
		asked, told := b.when()
		if n := len(asked["a"]); n < 21 || n > 24 || asked["a"][0] != 0 {
			t.Errorf("asked %d times in a day: %v", n, asked["a"])
		}
		if diff := cmp.Diff([]string{"api"}, told); diff != "" {
			t.Errorf("told (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff(map[control.Answer]int{control.Turned: len(asked["a"])}, b.counted); diff != "" {
			t.Errorf("counted (-want +got):\n%s", diff)
		}
		b.Want(ehr, 0, nil)
		after(24 * time.Hour)
		if more, _ := b.when(); len(more["a"]) != len(asked["a"]) || len(b.Dialled(ehr)) > 0 {
			t.Error("what nobody wants is asked")
		}
		b.Prober.mu.Lock()
		defer b.Prober.mu.Unlock()
		if len(b.watched)+len(b.wants) > 0 {
			t.Errorf("is kept: %v %v", b.watched, b.wants)
		}
	})
}

func TestPeopleAreToldWhenTheAnswerChanges(t *testing.T) {
	on(t, func(t *testing.T, b *bench) {
		b.answer(control.OldRefused)
		b.Want(ehr, time.Hour, wants("1", "a"))
		b.Want(portal, 2*time.Hour, wants("1", "a"))
		after(12 * time.Hour)
		if _, told := b.when(); len(told) != 2 {
			t.Errorf("told %q", told)
		}
		for _, last := range b.Dialled(portal) {
			if age := time.Since(last.At); last.Answer != control.OldRefused || age > 66*time.Minute {
				t.Errorf("answered %v, %s ago", last.Answer, age)
			}
		}
		b.answer(control.OldAccepted)
		after(66 * time.Minute)
		if _, told := b.when(); len(told) != 4 {
			t.Errorf("told %q", told)
		}
	})
}

func TestWhatIsDeclaredAnewIsAskedSoon(t *testing.T) {
	on(t, func(t *testing.T, b *bench) {
		b.Want(ehr, 10*time.Hour, wants("1", "a"))
		after(time.Hour)
		for _, version := range []string{"2", "2", "3"} {
			b.Want(ehr, 10*time.Hour, wants(version, "a"))
		}
		after(time.Minute)
		asked, _ := b.when()
		if diff := cmp.Diff([]time.Duration{0, time.Hour + settling}, asked["a"]); diff != "" {
			t.Errorf("asked (-want +got):\n%s", diff)
		}
		after(12 * time.Hour)
		if asked, _ := b.when(); len(asked["a"]) != 3 {
			t.Errorf("asked %v: the interval begins anew", asked["a"])
		}
	})
}

func TestOneAddressIsNotAskedTooOften(t *testing.T) {
	on(t, func(t *testing.T, b *bench) {
		var hosts []string
		for i := range 100 {
			hosts = append(hosts, fmt.Sprintf("h%d", i))
		}
		b.Want(ehr, time.Hour, wants("1", hosts...))
		elsewhere := wants("1", "elsewhere")
		elsewhere[0].Address = "198.51.100.81"
		after(time.Second)
		b.Want(portal, time.Hour, elsewhere)
		after(100 * time.Millisecond)
		if asked, _ := b.when(); len(asked) != 6 || len(asked["elsewhere"]) != 1 {
			t.Errorf("%d endpoints asked in 1.1 s: %v", len(asked), asked)
		}
		after(time.Minute)
		if asked, _ := b.when(); len(asked) != 101 {
			t.Errorf("%d endpoints asked in a minute", len(asked))
		}
	})
}
