package door

import (
	"container/list"
	"net"
	"sync/atomic"
	"time"
)

// Visit is one connection, from its acceptance to its end.
type Visit struct {
	Conn net.Conn
	// Guest is whatever Serve knows of it: Note writes it, and judges of Cut read it.
	Guest any

	door *Door

	// All below is guarded by the door.
	queue   *list.List
	place   *list.Element
	peer    string
	counted bool
	until   time.Time
	proof   Proof
	holds   []func()
	over    bool
	// finish ends the connection after what is under way; nil where nothing can but
	// waiting.
	finish func()

	// idle says that nothing is under way, and leaving that nothing is to begin.
	idle, leaving atomic.Bool
}

// Proof is what a peer proved itself by.
type Proof struct {
	ID string
	// End is that of its certificate.
	End time.Time
	// Own is the end of the certificate that it was shown: whoever counts that cuts the
	// connection then, so it is asked to finish before. Optional.
	Own time.Time
}

// due says what is to become of a connection now.
func (p *Proof) due(now time.Time) (finish, ended bool) {
	isNear := func(end time.Time) bool { return !end.IsZero() && !now.Before(end.Add(-notice)) && !now.After(end) }
	return isNear(p.End) || isNear(p.Own), !p.End.IsZero() && now.After(p.End)
}

// unqueue takes the visit out of the queue in which it is.
func (v *Visit) unqueue() {
	if v.queue != nil {
		v.queue.Remove(v.place)
		v.queue, v.place = nil, nil
	}
}

// Meet notes who has come. It reports whether there is room for one more of its
// connections.
func (v *Visit) Meet(peer string) bool {
	d := v.door
	d.mu.Lock()
	defer d.mu.Unlock()
	v.unqueue()
	if v.over || d.deaf {
		return false
	}
	if !d.shares.take(peer, d.bounds.Most, d.bounds.Alone) {
		d.turned(Crowded)
		return false
	}
	v.peer, v.counted = peer, true
	return true
}

// MeetStranger notes that somebody has come who may not, and has to be gone by then. It
// reports whether the connection is there still.
func (v *Visit) MeetStranger(until time.Time) bool {
	d := v.door
	d.mu.Lock()
	defer d.mu.Unlock()
	v.unqueue()
	if v.over || d.deaf {
		return false
	}
	d.makeRoom(&d.strangers, maxStrangers)
	v.queue, v.place = &d.strangers, d.strangers.PushBack(v)
	v.until = until
	return true
}

// Prove notes what the other end has proved itself by: the connection does not live
// longer.
func (v *Visit) Prove(p Proof) {
	v.door.mu.Lock()
	defer v.door.mu.Unlock()
	v.proof = p
}

// Note writes what judges of Cut read, and reports whether the connection may go on:
// the same question, asked where the last judge has not seen what is written now.
func (v *Visit) Note(write func() bool) bool {
	v.door.mu.Lock()
	defer v.door.mu.Unlock()
	return write() && !v.over
}

// Hold makes a cut end something else as well. Where the cut was first it ends at once.
// The end of the connection is a cut, too. What is called must not ask the door.
func (v *Visit) Hold(end func()) bool {
	v.door.mu.Lock()
	defer v.door.mu.Unlock()
	if v.over {
		end()
		return false
	}
	v.holds = append(v.holds, end)
	return true
}

// Cut ends the connection at once.
func (v *Visit) Cut() {
	v.door.mu.Lock()
	defer v.door.mu.Unlock()
	v.cut()
}

func (v *Visit) cut() {
	if v.over {
		return
	}
	v.over = true
	_ = v.Conn.Close() // whoever reads from it sees that
	for _, end := range v.holds {
		end()
	}
	v.holds = nil
}

// FinishBy says how the connection ends once what is under way is done. It reports false
// where it is to end already.
func (v *Visit) FinishBy(finish func()) bool {
	v.door.mu.Lock()
	defer v.door.mu.Unlock()
	v.finish = finish
	return !v.over && !v.leaving.Load()
}

// Busy says that something is under way. So it is from the beginning.
func (v *Visit) Busy() { v.idle.Store(false) }

// Rest says that nothing is. It reports false where the connection is to end instead.
func (v *Visit) Rest() bool {
	v.idle.Store(true)
	return !v.Leaving()
}

// Leaving reports whether the connection is to end after what is under way.
func (v *Visit) Leaving() bool { return v.leaving.Load() }

// leaveSoon asks for that, once.
func (v *Visit) leaveSoon() {
	if v.leaving.Swap(true) {
		return
	}
	switch {
	case v.finish != nil:
		v.finish()
	case v.idle.Load():
		v.cut()
	}
}
