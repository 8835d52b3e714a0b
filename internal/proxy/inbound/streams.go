package inbound

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httputil"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/hipaa-operator/hipaa-operator/internal/proxy/config"
	"github.com/hipaa-operator/hipaa-operator/internal/proxy/http1"
)

const (
	maxStreams = 250
	// What callers may send before anybody reads it: on a connection, on one of its
	// streams, and at the least that HTTP/2 knows.
	connectionBytes = 512 << 10
	streamBytes     = 128 << 10
	leastBytes      = 64 << 10
	pingAfter       = time.Minute
	pingPatience    = 15 * time.Second
)

// streams serve HTTP/2 on one port: to an application of HTTP/1.1 by translation, to
// one of gRPC as HTTP/2.
type streams struct {
	rules *rules
	// grpc passes requests on as HTTP/2; nil on ports of HTTP.
	grpc http.Handler
}

// silence is where libraries may write: errors are counted, and texts could quote peers.
var silence = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)

func newStreams(r *rules) *streams {
	s := &streams{rules: r}
	if r.in.Protocol == config.GRPC {
		s.grpc = newGRPC(r)
	}
	return s
}

// newGRPC speaks HTTP/2 without TLS to the application, on connections that all callers share.
func newGRPC(r *rules) http.Handler {
	var plain http.Protocols
	plain.SetUnencryptedHTTP2(true)
	transport := &http.Transport{
		Protocols:          &plain,
		HTTP2:              &http.HTTP2Config{SendPingTimeout: pingAfter, PingTimeout: pingPatience},
		DisableCompression: true,
		IdleConnTimeout:    maxIdleTime,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return r.app.dial(ctx, 0)
		},
	}
	return &httputil.ReverseProxy{
		Transport:     transport,
		FlushInterval: -1,
		ErrorLog:      silence,
		Rewrite: func(pr *httputil.ProxyRequest) {
			pr.Out.URL.Scheme, pr.Out.URL.Host = "http", "application"
			pr.Out.Host = pr.In.Host
			strip(r.users, pr.In, pr.Out.Header)
		},
		ErrorHandler: func(w http.ResponseWriter, _ *http.Request, _ error) {
			refuseSilent.write(w, r)
		},
	}
}

// serve runs one connection until it ends. Each has a server of its own, so that it can
// be told to finish alone.
func (s *streams) serve(c *conn) {
	l := &single{conn: c.wire, taken: make(chan struct{}), closed: make(chan struct{}), ended: make(chan struct{})}
	server := s.server(c)
	server.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateClosed {
			close(l.ended)
		}
	}
	if !c.visit.FinishBy(func() { go func() { _ = server.Shutdown(context.Background()) }() }) {
		return
	}
	go func() {
		<-l.ended
		_ = l.Close()
	}()
	_ = server.Serve(l) // it says that the listener is closed
	select {
	case <-l.taken:
		<-l.ended // a server that shuts down leaves its connection to finish
	default:
		close(l.ended) // it was told to end before it began
	}
}

// server is that of one connection. A stranger gets one stream, and hears in its answer
// that the connection ends.
func (s *streams) server(c *conn) *http.Server {
	most := &http.HTTP2Config{
		MaxConcurrentStreams: maxStreams, MaxReceiveBufferPerConnection: connectionBytes, MaxReceiveBufferPerStream: streamBytes,
		SendPingTimeout: pingAfter, PingTimeout: pingPatience, WriteByteTimeout: grace,
	}
	if c.stranger {
		most.MaxConcurrentStreams, most.MaxReceiveBufferPerConnection, most.MaxReceiveBufferPerStream = 1, leastBytes, leastBytes
	}
	var only http.Protocols
	only.SetHTTP2(c.grade != plain)
	only.SetUnencryptedHTTP2(c.grade == plain)
	return &http.Server{
		Handler:           &stream{streams: s, conn: c},
		Protocols:         &only,
		HTTP2:             most,
		ReadHeaderTimeout: time.Duration(s.rules.limits.HeadTimeout),
		IdleTimeout:       time.Duration(s.rules.limits.IdleTimeout),
		MaxHeaderBytes:    s.rules.limits.HeadBytes,
		ErrorLog:          silence,
	}
}

// single is a listener for one connection.
type single struct {
	conn   net.Conn
	taken  chan struct{}
	closed chan struct{}
	ended  chan struct{}
	once   sync.Once
}

// Accept hands out the connection, and after that nothing.
func (l *single) Accept() (net.Conn, error) {
	select {
	case <-l.taken:
		<-l.closed
		return nil, net.ErrClosed
	default:
		close(l.taken)
		return l.conn, nil
	}
}

// Close lets nobody wait any more.
func (l *single) Close() error {
	l.once.Do(func() { close(l.closed) })
	return nil
}

// Addr is that of the connection.
func (l *single) Addr() net.Addr { return l.conn.LocalAddr() }

// stream answers the requests of one connection.
type stream struct {
	*streams
	conn *conn
}

// ServeHTTP serves one request. It holds its share of a budget until its stream has
// ended: a caller that does not read answers has them in our memory.
func (s *stream) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	server := s.conn.port.server
	budget, serve := &server.exchanges, s.translated
	if s.grpc != nil {
		budget, serve = &server.calls, s.called
	}
	o := newOutlet(w, &s.rules.limits, server.Metrics)
	if !budget.Take(s.conn.peer) {
		server.Metrics.refused(refuseFull.reason)
		o.WriteHeader(refuseFull.status) // a head alone waits for no caller
		return
	}
	defer func() {
		o.close(server.Now())
		context.AfterFunc(r.Context(), func() { budget.Give(s.conn.peer) })
	}()
	serve(o, r)
}

// translated serves a request to an application of HTTP/1.1.
func (s *stream) translated(w *outlet, r *http.Request) {
	e := s.begin()
	defer s.end(e)
	f := e.readStream(r)
	if f == nil {
		f = e.translate(w, r, s)
	}
	if f != nil {
		s.refuse(w, f)
	}
}

// called serves a call of gRPC. It may last as long as both sides like, so it holds
// nothing meanwhile but its number among the calls.
func (s *stream) called(w *outlet, r *http.Request) {
	e := s.begin()
	guest, r := s.guest(r)
	defer guest.end()
	e.remote = guest
	f := e.readStream(r)
	s.end(e)
	if f != nil {
		s.refuse(w, f)
		return
	}
	guest.prepare(w, r)
	s.grpc.ServeHTTP(w, r)
}

func (s *stream) begin() *exchange {
	e := s.rules.exchanges.Get().(*exchange) //nolint:errcheck // the pool holds nothing else
	e.conn = s.conn
	return e
}

func (s *stream) end(e *exchange) {
	e.end()
	s.rules.exchanges.Put(e)
}

func (s *stream) refuse(w *outlet, f *refusal) {
	w.metrics.refused(f.reason)
	if s.conn.stranger {
		w.Header().Set("Connection", "close") // in HTTP/2 it becomes GOAWAY
	}
	f.write(w, s.rules)
}

// readStream reads a request, and says why it may not go on. Every request is written
// down as HTTP/1.1 and read by the same strict parser as those that come so: what HTTP/2
// can say and HTTP/1.1 cannot is refused here, not understood differently behind.
func (e *exchange) readStream(r *http.Request) *refusal {
	head, ok := appendRequest(e.inBuf[:0], r)
	if !ok {
		return refusePlain
	}
	if err := e.req.Parse(head); err != nil {
		return refusalOf(http1.AsRefusal(err))
	}
	return e.judge()
}

var refusePlain = &refusal{status: http.StatusBadRequest, reason: "downgrade", text: "the request says what HTTP/1.1 cannot say"}

// appendRequest writes a request of HTTP/2 as HTTP/1.1, or reports that it cannot: what
// frames messages there has no meaning here.
func appendRequest(to []byte, r *http.Request) ([]byte, bool) {
	if strings.ContainsAny(r.Host, " \t") {
		return nil, false // HTTP/1.1 would not see them
	}
	length := 0
	to = append(to, r.Method...)
	to = append(to, ' ')
	to = append(to, r.RequestURI...)
	to = append(to, " HTTP/1.1\r\nHost: "...)
	to = append(to, r.Host...)
	to = append(to, "\r\n"...)
	for name, values := range r.Header {
		if isOfConnection(name) {
			return nil, false
		}
		switch name {
		case "Content-Length":
			if len(values) != 1 || values[0] != strconv.FormatInt(r.ContentLength, 10) {
				return nil, false
			}
			continue // it is written below
		case "Te", "Expect":
			continue // a matter of this connection, and answered by the server
		case "Cookie":
			values = []string{strings.Join(values, "; ")} // RFC 9113, 8.2.3
		}
		for _, value := range values {
			length += len(name) + len(value) + 4
			if length > config.MaxHead || strings.ContainsAny(value, "\r\n\x00") || strings.ContainsAny(name, "\r\n:\x00 ") {
				return nil, false
			}
			to = append(to, name...)
			to = append(to, ": "...)
			to = append(to, value...)
			to = append(to, "\r\n"...)
		}
	}
	switch {
	case r.ContentLength > 0:
		to = append(to, "Content-Length: "...)
		to = strconv.AppendInt(to, r.ContentLength, 10)
		to = append(to, "\r\n"...)
	case r.ContentLength < 0:
		to = append(to, "Transfer-Encoding: chunked\r\n"...)
	}
	return append(to, "\r\n"...), true
}

// isOfConnection reports whether a field says something of one connection of HTTP/1.1, or
// could: net/http writes every name in one way, and what goes by names relies on it.
func isOfConnection(name string) bool {
	switch name {
	case "Connection", "Transfer-Encoding", "Upgrade", "Keep-Alive", "Proxy-Connection", "Host", "Http2-Settings":
		return true
	}
	return name != http.CanonicalHeaderKey(name)
}

// translate asks an application of HTTP/1.1. It returns what to answer instead where
// nothing was answered.
func (e *exchange) translate(w http.ResponseWriter, r *http.Request, s *stream) *refusal {
	e.last = e.req.LastOfConnection()
	e.out = e.req.Append(e.out[:0])
	if e.req.Framing != http1.NoBody {
		e.streamed = newStreamedBody(w, r, e.req.Framing == http1.Chunked, s)
	}
	defer e.stopStream()
	head, failed := e.send(e.streamed == nil)
	for count := 0; failed == nil; count++ {
		if err := e.res.Parse(head, &e.req); err != nil || count > maxInterim {
			return answerOf(err)
		}
		if e.res.Status >= 200 {
			e.answered()
			e.respond(w)
			return nil
		}
		if e.res.Status != http.StatusContinue { // the server said so itself
			copyFields(w.Header(), e.res.Fields)
			w.WriteHeader(e.res.Status)
			clear(w.Header())
		}
		head, failed = e.nextHead()
	}
	if fault := e.faultOfStream(); fault != nil {
		return fault
	}
	return failed
}

// faultOfStream abandons the exchange, and is what the caller hears if the body of its
// request was the reason.
func (e *exchange) faultOfStream() *refusal {
	e.drop()
	if e.pumped == nil {
		return nil
	}
	e.streamed.stop()
	err := <-e.pumped
	e.pumped = nil
	switch {
	case errors.Is(err, errTorn):
		return refuseTorn
	case errors.Is(err, errSlow):
		return refuseSlow
	}
	return nil
}

// respond passes the answer on.
func (e *exchange) respond(w http.ResponseWriter) {
	copyFields(w.Header(), e.emergency())
	if e.res.HasLength {
		w.Header().Set("Content-Length", strconv.FormatInt(e.res.Length, 10))
	}
	w.WriteHeader(e.res.Status)
	e.response.Start(&e.up, &e.res.Head)
	e.stream, e.answering = w, true
	for {
		piece, err := e.response.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err == nil {
			_, err = w.Write(piece)
		}
		if err != nil {
			// The stream is reset: half an answer must not look whole.
			panic(http.ErrAbortHandler)
		}
	}
	for _, f := range e.response.Trailers {
		w.Header().Add(http.TrailerPrefix+string(f.Name), string(f.Value))
	}
	if e.pumped != nil && !e.settle() || e.res.Close || e.last || e.up.Buffered() > 0 {
		return
	}
	e.release()
}

func copyFields(to http.Header, fields []http1.Field) {
	for _, f := range fields {
		to.Add(string(f.Name), string(f.Value))
	}
}

var (
	errTorn    = errors.New("the body of the request is torn")
	refuseTorn = &refusal{status: http.StatusBadRequest, reason: "body", text: "the body of the request does not have the length that it says, or broke off"}
)

// pieceBytes is how much of a body is read at once.
const pieceBytes = 16 << 10

// stopStream waits for whoever reads the request's body: the stream ends with the handler.
func (e *exchange) stopStream() {
	if e.pumped != nil && !e.settle() {
		e.drop()
		e.streamed.stop()
	}
	if e.pumped != nil {
		<-e.pumped //nolint:errcheck // the answer is given, whatever became of the body
		e.pumped = nil
	}
	e.streamed = nil
}
