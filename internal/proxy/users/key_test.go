package users

import (
	"testing"
	"time"

	"github.com/hipaa-operator/hipaa-operator/internal/proxy/config"
	"github.com/hipaa-operator/hipaa-operator/internal/proxy/proxytest"
)

// replicaOf is a gate of the same workload, before the same provider.
func replicaOf(s *scene, address string) *scene {
	s.Helper()
	r := newScene(s.TB)
	r.Provider, r.now = s.Provider, s.now
	r.gate.Dial = s.Dial
	r.config.Users.Issuers = s.config.Users.Issuers
	r.change(func(u *config.Users) { u.Store = &config.Store{Address: address, Plain: true, OnOutage: config.Alone} })
	return r
}

func (s *scene) keyOf() string { return string(s.gate.state.Load().key) }

func TestReplicasAgreeUponAKey(t *testing.T) {
	address, _ := proxytest.Redis(t)
	a := newScene(t)
	a.change(func(u *config.Users) { u.Store = &config.Store{Address: address, Plain: true, OnOutage: config.Alone} })
	b := replicaOf(a, address)
	if a.keyOf() != b.keyOf() {
		t.Fatal("two replicas have two keys")
	}
	token := a.bearer(nil)
	a.hears("", "/Patient", token)
	a.step(10 * time.Minute)
	b.step(10 * time.Minute)
	b.hears("", "/Patient", token) // what happens here
	a.step(10 * time.Minute)
	a.hears("", "/Patient", token) // counts there
	a.step(16 * time.Minute)
	b.step(26 * time.Minute)
	a.hears(reasonLocked, "/Patient", token)
	b.hears(reasonLocked, "/Patient", token)
}

func TestAReplicaThatBeganAloneTakesTheKeyOfTheOthers(t *testing.T) {
	address, stop := proxytest.Redis(t)
	a := newScene(t)
	a.change(func(u *config.Users) { u.Store = &config.Store{Address: address, Plain: true, OnOutage: config.Alone} })
	b := replicaOf(a, "127.0.0.1:1")
	alone := b.keyOf()
	if alone == a.keyOf() {
		t.Fatal("a replica without the store has the key of the others")
	}
	b.hears("", "/Patient", b.bearer(nil))
	b.change(func(u *config.Users) { u.Store = &config.Store{Address: address, Plain: true, OnOutage: config.Alone} })
	if a.keyOf() != b.keyOf() {
		t.Error("the key of the others is not taken once the store answers")
	}
	b.hears("", "/Patient", b.bearer(nil))
	// A store that has lost everything gets the key back, and nothing changes.
	s := b.gate.state.Load()
	if err := s.client.FlushAll(t.Context()).Err(); err != nil {
		t.Fatal(err)
	}
	b.step(keyAge)
	b.gate.agree(t.Context())
	a.step(keyAge)
	a.gate.agree(t.Context())
	if key := b.keyOf(); key != a.keyOf() || key != string(s.key) {
		t.Error("a store that lost the key changed it")
	}
	// One that holds another key is right: others go by it.
	if err := s.client.Set(t.Context(), s.prefix()+"key", "QUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUE=", 0).Err(); err != nil {
		t.Fatal(err)
	}
	b.step(keyAge)
	b.gate.agree(t.Context())
	if b.keyOf() == string(s.key) {
		t.Error("a replica keeps a key of its own beside the store's")
	}
	b.hears("", "/Patient", b.bearer(nil))
	if err := s.client.Set(t.Context(), s.prefix()+"key", "short", 0).Err(); err != nil {
		t.Fatal(err)
	}
	had := b.keyOf()
	b.step(keyAge)
	b.gate.agree(t.Context())
	if b.keyOf() != had {
		t.Error("what is no key is taken for one")
	}
	stop()
	b.step(keyAge)
	b.gate.agree(t.Context())
	b.hears("", "/Patient", b.bearer(nil))
}
