package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
	"time"
)

// interrupted is why a context ended: a signal, or the parent's death.
type interrupted struct {
	signal syscall.Signal
	text   string
}

func (i interrupted) Error() string { return "interrupted by " + i.text }

// signals turns the wishes of the outside into two contexts: soft ends when the tool
// should stop, hard when somebody asked a second time and nothing should be waited for.
type signals struct {
	soft, hard context.Context
	stop       func()
}

// parentInterval is how soon the death of the parent is noticed.
const parentInterval = time.Second

// watchSignals listens for Ctrl-C, SIGTERM, SIGHUP, and the death of the process that started
// this one: `go run` and make do not pass a SIGTERM on, they just leave their child behind.
// Started by nohup, which ignores SIGHUP, the tool outlives its parent as it is asked to.
func watchSignals() *signals {
	soft, cancelSoft := context.WithCancelCause(context.Background())
	hard, cancelHard := context.WithCancelCause(context.Background())
	caught := make(chan os.Signal, 4)
	// SIGPIPE is caught only so that a reader who went away does not kill the tool before it has cleaned up.
	signal.Notify(caught, syscall.SIGINT, syscall.SIGTERM, syscall.SIGPIPE)
	outlives := signal.Ignored(syscall.SIGHUP)
	if !outlives {
		signal.Notify(caught, syscall.SIGHUP)
	}
	done := make(chan struct{})
	go func() {
		parent := os.Getppid()
		tick := time.NewTicker(parentInterval)
		defer tick.Stop()
		for {
			select {
			case <-done:
				return
			case <-tick.C:
				if !outlives && os.Getppid() != parent {
					cancelSoft(interrupted{syscall.SIGTERM, "the death of the parent process"})
				}
			case s := <-caught:
				sig, known := s.(syscall.Signal)
				switch {
				case !known || sig == syscall.SIGPIPE:
				case soft.Err() == nil:
					cancelSoft(interrupted{sig, sig.String()})
				default:
					cancelHard(interrupted{sig, sig.String()})
				}
			}
		}
	}()
	return &signals{soft: soft, hard: hard, stop: func() {
		signal.Stop(caught)
		close(done)
		cancelSoft(nil)
		cancelHard(nil)
	}}
}
