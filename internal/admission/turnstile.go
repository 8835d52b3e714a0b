package admission

import (
	"context"
	"net/http"
	"strings"
	"time"

	"golang.org/x/sync/semaphore"
)

const (
	// roomForReviews is how many bytes of reviews are in hand at once. Decoded,
	// judged and patched, a review takes several times its size: this much stays
	// below half of the memory that the manager may use.
	roomForReviews = 64 << 20
	// leastRoom is what the smallest review takes, so that no more than 128 of them
	// are judged at once.
	leastRoom = 512 << 10

	// usualPatience is how long the API server waits where it does not say.
	usualPatience = 10 * time.Second
	// longestPatience is the longest that a webhook configuration can ask for.
	longestPatience = 30 * time.Second
)

// turnstile bounds what a process has in hand: reviews wait before their body is
// read. Those that get no room in half of their time are turned away, so that
// the API server can ask another replica in the other half.
type turnstile struct {
	room       *semaphore.Weighted
	turnedAway func()
}

func newTurnstile(room int64, turnedAway func()) *turnstile {
	return &turnstile{room: semaphore.NewWeighted(room), turnedAway: turnedAway}
}

// enter waits for room. It costs nothing where there is room.
func (t *turnstile) enter(ctx context.Context, room int64, patience time.Duration) bool {
	if t.room.TryAcquire(room) {
		return true
	}
	ctx, cancel := context.WithTimeout(ctx, patience/2)
	defer cancel()
	return t.room.Acquire(ctx, room) == nil
}

func (t *turnstile) leave(room int64) { t.room.Release(room) }

// turnAway answers without a review: there is none before the body is read. The
// API server tries again by itself after a second, while it has time; then it
// goes by the failure policy.
func (t *turnstile) turnAway(w http.ResponseWriter) {
	if t.turnedAway != nil {
		t.turnedAway()
	}
	w.Header().Set("Retry-After", "1")
	http.Error(w, "hipaa-operator has too many reviews in hand; nothing is wrong with the object, try again", http.StatusServiceUnavailable)
}

// roomFor is what a review of a length takes. One that does not tell its length,
// or lies about it, takes the most.
func roomFor(length int64) int64 {
	if length < 0 || length > maxReview {
		return maxReview
	}
	return max(length, leastRoom)
}

// patienceOf is how long the API server waits, as it says in the query.
func patienceOf(query string) time.Duration {
	text, _ := strings.CutPrefix(query, "timeout=")
	patience, err := time.ParseDuration(text)
	if err != nil || patience <= 0 {
		return usualPatience
	}
	return min(patience, longestPatience)
}
