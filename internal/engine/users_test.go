package engine_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
	"github.com/hipaa-operator/hipaa-operator/internal/control"
	"github.com/hipaa-operator/hipaa-operator/internal/phitest"
)

func TestWhatProfilesAgreeUponTellsWhoPeopleAre(t *testing.T) {
	lasts := func(d time.Duration) *metav1.Duration { return &metav1.Duration{Duration: d} }
	people := func(name string, p hipaav1.UserParameters) *phitest.ProfileBuilder {
		return phitest.Profile(name).With(func(spec *hipaav1.ComplianceProfileSpec) { spec.Users = &p })
	}
	realm := func(name, issuer string) hipaav1.Realm { return hipaav1.Realm{Name: name, Issuer: issuer} }
	past, still := &hipaav1.Statement{StatedBy: "a", Expires: phitest.After(0)}, &hipaav1.Statement{StatedBy: "b", Expires: phitest.After(time.Hour)}
	ended, stands := realm("staff", "https://a"), realm("patients", "https://p")
	ended.Lockout, stands.Lockout = past, still
	first := people("a", hipaav1.UserParameters{
		Realms: []hipaav1.Realm{ended, stands, realm("guests", "https://g")}, OpenPaths: []string{"/static/*", "/health"},
		Roles: []hipaav1.RoleSession{{Role: "ward", IdleTimeout: lasts(time.Hour)}}, Lockout: &hipaav1.LockoutParameters{Failures: 5, Duration: lasts(time.Minute)},
		Records: hipaav1.UserRecordsSubject, DevicesAtOnce: 4,
	})
	got := resolve(t, newEngine(t, pair()...), first, phitest.Profile("b"),
		people("c", hipaav1.UserParameters{
			Realms: []hipaav1.Realm{realm("staff", "https://other"), realm("patients", "https://p"), realm("vendors", "https://v")}, OpenPaths: []string{"/static/css/*", "/health"},
			Roles:   []hipaav1.RoleSession{{Role: "ward", IdleTimeout: lasts(30 * time.Minute), AbsoluteTimeout: lasts(8 * time.Hour)}},
			Lockout: &hipaav1.LockoutParameters{Failures: 7, Duration: lasts(time.Hour)}, Factors: &hipaav1.FactorValues{Classes: []string{"gold"}},
			BreakGlass: &hipaav1.BreakGlassParameters{Roles: []string{"clinician"}}, Records: hipaav1.UserRecordsPseudonym, DevicesAtOnce: 2,
		}))
	unstated := realm("staff", "https://a")
	want := control.UserParameters{
		Realms:    map[string]hipaav1.Realm{"staff": unstated, "patients": stands},
		OpenPaths: [][]string{{"/static/*", "/health"}, {"/static/css/*", "/health"}},
		Roles:     map[string]control.RoleSession{"ward": {Idle: 30 * time.Minute, Absolute: 8 * time.Hour}},
		Failures:  5, LockedFor: time.Hour, Factors: &hipaav1.FactorValues{Classes: []string{"gold"}},
		BreakGlass: &hipaav1.BreakGlassParameters{Roles: []string{"clinician"}}, Records: hipaav1.UserRecordsPseudonym, DevicesAtOnce: 2,
	}
	if diff := cmp.Diff(want, got.Parameters.Users); diff != "" {
		t.Errorf("users (-want +got):\n%s", diff)
	}
	if len(got.Conflicts) != 2 { // staff and patients, of which one states something
		t.Errorf("conflicts are %q", got.Conflicts)
	}
	for path, open := range map[string]bool{
		"/static/css/*": true, "/static/css/a": true, "/static/css": true, "/static/*": false, "/static/js/a": false, "/health": true, "/HEALTH": true, "/health/x": false, "/*": false,
	} {
		if got.Parameters.Users.Opens(path) != open {
			t.Errorf("%s: open is not %t", path, open)
		}
	}
	if new(control.UserParameters).Opens("/static/a") {
		t.Error("where no profile names a path one is open")
	}
	if failures, lasts := new(control.UserParameters).Lockout(); failures != 10 || lasts != 15*time.Minute {
		t.Errorf("the default lock-out is %d, %v", failures, lasts)
	}
}
