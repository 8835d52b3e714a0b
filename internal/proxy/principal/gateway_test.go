package principal

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/hipaa-operator/hipaa-operator/internal/proxy/config"
	"github.com/hipaa-operator/hipaa-operator/internal/proxy/http1"
)

const (
	nginx = "spiffe://cluster.local/ns/edge/gateway/nginx"
	other = "spiffe://cluster.local/ns/edge/gateway/other"
)

func fields(pairs ...string) []http1.Field {
	var all []http1.Field
	for i := 0; i < len(pairs); i += 2 {
		all = append(all, http1.Field{Name: []byte(pairs[i]), Value: []byte(pairs[i+1])})
	}
	return all
}

func twoGateways() *Gateways {
	return NewGateways(&config.Users{Gateways: []config.Gateway{
		{ID: nginx, User: "X-Auth-Request-User", Roles: "X-Auth-Request-Groups", Methods: "X-Methods", Authenticated: "X-Authenticated"},
		{ID: other, User: "X-User"},
	}}, NewKeyring(NewKey()))
}

func TestOnlyAGatewaySaysWhoTheUserIs(t *testing.T) {
	g := twoGateways()
	all := fields("x-auth-request-user", "alice", "X_Auth_Request_Groups", "nurse, admin", "X-Methods", "pwd,otp", "X-Authenticated", "1700000000")
	p := g.Principal(nginx, all)
	if p == nil || p.Subject != "alice" || len(p.Roles) != 2 || !p.MultiFactor || !p.Authenticated.Equal(time.Unix(1_700_000_000, 0)) || p.Machine {
		t.Fatalf("Principal() = %+v", p)
	}
	for name, tc := range map[string]struct {
		peer   string
		fields []http1.Field
	}{
		"a peer that is none":         {"spiffe://cluster.local/ns/ehr/sa/portal", all},
		"another gateway":             {other, all},
		"no field":                    {nginx, nil},
		"an empty field":              {nginx, fields("X-Auth-Request-User", "")},
		"a field that stands twice":   {nginx, fields("X-Auth-Request-User", "alice", "X-Auth-Request-User", "bob")},
		"a field spelled differently": {nginx, fields("X-Auth-Request-User", "alice", "x_auth_request_user", "bob")},
	} {
		t.Run(name, func(t *testing.T) {
			if p := g.Principal(tc.peer, tc.fields); p != nil {
				t.Errorf("Principal() = %+v", p)
			}
		})
	}
	if q := g.Principal(other, fields("X-User", "alice")); q == nil || q.Pseudonym == p.Pseudonym {
		t.Error("two gateways' users of one name are one user")
	}
}

func TestWhoseFieldItIs(t *testing.T) {
	g := twoGateways()
	for name, tc := range map[string]struct {
		field        string
		only, speaks bool
	}{
		"its own field":      {"x_auth_request_user", true, true},
		"another's field":    {"X-User", true, false},
		"a field of anybody": {"Accept", false, false},
	} {
		t.Run(name, func(t *testing.T) {
			if only, speaks := g.IsField([]byte(tc.field)), g.Speaks(nginx, []byte(tc.field)); only != tc.only || speaks != tc.speaks {
				t.Errorf("IsField, Speaks = %v, %v", only, speaks)
			}
		})
	}
	if g.Speaks("spiffe://cluster.local/ns/ehr/sa/portal", []byte("X-User")) {
		t.Error("anybody speaks")
	}
	if m := g.Peer("spiffe://cluster.local/ns/ehr/sa/etl"); !m.Machine || m.Subject == "" {
		t.Errorf("a peer is %+v", m)
	}
}

func TestPseudonymsNeedTheSameKeyAndTheSameParts(t *testing.T) {
	a := NewKeyring(NewKey())
	part := func(s string) []byte { return []byte(s) }
	one := a.Of("user", part("ab"), part("c"))
	if again := a.Of("user", part("ab"), part("c")); one != again {
		t.Error("one user has two pseudonyms")
	}
	for name, other := range map[string]Pseudonym{
		"another cut":     a.Of("user", part("a"), part("bc")),
		"another use":     a.Of("sid", part("ab"), part("c")),
		"one part less":   a.Of("user", part("abc")),
		"another process": NewKeyring(NewKey()).Of("user", part("ab"), part("c")),
	} {
		if one == other {
			t.Errorf("%s gives the same pseudonym", name)
		}
	}
	file := filepath.Join(t.TempDir(), "key")
	for name, tc := range map[string]struct {
		size int
		want bool
	}{"enough": {32, true}, "too little": {31, false}, "too much": {4097, false}} {
		if err := os.WriteFile(file, make([]byte, tc.size), 0o600); err != nil {
			t.Fatal(err)
		}
		x, err := ReadKeyring(file)
		if (err == nil) != tc.want {
			t.Errorf("%s: %v", name, err)
		}
		if y, _ := ReadKeyring(file); err == nil && x.Of("user") != y.Of("user") {
			t.Error("one file gives two keys")
		}
	}
	if _, err := ReadKeyring(file + ".none"); err == nil {
		t.Error("a file that is not there is a key")
	}
}
