package inbound

import (
	"context"
	"net/http"

	"github.com/hipaa-operator/hipaa-operator/internal/proxy/breakglass"
	"github.com/hipaa-operator/hipaa-operator/internal/proxy/http1"
	"github.com/hipaa-operator/hipaa-operator/internal/proxy/users"
)

// admit asks for the user of the request, where the configuration does.
func (e *exchange) admit() *refusal {
	e.part() // of the request before
	gate := e.conn.rules.users
	if gate == nil {
		return nil
	}
	if e.caller != nil && e.req.WebSocket {
		e.remote = &guest{cut: e.conn.visit.Cut}
	}
	e.asked = users.Call{Port: e.conn.rules.in.Name, Peer: e.conn.peer, Request: &e.req, Cutter: e}
	visit := &e.guest
	if e.remote != nil {
		e.asked.Cutter, visit = e.remote, &e.remote.visit
	}
	f := gate.Admit(&e.asked, visit)
	if f == nil {
		return nil
	}
	return &refusal{status: f.Status, reason: f.Reason, text: f.Text, safeguard: f.Safeguard, fields: f.Fields, lasting: true}
}

// part says that the request is over. That of a call of gRPC is not.
func (e *exchange) part() {
	e.guest.End()
	if e.caller != nil {
		e.remote.end()
		e.remote = nil
	}
}

// answered tells the user's visit what the application answered.
func (e *exchange) answered() {
	visit := &e.guest
	if e.remote != nil {
		visit = &e.remote.visit
	}
	visit.Answered(e.res.Status)
}

// deny answers a request that a user may not make. Callers of several users go on by the
// same connection, where the request has no body that would have to be read.
func (e *exchange) deny(f *refusal) (again bool) {
	if !f.lasting || e.req.Framing != http1.NoBody || e.req.Close || e.req.Old || e.conn.visit.Leaving() {
		e.refuse(f)
		return false
	}
	m := e.conn.port.server.Metrics
	m.refused(f.reason)
	m.answered(f.status)
	e.out = f.append(e.out[:0], e.conn.rules, e.req.IsHead, false)
	return e.flush() == nil
}

// Cut ends the request, whose session is over. It comes from another goroutine, and
// never once the visit has ended.
func (e *exchange) Cut() {
	e.ended.Store(true)
	if app := e.open.Load(); app != nil {
		_ = app.Close()
	}
	if e.caller != nil { // of HTTP/1.1; by HTTP/2 the others go on
		e.conn.visit.Cut()
	}
}

// hold lets a cut end the connection to the application. It reports false where the cut
// was before.
func (e *exchange) hold(app *appConn) bool {
	e.open.Store(app)
	return !e.ended.Load()
}

// emergency is what the answer says where an emergency let the request pass.
func (e *exchange) emergency() []http1.Field {
	until := e.guest.Emergency
	if e.remote != nil {
		until = e.remote.visit.Emergency
	}
	if until == "" {
		return e.res.Fields
	}
	return append(e.res.Fields, http1.Field{Name: []byte(breakglass.FieldUntil), Value: []byte(until)})
}

// guest is the user of a request that lasts longer than its exchange: a call of gRPC, or
// a WebSocket.
type guest struct {
	visit users.Visit
	// cut ends the request.
	cut func()
	// gate and peer are there for a call of gRPC.
	gate *users.Gate
	peer string
}

// peerKey finds who made a call of gRPC.
type peerKey struct{}

// guest is nil where nobody asks for users.
func (s *stream) guest(r *http.Request) (*guest, *http.Request) {
	if s.rules.users == nil {
		return nil, r
	}
	ctx, cancel := context.WithCancel(context.WithValue(r.Context(), peerKey{}, s.conn.peer))
	return &guest{gate: s.rules.users, peer: s.conn.peer, cut: cancel}, r.WithContext(ctx)
}

// Cut ends the request, whose session is over.
func (g *guest) Cut() { g.cut() }

func (g *guest) end() {
	if g != nil {
		g.visit.End()
	}
}

// prepare takes fields off the call that its caller may not bring, and tells of an emergency.
func (g *guest) prepare(w http.ResponseWriter, r *http.Request) {
	if g == nil {
		return
	}
	for name := range r.Header {
		if g.gate.Withholds(g.peer, name) {
			r.Header.Del(name)
		}
	}
	if g.visit.Emergency != "" {
		w.Header().Set(breakglass.FieldUntil, g.visit.Emergency)
	}
}

// strip takes off a call of gRPC what only a proxy may say. A gateway may say who the
// user is.
func strip(gate *users.Gate, r *http.Request, out http.Header) {
	peer, _ := r.Context().Value(peerKey{}).(string)
	for name := range out {
		if http1.IsClaim(name) && (gate == nil || !gate.Speaks(peer, name)) {
			delete(out, name)
		}
	}
}
