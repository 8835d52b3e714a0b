package main

import (
	"context"
	"fmt"
	"io"
	"sync"
	"time"
)

const (
	terminalInterval = time.Second
	plainInterval    = 15 * time.Second
)

// progress tells a waiting person which program is being built and that it goes on:
// on a terminal one line that is rewritten every second, elsewhere a new line every 15 s.
type progress struct {
	out      io.Writer
	terminal bool
	now      func() time.Time

	mu    sync.Mutex
	task  task
	begun time.Time
}

// task is one program out of several, and how much of it is done.
type task struct {
	number, total     int
	name              string
	compiled, fetched int
}

// line is the whole text for one moment.
func (t task) line(elapsed time.Duration) string {
	text := fmt.Sprintf("[%d/%d] %s  %s", t.number, t.total, t.name, elapsed.Truncate(time.Second))
	if t.fetched > 0 {
		text += fmt.Sprintf(", fetched %d modules", t.fetched)
	}
	if t.compiled > 0 {
		text += fmt.Sprintf(", compiled %d packages", t.compiled)
	}
	return text
}

// say prints one line that stays.
func (p *progress) say(format string, args ...any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.terminal {
		fmt.Fprint(p.out, "\r\x1b[K")
	}
	fmt.Fprintf(p.out, format+"\n", args...)
}

// count adds to the current task; it is safe while show runs.
func (p *progress) count(compiled, fetched int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.task.compiled += compiled
	p.task.fetched += fetched
}

// during shows the task until work returns, then says how it ended.
func (p *progress) during(t task, work func() error) error {
	p.mu.Lock()
	p.task, p.begun = t, p.now()
	p.mu.Unlock()

	ctx, cancel := context.WithCancel(context.Background())
	var shown sync.WaitGroup
	shown.Go(func() { p.show(ctx) })
	err := work()
	cancel()
	shown.Wait()

	elapsed := p.now().Sub(p.begun).Round(time.Second)
	if err != nil {
		p.say("[%d/%d] %s not built after %s", t.number, t.total, t.name, elapsed)
		return err
	}
	p.say("[%d/%d] %s built in %s", t.number, t.total, t.name, elapsed)
	return nil
}

func (p *progress) show(ctx context.Context) {
	interval := plainInterval
	if p.terminal {
		interval = terminalInterval
	}
	tick := time.NewTicker(interval)
	defer tick.Stop()
	for {
		p.draw()
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

func (p *progress) draw() {
	p.mu.Lock()
	defer p.mu.Unlock()
	text := p.task.line(p.now().Sub(p.begun))
	if p.terminal {
		fmt.Fprint(p.out, "\r"+text+"\x1b[K")
		return
	}
	fmt.Fprintln(p.out, text)
}
