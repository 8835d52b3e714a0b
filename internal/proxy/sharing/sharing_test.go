package sharing

import (
	"testing"
	"time"

	"github.com/hipaa-operator/hipaa-operator/internal/proxy/principal"
)

var noon = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

func named(n byte) principal.Pseudonym { return principal.Pseudonym{n} }

func TestOneUserOnManyDevices(t *testing.T) {
	type request struct {
		after   time.Duration
		session byte
		want    int
	}
	for name, requests := range map[string][]request{
		"as many as one person has":    {{0, 1, 0}, {0, 2, 0}, {time.Minute, 3, 0}, {2 * time.Minute, 1, 0}},
		"one more":                     {{0, 1, 0}, {0, 2, 0}, {0, 3, 0}, {time.Minute, 4, 4}},
		"told once an hour":            {{0, 1, 0}, {0, 2, 0}, {0, 3, 0}, {0, 4, 4}, {time.Minute, 5, 0}, {time.Hour, 1, 0}, {time.Hour, 2, 0}, {time.Hour, 3, 0}, {time.Hour, 4, 4}},
		"one after the other":          {{0, 1, 0}, {2 * time.Minute, 2, 0}, {4 * time.Minute, 3, 0}, {6 * time.Minute, 4, 0}, {8 * time.Minute, 5, 0}},
		"the same ones all the time":   {{0, 1, 0}, {0, 2, 0}, {time.Minute, 1, 0}, {time.Minute, 2, 0}, {2 * time.Minute, 1, 0}, {2 * time.Minute, 2, 0}},
		"the oldest one gives way":     {{0, 1, 0}, {time.Minute, 2, 0}, {6 * time.Minute, 3, 0}, {7 * time.Minute, 4, 0}, {7 * time.Minute, 5, 0}, {7 * time.Minute, 6, 4}},
		"what was left does not count": {{0, 1, 0}, {0, 2, 0}, {0, 3, 0}, {atOnce, 4, 0}},
	} {
		t.Run(name, func(t *testing.T) {
			var s Sightings
			for i, r := range requests {
				if got := s.Seen(named(1), named(r.session), 3, noon.Add(r.after)); got != r.want {
					t.Errorf("request %d: Seen() = %d, want %d", i, got, r.want)
				}
				if got := s.Seen(named(2), named(9), 3, noon.Add(r.after)); got != 0 {
					t.Errorf("request %d: of another user: Seen() = %d", i, got)
				}
			}
		})
	}
}

func TestRoomForUsersEnds(t *testing.T) {
	s := Sightings{room: 2}
	for who := byte(1); who <= 3; who++ {
		s.Seen(named(who), named(1), 1, noon)
	}
	if len(s.users) != 2 || s.users[named(3)] != nil {
		t.Errorf("%d users are known, and who came last is %v", len(s.users), s.users[named(3)])
	}
	if got := s.Seen(named(1), named(2), 1, noon); got != 2 {
		t.Errorf("who has room: Seen() = %d", got)
	}
	later := noon.Add(atOnce)
	s.Seen(named(3), named(1), 1, later)
	if s.users[named(3)] == nil || s.users[named(1)] == nil || s.users[named(2)] != nil {
		t.Errorf("after a while known are %v", s.users)
	}
}
