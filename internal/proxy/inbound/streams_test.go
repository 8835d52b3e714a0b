package inbound

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"github.com/hipaa-operator/hipaa-operator/internal/proxy/config"
	"github.com/hipaa-operator/hipaa-operator/internal/proxy/http1"
)

// raw2 speaks HTTP/2 as no library would.
type raw2 struct {
	testing.TB

	conn    *tls.Conn
	framer  *http2.Framer
	heads   bytes.Buffer
	encoder *hpack.Encoder
	next    uint32
}

func newRaw2(t testing.TB, s *scene) *raw2 {
	t.Helper()
	return newRaw2As(t, s, portal)
}

func newRaw2As(t testing.TB, s *scene, id string, settings ...http2.Setting) *raw2 {
	t.Helper()
	c := s.dial(id, "h2")
	if _, err := io.WriteString(c, http2.ClientPreface); err != nil {
		t.Fatal(err)
	}
	r := &raw2{TB: t, conn: c, framer: http2.NewFramer(c, c), next: 1}
	r.framer.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
	r.encoder = hpack.NewEncoder(&r.heads)
	if err := r.framer.WriteSettings(settings...); err != nil {
		t.Fatal(err)
	}
	return r
}

// head begins a stream.
func (r *raw2) head(last bool, fields ...string) {
	r.Helper()
	r.heads.Reset()
	for i := 0; i < len(fields); i += 2 {
		if err := r.encoder.WriteField(hpack.HeaderField{Name: fields[i], Value: fields[i+1]}); err != nil {
			r.Fatal(err)
		}
	}
	id := r.next
	r.next += 2
	if err := r.framer.WriteHeaders(http2.HeadersFrameParam{StreamID: id, BlockFragment: r.heads.Bytes(), EndHeaders: true, EndStream: last}); err != nil {
		r.Fatal(err)
	}
}

// ask sends a request and says how it ends: with a status, or "reset".
func (r *raw2) ask(body string, fields ...string) string {
	r.Helper()
	r.head(body == "", fields...)
	if body != "" {
		if err := r.framer.WriteData(r.next-2, true, []byte(body)); err != nil {
			r.Fatal(err)
		}
	}
	return r.status(r.next - 2)
}

// status waits for how a stream is answered.
func (r *raw2) status(id uint32) string {
	for {
		frame, err := r.framer.ReadFrame()
		if err != nil {
			return "gone"
		}
		switch f := frame.(type) {
		case *http2.MetaHeadersFrame:
			if f.StreamID == id {
				return f.PseudoValue("status")
			}
		case *http2.RSTStreamFrame:
			if f.StreamID == id {
				return "reset"
			}
		case *http2.GoAwayFrame:
			return "gone"
		}
	}
}

// What HTTP/2 can say and HTTP/1.1 cannot is refused before it is written down.
func TestNothingIsSmuggledByADowngrade(t *testing.T) {
	// Each case has its own scene: what one of them began may arrive late.
	stage := func(t *testing.T) (*scene, *atomic.Int32) {
		t.Helper()
		heard := new(atomic.Int32)
		return newScene(t, config.HTTP, web(t, func(w http.ResponseWriter, r *http.Request) {
			heard.Add(1)
			_, _ = io.Copy(w, r.Body)
		}), config.Limits{}), heard
	}
	head := []string{":method", "POST", ":scheme", "https", ":path", "/", ":authority", "a"}
	with := func(more ...string) []string { return append(append([]string(nil), head...), more...) }
	for name, tc := range map[string]struct {
		body string
		give []string
	}{
		"a length that is too short":      {"GET /admin HTTP/1.1\r\nHost: a\r\n\r\n", with("content-length", "0")},
		"a length that is too long":       {"x", with("content-length", "100")},
		"two lengths":                     {"x", with("content-length", "1", "content-length", "2")},
		"a coding":                        {"0\r\n\r\nGET /admin HTTP/1.1\r\n\r\n", with("transfer-encoding", "chunked")},
		"a connection option":             {"", with("connection", "close")},
		"an upgrade":                      {"", with("upgrade", "websocket")},
		"a line break in a value":         {"", with("foo", "bar\r\ntransfer-encoding: chunked")},
		"a line feed in a value":          {"", with("foo", "bar\ntransfer-encoding: chunked")},
		"a NUL in a value":                {"", with("foo", "bar\x00")},
		"a line break in a name":          {"", with("foo: bar\r\ntransfer-encoding", "chunked")},
		"a colon in a name":               {"", with("transfer-encoding: chunked", "x")},
		"a blank at the end of a name":    {"", with("transfer-encoding ", "chunked")},
		"capital letters in a name":       {"", with("Transfer-Encoding", "chunked")},
		"an underscore in a framing name": {"", with("transfer_encoding", "chunked")},
		"another host":                    {"", with("host", "b")},
		"a line break in the path":        {"", []string{":method", "GET", ":scheme", "https", ":path", "/ HTTP/1.1\r\nHost: b\r\nX: ", ":authority", "a"}},
		"a blank in the path":             {"", []string{":method", "GET", ":scheme", "https", ":path", "/ HTTP/1.1", ":authority", "a"}},
		"an absolute path":                {"", []string{":method", "GET", ":scheme", "https", ":path", "http://b/", ":authority", "a"}},
		"no path":                         {"", []string{":method", "GET", ":scheme", "https", ":path", "", ":authority", "a"}},
		"a line break in the method":      {"", []string{":method", "GET / HTTP/1.1\r\nX: ", ":scheme", "https", ":path", "/", ":authority", "a"}},
		"a blank in the method":           {"", []string{":method", "GET /x", ":scheme", "https", ":path", "/", ":authority", "a"}},
		"a line break in the authority":   {"", []string{":method", "GET", ":scheme", "https", ":path", "/", ":authority", "a\r\nX: b"}},
		"a path in the authority":         {"", []string{":method", "GET", ":scheme", "https", ":path", "/", ":authority", "a/b"}},
		"no authority":                    {"", []string{":method", "GET", ":scheme", "https", ":path", "/"}},
		"two paths":                       {"", []string{":method", "GET", ":scheme", "https", ":path", "/", ":path", "/admin", ":authority", "a"}},
		"a pseudo field after other ones": {"", []string{":method", "GET", ":scheme", "https", "foo", "bar", ":path", "/", ":authority", "a"}},
		"a tunnel":                        {"", []string{":method", "CONNECT", ":authority", "a:443"}},
		"a WebSocket by extended CONNECT": {"", []string{":method", "CONNECT", ":protocol", "websocket", ":scheme", "https", ":path", "/", ":authority", "a"}},
		"more fields than are taken":      {"", with(strings.Split(strings.Repeat("a,b,", 101)+"a,b", ",")...)},
	} {
		t.Run(name, func(t *testing.T) {
			s, heard := stage(t)
			status := newRaw2(t, s).ask(tc.body, tc.give...)
			reached := heard.Load()
			// A wrong length comes to light when the application has the head; what is
			// beyond it never arrives there.
			torn := name == "a length that is too long" || name == "a length that is too short"
			if status == "200" && !torn || reached > 1 || reached == 1 && !torn {
				t.Errorf("it ends with %s, the application heard %d requests", status, reached)
			}
		})
	}
	s, _ := stage(t)
	if status := newRaw2(t, s).ask("x", with("content-length", "1", "cookie", "a=1", "cookie", "b=2")...); status != "200" {
		t.Errorf("a proper request ends with %s", status)
	}
}

// Whatever a request of HTTP/2 says, what is written down is one request, and the one
// that was meant.
func FuzzDowngrade(f *testing.F) {
	f.Add("GET", "/a?b", "a", "Foo", "bar", int64(0))
	f.Add("GET", "/", "a ", "Foo", "bar", int64(0))
	f.Add("POST", "/", "a:1", "Transfer-Encoding", "chunked", int64(-1))
	f.Add("0", "/", "0", "TrAnsfeR-EnCoding", "Chunked", int64(0))
	f.Add("GET / HTTP/1.1\r\nX: ", "/\r\n", "a\r\nb: c", "a: b\r\nc", "d\r\n\r\nGET / HTTP/1.1", int64(3))
	f.Fuzz(func(t *testing.T, method, target, host, name, value string, length int64) {
		give := &http.Request{Method: method, RequestURI: target, Host: host, Header: http.Header{name: {value}}, ContentLength: length}
		head, ok := appendRequest(nil, give)
		var read http1.Request
		if !ok || read.Parse(head) != nil {
			return
		}
		from := bufio.NewReader(bytes.NewReader(read.Append(nil)))
		got, err := http.ReadRequest(from)
		if err != nil {
			t.Fatalf("net/http refuses what is written: %v\n%q", err, head)
		}
		if got.Method != method || got.RequestURI != target || got.Host != host || from.Buffered() > 0 || got.ContentLength != max(length, -1) {
			t.Errorf("%q %q %q %d is written as %q", method, target, host, length, head)
		}
		if values := got.Header.Values(name); len(values) > 1 || len(values) == 1 && values[0] != strings.Trim(value, " \t") {
			t.Errorf("%q: %q is written as %q", name, value, values)
		}
	})
}

// grpcApplication answers one message with another, its status in trailers.
func grpcApplication(t testing.TB) net.Listener {
	t.Helper()
	l := listen(t, "127.0.0.1:0")
	var protocols http.Protocols
	protocols.SetUnencryptedHTTP2(true)
	server := &http.Server{Protocols: &protocols, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/grpc")
		w.Header().Set("Told", r.URL.Path+" "+r.Host+" "+r.Header.Get("Te")+r.Header.Get("X-Forwarded-For"))
		w.Header().Set("Trailer", "Grpc-Status")
		for {
			var prefix [5]byte
			if _, err := io.ReadFull(r.Body, prefix[:]); err != nil {
				break
			}
			message := make([]byte, binary.BigEndian.Uint32(prefix[1:]))
			_, _ = io.ReadFull(r.Body, message)
			_, _ = w.Write(append(prefix[:], bytes.ToUpper(message)...))
			_ = http.NewResponseController(w).Flush()
		}
		w.Header().Set("Grpc-Status", "0")
	})}
	go func() { _ = server.Serve(l) }()
	t.Cleanup(func() { _ = server.Close() })
	return l
}

func TestGRPCPassesBothWaysWithItsTrailers(t *testing.T) {
	s := newScene(t, config.GRPC, grpcApplication(t), config.Limits{})
	client := s.client(portal, true)
	out, in := io.Pipe()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "https://"+s.address()+"/patients.v1.Patients/Watch", out)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/grpc")
	req.Header.Set("Te", "trailers")
	req.Header.Set("X-Forwarded-For", "1.2.3.4")
	go func() { _, _ = in.Write([]byte("\x00\x00\x00\x00\x03one")) }()
	res, err := client.Do(req)
	if err != nil {
		t.Fatalf("calling: %v", err)
	}
	defer res.Body.Close()
	buffer := make([]byte, 8)
	if _, err := io.ReadFull(res.Body, buffer); err != nil || string(buffer) != "\x00\x00\x00\x00\x03ONE" {
		t.Errorf("heard %q, %v", buffer, err)
	}
	// The stream goes on both ways while it is open.
	if _, err := in.Write([]byte("\x00\x00\x00\x00\x03two")); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(res.Body, buffer); err != nil || string(buffer) != "\x00\x00\x00\x00\x03TWO" {
		t.Errorf("heard %q, %v", buffer, err)
	}
	_ = in.Close()
	if rest, err := io.ReadAll(res.Body); err != nil || len(rest) != 0 || res.Trailer.Get("Grpc-Status") != "0" {
		t.Errorf("ended with %q, %v, trailers %v", rest, err, res.Trailer)
	}
	if want := "/patients.v1.Patients/Watch " + s.address() + " trailers"; res.Header.Get("Told") != want {
		t.Errorf("the application was told %q, want %q", res.Header.Get("Told"), want)
	}
}

func TestAPortOfGRPCServesNothingElse(t *testing.T) {
	s := newScene(t, config.GRPC, grpcApplication(t), config.Limits{})
	for _, c := range []*tls.Conn{s.dial(portal, "http/1.1"), s.dial(portal)} {
		if _, err := c.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
			t.Errorf("a caller that agreed on no protocol hears %v", err)
		}
	}
	eventually(t, "the count", func() bool { return s.refusals(reasonProtocol) == 2 })
	if res, err := s.client(stranger, true).Get("https://" + s.address() + "/a.B/C"); err != nil || res.StatusCode != http.StatusForbidden {
		t.Errorf("a stranger: %v, %v", res, err)
	} else {
		_ = res.Body.Close()
	}
}
