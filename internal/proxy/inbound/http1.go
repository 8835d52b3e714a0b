package inbound

import (
	"errors"
	"io"
	"net"
	"net/http"
	"sync/atomic"
	"syscall"

	"github.com/hipaa-operator/hipaa-operator/internal/proxy/http1"
	"github.com/hipaa-operator/hipaa-operator/internal/proxy/splice"
	"github.com/hipaa-operator/hipaa-operator/internal/proxy/users"
)

// serveHTTP1 serves one connection in one goroutine. While nothing happens on it, it
// holds no buffers.
func (c *conn) serveHTTP1() {
	from := &caller{Conn: c.wire, now: c.port.server.Now, limits: &c.rules.limits}
	for {
		if from.await() != nil {
			return
		}
		c.visit.Busy()
		again, tunnel := c.exchange(from)
		if tunnel != nil {
			splice.Join(c.wire, tunnel.app)
			tunnel.guest.end()
		}
		if !again || !c.visit.Rest() {
			return
		}
	}
}

// exchange serves what has come, and reports whether the connection may wait for more. A
// tunnel is what it goes on with instead.
func (c *conn) exchange(from *caller) (again bool, on *tunnel) {
	budget := &c.port.server.exchanges
	if !budget.Take(c.peer) {
		c.refuse(from, refuseFull, refuseFull.append(nil, c.rules, false, true))
		return false, nil
	}
	defer budget.Give(c.peer)
	e := c.rules.exchanges.Get().(*exchange) //nolint:errcheck // the pool holds nothing else
	defer c.rules.exchanges.Put(e)
	e.begin(c, from)
	defer e.end()
	again = e.run()
	on, e.joined = e.joined, nil
	return again, on
}

// tunnel is the application where a connection goes on without requests, and whose it is.
type tunnel struct {
	app   *appConn
	guest *guest
}

// refuse answers for the proxy, in these words, and ends the connection.
func (c *conn) refuse(from *caller, f *refusal, words []byte) {
	m := c.port.server.Metrics
	m.refused(f.reason)
	m.answered(f.status)
	_, _ = from.Write(words) // the caller may be gone
	_ = from.CloseWrite()
	from.linger()
}

// exchange is a request and its answer, with the memory that they need.
type exchange struct {
	conn   *conn
	caller *caller
	app    *appConn
	// joined is there where the connection goes on as a tunnel.
	joined *tunnel

	in, up            http1.Reader
	req               http1.Request
	res               http1.Response
	request, response http1.Body
	last              bool // nothing may follow on the connection to the application
	answering         bool // what is in out is for the caller

	// guest is the user of the request, remote that of one that outlasts the exchange, and
	// asked what is asked about them. For a cut, open is the connection to the application, and ended
	// says that the session is over.
	guest  users.Visit
	remote *guest
	asked  users.Call
	open   atomic.Pointer[appConn]
	ended  atomic.Bool

	inBuf, upBuf, out []byte
	// stream is where the answer goes where the request came by HTTP/2.
	stream http.ResponseWriter
	// streamed is the body of a request of HTTP/2.
	streamed *streamedBody
	// pumped is there while another goroutine passes the body of the request on.
	pumped chan error
}

// newExchange takes heads of this size. What is written anew may be longer by a blank
// for each field and by the framing.
func newExchange(size int) *exchange {
	return &exchange{inBuf: make([]byte, size), upBuf: make([]byte, size), out: make([]byte, 0, 2*size+1024)}
}

func (e *exchange) begin(c *conn, from *caller) {
	e.conn, e.caller = c, from
	e.in.Reset(from, e.inBuf)
	e.in.Put(from.first[:])
}

// end lets go of everything but the memory.
func (e *exchange) end() {
	e.part()
	e.drop()
	e.ended.Store(false)
	e.remote, e.asked = nil, users.Call{}
	e.conn, e.caller, e.stream, e.streamed, e.answering = nil, nil, nil, nil, false
	e.in.Reset(nil, nil)
	e.up.Reset(nil, nil)
}

// drop closes the connection to the application.
func (e *exchange) drop() {
	if e.app != nil {
		e.open.Store(nil)
		_ = e.app.Close()
		e.app = nil
	}
}

// run serves requests as long as more of them have come already. It reports whether the
// connection may wait for another one.
func (e *exchange) run() bool {
	for {
		if e.caller.head() != nil {
			return false
		}
		e.req.IsHead = false // of the request before
		head, err := e.in.Head()
		if err == nil {
			err = e.req.Parse(head)
		}
		if err != nil {
			e.refuseHead(err)
			return false
		}
		if refused := e.judge(); refused != nil {
			if !e.deny(refused) {
				return false
			}
		} else if !e.forward() {
			return false
		}
		if e.in.Buffered() == 0 {
			return true
		}
		if e.conn.visit.Leaving() {
			return false
		}
	}
}

// judge says why a request may not go on to the application, nil where it may. Its head
// has been read and its peer is known; every request of every protocol comes by here.
func (e *exchange) judge() *refusal {
	if e.conn.stranger {
		return refuseStranger
	}
	return e.admit()
}

// refuseHead answers a head that could not be read.
func (e *exchange) refuseHead(err error) {
	if refused := http1.AsRefusal(err); refused != nil {
		e.refuse(refusalOf(refused))
	} else if isTimeout(err) {
		e.refuse(refuseSlow)
	}
}

// refuse answers for the proxy. Nothing may have been answered yet.
func (e *exchange) refuse(f *refusal) {
	e.conn.refuse(e.caller, f, f.append(e.out[:0], e.conn.rules, e.req.IsHead, true))
}

func isTimeout(err error) bool {
	timeout, ok := errors.AsType[net.Error](err)
	return ok && timeout.Timeout()
}

// forward passes the request on and the answer back. It reports whether the caller's
// connection may go on.
func (e *exchange) forward() bool {
	e.last = e.req.LastOfConnection()
	e.out = e.req.Append(e.out[:0])
	e.request.Start(&e.in, &e.req.Head)
	whole := e.request.Here()
	if whole {
		if piece, err := e.request.Next(); err == nil {
			e.out = append(e.out, piece...)
		}
	}
	e.answering = false
	head, failed := e.send(whole)
	for count := 0; failed == nil; count++ {
		if err := e.res.Parse(head, &e.req); err != nil || count > maxInterim {
			failed = answerOf(err)
			break
		}
		if e.res.Status >= 200 {
			e.answered()
			return e.answer()
		}
		if e.res.Status == 101 {
			e.tunnel()
			return false
		}
		if e.interim() != nil {
			return e.cut()
		}
		if head, failed = e.nextHead(); failed != nil {
			break
		}
	}
	if fault := e.faultOfCaller(); fault != nil {
		failed = fault
	}
	if failed == refuseGone {
		e.conn.port.server.Metrics.refused(failed.reason)
		return false
	}
	e.refuse(failed)
	return false
}

// maxInterim is how many answers may come before the answer.
const maxInterim = 16

// send writes what is in out and reads the head of the answer. A connection that the
// application closed while it waited is replaced, if sending twice does no harm.
func (e *exchange) send(whole bool) ([]byte, *refusal) {
	rules := e.conn.rules
	for fresh := false; ; fresh = true {
		app, err := rules.app.get(timeOf(rules), fresh)
		if err != nil {
			return nil, e.unreached(err)
		}
		e.app = app
		if !e.hold(app) {
			return nil, refuseSilent
		}
		e.up.Reset((*answerSource)(e), e.upBuf)
		_, err = app.Write(e.out)
		if err == nil {
			if !whole {
				e.pump()
			}
			var head []byte
			if head, err = e.up.Head(); err == nil {
				return head, nil
			}
		}
		again := app.used && whole && !fresh && e.up.Buffered() == 0 && !isTimeout(err) && e.req.Repeatable()
		if !again {
			return nil, answerOf(err)
		}
		e.drop()
	}
}

// unreached is what the caller hears where nobody takes the request. An application that
// ends lets go of the connections that wait, and their callers, who know that this may
// happen at any moment, ask again elsewhere. So does a connection here that it has
// answered on: an error would be an answer.
func (e *exchange) unreached(err error) *refusal {
	if e.stream == nil && e.conn.served && errors.Is(err, syscall.ECONNREFUSED) {
		return refuseGone
	}
	return refuseSilent
}

func (e *exchange) nextHead() ([]byte, *refusal) {
	head, err := e.up.Head()
	if err != nil {
		return nil, answerOf(err)
	}
	return head, nil
}

// answerOf is what a caller hears of an application that does not answer well.
func answerOf(err error) *refusal {
	if refused := http1.AsRefusal(err); refused != nil {
		return &refusal{status: refuseSilent.status, reason: refused.Reason, text: "the application's answer is refused"}
	}
	if isTimeout(err) {
		return refuseLate
	}
	return refuseSilent
}

// interim passes on an answer before the answer.
func (e *exchange) interim() error {
	if e.req.Old || e.res.Status == 100 && !e.req.Expects {
		return nil
	}
	e.out = e.res.Append(e.out[:0], false, false)
	return e.flush()
}

func (e *exchange) flush() error {
	_, err := e.caller.Write(e.out)
	e.out = e.out[:0]
	return err
}

// answerSource is the application as the reader of its answers sees it. Before it waits
// for more, the caller gets what is there: events arrive as they happen.
type answerSource exchange

func (s *answerSource) Read(p []byte) (int, error) {
	if e := (*exchange)(s); e.answering {
		if err := e.pass(); err != nil {
			return 0, err
		}
	}
	return s.app.Read(p)
}

// pass lets go of what is there of the answer.
func (e *exchange) pass() error {
	if e.stream != nil {
		return http.NewResponseController(e.stream).Flush()
	}
	if len(e.out) == 0 {
		return nil
	}
	return e.flush()
}

// answer passes the answer on.
func (e *exchange) answer() bool {
	m := e.conn.port.server.Metrics
	m.answered(e.res.Status)
	closing := e.req.Close || e.conn.visit.Leaving()
	e.res.Fields = e.emergency()
	e.out = e.res.Append(e.out[:0], closing, e.req.Old)
	e.response.Start(&e.up, &e.res.Head)
	e.answering = true
	chunks := !e.req.Old && (e.res.Framing == http1.Chunked || e.res.Framing == http1.UntilClose)
	if err := e.copyAnswer(chunks); err != nil {
		return e.cut()
	}
	if chunks {
		e.out = http1.AppendLastChunk(e.out, e.response.Trailers)
	}
	if e.flush() != nil {
		return e.cut()
	}
	if e.stream == nil {
		e.conn.served = true
	}
	if !e.settle() {
		return e.abandon()
	}
	if e.res.Close || e.last || e.up.Buffered() > 0 {
		e.drop()
	} else {
		e.release()
	}
	return !closing
}

// release lets the connection to the application wait for other requests.
func (e *exchange) release() {
	e.guest.End() // from here on a cut would be of somebody else's request
	e.open.Store(nil)
	e.conn.rules.app.put(e.app)
	e.app = nil
}

// copyAnswer passes the body of the answer on.
func (e *exchange) copyAnswer(chunks bool) error {
	const chunkLines = 24
	for {
		piece, err := e.response.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if len(e.out)+len(piece)+chunkLines > cap(e.out) {
			if err := e.flush(); err != nil {
				return err
			}
		}
		if chunks {
			e.out = http1.AppendChunk(e.out, piece)
		} else {
			e.out = append(e.out, piece...)
		}
	}
}

// cut ends both connections with a reset: half an answer must not look whole, and
// libraries take an end without a farewell for one with it.
func (e *exchange) cut() bool {
	if tcp, ok := e.conn.visit.Conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	_ = e.conn.visit.Conn.Close()
	return e.abandon()
}

// abandon ends the connection to the application, and waits for whoever still reads the
// request. The caller's connection is of no use then.
func (e *exchange) abandon() bool {
	e.faultOfCaller()
	return false
}

// faultOfCaller abandons the exchange, and is what the caller hears if the body of its
// request was the reason.
func (e *exchange) faultOfCaller() *refusal {
	e.drop()
	if e.pumped == nil {
		return nil
	}
	e.caller.stop()
	err := <-e.pumped
	e.pumped = nil
	if refused := http1.AsRefusal(err); refused != nil {
		return refusalOf(refused)
	}
	if errors.Is(err, errSlow) {
		return refuseSlow
	}
	return nil
}
