package users

import (
	"encoding/base64"
	"net/http"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/hipaa-operator/hipaa-operator/internal/proxy/config"
	"github.com/hipaa-operator/hipaa-operator/internal/proxy/record"
)

// signIn has the application sign people in on two paths: one for those whom nobody has
// named yet, and one where a user proves once more who they are.
func (s *scene) signIn() {
	s.change(func(u *config.Users) {
		u.Lockout = &config.Lockout{Failures: 4, Duration: config.Duration(15 * time.Minute)}
		u.Routes = append([]config.Route{
			{Name: "login", Paths: []string{"/login"}, Who: config.Nobody, Login: true},
			{Name: "sign", Paths: []string{"/sign"}, Login: true},
		}, u.Routes...)
	})
}

// answered makes a request that the application answers with a status, and returns the
// reason of its refusal before.
func (s *scene) answered(status int, path string, fields ...string) string {
	s.Helper()
	f, v, _ := s.ask(portal, path, fields...)
	defer v.End()
	if f != nil {
		return f.Reason
	}
	v.Answered(status)
	return ""
}

func basic(name, password string) string {
	return "Authorization: Basic " + base64.StdEncoding.EncodeToString([]byte(name+":"+password))
}

func TestAnApplicationsRefusalsLockTheUser(t *testing.T) {
	for name, tc := range map[string]struct{ user, same, other, path string }{
		"by the name that the request brings": {basic("Alice", "a"), basic("alice ", "b"), basic("bob", "c"), "/login"},
		"by the user's token":                 {"", "", "", "/sign"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newScene(t)
			s.signIn()
			if tc.user == "" {
				tc.user, tc.same = s.bearer(nil), s.bearer(map[string]any{"sid": "another"})
				tc.other = s.bearer(map[string]any{"sub": "bob"})
			}
			for range 10 {
				if why := s.answered(http.StatusOK, tc.path, tc.user); why != "" {
					t.Fatalf("who succeeds is refused: %s", why)
				}
			}
			for range 3 {
				if why := s.answered(http.StatusUnauthorized, tc.path, tc.user); why != "" {
					t.Fatalf("who failed before is refused: %s", why)
				}
			}
			if why := s.answered(http.StatusOK, tc.path, tc.same); why != reasonDelayed {
				t.Errorf("the third failure costs no time: %q", why)
			}
			s.step(time.Second)
			if why := s.answered(http.StatusUnauthorized, tc.path, tc.same); why != "" {
				t.Errorf("the fourth try is refused: %s", why)
			}
			if why := s.answered(http.StatusOK, tc.path, tc.user); why != reasonLockedOut {
				t.Errorf("after four failures: %q", why)
			}
			if why := s.answered(http.StatusOK, tc.path, tc.other); why != "" {
				t.Errorf("another user is refused: %s", why)
			}
			s.expectOneLocked()
			s.step(15 * time.Minute)
			if tc.path == "/sign" { // the session has ended too
				tc.user = s.bearer(map[string]any{"sid": "new"})
			}
			if why := s.answered(http.StatusOK, tc.path, tc.user); why != "" {
				t.Errorf("the lock does not end: %s", why)
			}
		})
	}
}

// expectOneLocked holds that one user was locked, is on record by a pseudonym, and is counted.
func (s *scene) expectOneLocked() {
	s.Helper()
	locked := s.records(record.Locked)
	if len(locked) != 1 || locked[0].User == "" || locked[0].Subject != "" || testutil.ToFloat64(s.gate.Metrics.lockouts) != 1 {
		s.Errorf("on record is %+v", locked)
	}
}

func TestWhoCannotBeNamedIsNotLocked(t *testing.T) {
	s := newScene(t)
	s.signIn()
	for name, fields := range map[string][]string{
		"a form":               nil,
		"what is not Basic":    {"Authorization: Digest abc"},
		"what cannot be read":  {"Authorization: Basic ???"},
		"a name that is empty": {basic("", "a")},
	} {
		for range 20 {
			if why := s.answered(http.StatusUnauthorized, "/login", fields...); why != "" {
				t.Fatalf("%s: %s", name, why)
			}
		}
	}
	for range 20 { // where nobody signs in, 401 is the application's own matter
		if why := s.answered(http.StatusUnauthorized, "/Patient", s.bearer(nil)); why != "" {
			t.Fatal(why)
		}
	}
	if n := len(s.records(record.Locked)); n != 0 {
		t.Errorf("%d are locked", n)
	}
}
