package users

import (
	"context"
	"time"

	"github.com/hipaa-operator/hipaa-operator/internal/proxy/breakglass"
	"github.com/hipaa-operator/hipaa-operator/internal/proxy/record"
)

// emergency lets a request pass that says that it is one, whatever else would refuse it:
// an identity provider that does not answer, a session or a user that is locked, one
// factor where two are needed. It reports false without a refusal where the request says
// nothing of the kind.
func (q *question) emergency(refused *Refusal) (passes bool, f *Refusal) {
	said, err := breakglass.Read(q.call.Request.Claims)
	if err != nil {
		return false, q.deny(err.Error())
	}
	if said == nil {
		return false, nil
	}
	if said.Credential != "" {
		return q.credential(said)
	}
	if q.who == nil || q.who.Machine || refused != nil && refused.Reason != reasonEnded {
		return false, q.deny("it needs a person's token or a credential that was handed out beforehand")
	}
	if !q.glass.May(q.who, q.tokens.Unreachable(q.who), q.now) {
		return false, q.deny("this user or token may not")
	}
	until, begins := q.glass.Begin(q.who, said, q.now)
	if begins {
		q.records.Record(q.broken(said, until))
	}
	q.pass(until)
	return true, nil
}

// credential lets a request pass by a credential that was handed out beforehand.
func (q *question) credential(said *breakglass.Call) (passes bool, f *Refusal) {
	c, err := q.glass.Verify(said.Credential, q.now)
	if err != nil {
		return false, q.deny(err.Error())
	}
	q.who = c.Principal
	until, doubt, err := q.glass.Use(context.Background(), c, q.uses, q.now)
	if err != nil {
		return false, q.deny(err.Error())
	}
	if _, begins := q.glass.Begin(q.who, said, q.now); begins {
		e := q.broken(said, until)
		e.Credential = c.ID.String()
		if doubt != nil {
			e.Doubt = "the store could not be asked whether the credential was used before"
		}
		q.records.Record(e)
	}
	q.pass(until)
	return true, nil
}

func (q *question) broken(said *breakglass.Call, until time.Time) *record.Event {
	e := q.event(record.Emergency, "")
	end := until.UTC()
	e.Purpose, e.Reason, e.Until = said.Purpose, said.Reason, &end
	// Who broke the glass has to be known, or nobody can review it.
	e.Subject = q.who.Subject
	return e
}

func (q *question) pass(until time.Time) {
	q.gate.Metrics.emergencies.Inc()
	q.visit.Emergency = until.UTC().Format(time.RFC3339)
	q.gate.visits.BeginUntil(&q.visit.visit, q.call.Cutter, until)
}

func (q *question) deny(text string) *Refusal {
	f := q.noEmergency(text)
	q.records.Record(q.event(record.EmergencyRefused, f.Reason))
	return f
}
