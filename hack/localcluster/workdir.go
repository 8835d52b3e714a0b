package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

const workdirPrefix = "hipaa-localcluster-run-"

// workdir is the folder of one running cluster. Its lock tells the living from the dead:
// a tool that was killed leaves its folder, and the next start sweeps it away.
type workdir struct {
	path string
	lock *fileLock
}

// newWorkdir makes a folder below parent that only this user can read.
func newWorkdir(parent string) (workdir, error) {
	path, err := os.MkdirTemp(parent, workdirPrefix)
	if err != nil {
		return workdir{}, fmt.Errorf("creating the cluster's folder: %w", err)
	}
	l, err := tryLock(workdirLock(path))
	if err == nil && l == nil {
		err = errors.New("locking a new folder: somebody else holds it")
	}
	if err != nil {
		return workdir{}, errors.Join(err, os.RemoveAll(path))
	}
	return workdir{path: path, lock: l}, nil
}

func workdirLock(path string) string { return filepath.Join(path, "lock") }

// remove deletes the folder with everything in it and frees its lock.
func (w workdir) remove() error {
	return errors.Join(os.RemoveAll(w.path), w.lock.release())
}

// sweepWorkdirs removes folders below parent whose owner is dead.
func sweepWorkdirs(parent string, now time.Time) error {
	paths, err := filepath.Glob(filepath.Join(parent, workdirPrefix+"*"))
	if err != nil {
		return fmt.Errorf("sweeping old folders: %w", err)
	}
	var errs []error
	for _, path := range paths {
		errs = append(errs, sweep(path, now))
	}
	return errors.Join(errs...)
}

func sweep(path string, now time.Time) error {
	info, err := os.Stat(workdirLock(path))
	// Without a lock file it is being made or removed this moment; another user's cannot be looked at.
	// The minute covers the instant between making the lock file and taking it.
	if err != nil || now.Sub(info.ModTime()) < time.Minute {
		return nil //nolint:nilerr // as said
	}
	l, err := tryLock(workdirLock(path))
	if l == nil || err != nil {
		return nil //nolint:nilerr // it is in use, or another user's: not ours to judge
	}
	return errors.Join(removeCgroups(cgroupRoot, cgroupOf(path)), workdir{path: path, lock: l}.remove())
}
