package users

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"time"

	"github.com/hipaa-operator/hipaa-operator/internal/proxy/config"
	"github.com/hipaa-operator/hipaa-operator/internal/proxy/http1"
	"github.com/hipaa-operator/hipaa-operator/internal/proxy/principal"
	"github.com/hipaa-operator/hipaa-operator/internal/proxy/record"
	"github.com/hipaa-operator/hipaa-operator/internal/proxy/session"
)

// Call is a request that wants to pass.
type Call struct {
	// Port is the name of the port that it came by, Peer who called.
	Port, Peer string
	Request    *http1.Request
	// Cutter ends it where its session is locked meanwhile.
	Cutter session.Cutter
}

// Visit is what is remembered of a request until it is over. The zero value is one of
// which nothing is.
type Visit struct {
	visit   session.Visit
	touches [2]session.Touch
	path    []byte
	// Emergency is until when an emergency lasts that let the request pass; empty where
	// none did.
	Emergency string
	// failed takes note of a failure of the user; nil where the application's answers
	// are none.
	failed func()
}

// End says that the request is over.
func (v *Visit) End() {
	v.visit.End()
	v.path, v.Emergency, v.failed = v.path[:0], "", nil
}

// Admit says why the request may not pass, or nothing where it may. Fields that it may
// not bring are taken off it.
func (g *Gate) Admit(c *Call, v *Visit) *Refusal {
	s := g.state.Load()
	switch s {
	case nil:
		return nil
	case closed:
		return refuseUnready
	}
	s.cleanse(c)
	var ok bool
	if v.path, ok = plainPath(v.path[:0], c.Request.Target); !ok {
		return refusePath
	}
	q := question{state: s, call: c, visit: v, route: s.routeOf(c, v.path), now: g.Now()}
	if q.route.Who == config.Nobody {
		return q.visitor()
	}
	return q.judge()
}

func (s *state) routeOf(c *Call, path []byte) *route {
	for _, r := range s.routes {
		if r.matches(c.Port, c.Request.Method, path) {
			return r
		}
	}
	return everywhere
}

// cleanse takes off the fields by which only gateways say who the user is, and gives a
// gateway its own ones back, for the application reads them.
func (s *state) cleanse(c *Call) {
	if len(s.users.Gateways) == 0 {
		return
	}
	kept := c.Request.Fields[:0]
	for _, f := range c.Request.Fields {
		if !s.gateways.IsField(f.Name) || s.gateways.Speaks(c.Peer, f.Name) {
			kept = append(kept, f)
		}
	}
	for _, f := range c.Request.Claims {
		if s.gateways.Speaks(c.Peer, f.Name) {
			kept = append(kept, f)
		}
	}
	c.Request.Fields = kept
}

// Speaks reports whether the peer is a gateway whose field this is.
func (g *Gate) Speaks(peer, name string) bool {
	s := g.state.Load()
	return s != nil && s != closed && s.gateways.Speaks(peer, []byte(name))
}

// Withholds reports whether a peer may not bring a field of this name, because only
// gateways may.
func (g *Gate) Withholds(peer, name string) bool {
	s := g.state.Load()
	return s != nil && s != closed && s.gateways.IsField([]byte(name)) && !s.gateways.Speaks(peer, []byte(name))
}

// question is one request while it is judged.
type question struct {
	*state

	call  *Call
	visit *Visit
	route *route
	now   time.Time
	who   *principal.Principal
}

// judge asks everything in its order: who, whether enough was proved, and the session.
func (q *question) judge() *Refusal {
	refused := q.identify()
	if q.glass != nil && q.glass.Opens(q.route.Name) && len(q.call.Request.Claims) > 0 {
		if passes, why := q.emergency(refused); passes || why != nil {
			return why
		}
	}
	if refused == nil {
		refused = q.prove()
	}
	if refused != nil {
		q.tell(refused)
		return refused
	}
	if !q.who.Machine && q.signsIn() {
		q.watch(q.who.Pseudonym)
	}
	if q.who.Machine || q.route.Activity == config.Stream {
		return nil
	}
	return q.session()
}

// identify finds out who makes the request, and whether the route is for them.
func (q *question) identify() *Refusal {
	token, several := q.token()
	switch {
	case several:
		return q.badToken()
	case token != nil:
		who, err := q.tokens.Verify(context.Background(), token)
		if errors.Is(err, principal.ErrUnavailable) {
			return q.noProvider()
		}
		if err != nil {
			return q.badToken()
		}
		q.who = who
		if who.Expired(q.now) {
			return q.endedToken()
		}
	default:
		q.who = q.gateways.Principal(q.call.Peer, q.call.Request.Fields)
	}
	return q.fits()
}

// fits reports whether the route is for who it is.
func (q *question) fits() *Refusal {
	r := q.route
	if q.who != nil && !q.who.Machine {
		if r.Who == config.MachineOnly {
			return q.wrongKind(reasonPerson, "this path is for machines, and the request is a person's")
		}
		return nil
	}
	if r.Who == config.MachineOnly || r.Who == config.Anyone {
		if m := q.machine(); m != nil {
			q.who = m
			return nil
		}
	}
	if q.who == nil {
		return q.anonymous()
	}
	return q.wrongKind(reasonMachine, "this path is for people, or for other machines")
}

// machine is who of the route's machines it is, by its token or else by its peer.
func (q *question) machine() *principal.Principal {
	for i := range q.route.Machines {
		m := &q.route.Machines[i]
		if q.who != nil && m.Subject != "" && m.Issuer == q.who.Issuer && m.Subject == q.who.Subject {
			return q.who
		}
		if q.who == nil && m.Peer != "" && m.Peer == q.call.Peer {
			return q.gateways.Peer(m.Peer)
		}
	}
	return nil
}

var authorization, bearer = "authorization", []byte("bearer ")

// token is that of the request, or nil. Two fields are read in two ways.
func (q *question) token() (token []byte, several bool) {
	found := 0
	for _, f := range q.call.Request.Fields {
		if len(f.Name) != len(authorization) || !http1.SameName(f.Name, authorization) {
			continue
		}
		found++
		if len(f.Value) > len(bearer) && bytes.EqualFold(f.Value[:len(bearer)], bearer) {
			token = f.Value[len(bearer):]
		}
	}
	return token, found > 1
}

// prove asks whether the user may try now, and has proved enough.
func (q *question) prove() *Refusal {
	r := q.route
	if q.who.Machine {
		return nil
	}
	guarded := q.users.Lockout != nil
	if guarded {
		if left, locked := q.gate.guesses.Wait(q.who.Pseudonym, q.now); left > 0 {
			return q.wait(left, locked)
		}
	}
	if r.MultiFactor && !q.who.MultiFactor {
		if guarded && q.gate.guesses.Failed(q.who.Pseudonym, q.who.Session, q.users.Lockout, q.now) {
			q.gate.Metrics.lockouts.Inc()
			q.records.Record(q.event(record.Locked, ""))
		}
		return q.stepUp(r, reasonFactors, "more than one factor of authentication is needed here")
	}
	if age := time.Duration(r.MaxAge); age > 0 && (q.who.Authenticated.IsZero() || q.now.Sub(q.who.Authenticated) > age) {
		return q.stepUp(r, reasonAge, "a more recent authentication is needed here")
	}
	return nil
}

// session asks whether the session is over, and keeps it where the user is there.
func (q *question) session() *Refusal {
	touches := &q.visit.touches
	touches[0] = session.Touch{
		Key: q.key(), Now: q.now, Present: q.route.Activity != config.Polling, Authenticated: q.who.Authenticated,
		Ends: q.who.Ends, Limits: q.who.Limits,
	}
	count := 1
	if q.route.own {
		touches[1] = touches[0]
		touches[1].Key = q.keyring.Of("route", touches[0].Key[:], []byte(q.route.Name))
		touches[1].Limits = q.route.Limits.Within(q.who.Limits)
		count = 2
	}
	for i := range count {
		if f := q.touch(&touches[i]); f != nil {
			return f
		}
	}
	q.look(&touches[0])
	if count == 1 {
		q.gate.visits.Begin(&q.visit.visit, q.call.Cutter, &touches[0])
	} else {
		q.gate.visits.Begin(&q.visit.visit, q.call.Cutter, &touches[0], &touches[1])
	}
	return nil
}

// look takes note of the device on which a user is there, as far as sessions tell devices
// apart: where each token is a session they do not.
func (q *question) look(t *session.Touch) {
	if !t.Present || q.basis() == principal.ByToken {
		return
	}
	if n := q.gate.devices.Seen(q.who.Pseudonym, t.Key, q.users.MostDevices(), q.now); n > 0 {
		q.gate.Metrics.shared.Inc()
		e := q.event(record.Shared, "")
		e.Session, e.Devices = t.Key.String(), n
		q.records.Record(e)
	}
}

func (q *question) touch(t *session.Touch) *Refusal {
	state, err := q.store.Touch(context.Background(), t)
	switch {
	case errors.Is(err, session.ErrFull):
		return q.unavailable(reasonFull, "there are too many sessions; try again in a while")
	case err != nil:
		return q.unavailable(reasonStore, "the store of sessions cannot be reached; try again in a while")
	}
	switch state.Change {
	case session.Began:
		q.gate.Metrics.sessions.WithLabelValues(string(q.basis())).Inc()
	case session.Ended:
		q.gate.Metrics.locks.Inc()
		e := q.event(record.Logoff, "")
		e.Session = t.Key.String()
		q.records.Record(e)
	case session.None:
	}
	if !state.Locked.IsZero() {
		return q.locked()
	}
	return nil
}

// key tells the session from others: by what the token says of it, or else by the
// application's cookie, or else by the user's login or token.
func (q *question) key() principal.Pseudonym {
	if cookie := q.cookie(); cookie != nil {
		return q.keyring.Of("cookie", q.who.Pseudonym[:], cookie)
	}
	return q.who.Session
}

func (q *question) basis() principal.Basis {
	if q.cookie() != nil {
		return principal.ByCookie
	}
	return q.who.Basis
}

// cookie is the value of the session cookie where it counts, or nil.
func (q *question) cookie() []byte {
	if q.users.Cookie == "" || q.who.Basis == principal.BySession {
		return nil
	}
	for _, f := range q.call.Request.Fields {
		if !http1.SameName(f.Name, "cookie") {
			continue
		}
		for rest := f.Value; len(rest) > 0; {
			var pair []byte
			pair, rest, _ = bytes.Cut(rest, []byte{';'})
			name, value, _ := bytes.Cut(bytes.TrimLeft(pair, " "), []byte{'='})
			if string(name) == q.users.Cookie {
				return value
			}
		}
	}
	return nil
}

// tell records why somebody was refused.
func (q *question) tell(f *Refusal) {
	kind := record.Anonymous
	if slices.Contains([]string{reasonFactors, reasonAge}, f.Reason) {
		kind = record.Factors
	} else if slices.Contains([]string{reasonDelayed, reasonLockedOut}, f.Reason) {
		return // it was told when it began
	}
	q.records.Record(q.event(kind, f.Reason))
}

// event is about this request.
func (q *question) event(kind record.Kind, outcome string) *record.Event {
	e := &record.Event{
		Time: q.now, Kind: kind, Workload: q.name(), Port: q.call.Port, Route: q.route.Name, Peer: q.call.Peer, Outcome: outcome,
	}
	if q.who != nil {
		e.User, e.Session = q.who.Pseudonym.String(), q.who.Session.String()
		if q.users.Records.Show == config.ShowSubject {
			e.Subject = q.who.Subject
		}
	}
	return e
}
