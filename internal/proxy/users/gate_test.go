package users

import (
	"bytes"
	"encoding/json"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	jose "github.com/go-jose/go-jose/v4"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/hipaa-operator/hipaa-operator/internal/proxy/config"
	"github.com/hipaa-operator/hipaa-operator/internal/proxy/http1"
	"github.com/hipaa-operator/hipaa-operator/internal/proxy/proxytest"
	"github.com/hipaa-operator/hipaa-operator/internal/proxy/record"
)

const (
	portal = "spiffe://cluster.local/ns/ehr/sa/portal"
	etl    = "spiffe://cluster.local/ns/etl/sa/etl"
	nginx  = "spiffe://cluster.local/ns/edge/gateway/nginx"
)

// scene is a gate before an identity provider, with a clock that tests step.
type scene struct {
	testing.TB
	*proxytest.Provider

	mu     sync.Mutex
	now    time.Time
	gate   *Gate
	config config.Configuration
	wrote  bytes.Buffer
	cuts   int
}

func (s *scene) Now() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.now
}

func (s *scene) step(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.now = s.now.Add(d)
}

// Cut is what a request that is under way hears.
func (s *scene) Cut() { s.cuts++ }

func refusal(name string) config.Refusal { return config.Refusal{Control: name, Citation: "45 CFR"} }

// newScene asks for users by an issuer and a gateway, on routes of every kind.
func newScene(tb testing.TB) *scene {
	tb.Helper()
	p := proxytest.NewProvider(tb)
	s := &scene{TB: tb, Provider: p, now: time.Now().Truncate(time.Second)}
	s.gate = &Gate{Metrics: NewMetrics(prometheus.NewRegistry()), Now: s.Now, Dial: p.Dial, Output: &s.wrote, Wait: 20 * time.Second}
	s.config = config.Configuration{
		Workload: config.Workload{UID: "6f1c", Namespace: "ehr", Name: "patient-api", Generation: 1},
		Users: &config.Users{
			Issuers:  []config.Issuer{{URL: p.URL, Audiences: []string{"patient-api"}, Roots: p.Roots()}},
			Gateways: []config.Gateway{{ID: nginx, User: "X-Auth-Request-User", Authenticated: "X-Auth-Time"}},
			Routes: []config.Route{
				{Name: "public", Paths: []string{"/public/*"}, Who: config.Nobody},
				{Name: "export", Paths: []string{"/export"}, Who: config.Anyone, Machines: []config.Machine{{Peer: etl}, {Issuer: p.URL, Subject: "backup"}}},
				{Name: "load", Paths: []string{"/load"}, Who: config.MachineOnly, Machines: []config.Machine{{Peer: etl}}},
				{Name: "admin", Paths: []string{"/admin/*"}, MultiFactor: true, MaxAge: config.Duration(time.Hour)},
				{Name: "poll", Paths: []string{"/poll"}, Activity: config.Polling},
				{Name: "ward", Paths: []string{"/ward/*"}, Activity: config.Stream},
				{Name: "short", Paths: []string{"/short"}, Limits: config.SessionLimits{Idle: config.Duration(5 * time.Minute)}},
				{Name: "chart", Paths: []string{"/chart/*"}, MultiFactor: true},
			},
			Roles:  []config.RoleLimits{{Role: "nurse", Limits: config.SessionLimits{Idle: config.Duration(10 * time.Minute)}}},
			Cookie: "JSESSIONID",
			Refusals: config.UserRefusals{
				Identity: refusal("identity"), MultiFactor: refusal("factors"), Session: refusal("session"), Lockout: refusal("lockout"),
			},
		},
	}
	s.apply()
	return s
}

func (s *scene) apply() {
	s.Helper()
	if err := s.gate.Apply(&s.config); err != nil {
		s.Fatal(err)
	}
}

// change applies another configuration.
func (s *scene) change(change func(*config.Users)) {
	s.Helper()
	users := *s.config.Users
	change(&users)
	s.config.Users = &users
	s.apply()
}

func request(tb testing.TB, head string) *http1.Request {
	tb.Helper()
	r := new(http1.Request)
	if err := r.Parse([]byte(head)); err != nil {
		tb.Fatalf("%v: %q", err, head)
	}
	return r
}

// ask makes a request; fields are whole lines.
func (s *scene) ask(peer, path string, fields ...string) (*Refusal, *Visit, *http1.Request) {
	s.Helper()
	head := "GET " + path + " HTTP/1.1\r\nHost: api\r\n"
	for _, f := range fields {
		head += f + "\r\n"
	}
	r, v := request(s.TB, head+"\r\n"), new(Visit)
	return s.gate.Admit(&Call{Port: "http", Peer: peer, Request: r, Cutter: s}, v), v, r
}

// bearer is the field with a token of the provider.
func (s *scene) bearer(change map[string]any) string {
	s.Helper()
	return "Authorization: Bearer " + s.Token(s.Now(), change)
}

// hears checks what becomes of a request: the reason of its refusal, or nothing.
func (s *scene) hears(want, path string, fields ...string) *Refusal {
	s.Helper()
	f, v, _ := s.ask(portal, path, fields...)
	v.End()
	got := ""
	if f != nil {
		got = f.Reason
	}
	if got != want {
		s.Errorf("%s is answered %q, want %q", path, got, want)
	}
	return f
}

func (s *scene) records(kind record.Kind) []record.Event {
	s.Helper()
	var all []record.Event
	for line := range strings.Lines(s.wrote.String()) {
		var e record.Event
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			s.Fatal(err)
		}
		if e.Kind == kind {
			all = append(all, e)
		}
	}
	return all
}

func (f *Refusal) field(name string) string {
	for _, field := range f.Fields {
		if field.Name == name {
			return field.Value
		}
	}
	return ""
}

func TestWhoMayMakeARequest(t *testing.T) {
	s := newScene(t)
	alice := s.bearer(nil)
	for name, tc := range map[string]struct {
		peer, path string
		fields     []string
		want       string
	}{
		"nobody where nobody is asked":                 {portal, "/public/x", nil, ""},
		"nobody elsewhere":                             {portal, "/Patient", nil, reasonAnonymous},
		"a path with two readings":                     {portal, "/public/../Patient", []string{alice}, reasonPath},
		"a person":                                     {portal, "/Patient", []string{alice}, ""},
		"a person by a scheme in other case":           {portal, "/Patient", []string{strings.Replace(alice, "Bearer", "bEARER", 1)}, ""},
		"another scheme":                               {portal, "/Patient", []string{"Authorization: Basic YTpi"}, reasonAnonymous},
		"two tokens":                                   {portal, "/Patient", []string{alice, alice}, reasonToken},
		"no token":                                     {portal, "/Patient", []string{"Authorization: Bearer x"}, reasonToken},
		"a token that ended":                           {portal, "/Patient", []string{s.bearer(map[string]any{"exp": s.now.Unix()})}, reasonEnded},
		"a user of a gateway":                          {nginx, "/Patient", []string{"X-Auth-Request-User: bob"}, ""},
		"a user that anybody names":                    {portal, "/Patient", []string{"X-Auth-Request-User: bob"}, reasonAnonymous},
		"a bad token beside a gateway's word":          {nginx, "/Patient", []string{"X-Auth-Request-User: bob", "Authorization: Bearer x"}, reasonToken},
		"a machine where a person is needed":           {portal, "/Patient", []string{s.bearer(map[string]any{"sub": "backup", "client_id": "backup"})}, reasonMachine},
		"a peer where a person is needed":              {etl, "/Patient", nil, reasonAnonymous},
		"a peer that may":                              {etl, "/export", nil, ""},
		"a peer that may not":                          {portal, "/export", nil, reasonAnonymous},
		"a machine that may":                           {portal, "/export", []string{s.bearer(map[string]any{"sub": "backup", "client_id": "backup"})}, ""},
		"a machine that may not":                       {portal, "/export", []string{s.bearer(map[string]any{"sub": "m", "client_id": "m"})}, reasonMachine},
		"a person among machines":                      {portal, "/export", []string{alice}, ""},
		"a person where machines alone may":            {portal, "/load", []string{alice}, reasonPerson},
		"a machine where machines alone may":           {etl, "/load", nil, ""},
		"another machine's token from a peer that may": {etl, "/load", []string{s.bearer(map[string]any{"sub": "m", "client_id": "m"})}, reasonMachine},
		"two factors of late":                          {portal, "/admin/x", []string{alice}, ""},
		"one factor":                                   {portal, "/admin/x", []string{s.bearer(map[string]any{"amr": []string{"pwd"}})}, reasonFactors},
		"two factors of long ago":                      {portal, "/admin/x", []string{s.bearer(map[string]any{"auth_time": s.now.Add(-2 * time.Hour).Unix()})}, reasonAge},
		"two factors of nobody knows when":             {portal, "/admin/x", []string{s.bearer(map[string]any{"auth_time": nil, "sid": "s3"})}, reasonAge},
	} {
		t.Run(name, func(t *testing.T) {
			f, v, _ := s.ask(tc.peer, tc.path, tc.fields...)
			defer v.End()
			got := ""
			if f != nil {
				got = f.Reason
			}
			if got != tc.want {
				t.Errorf("answered %q, want %q", got, tc.want)
			}
		})
	}
	if n := len(s.records(record.Anonymous)); n == 0 {
		t.Error("who was refused is on no record")
	}
	if text := s.wrote.String(); strings.Contains(text, "alice") || strings.Contains(text, "eyJ") || strings.Contains(text, "Patient") {
		t.Errorf("records name users, tokens or paths:\n%s", text)
	}
}

func TestARefusalSaysWhatToDo(t *testing.T) {
	s := newScene(t)
	s.change(func(u *config.Users) { u.Factors.Classes = []string{"gold", "silver"} })
	for name, tc := range map[string]struct {
		path, field string
		status      int
		control     string
		challenge   string
	}{
		"nobody":           {"/Patient", "X-A: b", http.StatusUnauthorized, "identity", `Bearer realm="phi"`},
		"a bad token":      {"/Patient", "Authorization: Bearer x", http.StatusUnauthorized, "identity", `Bearer realm="phi", error="invalid_token"`},
		"one factor":       {"/admin/x", s.bearer(map[string]any{"amr": nil}), http.StatusUnauthorized, "factors", `Bearer realm="phi", error="insufficient_user_authentication", error_description="more than one factor of authentication is needed here", acr_values="gold silver", max_age=3600`},
		"machines instead": {"/load", s.bearer(nil), http.StatusForbidden, "identity", ""},
	} {
		f, _, _ := s.ask(portal, tc.path, tc.field)
		if f == nil || f.Status != tc.status || f.Safeguard.Control != tc.control || f.field(challenge) != tc.challenge {
			t.Errorf("%s: %+v", name, f)
		}
	}
}

func TestOnlyAGatewaysFieldsReachTheApplication(t *testing.T) {
	s := newScene(t)
	s.change(func(u *config.Users) {
		u.Gateways = append(u.Gateways, config.Gateway{ID: nginx + "-2", User: "X-User", Authenticated: "X-Auth-Time"})
	})
	names := func(r *http1.Request) string {
		var all []string
		for _, f := range r.Fields {
			all = append(all, strings.ToLower(string(f.Name)))
		}
		return strings.Join(all, " ")
	}
	given := []string{"X-Auth-Request-User: bob", "X_User: eve", "X-Auth-Time: 1", "Accept: a", "X-Forwarded-For: b"}
	_, v, r := s.ask(nginx, "/public/x", given...)
	v.End()
	if got := names(r); got != "host x-auth-time accept x-auth-request-user" {
		t.Errorf("from the gateway: %s", got)
	}
	_, v, r = s.ask(portal, "/public/x", given...)
	v.End()
	if got := names(r); got != "host accept" {
		t.Errorf("from anybody: %s", got)
	}
	if s.gate.Withholds(nginx, "X-User") == s.gate.Speaks(nginx, "X-User") || !s.gate.Speaks(nginx, "x-auth-time") {
		t.Error("what a gateway says in gRPC is something else")
	}
}

func TestASessionEndsAndGoesOn(t *testing.T) {
	s := newScene(t)
	long := s.now.Add(24 * time.Hour).Unix()
	alice := s.bearer(map[string]any{"exp": long})
	s.hears("", "/Patient", alice)
	s.step(14 * time.Minute)
	s.hears("", "/Patient", alice)
	for range 3 {
		s.step(4 * time.Minute)
		s.hears("", "/poll", alice)
	}
	s.step(4 * time.Minute)
	f := s.hears(reasonLocked, "/poll", alice)
	if f.Safeguard.Control != "session" || f.field("Set-Cookie") != "JSESSIONID=; Path=/; Max-Age=0; Secure; HttpOnly" || !strings.Contains(f.field(challenge), "max_age=0") {
		t.Errorf("the refusal says %+v", f)
	}
	s.hears(reasonLocked, "/Patient", alice)
	s.hears(reasonLocked, "/Patient", s.bearer(map[string]any{"exp": long + 1, "auth_time": s.now.Add(-20 * time.Minute).Unix()}))
	s.hears("", "/ward/7", alice)
	if all := s.records(record.Logoff); len(all) != 1 || all[0].Session == "" || all[0].Workload != "ehr/patient-api" {
		t.Errorf("on record is %+v, want one logoff", all)
	}
	if n := testutil.ToFloat64(s.gate.Metrics.locks); n != 1 {
		t.Errorf("%v locks were counted", n)
	}
	s.hears("", "/Patient", s.bearer(map[string]any{"exp": long, "auth_time": s.now.Unix()}))
	s.hears("", "/Patient", s.bearer(map[string]any{"sid": "s9"}))
}

func TestLimitsAreThoseOfRolesAndRoutes(t *testing.T) {
	s := newScene(t)
	long := s.now.Add(24 * time.Hour).Unix()
	nurse := s.bearer(map[string]any{"sid": "n", "roles": []string{"nurse"}, "exp": long})
	other := s.bearer(map[string]any{"sid": "o", "exp": long})
	s.hears("", "/Patient", nurse)
	s.hears("", "/Patient", other)
	s.hears("", "/short", other)
	s.step(6 * time.Minute)
	s.hears("", "/Patient", nurse)
	s.hears("", "/Patient", other)
	s.hears(reasonLocked, "/short", other)
	s.hears("", "/Patient", other)
	s.step(11 * time.Minute)
	s.hears(reasonLocked, "/Patient", nurse)
	s.hears("", "/Patient", other)
	for range 80 {
		s.step(10 * time.Minute)
		f, v, _ := s.ask(portal, "/Patient", other)
		v.End()
		if f != nil {
			if s.now.Sub(time.Unix(long, 0).Add(-24*time.Hour)) < 12*time.Hour-2*time.Minute {
				t.Fatalf("locked after %s", s.now.Sub(time.Unix(long, 0).Add(-24*time.Hour)))
			}
			return
		}
	}
	t.Error("a session that is used never ends")
}

func TestAGatewaysSessionsAreToldApartByTheCookie(t *testing.T) {
	s := newScene(t)
	at := func(want string, fields ...string) {
		t.Helper()
		f, v, _ := s.ask(nginx, "/Patient", append(fields, "X-Auth-Request-User: bob")...)
		v.End()
		if (f != nil) != (want != "") || f != nil && f.Reason != want {
			t.Errorf("%v is answered %+v, want %q", fields, f, want)
		}
	}
	at("", "Cookie: a=b; JSESSIONID=one")
	at("", "Cookie: JSESSIONID=two")
	s.step(10 * time.Minute)
	at("", "Cookie: JSESSIONID=two; a=b")
	s.step(10 * time.Minute)
	at(reasonLocked, "Cookie: JSESSIONID=one")
	at("", "Cookie: JSESSIONID=two")
	at("", "Cookie: JSESSIONID=one", "X-Auth-Time: "+unix(s.now))
}

func TestAUserOnManyDevicesStandsOnRecord(t *testing.T) {
	s := newScene(t)
	s.change(func(u *config.Users) { u.DevicesAtOnce = 2 })
	on := func(path, session string) { s.hears("", path, s.bearer(map[string]any{"sid": session})) }
	told := func(want int, when string) {
		t.Helper()
		found := s.records(record.Shared)
		if got := testutil.ToFloat64(s.gate.Metrics.shared); len(found) != want || got != float64(want) {
			t.Errorf("%s: %d records and a count of %v, want %d", when, len(found), got, want)
		}
	}
	on("/Patient", "desk")
	on("/Patient", "telephone")
	on("/poll", "ward")
	on("/ward/1", "monitor")
	told(0, "two devices, and what runs by itself")
	for i := range 4 { // a token without anything else is no device
		s.hears("", "/Patient", s.bearer(map[string]any{"sid": nil, "auth_time": nil, "jti": strconv.Itoa(i)}))
	}
	told(0, "four tokens")
	for _, who := range []string{"bob", "carol", "dave"} {
		f, v, _ := s.ask(nginx, "/Patient", "Cookie: JSESSIONID=same", "X-Auth-Request-User: "+who)
		v.End()
		if f != nil {
			t.Errorf("%s is refused: %+v", who, f)
		}
	}
	told(0, "several users of one device")
	on("/Patient", "elsewhere")
	told(1, "three devices")
	on("/Patient", "farther")
	told(1, "once an hour")
	if e := s.records(record.Shared)[0]; e.User == "" || e.Session == "" || e.Subject != "" || e.Devices != 3 {
		t.Errorf("the record is %+v", e)
	}
}

func TestALockedSessionIsCutOff(t *testing.T) {
	s := newScene(t)
	_, v, _ := s.ask(portal, "/Patient", s.bearer(nil))
	_, ward, _ := s.ask(portal, "/ward/1", s.bearer(nil))
	s.step(14 * time.Minute)
	s.gate.Sweep(t.Context())
	if s.cuts != 0 {
		t.Fatal("it is cut off early")
	}
	s.step(time.Minute)
	s.gate.Sweep(t.Context())
	if s.cuts != 1 || len(s.records(record.Logoff)) != 1 {
		t.Errorf("%d were cut off, %d are on record; want one", s.cuts, len(s.records(record.Logoff)))
	}
	v.End()
	ward.End()
	s.gate.Sweep(t.Context())
	if s.cuts != 1 {
		t.Error("what is over is cut off")
	}
}

func TestAChangeKeepsSessionsAndKeys(t *testing.T) {
	s := newScene(t)
	alice := s.bearer(map[string]any{"exp": s.now.Add(24 * time.Hour).Unix()})
	s.hears("", "/Patient", alice)
	s.step(20 * time.Minute)
	s.hears(reasonLocked, "/Patient", alice)
	s.Down.Store(true)
	s.change(func(u *config.Users) {
		u.Issuers = append([]config.Issuer(nil), u.Issuers...)
		u.Issuers[0].Audiences = append(u.Issuers[0].Audiences, "more")
	})
	s.hears(reasonLocked, "/Patient", alice)
	s.hears("", "/Patient", s.bearer(map[string]any{"sid": "s2"}))
	s.config.Users = nil
	s.apply()
	s.hears("", "/Patient")
}

func TestWhatCannotBeHadChangesNothing(t *testing.T) {
	s := newScene(t)
	for name, change := range map[string]func(*config.Users){
		"a key that is not there":      func(u *config.Users) { u.KeyFile = filepath.Join(t.TempDir(), "none") },
		"records that have no place":   func(u *config.Users) { u.Records.File = filepath.Join(t.TempDir(), "none", "x") },
		"credentials that are no keys": func(u *config.Users) { u.BreakGlass = &config.BreakGlass{Credentials: "{"} },
	} {
		c := s.config
		users := *s.config.Users
		change(&users)
		c.Users = &users
		if err := s.gate.Apply(&c); err == nil {
			t.Errorf("%s: it is taken", name)
		}
		s.hears(reasonAnonymous, "/Patient")
	}
	fresh := &Gate{Metrics: NewMetrics(prometheus.NewRegistry()), Now: s.Now, Dial: s.Dial, Output: &s.wrote}
	c, users := s.config, *s.config.Users
	users.KeyFile = filepath.Join(t.TempDir(), "none")
	c.Users = &users
	if fresh.Apply(&c) == nil {
		t.Error("a key that is not there is taken")
	}
	fresh.Sweep(t.Context())
	if f := fresh.Admit(&Call{Request: request(t, "GET /public HTTP/1.1\r\nHost: a\r\n\r\n")}, new(Visit)); f == nil || f.Status != http.StatusServiceUnavailable {
		t.Errorf("who cannot ask for users answers %+v", f)
	}
	if err := fresh.Apply(&s.config); err != nil {
		t.Errorf("once it is there: %v", err)
	}
	file := filepath.Join(t.TempDir(), "users.jsonl")
	s.change(func(u *config.Users) { u.Records.File = file })
	s.hears(reasonAnonymous, "/Patient")
	text, err := os.ReadFile(file)
	if err != nil || !strings.Contains(string(text), `"kind":"anonymous-refused"`) {
		t.Errorf("in the file is %q, %v", text, err)
	}
}

// glass lets nurses break it, and holders of credentials.
func (s *scene) glass() (credential func(change map[string]any) string) {
	s.Helper()
	key := proxytest.Stranger(s.TB, "sealed")
	set, err := json.Marshal(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{key.Public()}})
	if err != nil {
		s.Fatal(err)
	}
	s.change(func(u *config.Users) {
		u.BreakGlass = &config.BreakGlass{
			Routes: []string{"chart"}, Roles: []string{"nurse"}, Duration: config.Duration(time.Hour), Expired: config.Duration(4 * time.Hour),
			Credentials: string(set), Audience: "ehr",
		}
	})
	return func(change map[string]any) string {
		claims := map[string]any{"sub": "dr-who", "jti": "envelope-1", "aud": "ehr", "exp": s.Now().Add(100 * 24 * time.Hour).Unix()}
		maps.Copy(claims, change)
		return "X-Phi-Break-Glass: " + proxytest.Sign(s.TB, key, claims, nil)
	}
}

const (
	purpose = "X-Phi-Purpose-Of-Use: BTG"
	reason  = "X-Phi-Reason: patient in cardiac arrest"
)

func TestAnEmergencyOpensWhatIsClosed(t *testing.T) {
	s := newScene(t)
	s.glass()
	nurse := s.bearer(map[string]any{"roles": []string{"nurse"}, "amr": []string{"pwd"}, "exp": s.now.Add(30 * time.Minute).Unix()})
	s.hears(reasonFactors, "/chart/1", nurse)
	f, v, r := s.ask(portal, "/chart/1", nurse, purpose, reason)
	if f != nil || v.Emergency == "" {
		t.Fatalf("an emergency is answered %+v", f)
	}
	for _, field := range r.Fields {
		if strings.Contains(string(field.Value), "cardiac") {
			t.Error("the application reads the reason")
		}
	}
	s.hears("", "/chart/2", nurse, purpose, reason)
	all := s.records(record.Emergency)
	if len(all) != 1 || all[0].Reason != "patient in cardiac arrest" || all[0].Purpose != "BTG" || all[0].Subject != "alice" || !all[0].Until.Equal(s.now.Add(time.Hour)) {
		t.Errorf("on record is %+v, want one", all)
	}
	s.hears("", "/chart/2", nurse, purpose, "X-Phi-Reason: another patient in arrest")
	if all := s.records(record.Emergency); len(all) != 2 {
		t.Errorf("another reason is on no record: %+v", all)
	}
	// A session that is locked does not stop it, and is locked afterwards.
	s.step(20 * time.Minute)
	s.hears("", "/chart/1", nurse, purpose, reason)
	// The token has ended, and the provider could give another one.
	s.step(20 * time.Minute)
	s.hears(reasonEmergency, "/chart/1", nurse, purpose, reason)
	s.Down.Store(true)
	s.step(time.Hour)
	s.gate.refresh(t.Context())
	s.hears("", "/chart/1", nurse, purpose, reason)
	s.hears(reasonEnded, "/chart/1", nurse)
	s.step(5 * time.Hour)
	s.hears(reasonEmergency, "/chart/1", nurse, purpose, reason)
	// What is under way ends with its time.
	s.gate.Sweep(t.Context())
	if s.cuts != 1 {
		t.Errorf("%d were cut off at the end of the emergency", s.cuts)
	}
	v.End()
	if n := len(s.records(record.EmergencyRefused)); n != 2 {
		t.Errorf("%d refused emergencies are on record", n)
	}
}

func TestWhatNoEmergencyOpens(t *testing.T) {
	s := newScene(t)
	credential := s.glass()
	nurse := s.bearer(map[string]any{"roles": []string{"nurse"}, "amr": nil})
	for name, tc := range map[string]struct {
		path   string
		fields []string
		want   string
	}{
		"another route":            {"/admin/x", []string{nurse, purpose, reason}, reasonFactors},
		"another role":             {"/chart/1", []string{s.bearer(map[string]any{"amr": nil}), purpose, reason}, reasonEmergency},
		"nobody":                   {"/chart/1", []string{purpose, reason}, reasonEmergency},
		"a machine":                {"/chart/1", []string{s.bearer(map[string]any{"roles": []string{"nurse"}, "client_id": "alice"}), purpose, reason}, reasonEmergency},
		"a bad token":              {"/chart/1", []string{nurse + "x", purpose, reason}, reasonEmergency},
		"no purpose":               {"/chart/1", []string{nurse, reason}, reasonEmergency},
		"a purpose that is none":   {"/chart/1", []string{nurse, "X-Phi-Purpose-Of-Use: HMARKT", reason}, reasonEmergency},
		"no reason":                {"/chart/1", []string{nurse, purpose}, reasonEmergency},
		"a reason that is none":    {"/chart/1", []string{nurse, purpose, "X-Phi-Reason: because"}, reasonEmergency},
		"two reasons":              {"/chart/1", []string{nurse, purpose, reason, reason}, reasonEmergency},
		"another's credential":     {"/chart/1", []string{credential(map[string]any{"aud": "lab"}), purpose, reason}, reasonEmergency},
		"a credential that ended":  {"/chart/1", []string{credential(map[string]any{"exp": s.now.Unix() - 1}), purpose, reason}, reasonEmergency},
		"one without end":          {"/chart/1", []string{credential(map[string]any{"exp": nil}), purpose, reason}, reasonEmergency},
		"one that lasts for years": {"/chart/1", []string{credential(map[string]any{"exp": s.now.Add(9000 * time.Hour * 2).Unix()}), purpose, reason}, reasonEmergency},
		"one without an id":        {"/chart/1", []string{credential(map[string]any{"jti": ""}), purpose, reason}, reasonEmergency},
		"one of nobody":            {"/chart/1", []string{credential(map[string]any{"sub": ""}), purpose, reason}, reasonEmergency},
		"one that a stranger made": {"/chart/1", []string{"X-Phi-Break-Glass: " + proxytest.Sign(t, proxytest.Stranger(t, "sealed"), map[string]any{"sub": "x", "jti": "y", "aud": "ehr", "exp": s.now.Add(time.Hour).Unix()}, nil), purpose, reason}, reasonEmergency},
		"one without a purpose":    {"/chart/1", []string{credential(nil)}, reasonEmergency},
	} {
		t.Run(name, func(t *testing.T) {
			f, v, _ := s.ask(portal, tc.path, tc.fields...)
			v.End()
			if f == nil || f.Reason != tc.want {
				t.Errorf("answered %+v, want %q", f, tc.want)
			}
		})
	}
	if len(s.records(record.Emergency)) != 0 {
		t.Error("what was refused is on record as access")
	}
}

func TestACredentialIsGoodForOneTime(t *testing.T) {
	address, stop := proxytest.Redis(t)
	key := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(key, bytes.Repeat([]byte("k"), 32), 0o600); err != nil {
		t.Fatal(err)
	}
	replica := func() *scene {
		s := newScene(t)
		s.Down.Store(true)
		s.change(func(u *config.Users) {
			u.KeyFile = key
			u.Store = &config.Store{Address: address, Plain: true, OnOutage: config.Alone}
		})
		return s
	}
	a, b := replica(), replica()
	b.now = a.now
	credential := a.glass()
	b.change(func(u *config.Users) { u.BreakGlass = a.config.Users.BreakGlass })
	sealed := credential(nil)
	a.hears("", "/chart/1", sealed, purpose, reason)
	a.step(50 * time.Minute)
	a.hears("", "/chart/1", sealed, purpose, reason)
	b.step(61 * time.Minute)
	b.hears(reasonEmergency, "/chart/1", sealed, purpose, reason)
	a.step(11 * time.Minute)
	a.hears(reasonEmergency, "/chart/1", sealed, purpose, reason)
	if all := a.records(record.Emergency); len(all) != 1 || all[0].Subject != "dr-who" || all[0].Credential == "" || all[0].Doubt != "" {
		t.Errorf("on record is %+v", all)
	}
	// Without the store an emergency goes on, and the record says so.
	stop()
	a.hears("", "/chart/1", credential(map[string]any{"jti": "envelope-2"}), purpose, reason)
	if all := a.records(record.Emergency); len(all) != 2 || all[1].Doubt == "" {
		t.Errorf("on record is %+v", all)
	}
}

func TestWhoProvesTooLittleWaits(t *testing.T) {
	s := newScene(t)
	s.change(func(u *config.Users) {
		u.Lockout = &config.Lockout{Failures: 5, Duration: config.Duration(15 * time.Minute)}
	})
	credential := s.glass()
	weak := func(n string) string { return s.bearer(map[string]any{"amr": []string{"pwd"}, "sid": n}) }
	s.hears(reasonFactors, "/admin/x", weak("1"))
	for range 10 { // a program that tries again
		s.hears(reasonFactors, "/admin/x", weak("1"))
	}
	s.hears(reasonFactors, "/admin/x", weak("2"))
	s.hears(reasonFactors, "/admin/x", weak("3"))
	f := s.hears(reasonDelayed, "/Patient", weak("3"))
	if f.field("Retry-After") != "1" || f.Status != http.StatusTooManyRequests || f.Safeguard.Control != "lockout" {
		t.Errorf("%+v", f)
	}
	s.step(time.Second)
	s.hears("", "/Patient", weak("3"))
	s.hears(reasonFactors, "/admin/x", weak("4"))
	s.step(2 * time.Second)
	s.hears(reasonFactors, "/admin/x", weak("5"))
	if f := s.hears(reasonLockedOut, "/Patient", s.bearer(nil)); f.field("Retry-After") != "900" {
		t.Errorf("%+v", f)
	}
	s.hears("", "/Patient", s.bearer(map[string]any{"sub": "bob", "sid": "b"}))
	if len(s.records(record.Locked)) != 1 || testutil.ToFloat64(s.gate.Metrics.lockouts) != 1 {
		t.Error("the lock is on no record, or on several")
	}
	nurse := s.bearer(map[string]any{"roles": []string{"nurse"}})
	s.hears("", "/chart/1", nurse, purpose, reason)
	s.hears("", "/chart/1", credential(nil), purpose, reason)
	s.step(15 * time.Minute)
	s.hears("", "/Patient", s.bearer(map[string]any{"sid": "new"}))
}

func unix(t time.Time) string { return strconv.FormatInt(t.Unix(), 10) }

func BenchmarkAdmit(b *testing.B) {
	s := newScene(b)
	head := "GET /Patient/1 HTTP/1.1\r\nHost: api\r\nAccept: application/fhir+json\r\n" + s.bearer(nil) + "\r\n\r\n"
	r, v, c := request(b, head), new(Visit), new(Call)
	b.ReportAllocs()
	for b.Loop() {
		*c = Call{Port: "http", Peer: portal, Request: r, Cutter: s}
		if f := s.gate.Admit(c, v); f != nil {
			b.Fatal(f.Text)
		}
		v.End()
	}
}
