package engine

import (
	"cmp"
	"slices"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
	"github.com/hipaa-operator/hipaa-operator/internal/control"
)

// addUsers adds how a profile has proxies find out who people are.
func (m *merge) addUsers(p *hipaav1.ComplianceProfile) {
	from := p.Spec.Users
	if from == nil {
		return
	}
	into := &m.effective.Parameters.Users
	realms, gateways := slices.Clone(from.Realms), slices.Clone(from.Gateways)
	for i := range realms {
		realms[i].Lockout = m.standing(realms[i].Lockout)
	}
	for i := range gateways {
		gateways[i].Lockout = m.standing(gateways[i].Lockout)
	}
	into.Realms = agreed(m, into.Realms, realms, "users.realms", func(r *hipaav1.Realm) string { return r.Name })
	into.Gateways = agreed(m, into.Gateways, gateways, "users.gateways", func(g *hipaav1.UserGateway) string { return g.Name })
	into.Factors = firstSaid(m, into.Factors, from.Factors, "users.factors")
	into.BreakGlass = firstSaid(m, into.BreakGlass, from.BreakGlass, "users.breakGlass")
	if len(from.OpenPaths) > 0 {
		into.OpenPaths = append(into.OpenPaths, from.OpenPaths)
	}
	into.Roles = shortestRoles(into.Roles, from.Roles)
	if l := from.Lockout; l != nil {
		if l.Failures > 0 && (into.Failures == 0 || l.Failures < into.Failures) {
			into.Failures = l.Failures
		}
		into.LockedFor = max(into.LockedFor, durationOf(l.Duration))
	}
	if n := from.DevicesAtOnce; n > 0 && (into.DevicesAtOnce == 0 || n < into.DevicesAtOnce) {
		into.DevicesAtOnce = n
	}
	into.Records = strictest(into.Records, from.Records, hipaav1.UserRecordsSubject, hipaav1.UserRecordsPseudonym)
}

// standing is a statement that has not ended, or nil.
func (m *merge) standing(s *hipaav1.Statement) *hipaav1.Statement {
	if s == nil || !m.stands(*s) {
		return nil
	}
	return s
}

// agreed are the entries that each profile names which names any; what the first one says
// of an entry counts.
func agreed[T any](m *merge, had map[string]T, list []T, field string, nameOf func(*T) string) map[string]T {
	if len(list) == 0 {
		return had
	}
	both := map[string]T{}
	for i := range list {
		name := nameOf(&list[i])
		before, known := had[name]
		switch {
		case had == nil:
			both[name] = list[i]
		case known:
			both[name] = before
			if !equal(before, list[i]) {
				m.conflict(field+"[%s] differs between profiles; the first by name counts", name)
			}
		}
	}
	return both
}

// firstSaid is what the first profile says that says anything.
func firstSaid[T any](m *merge, had, next *T, field string) *T {
	if had != nil && next != nil && !equal(had, next) {
		m.conflict("%s differs between profiles; the first by name counts", field)
	}
	return cmp.Or(had, next)
}

func shortestRoles(had map[string]control.RoleSession, list []hipaav1.RoleSession) map[string]control.RoleSession {
	if len(list) > 0 && had == nil {
		had = map[string]control.RoleSession{}
	}
	for i := range list {
		limits := had[list[i].Role]
		limits.Idle, limits.Absolute = shortest(limits.Idle, list[i].IdleTimeout), shortest(limits.Absolute, list[i].AbsoluteTimeout)
		had[list[i].Role] = limits
	}
	return had
}

func durationOf(d *metav1.Duration) (length time.Duration) {
	if d != nil {
		length = d.Duration
	}
	return length
}
