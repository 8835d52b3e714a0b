// Package sharing finds users who are on many devices at once, which a credential is that
// several people use (45 CFR 164.312(a)(2)(i)). Its promise: only a user's own requests
// count, each device once, and of a user it is told once an hour. It refuses nobody.
package sharing

import (
	"sync"
	"time"

	"github.com/hipaa-operator/hipaa-operator/internal/proxy/principal"
)

const (
	// atOnce is within what time two devices are used at once: who walks from one to the
	// next and works there leaves the first alone for longer.
	atOnce = 5 * time.Minute
	// again is when the same user is told of once more.
	again    = time.Hour
	maxUsers = 1 << 16
)

// Sightings are the devices on which users were seen. The zero value knows none.
type Sightings struct {
	mu    sync.Mutex
	users map[principal.Pseudonym]*user
	room  int
}

type user struct {
	// devices are at most one more than a user may have, those that were used last.
	devices []device
	told    time.Time
}

// device is known by the user's session on it.
type device struct {
	session principal.Pseudonym
	seen    time.Time
}

// Seen takes note of a user's own request. It reports on how many devices the user is
// where those are more than the most that one person has at once, and zero otherwise or
// where it was told a while ago. It counts no further than one above the most.
func (s *Sightings) Seen(who, session principal.Pseudonym, most int, now time.Time) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	u := s.find(who, now)
	if u == nil {
		return 0
	}
	u.note(session, most+1, now)
	count := u.count(now)
	if count <= most || now.Sub(u.told) < again {
		return 0
	}
	u.told = now
	return count
}

// find is what is known of a user. Where there is no room those give way who are on no
// device any more; if nobody is, nothing is noted.
func (s *Sightings) find(who principal.Pseudonym, now time.Time) *user {
	if u := s.users[who]; u != nil {
		return u
	}
	if s.users == nil {
		s.users = map[principal.Pseudonym]*user{}
	}
	most := s.room
	if most == 0 {
		most = maxUsers
	}
	if len(s.users) >= most {
		for name, u := range s.users {
			if u.count(now) == 0 && now.Sub(u.told) >= again {
				delete(s.users, name)
			}
		}
	}
	if len(s.users) >= most {
		return nil
	}
	u := new(user)
	s.users[who] = u
	return u
}

// note remembers a device, in place of the one that was left longest ago where there are
// enough.
func (u *user) note(session principal.Pseudonym, enough int, now time.Time) {
	oldest := 0
	for i := range u.devices {
		if u.devices[i].session == session {
			u.devices[i].seen = now
			return
		}
		if u.devices[i].seen.Before(u.devices[oldest].seen) {
			oldest = i
		}
	}
	if len(u.devices) < enough {
		u.devices = append(u.devices, device{session, now})
		return
	}
	u.devices[oldest] = device{session, now}
}

// count is on how many devices the user is.
func (u *user) count(now time.Time) (n int) {
	for i := range u.devices {
		if now.Sub(u.devices[i].seen) < atOnce {
			n++
		}
	}
	return n
}
