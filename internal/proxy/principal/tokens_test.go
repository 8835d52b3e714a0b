package principal

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hipaa-operator/hipaa-operator/internal/proxy/config"
	"github.com/hipaa-operator/hipaa-operator/internal/proxy/proxytest"
)

// clock is stepped by tests.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) step(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

type scene struct {
	*proxytest.Provider
	clock
	tokens *Tokens
	users  *config.Users
}

func newScene(tb testing.TB) *scene {
	tb.Helper()
	s := &scene{Provider: proxytest.NewProvider(tb)}
	s.now = time.Now().Truncate(time.Second)
	s.users = &config.Users{Issuers: []config.Issuer{{URL: s.URL, Audiences: []string{"other", "patient-api"}, Roots: s.Roots(), RolesClaim: "realm_access.roles", Machines: []string{"backup"}}}}
	s.tokens = NewTokens(s.users, NewKeyring(NewKey()), s.Dial, s.Now)
	return s
}

func (s *scene) verify(token string) (*Principal, error) {
	return s.tokens.Verify(context.Background(), []byte(token))
}

func TestATokenSaysWhoTheUserIs(t *testing.T) {
	s := newScene(t)
	now := s.Now()
	token := s.Token(now, map[string]any{"realm_access": map[string]any{"roles": []string{"nurse", "admin"}}})
	got, err := s.verify(token)
	if err != nil {
		t.Fatal(err)
	}
	want := &Principal{
		Issuer: s.URL, Subject: "alice", Roles: []string{"nurse", "admin"}, MultiFactor: true,
		Authenticated: now.Add(-time.Minute), Ends: now.Add(time.Hour),
		Limits: config.SessionLimits{Idle: config.Duration(15 * time.Minute), Absolute: config.Duration(12 * time.Hour)},
		Basis:  BySession, Pseudonym: got.Pseudonym, Session: got.Session,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if again, err := s.verify(token); err != nil || again != got {
		t.Errorf("the same token is not remembered: %v", err)
	}
	rs256 := proxytest.Sign(t, s.Key("rsa"), s.Claims(now, nil), map[string]any{"typ": "at+jwt"})
	if p, err := s.verify(rs256); err != nil || p.Session != got.Session || p.Pseudonym != got.Pseudonym {
		t.Errorf("the same session by RS256: %v, %v", p, err)
	}
	if n := s.Asked.Load(); n != 1 {
		t.Errorf("keys were asked for %d times", n)
	}
}

func TestTokensThatCountForNothing(t *testing.T) {
	s := newScene(t)
	now := s.Now()
	sign := func(change map[string]any, headers map[string]any) string {
		return proxytest.Sign(t, s.Key("ec"), s.Claims(now, change), headers)
	}
	good := s.Token(now, nil)
	parts := strings.Split(good, ".")
	none := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none"}`))
	shared := s.Key("ec")
	shared.Algorithm, shared.Key = "HS256", []byte(s.Roots())
	for name, give := range map[string]string{
		"nothing":                        "",
		"no token":                       "opaque",
		"a token without a signature":    parts[0] + "." + parts[1] + ".",
		"a token by no algorithm":        none + "." + parts[1] + ".",
		"a key that both sides share":    proxytest.Sign(t, shared, s.Claims(now, nil), nil),
		"another's key under this name":  proxytest.Sign(t, proxytest.Stranger(t, "ec"), s.Claims(now, nil), nil),
		"a key that nobody knows":        proxytest.Sign(t, proxytest.Stranger(t, "unknown"), s.Claims(now, nil), nil),
		"an edited payload":              parts[0] + "." + base64.RawURLEncoding.EncodeToString([]byte(`{"iss":"`+s.URL+`","sub":"bob","aud":"patient-api"}`)) + "." + parts[2],
		"another issuer":                 sign(map[string]any{"iss": "https://elsewhere.example"}, nil),
		"another audience":               sign(map[string]any{"aud": []string{"billing"}}, nil),
		"no audience":                    sign(map[string]any{"aud": nil}, nil),
		"no subject":                     sign(map[string]any{"sub": nil}, nil),
		"no end":                         sign(map[string]any{"exp": nil}, nil),
		"one that is not in force yet":   sign(map[string]any{"nbf": now.Add(2 * time.Minute).Unix()}, nil),
		"one that ends a session":        sign(nil, map[string]any{"typ": "logout+jwt"}),
		"one of an unknown kind":         sign(nil, map[string]any{"typ": 7}),
		"one that is too long":           sign(map[string]any{"pad": strings.Repeat("x", maxToken)}, nil),
		"claims of other types":          sign(map[string]any{"sid": map[string]any{}}, nil),
		"methods of other types":         sign(map[string]any{"amr": 7}, nil),
		"something after the signature":  good + ".more",
		"blanks":                         " " + good,
		"an issuer with a slash at last": sign(map[string]any{"iss": s.URL + "/"}, nil),
	} {
		t.Run(name, func(t *testing.T) {
			if p, err := s.verify(give); !errors.Is(err, ErrInvalid) {
				t.Errorf("Verify() = %v, %v; want ErrInvalid", p, err)
			}
		})
	}
	if _, err := s.verify(good); err != nil {
		t.Errorf("a good token: %v", err)
	}
}

func TestKeysRotate(t *testing.T) {
	s := newScene(t)
	old := s.Token(s.Now(), nil)
	if _, err := s.verify(old); err != nil {
		t.Fatal(err)
	}
	s.step(pause)
	s.AddEC("new")
	token := proxytest.Sign(t, s.Key("new"), s.Claims(s.Now(), nil), nil)
	if _, err := s.verify(token); err != nil {
		t.Errorf("a token by a new key: %v", err)
	}
	if _, err := s.verify(old); err != nil {
		t.Errorf("a token by the key before: %v", err)
	}
	asked := s.Asked.Load()
	for i := range 20 {
		_, _ = s.verify(proxytest.Sign(t, proxytest.Stranger(t, fmt.Sprint("unknown", i)), s.Claims(s.Now(), nil), nil))
	}
	if n := s.Asked.Load(); n != asked {
		t.Errorf("unknown keys made %d questions at once", n-asked)
	}
	s.Remove("ec")
	s.tokens.Refresh(t.Context())
	if _, err := s.verify(old); err != nil {
		t.Errorf("keys are asked for too often: %v", err)
	}
	s.step(freshFor)
	s.tokens.Refresh(t.Context())
	if _, err := s.verify(old); !errors.Is(err, ErrInvalid) {
		t.Errorf("a token by a key that the provider took back: %v", err)
	}
}

func TestAnOutageOfTheProviderIsOutlivedForAWhile(t *testing.T) {
	s := newScene(t)
	s.Down.Store(true)
	token := s.Token(s.Now(), map[string]any{"exp": s.Now().Add(100 * time.Hour).Unix()})
	if _, err := s.verify(token); !errors.Is(err, ErrUnavailable) {
		t.Fatalf("without keys: %v, want ErrUnavailable", err)
	}
	s.Down.Store(false)
	s.step(pause)
	p, err := s.verify(token)
	if err != nil {
		t.Fatalf("once it answers: %v", err)
	}
	if s.tokens.Unreachable(p) {
		t.Error("it is called unreachable")
	}
	s.Down.Store(true)
	s.step(23 * time.Hour)
	s.tokens.Refresh(t.Context())
	if !s.tokens.Unreachable(p) {
		t.Error("nobody noticed")
	}
	other := s.Token(s.Now(), map[string]any{"sid": "s2"})
	if _, err := s.verify(other); err != nil {
		t.Errorf("a new token within the bound: %v", err)
	}
	s.step(2 * time.Hour)
	if _, err := s.verify(s.Token(s.Now(), map[string]any{"sid": "s3"})); !errors.Is(err, ErrUnavailable) {
		t.Errorf("a new token beyond the bound: %v", err)
	}
	if _, err := s.verify(token); err != nil {
		t.Errorf("a token that was verified before: %v", err)
	}
	if p.Expired(s.Now()) || !p.Expired(p.Ends) {
		t.Error("the end of a token is not when it ends")
	}
}

func TestAProviderIsAskedByHTTPSAlone(t *testing.T) {
	s := newScene(t)
	for name, change := range map[string]func(*config.Issuer){
		"another's certificate": func(i *config.Issuer) { i.Roots = "" },
		"another's metadata":    func(i *config.Issuer) { i.URL += "/other" },
		"no keys there":         func(i *config.Issuer) { i.Keys = s.URL + "/nowhere" },
		"plain HTTP":            func(i *config.Issuer) { i.Keys = strings.Replace(s.URL, "https", "http", 1) + "/certs" },
		"nobody there":          func(i *config.Issuer) { i.Upstream = "127.0.0.1:1" },
	} {
		t.Run(name, func(t *testing.T) {
			users := *s.users
			users.Issuers = []config.Issuer{s.users.Issuers[0]}
			change(&users.Issuers[0])
			tokens := NewTokens(&users, NewKeyring(NewKey()), s.Dial, s.Now)
			token := s.Token(s.Now(), map[string]any{"iss": users.Issuers[0].URL})
			if _, err := tokens.Verify(t.Context(), []byte(token)); !errors.Is(err, ErrUnavailable) {
				t.Errorf("%v, want ErrUnavailable", err)
			}
		})
	}
	users := *s.users
	users.Issuers = []config.Issuer{s.users.Issuers[0]}
	users.Issuers[0].Upstream = strings.TrimPrefix(strings.TrimSuffix(s.URL, "/realms/ehr"), "https://")
	users.Issuers[0].Keys = s.URL + "/certs"
	if _, err := NewTokens(&users, NewKeyring(NewKey()), s.Dial, s.Now).Verify(t.Context(), []byte(s.Token(s.Now(), nil))); err != nil {
		t.Errorf("by an upstream: %v", err)
	}
}

func TestWhatTellsSessionsApart(t *testing.T) {
	s := newScene(t)
	session := func(change map[string]any) (Basis, Pseudonym) {
		t.Helper()
		p, err := s.verify(s.Token(s.Now(), change))
		if err != nil {
			t.Fatal(err)
		}
		return p.Basis, p.Session
	}
	later := s.Now().Add(time.Minute * 90).Unix()
	for name, tc := range map[string]struct {
		one, other map[string]any
		basis      Basis
		same       bool
	}{
		"a new token of a session":         {map[string]any{}, map[string]any{"exp": later}, BySession, true},
		"another session":                  {map[string]any{}, map[string]any{"sid": "s2"}, BySession, false},
		"a new token of a login":           {map[string]any{"sid": nil}, map[string]any{"sid": nil, "exp": later}, ByLogin, true},
		"another login":                    {map[string]any{"sid": nil}, map[string]any{"sid": nil, "auth_time": s.Now().Unix()}, ByLogin, false},
		"another user's login":             {map[string]any{"sid": nil}, map[string]any{"sid": nil, "sub": "bob"}, ByLogin, false},
		"a new token that says no more":    {map[string]any{"sid": nil, "auth_time": nil}, map[string]any{"sid": nil, "auth_time": nil, "exp": later}, ByToken, false},
		"the same token that says no more": {map[string]any{"sid": nil, "auth_time": nil, "jti": 1}, nil, ByToken, false},
	} {
		t.Run(name, func(t *testing.T) {
			basis, one := session(tc.one)
			if basis != tc.basis {
				t.Errorf("told apart by %s, want %s", basis, tc.basis)
			}
			if _, other := session(tc.other); (one == other) != tc.same {
				t.Errorf("the same: %v, want %v", one == other, tc.same)
			}
		})
	}
}

func TestMachinesAreNoPeople(t *testing.T) {
	s := newScene(t)
	for name, tc := range map[string]struct {
		give map[string]any
		want bool
	}{
		"a person":                            {nil, false},
		"a person of Keycloak":                {map[string]any{"preferred_username": "alice", "azp": "portal"}, false},
		"credentials of a client by RFC 9068": {map[string]any{"sub": "etl", "client_id": "etl"}, true},
		"an application of Entra":             {map[string]any{"idtyp": "app"}, true},
		"a machine of Auth0":                  {map[string]any{"gty": "client-credentials"}, true},
		"a service account of Keycloak":       {map[string]any{"preferred_username": "service-account-etl"}, true},
		"one that the configuration names":    {map[string]any{"sub": "backup"}, true},
	} {
		t.Run(name, func(t *testing.T) {
			p, err := s.verify(s.Token(s.Now(), tc.give))
			if err != nil || p.Machine != tc.want {
				t.Errorf("Machine = %v, %v; want %v", p.Machine, err, tc.want)
			}
		})
	}
}

func TestWhatMeansSeveralFactors(t *testing.T) {
	s := newScene(t)
	for name, tc := range map[string]struct {
		give    map[string]any
		factors config.Factors
		want    bool
	}{
		"nothing said":                             {map[string]any{"amr": nil}, config.Factors{}, false},
		"a password":                               {map[string]any{"amr": []string{"pwd"}}, config.Factors{}, false},
		"a password and another password":          {map[string]any{"amr": []string{"pwd", "pin"}}, config.Factors{}, false},
		"two things that one has":                  {map[string]any{"amr": []string{"otp", "sms"}}, config.Factors{}, false},
		"a password and a one-time password":       {map[string]any{"amr": []string{"pwd", "otp"}}, config.Factors{}, true},
		"a key and a fingerprint":                  {map[string]any{"amr": []string{"hwk", "fpt"}}, config.Factors{}, true},
		"several factors, said so":                 {map[string]any{"amr": []string{"mfa"}}, config.Factors{}, true},
		"several factors in one text":              {map[string]any{"amr": "pwd mfa"}, config.Factors{}, true},
		"a class of REFEDS":                        {map[string]any{"amr": nil, "acr": "https://refeds.org/profile/mfa"}, config.Factors{}, true},
		"an unknown class":                         {map[string]any{"amr": nil, "acr": "1"}, config.Factors{}, false},
		"a class of the configuration":             {map[string]any{"amr": nil, "acr": "gold"}, config.Factors{Classes: []string{"gold"}}, true},
		"a default that the configuration has not": {map[string]any{"amr": nil, "acr": "phr"}, config.Factors{Classes: []string{"gold"}}, false},
		"methods of the configuration":             {map[string]any{"amr": []string{"card"}}, config.Factors{Methods: []string{"card"}}, true},
		"methods that it has not":                  {map[string]any{"amr": []string{"pwd", "otp"}}, config.Factors{Methods: []string{"card"}}, false},
	} {
		t.Run(name, func(t *testing.T) {
			users := *s.users
			users.Factors = tc.factors
			p, err := NewTokens(&users, NewKeyring(NewKey()), s.Dial, s.Now).Verify(t.Context(), []byte(s.Token(s.Now(), tc.give)))
			if err != nil || p.MultiFactor != tc.want {
				t.Errorf("MultiFactor = %v, %v; want %v", p.MultiFactor, err, tc.want)
			}
		})
	}
}

func TestWhereRolesStand(t *testing.T) {
	for name, tc := range map[string]struct {
		all  map[string]any
		path string
		want []string
	}{
		"by default":                {map[string]any{"roles": []any{"a", "b"}}, "", []string{"a", "b"}},
		"under names":               {map[string]any{"realm_access": map[string]any{"roles": []any{"a"}}}, "realm_access.roles", []string{"a"}},
		"under a name with dots":    {map[string]any{"https://x.example/roles": []any{"a"}}, "https://x.example/roles", []string{"a"}},
		"in one text":               {map[string]any{"scope": "a b"}, "scope", []string{"a", "b"}},
		"nowhere":                   {map[string]any{}, "a.b.c", nil},
		"below what is no object":   {map[string]any{"a": "x"}, "a.b", nil},
		"among what are no texts":   {map[string]any{"roles": []any{1, "a", nil}}, "roles", []string{"a"}},
		"of a type that means none": {map[string]any{"roles": 1}, "roles", nil},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(tc.want, rolesAt(tc.all, tc.path)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestNoMoreTokensAreRememberedThanFit(t *testing.T) {
	s := newScene(t)
	ended := verified{principal: &Principal{Ends: s.Now()}}
	for i := range maxVerified {
		s.tokens.remember([32]byte{byte(i), byte(i >> 8)}, ended)
	}
	if _, err := s.verify(s.Token(s.Now(), nil)); err != nil {
		t.Fatal(err)
	}
	if n := len(s.tokens.verified); n != 1 {
		t.Errorf("%d are remembered, want the one that has not ended", n)
	}
	lasting := verified{principal: &Principal{Ends: s.Now().Add(time.Hour)}}
	for i := range maxVerified + 10 {
		s.tokens.remember([32]byte{byte(i), byte(i >> 8), 1}, lasting)
	}
	if n := len(s.tokens.verified); n > maxVerified {
		t.Errorf("%d are remembered, want at most %d", n, maxVerified)
	}
}

func FuzzTokens(f *testing.F) {
	s := newScene(f)
	f.Add(s.Token(s.Now(), nil))
	f.Add("a.b.c")
	f.Add("..")
	good := s.Token(s.Now(), nil)
	f.Fuzz(func(t *testing.T, token string) {
		p, err := s.verify(token)
		if err == nil && token != good && p.Subject != "alice" {
			t.Errorf("a token that nobody signed is %v", p)
		}
	})
}

func BenchmarkVerify(b *testing.B) {
	s := newScene(b)
	token := []byte(s.Token(s.Now(), nil))
	if _, err := s.tokens.Verify(b.Context(), token); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := s.tokens.Verify(b.Context(), token); err != nil {
			b.Fatal(err)
		}
	}
}
