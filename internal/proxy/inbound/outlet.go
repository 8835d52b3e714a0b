package inbound

import (
	"errors"
	"io"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hipaa-operator/hipaa-operator/internal/proxy/config"
	"github.com/hipaa-operator/hipaa-operator/internal/proxy/http1"
)

// outlet is a stream of HTTP/2 as those see it who answer: a caller that does not take
// the answer loses the stream, and the first status that is final is counted.
type outlet struct {
	http.ResponseWriter

	limits  *config.Limits
	metrics *Metrics
	told    bool
	watch   watch
}

func newOutlet(w http.ResponseWriter, limits *config.Limits, m *Metrics) *outlet {
	o := &outlet{ResponseWriter: w, limits: limits, metrics: m}
	o.watch.late = func() { _ = http.NewResponseController(w).SetWriteDeadline(longAgo) } // the stream may have ended
	return o
}

// WriteHeader counts.
func (o *outlet) WriteHeader(status int) {
	if !o.told && status >= 200 {
		o.told = true
		o.metrics.answered(status)
	}
	o.ResponseWriter.WriteHeader(status)
}

// Write is stopped where the caller does not take the answer.
func (o *outlet) Write(p []byte) (int, error) {
	o.watch.begin(grace + time.Duration(len(p)/o.limits.BodyRate)*time.Second)
	defer o.watch.end()
	return o.ResponseWriter.Write(p)
}

// FlushError is stopped like Write.
func (o *outlet) FlushError() error {
	o.watch.begin(grace)
	defer o.watch.end()
	return http.NewResponseController(o.ResponseWriter).Flush()
}

// close gives what has not left yet as long as everything else: it is written after the
// handler. now is that of the server.
func (o *outlet) close(now time.Time) {
	_ = http.NewResponseController(o.ResponseWriter).SetWriteDeadline(now.Add(grace)) // the stream may have ended
}

// Unwrap lets trailers through.
func (o *outlet) Unwrap() http.ResponseWriter { return o.ResponseWriter }

// watch calls late where something takes longer than it may. Once end has returned it
// never does.
type watch struct {
	late func()

	mu    sync.Mutex
	timer *time.Timer
	armed bool
}

func (w *watch) begin(wait time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.armed = true
	if w.timer == nil {
		w.timer = time.AfterFunc(wait, w.fire)
		return
	}
	w.timer.Reset(wait)
}

func (w *watch) fire() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.armed {
		w.late()
	}
}

func (w *watch) end() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.armed = false
	w.timer.Stop()
}

// streamedBody is the body of a request of HTTP/2.
type streamedBody struct {
	from   io.ReadCloser
	chunks bool
	rate   int
	now    func() time.Time

	watch  watch
	got    int64
	waited time.Duration
	// stopped says that nobody wants the rest.
	stopped atomic.Bool
}

func newStreamedBody(w http.ResponseWriter, r *http.Request, chunks bool, s *stream) *streamedBody {
	b := &streamedBody{from: r.Body, chunks: chunks, rate: s.rules.limits.BodyRate, now: s.conn.port.server.Now}
	b.watch.late = func() { _ = http.NewResponseController(w).SetReadDeadline(longAgo) } // the stream may have ended
	return b
}

// Read is stopped where the body is too slow. Time in which the application did not take
// what came is not the caller's.
func (b *streamedBody) Read(p []byte) (int, error) {
	begin := b.now()
	b.watch.begin(grace + time.Duration(b.got/int64(b.rate))*time.Second - b.waited)
	n, err := b.from.Read(p)
	b.watch.end()
	b.waited += b.now().Sub(begin)
	b.got += int64(n)
	if isTimeout(err) {
		err = errSlow
	}
	return n, err
}

// stop ends a read that another goroutine waits in.
func (b *streamedBody) stop() {
	b.stopped.Store(true)
	_ = b.from.Close() // the stream may have ended
}

// pass writes the body to an application, which must not wait for the rest where the
// caller fails.
func (b *streamedBody) pass(app io.WriteCloser) error {
	buffer := pumpBuffers.Get().(*pumpBuffer) //nolint:errcheck // the pool holds nothing else
	defer pumpBuffers.Put(buffer)
	piece := buffer[config.MaxHead/2 : config.MaxHead/2+pieceBytes]
	for {
		n, err := b.Read(piece)
		if n > 0 {
			out := piece[:n]
			if b.chunks {
				out = http1.AppendChunk(buffer[:0], out)
			}
			if _, err := app.Write(out); err != nil {
				return err
			}
		}
		switch {
		case err == nil:
		case errors.Is(err, io.EOF):
			if b.chunks {
				_, err = app.Write(http1.AppendLastChunk(buffer[:0], nil))
				return err
			}
			return nil
		default:
			_ = app.Close()
			if b.stopped.Load() || errors.Is(err, errSlow) {
				return err
			}
			return errTorn
		}
	}
}
