package inbound

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/hipaa-operator/hipaa-operator/internal/proxy/config"
)

// The corpus of http1 goes through the whole proxy to an application of net/http: it
// hears as many whole requests as were meant, and none of what is refused.
func TestPublishedDesyncsReachTheApplicationOnceOrNever(t *testing.T) {
	text, err := os.ReadFile("../http1/testdata/desync.txt")
	if err != nil {
		t.Fatal(err)
	}
	var whole, hidden atomic.Int32
	s := newScene(t, config.HTTP, web(t, func(_ http.ResponseWriter, r *http.Request) {
		if _, err := io.Copy(io.Discard, r.Body); err == nil {
			whole.Add(1)
		}
		if strings.Contains(r.URL.Path, "admin") {
			hidden.Add(1)
		}
	}), config.Limits{})
	for _, block := range strings.Split(string(text), "\n== ")[1:] {
		lines := strings.Split(strings.TrimSpace(block), "\n")
		name, want, _ := strings.Cut(lines[0], " | ")
		t.Run(name, func(t *testing.T) {
			c, before := s.dial(portal), whole.Load()
			for _, line := range lines[1:] {
				piece, err := strconv.Unquote(line)
				if err != nil {
					t.Fatal(err)
				}
				if _, err := io.WriteString(c, piece); err != nil {
					break // it is refused already
				}
			}
			_ = c.CloseWrite()
			said, err := io.ReadAll(c)
			if err != nil {
				t.Fatalf("reading answers: %v", err)
			}
			statuses := statusesOf(t, said)
			if len(want) == len("400") {
				if len(statuses) != 1 || strconv.Itoa(statuses[0]) != want || whole.Load() != before {
					t.Errorf("answered %v, want %s; the application heard %d requests", statuses, want, whole.Load()-before)
				}
				return
			}
			if strconv.Itoa(len(statuses)) != want {
				t.Errorf("answered %v, want %s answers", statuses, want)
			}
		})
	}
	if hidden.Load() != 0 {
		t.Errorf("%d requests that were hidden reached the application", hidden.Load())
	}
}

// statusesOf reads all answers but those before the answer.
func statusesOf(t *testing.T, said []byte) []int {
	t.Helper()
	var all []int
	from := bufio.NewReader(bytes.NewReader(said))
	for {
		if _, err := from.Peek(1); errors.Is(err, io.EOF) {
			return all
		}
		if res, _ := answer(t, from, http.MethodGet); res.StatusCode >= 200 {
			all = append(all, res.StatusCode)
		}
	}
}
