package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"
)

const (
	// readyTimeout is generous: the tool also runs on small and busy machines.
	readyTimeout  = 2 * time.Minute
	readyInterval = 100 * time.Millisecond
)

// awaitReady asks until the process, reached by the login, answers with success.
func (c *cluster) awaitReady(ctx context.Context, p *process, l login, path string) error {
	client, err := l.client()
	if err != nil {
		return err
	}
	defer client.http.CloseIdleConnections()
	return c.await(ctx, p, func(ctx context.Context) error {
		return client.do(ctx, request{method: http.MethodGet, path: path}, nil)
	})
}

// await asks until the answer is nil. It gives up when any process of the cluster ends, when ctx ends, or after readyTimeout.
func (c *cluster) await(ctx context.Context, p *process, ask func(context.Context) error) error {
	ctx, cancel := context.WithTimeoutCause(ctx, readyTimeout, fmt.Errorf("not ready after %s", readyTimeout))
	defer cancel()
	tick := time.NewTicker(readyInterval)
	defer tick.Stop()
	for {
		last := ask(ctx)
		if last == nil {
			return nil
		}
		select {
		case dead := <-c.died:
			return dead.earlyEnd()
		case <-ctx.Done():
			if why := context.Cause(ctx); errors.As(why, new(interrupted)) {
				return why
			}
			return fmt.Errorf("waiting for %s: %w (last answer: %w); the end of its log:\n%s",
				p.name, context.Cause(ctx), last, tail(p.logPath, tailLines))
		case <-tick.C:
		}
	}
}
