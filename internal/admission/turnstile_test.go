package admission

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"
)

const pleaseReview = `{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview","request":{"uid":"0b4c"}}`

// crowded is an endpoint with room for one review. Each that is judged says so,
// and goes on when it may.
type crowded struct {
	endpoint
	judging, mayEnd chan struct{}
	turnedAway      atomic.Int32
}

func newCrowded() *crowded {
	c := &crowded{judging: make(chan struct{}), mayEnd: make(chan struct{})}
	c.endpoint = endpoint{
		turnstile: newTurnstile(leastRoom, func() { c.turnedAway.Add(1) }),
		handler: admission.HandlerFunc(func(ctx context.Context, _ admission.Request) admission.Response {
			c.judging <- struct{}{}
			select {
			case <-c.mayEnd:
			case <-ctx.Done():
			}
			return permitted().Response
		}),
	}
	return c
}

// review sends one review and gives the answer when it comes.
func (c *crowded) review(query string) <-chan *httptest.ResponseRecorder {
	request := httptest.NewRequest(http.MethodPost, "/validate/pods?"+query, strings.NewReader(pleaseReview))
	request.Header.Set("Content-Type", "application/json")
	answered := make(chan *httptest.ResponseRecorder, 1)
	go func() {
		recorder := httptest.NewRecorder()
		c.ServeHTTP(recorder, request)
		answered <- recorder
	}()
	return answered
}

func TestWhatFindsNoRoomIsTurnedAwayToTryAgain(t *testing.T) {
	c := newCrowded()
	first := c.review("timeout=30s")
	<-c.judging
	got := <-c.review("timeout=100ms")
	if got.Code != http.StatusServiceUnavailable || got.Header().Get("Retry-After") != "1" || !strings.Contains(got.Body.String(), "try again") {
		t.Errorf("answered %d %v %s, want 503 that says when to try again", got.Code, got.Header(), got.Body)
	}
	if got := c.turnedAway.Load(); got != 1 {
		t.Errorf("counted %d reviews, want 1", got)
	}
	waiting := c.review("timeout=30s")
	c.mayEnd <- struct{}{}
	<-c.judging
	c.mayEnd <- struct{}{}
	for _, answered := range []<-chan *httptest.ResponseRecorder{first, waiting} {
		if got := <-answered; got.Code != http.StatusOK {
			t.Errorf("answered %d %s, want a review", got.Code, got.Body)
		}
	}
	if got := c.turnedAway.Load(); got != 1 {
		t.Errorf("counted %d reviews, want that of before", got)
	}
}

func TestJudgingEndsWhenTheAPIServerWaitsNoLonger(t *testing.T) {
	c := newCrowded()
	answered := c.review("timeout=50ms")
	<-c.judging
	if got := <-answered; got.Code != http.StatusOK {
		t.Errorf("answered %d %s", got.Code, got.Body)
	}
}

func TestABodyThatNeverComesGivesItsRoomBack(t *testing.T) {
	for name, http2 := range map[string]bool{"HTTP/1.1": false, "HTTP/2": true} {
		t.Run(name, func(t *testing.T) {
			c := newCrowded()
			server := httptest.NewUnstartedServer(c.endpoint)
			server.EnableHTTP2 = http2
			server.StartTLS()
			t.Cleanup(server.Close)
			body, never := io.Pipe()
			t.Cleanup(func() { _ = never.Close() })
			request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, server.URL+"?timeout=200ms", body)
			if err != nil {
				t.Fatal(err)
			}
			request.ContentLength = 1000
			request.Header.Set("Content-Type", "application/json")
			go func() {
				// The answer to half a request is nobody's concern; that of the next is.
				if response, err := server.Client().Do(request); err == nil {
					_ = response.Body.Close()
				}
			}()
			for c.turnstile.room.TryAcquire(leastRoom) { // until it has entered
				c.turnstile.leave(leastRoom)
				runtime.Gosched()
			}
			next := c.review("timeout=30s")
			<-c.judging
			c.mayEnd <- struct{}{}
			if got := <-next; got.Code != http.StatusOK {
				t.Errorf("the next review is answered %d %s", got.Code, got.Body)
			}
		})
	}
}

func TestAReviewTakesRoomByItsLength(t *testing.T) {
	for name, test := range map[string]struct{ give, want int64 }{
		"a small one":                    {give: 4400, want: leastRoom},
		"a large one":                    {give: 3 << 20, want: 3 << 20},
		"one that is refused unread":     {give: 8 << 20, want: maxReview},
		"one that lies":                  {give: 1 << 60, want: maxReview},
		"one that does not say":          {give: -1, want: maxReview},
		"one that says there is nothing": {give: 0, want: leastRoom},
	} {
		t.Run(name, func(t *testing.T) {
			if got := roomFor(test.give); got != test.want || got > roomForReviews {
				t.Errorf("takes %d, want %d", got, test.want)
			}
		})
	}
}

func TestPatienceIsThatOfTheAPIServer(t *testing.T) {
	for give, want := range map[string]time.Duration{
		"timeout=5s":     5 * time.Second,
		"timeout=2.5s":   2500 * time.Millisecond,
		"timeout=10h":    longestPatience,
		"timeout=-1s":    usualPatience,
		"timeout=":       usualPatience,
		"timeout=5s&x=1": usualPatience,
		"":               usualPatience,
		"x=1":            usualPatience,
		"timeout=soon":   usualPatience,
	} {
		if got := patienceOf(give); got != want {
			t.Errorf("%q: got %s, want %s", give, got, want)
		}
	}
}
