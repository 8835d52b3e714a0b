package main

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestTaskLine(t *testing.T) {
	for name, tc := range map[string]struct {
		give    task
		elapsed time.Duration
		want    string
	}{
		"at the start": {give: task{number: 1, total: 5, name: "etcd"}, want: "[1/5] etcd  0s"},
		"in the middle": {
			give:    task{number: 2, total: 5, name: "kube-apiserver", compiled: 812, fetched: 31},
			elapsed: 83*time.Second + 999*time.Millisecond,
			want:    "[2/5] kube-apiserver  1m23s, fetched 31 modules, compiled 812 packages",
		},
	} {
		t.Run(name, func(t *testing.T) {
			if got := tc.give.line(tc.elapsed); got != tc.want {
				t.Errorf("got %q, want %q", got, tc.want)
			}
		})
	}
}

func TestProgressDuring(t *testing.T) {
	for name, tc := range map[string]struct {
		terminal bool
		fails    error
		want     string
	}{
		"in a log every line stays": {
			want: "[1/2] etcd  0s\n[1/2] etcd built in 1m1s\n",
		},
		"on a terminal the line is rewritten": {
			terminal: true,
			want:     "\r[1/2] etcd  0s\x1b[K\r\x1b[K[1/2] etcd built in 1m1s\n",
		},
		"a failure is said": {
			fails: errors.New("no disk"),
			want:  "[1/2] etcd  0s\n[1/2] etcd not built after 1m1s\n",
		},
	} {
		t.Run(name, func(t *testing.T) {
			var out bytes.Buffer
			drawn := make(chan struct{})
			now := time.Unix(0, 0)
			p := &progress{out: &signalling{&out, drawn}, terminal: tc.terminal, now: func() time.Time { return now }}
			err := p.during(task{number: 1, total: 2, name: "etcd"}, func() error {
				<-drawn
				p.mu.Lock()
				now = now.Add(61 * time.Second)
				p.mu.Unlock()
				return tc.fails
			})
			if !errors.Is(err, tc.fails) {
				t.Errorf("got error %v, want %v", err, tc.fails)
			}
			if diff := cmp.Diff(tc.want, out.String()); diff != "" {
				t.Errorf("output (-want +got):\n%s", diff)
			}
		})
	}
}

// signalling tells when the first line has been written.
type signalling struct {
	out   *bytes.Buffer
	drawn chan struct{}
}

func (s *signalling) Write(p []byte) (int, error) {
	if s.out.Len() == 0 {
		defer close(s.drawn)
	}
	return s.out.Write(p)
}

func TestProgressCounts(t *testing.T) {
	var out bytes.Buffer
	p := &progress{out: &out, now: time.Now}
	p.count(1, 0)
	p.count(2, 3)
	p.draw()
	if !strings.Contains(out.String(), "fetched 3 modules, compiled 3 packages") {
		t.Errorf("got %q", out.String())
	}
}
