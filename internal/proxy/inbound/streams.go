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
	maxStreams   = 250
	pingAfter    = time.Minute
	pingPatience = 15 * time.Second
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
			for name := range pr.Out.Header {
				if http1.IsClaim(name) {
					delete(pr.Out.Header, name)
				}
			}
		},
		ErrorHandler: func(w http.ResponseWriter, _ *http.Request, _ error) {
			refuseSilent.write(w, r)
		},
	}
}

// serve runs one connection until it ends. Each has a server of its own, so that it can
// be told to finish alone.
func (s *streams) serve(c *conn) {
	l := &single{conn: c.tls, taken: make(chan struct{}), closed: make(chan struct{}), ended: make(chan struct{})}
	var only http.Protocols
	only.SetHTTP2(true)
	server := &http.Server{
		Handler:           &stream{streams: s, conn: c, allowed: c.allowed()},
		Protocols:         &only,
		HTTP2:             &http.HTTP2Config{MaxConcurrentStreams: maxStreams, SendPingTimeout: pingAfter, PingTimeout: pingPatience, WriteByteTimeout: grace},
		ReadHeaderTimeout: time.Duration(s.rules.limits.HeadTimeout),
		IdleTimeout:       time.Duration(s.rules.limits.IdleTimeout),
		MaxHeaderBytes:    s.rules.limits.HeadBytes,
		ErrorLog:          silence,
		ConnState: func(_ net.Conn, state http.ConnState) {
			if state == http.StateClosed {
				close(l.ended)
			}
		},
	}
	finish := func() { go func() { _ = server.Shutdown(context.Background()) }() }
	if !c.finishBy(finish) {
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

// finishBy says how the connection ends once what is under way is done. It reports
// false where it is to end already.
func (c *conn) finishBy(finish func()) bool {
	c.port.mu.Lock()
	defer c.port.mu.Unlock()
	c.finish = finish
	return !c.port.draining.Load()
}

// stream answers the requests of one connection.
type stream struct {
	*streams
	conn    *conn
	allowed bool
}

// ServeHTTP serves one request. Every request is written down as HTTP/1.1 and read by
// the same strict parser as those that come so: what HTTP/2 can say and HTTP/1.1 cannot
// is refused here, not understood differently behind.
func (s *stream) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	e := s.rules.exchanges.Get().(*exchange) //nolint:errcheck // the pool holds nothing else
	defer s.rules.exchanges.Put(e)
	e.conn = s.conn
	defer e.end()
	m := s.conn.port.server.Metrics
	refuse := func(f *refusal) {
		m.refused(f.reason)
		m.answered(f.status)
		f.write(w, s.rules)
	}
	head, ok := appendRequest(e.inBuf[:0], r)
	if !ok {
		refuse(refusePlain)
		return
	}
	if err := e.req.Parse(head); err != nil {
		refuse(refusalOf(http1.AsRefusal(err)))
		return
	}
	if !s.allowed {
		refuse(refuseStranger)
		return
	}
	if s.grpc != nil {
		s.grpc.ServeHTTP(&counted{ResponseWriter: w, metrics: m}, r)
		return
	}
	if f := e.translate(w, r); f != nil {
		refuse(f)
	}
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
		switch name {
		case "Connection", "Transfer-Encoding", "Upgrade", "Keep-Alive", "Proxy-Connection", "Host", "Http2-Settings":
			return nil, false
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

// translate asks an application of HTTP/1.1. It returns what to answer instead where
// nothing was answered.
func (e *exchange) translate(w http.ResponseWriter, r *http.Request) *refusal {
	e.last = e.req.LastOfConnection()
	e.out = e.req.Append(e.out[:0])
	if e.req.Framing != http1.NoBody {
		e.streamed = &streamedBody{from: r.Body, chunks: e.req.Framing == http1.Chunked}
	}
	defer e.stopStream(r)
	head, failed := e.send(e.streamed == nil)
	for count := 0; failed == nil; count++ {
		if err := e.res.Parse(head, &e.req); err != nil || count > maxInterim {
			return answerOf(err)
		}
		if e.res.Status >= 200 {
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
	if e.pumped == nil {
		return failed
	}
	select {
	case err := <-e.pumped:
		e.pumped = nil
		if errors.Is(err, errTorn) {
			return refuseTorn
		}
	default:
	}
	return failed
}

// respond passes the answer on.
func (e *exchange) respond(w http.ResponseWriter) {
	e.conn.port.server.Metrics.answered(e.res.Status)
	copyFields(w.Header(), e.res.Fields)
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
	e.conn.rules.app.put(e.app)
	e.app = nil
}

func copyFields(to http.Header, fields []http1.Field) {
	for _, f := range fields {
		to.Add(string(f.Name), string(f.Value))
	}
}

// streamedBody is the body of a request of HTTP/2.
type streamedBody struct {
	from   io.Reader
	chunks bool
}

var (
	errTorn    = errors.New("the body of the request is torn")
	refuseTorn = &refusal{status: http.StatusBadRequest, reason: "body", text: "the body of the request does not have the length that it says, or broke off"}
)

// pieceBytes is how much of a body is read at once.
const pieceBytes = 16 << 10

// pass writes the body to an application, which must not wait for the rest where the
// caller fails.
func (s *streamedBody) pass(app io.WriteCloser) error {
	buffer := pumpBuffers.Get().(*pumpBuffer) //nolint:errcheck // the pool holds nothing else
	defer pumpBuffers.Put(buffer)
	piece := buffer[config.MaxHead/2 : config.MaxHead/2+pieceBytes]
	for {
		n, err := s.from.Read(piece)
		if n > 0 {
			out := piece[:n]
			if s.chunks {
				out = http1.AppendChunk(buffer[:0], out)
			}
			if _, err := app.Write(out); err != nil {
				return err
			}
		}
		if errors.Is(err, io.EOF) {
			if s.chunks {
				_, err = app.Write(http1.AppendLastChunk(buffer[:0], nil))
				return err
			}
			return nil
		}
		if err != nil {
			_ = app.Close()
			return errTorn
		}
	}
}

// stopStream waits for whoever reads the request's body: the stream ends with the handler.
func (e *exchange) stopStream(r *http.Request) {
	e.streamed = nil
	if e.pumped == nil {
		return
	}
	if !e.settle() {
		e.drop()
		_ = r.Body.Close()
	}
	if e.pumped != nil {
		<-e.pumped //nolint:errcheck // the answer is given, whatever became of the body
		e.pumped = nil
	}
}

// counted tells the metrics how a request of gRPC was answered.
type counted struct {
	http.ResponseWriter

	metrics *Metrics
	told    bool
}

// WriteHeader counts the first status that is final.
func (c *counted) WriteHeader(status int) {
	if !c.told && status >= 200 {
		c.told = true
		c.metrics.answered(status)
	}
	c.ResponseWriter.WriteHeader(status)
}

// Unwrap lets trailers and flushes through.
func (c *counted) Unwrap() http.ResponseWriter { return c.ResponseWriter }
