// Package uses counts how often admission let something in because of an exception.
// Its promise: whichever replica saw it, it ends up in the status of the exception,
// by one write for all of a round, and counting never stands in the way of an answer.
package uses

import (
	"context"
	"fmt"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
	hipaav1ac "github.com/hipaa-operator/hipaa-operator/api/v1alpha1/applyconfiguration/api/v1alpha1"
	"github.com/hipaa-operator/hipaa-operator/internal/metrics"
)

// +kubebuilder:rbac:groups=hipaa-operator.io,resources=controlexceptions,verbs=get
// +kubebuilder:rbac:groups=hipaa-operator.io,resources=controlexceptions/status,verbs=patch

const (
	// Round is how often what was counted is written. A process that is killed loses
	// the counts of no more than that.
	Round = 10 * time.Second

	// FieldOwner owns the counts apart from the rest of the status, which the
	// controller of exceptions writes.
	FieldOwner = "hipaa-operator-uses"

	// farewell is how long the last round may take when the process ends.
	farewell = 5 * time.Second

	// attempts bounds how often one exception is tried in a round: another replica may
	// write at the same moment. What was not written goes along with the next round.
	attempts = 3
)

// Statuses writes statuses; the Status() of a client.Client is one.
type Statuses interface {
	Apply(ctx context.Context, configuration runtime.ApplyConfiguration, options ...client.SubResourceApplyOption) error
}

// Use is one answer of admission that let something in because of an exception.
type Use struct {
	// Exception is the one.
	Exception types.NamespacedName
	// Control is what it excused from.
	Control string
	// At is when admission answered.
	At time.Time
}

// Ledger counts uses in memory and writes them in rounds. It is safe for concurrent
// use. It holds no more entries than there are exceptions in force.
type Ledger struct {
	live     client.Reader
	statuses Statuses
	clock    clock.WithTicker

	mu   sync.Mutex
	open map[types.NamespacedName]entry
}

// entry is what was counted and not written yet.
type entry struct {
	count int64
	last  time.Time
}

func (e entry) and(other entry) entry {
	if other.last.After(e.last) {
		e.last = other.last
	}
	e.count += other.count
	return e
}

// New opens a ledger. The reader asks the API server: what another replica has just
// written must not be counted away.
func New(live client.Reader, statuses Statuses, ticking clock.WithTicker) *Ledger {
	return &Ledger{live: live, statuses: statuses, clock: ticking, open: map[types.NamespacedName]entry{}}
}

// Used counts a use. It returns at once.
func (l *Ledger) Used(use Use) {
	metrics.ExceptionUsed(use.Control)
	l.add(use.Exception, entry{count: 1, last: use.At})
}

func (l *Ledger) add(name types.NamespacedName, e entry) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.open[name] = l.open[name].and(e)
}

// take hands out what was counted, and begins anew.
func (l *Ledger) take() map[types.NamespacedName]entry {
	l.mu.Lock()
	defer l.mu.Unlock()
	taken := l.open
	l.open = map[types.NamespacedName]entry{}
	return taken
}

// NeedLeaderElection says that every replica counts what it answers.
func (l *Ledger) NeedLeaderElection() bool { return false }

// Start writes in rounds until the context ends, and then once more.
func (l *Ledger) Start(ctx context.Context) error {
	ticker := l.clock.NewTicker(Round)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C():
			l.write(ctx)
		case <-ctx.Done():
			last, cancel := context.WithTimeout(context.WithoutCancel(ctx), farewell)
			defer cancel()
			l.write(last)
			return nil
		}
	}
}

// write writes what was counted. What could not be written is kept for the next round.
func (l *Ledger) write(ctx context.Context) {
	for name, counted := range l.take() {
		err := l.writeOne(ctx, name, counted)
		for i := 1; i < attempts && apierrors.IsConflict(err); i++ {
			err = l.writeOne(ctx, name, counted)
		}
		if err != nil {
			log.FromContext(ctx).Error(err, "Could not write how often an exception was used", "exception", name.String())
			l.add(name, counted)
		}
	}
}

// writeOne adds to the counts of an exception, over the version that was read. One that
// is gone, or was created after the last use, has none of these uses.
func (l *Ledger) writeOne(ctx context.Context, name types.NamespacedName, counted entry) error {
	x := &hipaav1.ControlException{}
	if err := l.live.Get(ctx, name, x); err != nil {
		return ignoreGone(fmt.Errorf("reading exception %s: %w", name, err))
	}
	if x.CreationTimestamp.After(counted.last) {
		return nil
	}
	if before := x.Status.Uses; before != nil {
		counted = counted.and(entry{count: before.Count, last: before.Last.Time})
	}
	uses := hipaav1ac.ExceptionUses().WithCount(counted.count).WithLast(metav1.NewTime(counted.last))
	configuration := hipaav1ac.ControlException(name.Name, name.Namespace).WithUID(x.UID).WithResourceVersion(x.ResourceVersion).
		WithStatus(hipaav1ac.ControlExceptionStatus().WithUses(uses))
	if err := l.statuses.Apply(ctx, configuration, client.FieldOwner(FieldOwner), client.ForceOwnership); err != nil {
		return ignoreGone(fmt.Errorf("writing the uses of exception %s: %w", name, err))
	}
	return nil
}

func ignoreGone(err error) error {
	if apierrors.IsNotFound(err) {
		return nil
	}
	return err
}
