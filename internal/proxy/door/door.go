// Package door lets connections in. Its promise: never more of them are in than its
// bounds allow, neither who is silent nor who comes often keeps others out, and who may
// not stay is cut at once, whatever is under way for it.
package door

import (
	"container/list"
	"context"
	"errors"
	"net"
	"sync"
	"time"
)

// Reason is why a connection was turned away or cut.
type Reason string

// Reasons.
const (
	// Crowded means that there was no room, or that somebody newer needed it.
	Crowded Reason = "crowded"
	// Expired means that what the peer proved itself by counts no more.
	Expired Reason = "lapsed"
	// Overdue means that a stranger has had its time.
	Overdue Reason = "overdue"
)

const (
	// maxStrangers is how many may hear at once that they may not come. The oldest gives
	// way, so one who stays keeps nobody from hearing it.
	maxStrangers = 64
	// pause is how long nobody is accepted after that failed.
	pause = 20 * time.Millisecond
	// notice is how long before the end of its certificate a connection is asked to
	// finish: what is under way then is not cut.
	notice = time.Minute
)

// Options say what happens at a door. Serve and Now are needed.
type Options struct {
	// Serve serves one connection, in a goroutine of its own. The connection ends with it.
	Serve func(*Visit)
	Now   func() time.Time
	// Waiting is how many may prove themselves at once; the oldest gives way. Where it is
	// zero nobody has to, and who is accepted is in.
	Waiting int
	// Lapsed reports whether a certificate that ended then counts no more; it never
	// counts after its end where this is nil.
	Lapsed func(id string, end time.Time) bool
	// Turned is told of each who is turned away or cut. Optional.
	Turned func(Reason)
}

// Bounds are how many may be in.
type Bounds struct {
	// Most is how many that may come are in at once; strangers and those who have not
	// proved themselves do not count.
	Most int
	// Alone says that there is one peer only: it may have all of them.
	Alone bool
}

// Door is one listener with its connections, or the connections alone.
type Door struct {
	options  Options
	listener net.Listener
	closed   chan struct{}

	mu        sync.Mutex
	bounds    Bounds
	shares    shares
	visits    map[*Visit]struct{}
	waiting   list.List // of *Visit, the oldest first
	strangers list.List // of *Visit, the oldest first
	deaf      bool
	gone      chan struct{}
}

// Open accepts connections from a listener from now on.
func Open(l net.Listener, b Bounds, o Options) *Door {
	d := Inner(b, o)
	d.listener = l
	go d.accept()
	return d
}

// Inner is a door without a listener: who comes has been accepted elsewhere, and is led
// to it by Take.
func Inner(b Bounds, o Options) *Door {
	return &Door{options: o, closed: make(chan struct{}), bounds: b, visits: map[*Visit]struct{}{}}
}

func (d *Door) accept() {
	for {
		conn, err := d.listener.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			// There are no descriptors, or the caller has gone: others may come later.
			select {
			case <-time.After(pause):
			case <-d.closed:
			}
			continue
		}
		d.Take(conn)
	}
}

// Take takes a connection in, or closes it.
func (d *Door) Take(conn net.Conn) {
	if v := d.enter(conn); v != nil {
		go func() {
			defer d.leave(v)
			d.options.Serve(v)
		}()
	}
}

// enter takes a connection in, if there is room.
func (d *Door) enter(conn net.Conn) *Visit {
	v := &Visit{Conn: conn, door: d}
	d.mu.Lock()
	defer d.mu.Unlock()
	switch {
	case d.deaf:
		_ = conn.Close() // nobody is served any more
		return nil
	case d.options.Waiting > 0:
		d.makeRoom(&d.waiting, d.options.Waiting)
		v.queue, v.place = &d.waiting, d.waiting.PushBack(v)
	case !d.shares.take("", d.bounds.Most, true):
		d.turned(Crowded)
		_ = conn.Close() // nobody is served beyond the bounds
		return nil
	default:
		v.counted = true
	}
	d.visits[v] = struct{}{}
	return v
}

// makeRoom cuts who has been in a queue for longest, where it is full.
func (d *Door) makeRoom(queue *list.List, most int) {
	if queue.Len() < most {
		return
	}
	oldest, _ := queue.Front().Value.(*Visit) // nothing else is put in
	d.turned(Crowded)
	oldest.unqueue()
	oldest.cut()
}

func (d *Door) leave(v *Visit) {
	_ = v.Conn.Close() // it may have been closed with a farewell
	d.mu.Lock()
	defer d.mu.Unlock()
	v.unqueue()
	v.cut() // whoever holds more lets go of it
	if v.counted {
		d.shares.give(v.peer)
	}
	delete(d.visits, v)
	if len(d.visits) == 0 && d.gone != nil {
		close(d.gone)
		d.gone = nil
	}
}

func (d *Door) turned(r Reason) {
	if d.options.Turned != nil {
		d.options.Turned(r)
	}
}

// Bound changes the bounds. Who is in stays in.
func (d *Door) Bound(b Bounds) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.bounds = b
}

// Cut ends every connection of which the judge says that it may not stay. It is asked
// while nobody can come in or change what Note wrote.
func (d *Door) Cut(judge func(*Visit) bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for v := range d.visits {
		if judge(v) {
			v.cut()
		}
	}
}

// Dismiss asks every connection to finish of which the judge says that it may not stay.
// What is still under way then is cut. The judge is asked as by Cut.
func (d *Door) Dismiss(until time.Time, judge func(*Visit) bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for v := range d.visits {
		if judge(v) && v.until.IsZero() {
			v.until = until
			v.leaveSoon()
		}
	}
}

// Sweep cuts who has been in for too long: strangers, and peers whose certificates
// count no more. Near the end of either side's certificate a connection is asked to
// finish.
func (d *Door) Sweep() {
	now := d.options.Now()
	var late []*Visit
	d.mu.Lock()
	for v := range d.visits {
		finish, ended := v.proof.due(now)
		switch {
		case v.over:
		case !v.until.IsZero() && now.After(v.until):
			d.turned(Overdue)
			v.cut()
		case ended:
			late = append(late, v)
		case finish:
			v.leaveSoon()
		}
	}
	d.mu.Unlock()
	// Whether a certificate counts after its end is not found out under the lock.
	for _, v := range late {
		if d.options.Lapsed == nil || d.options.Lapsed(v.proof.ID, v.proof.End) {
			d.turned(Expired)
			v.Cut()
		}
	}
}

// Shut accepts nobody any more. Who is in stays.
func (d *Door) Shut() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.deaf {
		return
	}
	d.deaf = true
	close(d.closed)
	if d.listener != nil {
		_ = d.listener.Close() // it is given up
	}
}

// Drain accepts nobody any more, and asks all who are in to finish. Who has not proved
// itself has nothing to finish.
func (d *Door) Drain() {
	d.Shut()
	d.mu.Lock()
	defer d.mu.Unlock()
	for v := range d.visits {
		if v.queue != nil {
			v.cut()
			continue
		}
		v.leaveSoon()
	}
}

// Wait waits until nobody is in, or the context ends.
func (d *Door) Wait(ctx context.Context) {
	d.mu.Lock()
	if len(d.visits) == 0 {
		d.mu.Unlock()
		return
	}
	if d.gone == nil {
		d.gone = make(chan struct{})
	}
	gone := d.gone
	d.mu.Unlock()
	select {
	case <-gone:
	case <-ctx.Done():
	}
}

// Close accepts nobody any more, and cuts all who are in.
func (d *Door) Close() {
	d.Shut()
	d.Cut(func(*Visit) bool { return true })
}
