package main

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// fakeEtcd is a cache in which etcd is a script; a start never comes further than it.
func fakeEtcd(t *testing.T, script string) (bin cache, starts func() int) {
	t.Helper()
	t.Setenv("TMPDIR", t.TempDir())
	bin = cache{dir: t.TempDir(), release: ownRelease(t)}
	count := filepath.Join(bin.dir, "starts")
	writeFile(t, count, "", 0o600)
	writeFile(t, bin.path(etcdComponent), "#!/bin/sh\necho start >>"+count+"\n"+script, 0o755)
	return bin, func() int { return bytes.Count([]byte(readFile(t, count)), []byte("start\n")) }
}

func TestStartClusterFailsTidily(t *testing.T) {
	for name, tc := range map[string]struct {
		give   string
		want   string
		starts int
	}{
		"a server that does not start is quoted": {
			give: "echo no such flag; exit 2\n", want: "etcd ended early (exit status 2); the end of its log:\n  no such flag", starts: 1,
		},
		"with a port taken in between it tries other ports": {
			give: "echo listen tcp: bind: address already in use; exit 1\n", want: "address already in use", starts: portAttempts,
		},
	} {
		t.Run(name, func(t *testing.T) {
			bin, starts := fakeEtcd(t, tc.give)
			s := &signals{soft: t.Context(), hard: t.Context()}
			_, err := startCluster(s, bin, options{}, time.Now)
			wantErrorContaining(t, err, tc.want)
			if got := starts(); got != tc.starts {
				t.Errorf("started etcd %d times, want %d", got, tc.starts)
			}
			wantNoWorkdir(t)
		})
	}
}

func TestStartClusterCanBeInterrupted(t *testing.T) {
	bin, starts := fakeEtcd(t, "exec sleep 1000\n")
	soft, cancel := context.WithCancelCause(t.Context())
	go func() {
		eventually(t, "etcd runs", func() bool { return starts() == 1 })
		cancel(interrupted{text: "a test"})
	}()
	_, err := startCluster(&signals{soft: soft, hard: t.Context()}, bin, options{}, time.Now)
	wantErrorContaining(t, err, "interrupted by a test")
	if starts() != 1 {
		t.Error("started again after the interruption")
	}
	wantNoWorkdir(t)
}

func wantNoWorkdir(t *testing.T) {
	t.Helper()
	if left := names(t, os.Getenv("TMPDIR")); len(left) > 0 {
		t.Errorf("left %v", left)
	}
}
