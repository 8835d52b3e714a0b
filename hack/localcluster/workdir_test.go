package main

import (
	"os"
	"path/filepath"
	"testing"
	"time"
)

func TestSweepWorkdirs(t *testing.T) {
	hourLater := time.Now().Add(time.Hour)
	for name, tc := range map[string]struct {
		give func(t *testing.T, w workdir)
		now  time.Time
		stay bool
	}{
		"a living cluster's folder stays": {give: func(*testing.T, workdir) {}, now: hourLater, stay: true},
		"a dead one's goes":               {give: abandon, now: hourLater},
		"a folder in the making stays":    {give: abandon, now: time.Now(), stay: true},
		"a folder without a lock stays": {give: func(t *testing.T, w workdir) {
			abandon(t, w)
			if err := os.Remove(workdirLock(w.path)); err != nil {
				t.Fatal(err)
			}
		}, now: hourLater, stay: true},
	} {
		t.Run(name, func(t *testing.T) {
			parent := t.TempDir()
			w, err := newWorkdir(parent)
			if err != nil {
				t.Fatal(err)
			}
			tc.give(t, w)
			if err := sweepWorkdirs(parent, tc.now); err != nil {
				t.Fatal(err)
			}
			if _, err := os.Stat(w.path); (err == nil) != tc.stay {
				t.Errorf("after the sweep: %v, want it to stay: %v", err, tc.stay)
			}
		})
	}
}

// abandon does what the kernel does when the owner dies.
func abandon(t *testing.T, w workdir) {
	t.Helper()
	if err := w.lock.release(); err != nil {
		t.Fatal(err)
	}
}

func TestWorkdirIsPrivateAndGoes(t *testing.T) {
	w, err := newWorkdir(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(w.path); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("got %v, %v", info, err)
	}
	writeFile(t, filepath.Join(w.path, "file"), "", 0o600)
	if err := w.remove(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(w.path); err == nil {
		t.Error("the folder is still there")
	}
	_, err = newWorkdir(filepath.Join(w.path, "absent"))
	wantErrorContaining(t, err, "creating the cluster's folder")
}
