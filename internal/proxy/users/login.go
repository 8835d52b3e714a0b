package users

import (
	"bytes"
	"encoding/base64"
	"net/http"

	"github.com/hipaa-operator/hipaa-operator/internal/proxy/http1"
	"github.com/hipaa-operator/hipaa-operator/internal/proxy/principal"
	"github.com/hipaa-operator/hipaa-operator/internal/proxy/record"
)

// Answered tells what the application answered. Where it signs people in, its 401 is a
// failure of the user.
func (v *Visit) Answered(status int) {
	if v.failed != nil && status == http.StatusUnauthorized {
		v.failed()
	}
}

// watch has the application's answer count for the user, where the application signs
// people in.
func (q *question) watch(user principal.Pseudonym) {
	// What is written when it happens must not lie in the memory of the request.
	gate, s, e := q.gate, q.state, q.event(record.Locked, "")
	e.User = user.String()
	q.visit.failed = func() {
		now := gate.Now()
		if gate.guesses.Failed(user, principal.Pseudonym{}, s.users.Lockout, now) {
			gate.Metrics.lockouts.Inc()
			e.Time = now
			s.records.Record(e)
		}
	}
}

// visitor asks a request of nobody in particular, which brings the name of a user to the
// application, whether that user may try now.
func (q *question) visitor() *Refusal {
	if !q.signsIn() {
		return nil
	}
	name, ok := q.basic()
	if !ok {
		return nil
	}
	user := q.keyring.Of("basic", name)
	if left, locked := q.gate.guesses.Wait(user, q.now); left > 0 {
		return q.wait(left, locked)
	}
	q.watch(user)
	return nil
}

// signsIn reports whether the application's answers count.
func (q *question) signsIn() bool { return q.route.Login && q.users.Lockout != nil }

var basicScheme = []byte("basic ")

// basic is the user's name in Authorization: Basic. How it is written does not matter to
// many applications, so it does not here.
func (q *question) basic() (name []byte, ok bool) {
	for _, f := range q.call.Request.Fields {
		if !http1.SameName(f.Name, authorization) || len(f.Value) <= len(basicScheme) || !bytes.EqualFold(f.Value[:len(basicScheme)], basicScheme) {
			continue
		}
		text, err := base64.StdEncoding.DecodeString(string(bytes.TrimSpace(f.Value[len(basicScheme):])))
		if err != nil {
			return nil, false
		}
		name, _, _ = bytes.Cut(text, []byte{':'})
		name = bytes.ToLower(bytes.TrimSpace(name))
		return name, len(name) > 0
	}
	return nil, false
}
