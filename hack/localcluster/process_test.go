package main

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

func startScript(t *testing.T, script string) *process {
	t.Helper()
	dir := t.TempDir()
	path := filepath.Join(dir, "server")
	writeFile(t, path, "#!/bin/sh\n"+script, 0o755)
	p, err := startProcess(dir, exec.Command(path, "--flag"), startedByNursery)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.signal(syscall.SIGKILL); <-p.ended })
	return p
}

func says(t *testing.T, p *process, text string) {
	t.Helper()
	eventually(t, "the log says "+text, func() bool {
		content, err := os.ReadFile(p.logPath)
		return err == nil && strings.Contains(string(content), text)
	})
}

func TestStopAsksPolitely(t *testing.T) {
	p := startScript(t, "trap 'echo farewell; exit 0' TERM; echo ready; while :; do sleep 0.05; done\n")
	says(t, p, "ready")
	if err := p.stop(context.Background()); err != nil {
		t.Fatal(err)
	}
	says(t, p, "farewell")
	if p.err != nil {
		t.Errorf("ended with %v, want exit status 0", p.err)
	}
	if err := p.stop(context.Background()); err != nil {
		t.Errorf("stopping what has ended: %v", err)
	}
}

func TestStopInAHurryDoesNotWait(t *testing.T) {
	p := startScript(t, "trap '' TERM; echo ready; while :; do sleep 0.05; done\n")
	says(t, p, "ready")
	hurry, cancel := context.WithCancel(context.Background())
	cancel()
	if err := p.stop(hurry); err != nil {
		t.Fatal(err)
	}
	if p.err == nil || !strings.Contains(p.err.Error(), "killed") {
		t.Errorf("ended with %v, want it killed", p.err)
	}
}

func TestEarlyEndShowsTheEndOfTheLog(t *testing.T) {
	p := startScript(t, "for i in $(seq 1 30); do echo line-$i-; done; exit 3\n")
	<-p.ended
	got := p.earlyEnd().Error()
	for text, want := range map[string]bool{"server ended early (exit status 3)": true, "line-30-": true, "line-11-": true, "line-10-": false} {
		if strings.Contains(got, text) != want {
			t.Errorf("contains %q: %v, want %v, in:\n%s", text, !want, want, got)
		}
	}
}

func TestStartProcessThatIsNotThere(t *testing.T) {
	_, err := startProcess(t.TempDir(), exec.Command("/absent/etcd"), startedByNursery)
	wantErrorContaining(t, err, "starting etcd")
}
