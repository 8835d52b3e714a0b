package issuer

import (
	"sync"

	"golang.org/x/time/rate"
	"k8s.io/utils/clock"
)

// limits is a rate for each key, such as an address or a pod. It is bounded: keys
// that have not asked for a while are forgotten, and where there is still no room
// nobody new is heard.
type limits struct {
	clock clock.PassiveClock
	every rate.Limit
	burst int
	most  int

	mu    sync.Mutex
	byKey map[string]*rate.Limiter
}

func newLimits(c clock.PassiveClock, every rate.Limit, burst, most int) *limits {
	return &limits{clock: c, every: every, burst: burst, most: most, byKey: map[string]*rate.Limiter{}}
}

// allow takes one from a key's allowance.
func (l *limits) allow(key string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.clock.Now()
	limiter, known := l.byKey[key]
	if !known {
		if len(l.byKey) >= l.most {
			for other, idle := range l.byKey {
				if idle.TokensAt(now) >= float64(l.burst) {
					delete(l.byKey, other)
				}
			}
		}
		if len(l.byKey) >= l.most {
			return false
		}
		limiter = rate.NewLimiter(l.every, l.burst)
		l.byKey[key] = limiter
	}
	return limiter.AllowN(now, 1)
}
