package breakglass

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/hipaa-operator/hipaa-operator/internal/proxy/http1"
	"github.com/hipaa-operator/hipaa-operator/internal/proxy/principal"
	"github.com/hipaa-operator/hipaa-operator/internal/proxy/proxytest"
)

var noon = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

func TestTheFirstUseIsRemembered(t *testing.T) {
	address, stop := proxytest.Redis(t)
	client := redis.NewClient(&redis.Options{Addr: address, MaxRetries: -1})
	defer client.Close()
	keep := time.Now().Add(time.Hour)
	what := principal.Pseudonym{7}
	shared := &Shared{Client: client, Prefix: "p:", Wait: 20 * time.Second}
	for name, replicas := range map[string][]Uses{
		"in memory":         {new(Memory), nil},
		"by one replica":    {shared, shared},
		"by two replicas":   {&Shared{Client: client, Prefix: "q:", Wait: 20 * time.Second}, &Shared{Client: client, Prefix: "q:", Wait: 20 * time.Second}},
		"as somebody heard": {shared, &Shared{Client: client, Prefix: "p:", Wait: 20 * time.Second}},
	} {
		if replicas[1] == nil {
			replicas[1] = replicas[0]
		}
		for i, uses := range replicas {
			first, err := uses.First(t.Context(), what, noon.Add(time.Duration(i)*time.Minute), keep)
			if err != nil || !first.Equal(noon) {
				t.Errorf("%s, replica %d: %v, %v", name, i, first, err)
			}
		}
	}
	stop()
	if first, err := shared.First(t.Context(), what, noon.Add(time.Hour), keep); err == nil || !first.Equal(noon) {
		t.Errorf("without the store: %v, %v; want what is known, and doubt", first, err)
	}
	if first, err := shared.First(t.Context(), principal.Pseudonym{8}, noon, keep); err == nil || !first.Equal(noon) {
		t.Errorf("without the store for the first time: %v, %v", first, err)
	}
}

func TestAFullMemorySaysSo(t *testing.T) {
	var m Memory
	for i := range maxOpen {
		if _, err := m.First(context.Background(), principal.Pseudonym{byte(i), byte(i >> 8)}, noon, noon.Add(time.Hour)); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := m.First(context.Background(), principal.Pseudonym{1, 2, 3}, noon, noon.Add(time.Hour)); !errors.Is(err, errRoom) {
		t.Errorf("a full memory says %v", err)
	}
	if _, err := m.First(context.Background(), principal.Pseudonym{1, 2, 3}, noon.Add(2*time.Hour), noon.Add(3*time.Hour)); err != nil {
		t.Errorf("what ended takes room: %v", err)
	}
}

func FuzzRead(f *testing.F) {
	f.Add("BTG", "patient in cardiac arrest", "")
	f.Add("", "", "a.b.c")
	f.Fuzz(func(t *testing.T, purpose, reason, credential string) {
		c, err := Read([]http1.Field{{Name: []byte(FieldPurpose), Value: []byte(purpose)}, {Name: []byte("x_phi_reason"), Value: []byte(reason)}, {Name: []byte(FieldCredential), Value: []byte(credential)}})
		if err == nil && (c.Purpose != "ETREAT" && c.Purpose != "BTG" || len(c.Reason) < minReason || len(c.Reason) > maxReason) {
			t.Errorf("%+v is an emergency", c)
		}
	})
}
