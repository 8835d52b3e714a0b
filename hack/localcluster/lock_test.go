package main

import (
	"context"
	"errors"
	"path/filepath"
	"testing"
)

func TestLockHasOneHolder(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	first, err := tryLock(path)
	if err != nil || first == nil {
		t.Fatalf("taking a free lock: %v, %v", first, err)
	}
	if second, err := tryLock(path); err != nil || second != nil {
		t.Fatalf("got the lock twice: %v, %v", second, err)
	}

	why := errors.New("no longer wanted")
	ctx, cancel := context.WithCancelCause(context.Background())
	_, err = lock(ctx, path, func() { cancel(why) })
	if !errors.Is(err, why) {
		t.Errorf("waiting for a held lock: got %v, want the reason of the cancellation", err)
	}

	waited, err := lock(context.Background(), path, func() {
		if err := first.release(); err != nil {
			t.Error(err)
		}
	})
	if err != nil {
		t.Fatalf("taking a lock that became free: %v", err)
	}
	if err := waited.release(); err != nil {
		t.Error(err)
	}
}

func TestLockInNoFolder(t *testing.T) {
	_, err := tryLock(filepath.Join(t.TempDir(), "absent", "lock"))
	wantErrorContaining(t, err, "opening lock")
}
