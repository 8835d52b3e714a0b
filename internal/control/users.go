package control

import (
	"cmp"
	"slices"
	"strings"
	"time"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
)

// UserParameters are the merged parameters of how proxies find out who people are.
type UserParameters struct {
	// Realms and Gateways are those that every profile names which names any, by name. Nil
	// means that none does.
	Realms   map[string]hipaav1.Realm
	Gateways map[string]hipaav1.UserGateway
	// Factors and BreakGlass are those of the first profile that has any; nil where none has.
	Factors    *hipaav1.FactorValues
	BreakGlass *hipaav1.BreakGlassParameters
	// OpenPaths has one list for each profile that names any.
	OpenPaths [][]string
	// Roles are the shortest limits of each role.
	Roles map[string]RoleSession
	// Failures and LockedFor are the fewest and the longest; zero where no profile sets them.
	Failures  int32
	LockedFor time.Duration
	// DevicesAtOnce are the fewest; zero where no profile says any.
	DevicesAtOnce int32
	// Records is Pseudonym where a profile asks for it; empty where none says anything.
	Records hipaav1.UserRecords
}

// RoleSession are limits of the sessions of people with a role; zero is none.
type RoleSession struct{ Idle, Absolute time.Duration }

// The lock-out where profiles say nothing of it.
const (
	defaultFailures  = 10
	defaultLockedFor = 15 * time.Minute
)

// Lockout is after how many failures a user is locked, and for how long.
func (p *UserParameters) Lockout() (failures int, lasts time.Duration) {
	return int(cmp.Or(p.Failures, defaultFailures)), cmp.Or(p.LockedFor, defaultLockedFor)
}

// Opens reports whether a workload may open a path to requests of nobody.
func (p *UserParameters) Opens(path string) bool {
	return len(p.OpenPaths) > 0 && !slices.ContainsFunc(p.OpenPaths, func(list []string) bool {
		return !slices.ContainsFunc(list, func(open string) bool { return within(path, open) })
	})
}

// within reports whether whatever one pattern of paths matches the other matches too.
func within(path, open string) bool {
	path, open = strings.ToLower(path), strings.ToLower(open)
	prefix, below := strings.CutSuffix(open, "/*")
	if !below {
		return path == open
	}
	path = strings.TrimSuffix(path, "/*")
	return path == prefix || strings.HasPrefix(path, prefix+"/")
}

// AsksUsers reports whether the sealed configuration of a workload's proxies asks for the
// users of requests.
func AsksUsers(w *hipaav1.PHIWorkload) bool {
	return w != nil && w.Status.Proxy != nil && w.Status.Proxy.Users != ""
}
