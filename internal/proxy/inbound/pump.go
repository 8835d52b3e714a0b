package inbound

import (
	"errors"
	"io"
	"sync"
	"time"

	"github.com/hipaa-operator/hipaa-operator/internal/proxy/config"
	"github.com/hipaa-operator/hipaa-operator/internal/proxy/http1"
)

// lateBody is how long the rest of a request may take once it is answered.
const lateBody = 2 * time.Second

// longAgo is a deadline that has passed.
var longAgo = time.Unix(1, 0)

func timeOf(r *rules) time.Duration { return time.Duration(r.limits.AnswerTimeout) }

// pump passes the body of the request on in a goroutine of its own, so that the
// application may answer before it has all of it, and ask for it with 100 Continue.
func (e *exchange) pump() {
	pumped, app, chunks := make(chan error, 1), e.app, e.req.Framing == http1.Chunked
	e.pumped = pumped
	if body := e.streamed; body != nil {
		go func() { pumped <- body.pass(app) }()
		return
	}
	e.caller.startBody()
	go func() { pumped <- pumpBody(&e.request, app, chunks) }()
}

// pumpBuffer holds a chunk of a whole buffer of any size with its lines.
type pumpBuffer [config.MaxHead + 32]byte

var pumpBuffers = sync.Pool{New: func() any { return new(pumpBuffer) }}

// pumpBody passes a body on. Where the caller fails, the application must not wait for
// the rest, so its connection ends; where the application fails, its answer may be there.
func pumpBody(body *http1.Body, app io.WriteCloser, chunks bool) error {
	buffer := pumpBuffers.Get().(*pumpBuffer) //nolint:errcheck // the pool holds nothing else
	defer pumpBuffers.Put(buffer)
	for {
		out, err := body.Next()
		switch ended := errors.Is(err, io.EOF); {
		case ended && !chunks:
			return nil
		case ended:
			_, err = app.Write(http1.AppendLastChunk(buffer[:0], body.Trailers))
			return err
		case err != nil:
			_ = app.Close()
			return err
		}
		if chunks {
			out = http1.AppendChunk(buffer[:0], out)
		}
		if _, err := app.Write(out); err != nil {
			return err
		}
	}
}

// settle waits a moment for the rest of a request that is answered already. It reports
// whether all of it went through.
func (e *exchange) settle() bool {
	if e.pumped == nil {
		return e.request.Done()
	}
	late := time.NewTimer(lateBody)
	defer late.Stop()
	select {
	case err := <-e.pumped:
		e.pumped = nil
		return err == nil
	case <-late.C:
		return false
	}
}

// tunnel lets the connection go on with WebSocket. It needs none of our buffers then.
func (e *exchange) tunnel() {
	e.conn.port.server.Metrics.answered(e.res.Status)
	e.res.Fields = e.emergency()
	e.out = e.res.Append(e.out[:0], false, false)
	e.out = append(e.out, e.up.Rest()...)
	if e.flush() != nil || e.caller.forever() != nil || e.app.forever() != nil {
		return
	}
	if early := e.in.Rest(); len(early) > 0 {
		if _, err := e.app.Write(early); err != nil {
			return
		}
	}
	e.joined = &tunnel{app: e.app, guest: e.remote}
	e.app, e.remote = nil, nil
}
