package http1

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/iotest"
)

func TestARequestIsWrittenAnew(t *testing.T) {
	for name, tc := range map[string]struct{ give, want string }{
		"as it was": {
			"GET /a?b HTTP/1.1\r\nHost: a\r\nAccept:  */* \r\nX: \xc3\xa4\r\n\r\n",
			"GET /a?b HTTP/1.1\r\nHost: a\r\nAccept: */*\r\nX: \xc3\xa4\r\n\r\n",
		},
		"without what is of one connection": {
			"GET / HTTP/1.1\r\nHost: a\r\nConnection: keep-alive, X-One\r\nKeep-Alive: 5\r\nTE: trailers\r\nProxy-Connection: x\r\nProxy-Authorization: x\r\nX-One: 1\r\nX-Two: 2\r\n\r\n",
			"GET / HTTP/1.1\r\nHost: a\r\nX-Two: 2\r\n\r\n",
		},
		"without claims": {
			"GET / HTTP/1.1\r\nHost: a\r\nForwarded: for=x\r\nX-Forwarded-For: x\r\nX-Forwarded-Client-Cert: x\r\nx_forwarded_proto: x\r\nX-Auth-Request-User: x\r\nX-Real-IP: x\r\nSSL-Client-Verify: x\r\nClient-Cert: x\r\nX-Phi-Peer: x\r\nX-Forwarded: x\r\nX-Forward: kept\r\n\r\n",
			"GET / HTTP/1.1\r\nHost: a\r\nX-Forward: kept\r\n\r\n",
		},
		"without a claim of a long name": {
			"GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-" + strings.Repeat("a", 40) + ": x\r\n\r\n",
			"GET / HTTP/1.1\r\nHost: a\r\n\r\n",
		},
		"with one length": {
			"POST / HTTP/1.1\r\nHost: a\r\ncontent-length: 007\r\n\r\n",
			"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 7\r\n\r\n",
		},
		"with an empty length": {
			"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n",
			"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n",
		},
		"with chunks and their expectation": {
			"PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: Chunked\r\nExpect: 100-Continue\r\n\r\n",
			"PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nExpect: 100-continue\r\n\r\n",
		},
		"without an expectation where no body is": {
			"GET / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n\r\n",
			"GET / HTTP/1.1\r\nHost: a\r\n\r\n",
		},
		"as the last one where a body is rare": {
			"DELETE / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\n",
			"DELETE / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nConnection: close\r\n\r\n",
		},
		"with WebSocket": {
			"GET / HTTP/1.1\r\nHost: a\r\nConnection: keep-alive, Upgrade\r\nUpgrade: WebSocket\r\nSec-WebSocket-Key: x\r\n\r\n",
			"GET / HTTP/1.1\r\nHost: a\r\nSec-WebSocket-Key: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
		},
		"from HTTP/1.0": {
			"GET / HTTP/1.0\r\nHost: a\r\n\r\n",
			"GET / HTTP/1.1\r\nHost: a\r\n\r\n",
		},
		"of a server as a whole": {
			"OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n",
			"OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n",
		},
	} {
		t.Run(name, func(t *testing.T) {
			var r Request
			if err := r.Parse([]byte(tc.give)); err != nil {
				t.Fatalf("Parse: %v", err)
			}
			if got := string(r.Append(nil)); got != tc.want {
				t.Errorf("Append() =\n%q, want\n%q", got, tc.want)
			}
		})
	}
}

func TestARequestThatIsTooLargeIsRefused(t *testing.T) {
	many := "GET / HTTP/1.1\r\nHost: a\r\n" + strings.Repeat("A: b\r\n", maxFields) + "\r\n"
	if err := new(Request).Parse([]byte(many)); !errors.Is(err, errTooMany) {
		t.Errorf("many fields: %v", err)
	}
	nominal := "GET / HTTP/1.1\r\nHost: a\r\nConnection: " + strings.Repeat("x,", maxNominal+1) + "\r\n\r\n"
	if err := new(Request).Parse([]byte(nominal)); !errors.Is(err, errHop) {
		t.Errorf("many options: %v", err)
	}
	if err := new(Request).Parse([]byte(strings.Repeat("A", maxMethod+1) + " / HTTP/1.1\r\nHost: a\r\n\r\n")); !errors.Is(err, errStartLine) {
		t.Errorf("a long method: %v", err)
	}
	var r Reader
	r.Reset(strings.NewReader("GET /"+strings.Repeat("a", 5000)), make([]byte, 4096))
	if _, err := r.Head(); !errors.Is(err, errTooLong) {
		t.Errorf("a long head: %v", err)
	}
	r.Reset(strings.NewReader("GET / HTTP"), make([]byte, 4096))
	if _, err := r.Head(); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("half a head: %v", err)
	}
}

func TestAHostIsANameOrAnAddress(t *testing.T) {
	for host, want := range map[string]bool{
		"a": true, "a.example.org:8080": true, "10.0.0.1": true, "[::1]": true, "[::1]:443": true, "a_b": true,
		"": false, ":80": false, "a:": false, "a:b": false, "a:1:2": false, "a:123456": false, "[": false, "[]": false,
		"[::1": false, "[::1]x": false, "[g::]": false, "a b": false, "a/b": false, "a@b": false, "a,b": false, "a%20": false, "::1": false,
	} {
		if got := validHost([]byte(host)); got != want {
			t.Errorf("validHost(%q) = %t", host, got)
		}
	}
}

func TestAnAnswerIsWrittenAnew(t *testing.T) {
	for name, tc := range map[string]struct {
		method, give, want string
		closing, old       bool
	}{
		"as it was":                 {"GET", "HTTP/1.1 200 OK\r\nA: b\r\nContent-Length: 3\r\n\r\n", "HTTP/1.1 200 OK\r\nA: b\r\nContent-Length: 3\r\n\r\n", false, false},
		"without a phrase":          {"GET", "HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n", "HTTP/1.1 200 \r\nContent-Length: 0\r\n\r\n", false, false},
		"closing":                   {"GET", "HTTP/1.1 404 Not Found\r\nContent-Length: 3\r\n\r\n", "HTTP/1.1 404 Not Found\r\nContent-Length: 3\r\nConnection: close\r\n\r\n", true, false},
		"in chunks":                 {"GET", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nConnection: x-a\r\nX-A: 1\r\n\r\n", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", false, false},
		"in chunks that it had not": {"GET", "HTTP/1.0 200 OK\r\nServer: x\r\n\r\n", "HTTP/1.1 200 OK\r\nServer: x\r\nTransfer-Encoding: chunked\r\n\r\n", false, false},
		"to HTTP/1.0":               {"GET", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n", true, true},
		"to HEAD":                   {"HEAD", "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n", false, false},
		"to HEAD, with chunks":      {"HEAD", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", "HTTP/1.1 200 OK\r\n\r\n", false, false},
		"not modified":              {"GET", "HTTP/1.1 304 Not Modified\r\nContent-Length: 1000\r\n\r\n", "HTTP/1.1 304 Not Modified\r\nContent-Length: 1000\r\n\r\n", false, false},
		"no content":                {"GET", "HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n", "HTTP/1.1 204 No Content\r\n\r\n", false, false},
		"go on":                     {"PUT", "HTTP/1.1 100 Continue\r\n\r\n", "HTTP/1.1 100 Continue\r\n\r\n", true, false},
		"a hint":                    {"GET", "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n", "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n", false, false},
		"with what callers may not": {"GET", "HTTP/1.1 200 OK\r\nX-Auth-Request-User: x\r\nContent-Length: 0\r\n\r\n", "HTTP/1.1 200 OK\r\nX-Auth-Request-User: x\r\nContent-Length: 0\r\n\r\n", false, false},
		"a WebSocket":               {"WS", "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n", "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n", false, false},
	} {
		t.Run(name, func(t *testing.T) {
			var r Response
			if err := r.Parse([]byte(tc.give), requestOf(t, tc.method)); err != nil {
				t.Fatalf("Parse: %v", err)
			}
			if got := string(r.Append(nil, tc.closing, tc.old)); got != tc.want {
				t.Errorf("Append() =\n%q, want\n%q", got, tc.want)
			}
		})
	}
}

func requestOf(t testing.TB, method string) *Request {
	t.Helper()
	head := method + " / HTTP/1.1\r\nHost: a\r\n\r\n"
	if method == "WS" {
		head = "GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
	}
	r := new(Request)
	if err := r.Parse([]byte(head)); err != nil {
		t.Fatalf("Parse: %v", err)
	}
	return r
}

func TestAnAnswerWithTwoReadingsIsRefused(t *testing.T) {
	for name, give := range map[string]string{
		"two framings":            "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n",
		"two lengths":             "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 3\r\n\r\n",
		"chunks in HTTP/1.0":      "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
		"another coding":          "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
		"a body without content":  "HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n",
		"chunks without content":  "HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n",
		"a body before an answer": "HTTP/1.1 100 Continue\r\nContent-Length: 5\r\n\r\n",
		"a switch nobody wanted":  "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
		"a fold":                  "HTTP/1.1 200 OK\r\nA: b\r\n c\r\nContent-Length: 0\r\n\r\n",
		"a bare line feed":        "HTTP/1.1 200 OK\r\nA: b\nContent-Length: 0\r\n\r\n",
		"a bare line feed first":  "HTTP/1.1 200 OK\nContent-Length: 0\r\n\r\n",
		"a control byte":          "HTTP/1.1 200 O\x00K\r\n\r\n",
		"a status of two digits":  "HTTP/1.1 20 OK\r\n\r\n",
		"a status of four digits": "HTTP/1.1 2000 OK\r\n\r\n",
		"a status beyond all":     "HTTP/1.1 600 X\r\n\r\n",
		"a status of letters":     "HTTP/1.1 2OO OK\r\n\r\n",
		"another version":         "HTTP/2.0 200 OK\r\n\r\n",
		"another protocol":        "SSH-2.0-OpenSSH_9.2\r\n\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			err := new(Response).Parse([]byte(give), requestOf(t, "GET"))
			if refusal := AsRefusal(err); refusal == nil || refusal.Status != 502 || !strings.HasPrefix(err.Error(), "the application's answer is refused: ") {
				t.Errorf("Parse() = %v", err)
			}
		})
	}
}

func TestABodyEndsWhereItSays(t *testing.T) {
	for name, tc := range map[string]struct {
		framing Framing
		length  int64
		give    string
		want    string
		err     error
		left    string
	}{
		"none":                     {framing: NoBody, give: "next", left: "next"},
		"by length":                {framing: Sized, length: 3, give: "abcnext", want: "abc", left: "next"},
		"by length, torn":          {framing: Sized, length: 5, give: "abc", want: "abc", err: io.ErrUnexpectedEOF},
		"by chunks":                {framing: Chunked, give: "2\r\nab\r\n1\r\nc\r\n0\r\n\r\nnext", want: "abc", left: "next"},
		"by chunks, capital":       {framing: Chunked, give: "A\r\n0123456789\r\n0\r\n\r\n", want: "0123456789"},
		"by chunks, with trailers": {framing: Chunked, give: "1\r\na\r\n0\r\nSum: 1\r\n\r\nnext", want: "a", left: "next"},
		"by chunks, torn":          {framing: Chunked, give: "5\r\nab", want: "ab", err: io.ErrUnexpectedEOF},
		"by chunks, no last one":   {framing: Chunked, give: "1\r\na\r\n", want: "a", err: io.ErrUnexpectedEOF},
		"by chunks, torn trailers": {framing: Chunked, give: "0\r\nSum: 1\r\n", err: io.ErrUnexpectedEOF},
		"by chunks, a long line":   {framing: Chunked, give: "1;" + strings.Repeat("x", maxChunkLine) + "\r\na\r\n0\r\n\r\n", err: errChunk},
		"by chunks, mostly lines":  {framing: Chunked, give: strings.Repeat("1;"+strings.Repeat("x", 500)+"\r\na\r\n", 40), want: strings.Repeat("a", 33), err: errChunk},
		"by chunks, many trailers": {framing: Chunked, give: "0\r\n" + strings.Repeat("A: b\r\n", maxFields+2) + "\r\n", err: errTrailer},
		"by the connection's end":  {framing: UntilClose, give: "abc", want: "abc"},
	} {
		t.Run(name, func(t *testing.T) {
			for how, from := range map[string]io.Reader{"at once": strings.NewReader(tc.give), "byte by byte": iotest.OneByteReader(strings.NewReader(tc.give))} {
				var r Reader
				r.Reset(from, make([]byte, 4096))
				var b Body
				b.Start(&r, &Head{Framing: tc.framing, Length: tc.length})
				var got []byte
				var err error
				for err == nil {
					var piece []byte
					piece, err = b.Next()
					got = append(got, piece...)
				}
				if tc.err == nil && !errors.Is(err, io.EOF) || tc.err != nil && !errors.Is(err, tc.err) || b.Done() != (tc.err == nil) {
					t.Errorf("%s: ended with %v, done: %t, want %v", how, err, b.Done(), tc.err)
				}
				if string(got) != tc.want {
					t.Errorf("%s: %q, want %q", how, got, tc.want)
				}
				rest, _ := io.ReadAll(io.MultiReader(bytes.NewReader(r.Rest()), from))
				if tc.err == nil && string(rest) != tc.left {
					t.Errorf("%s: left is %q, want %q", how, rest, tc.left)
				}
			}
		})
	}
}

func TestReaderTakesBackWhatWasTakenOff(t *testing.T) {
	var r Reader
	r.Reset(strings.NewReader("ET / HTTP/1.1\r\nHost: a\r\n\r\nrest"), make([]byte, 4096))
	r.Put([]byte("G"))
	head, err := r.Head()
	if err != nil || string(head) != "GET / HTTP/1.1\r\nHost: a\r\n\r\n" || string(r.Rest()) != "rest" {
		t.Errorf("Head() = %q, %v", head, err)
	}
	r.Reset(stuck{}, make([]byte, 16))
	if _, err := r.Head(); !errors.Is(err, io.ErrNoProgress) {
		t.Errorf("a connection that brings nothing: %v", err)
	}
}

type stuck struct{}

func (stuck) Read([]byte) (int, error) { return 0, nil }

// In the steady state a request and its answer cost no memory.
func TestNothingIsAllocatedForAMessage(t *testing.T) {
	request := []byte("POST /fhir/Patient?_id=1 HTTP/1.1\r\nHost: a\r\nAccept: */*\r\nConnection: keep-alive\r\nContent-Length: 3\r\n\r\nabc")
	answer := []byte("HTTP/1.1 200 OK\r\nDate: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n")
	var (
		in, up   Reader
		from     bytes.Reader
		req      Request
		res      Response
		body     Body
		buffer   = make([]byte, 8<<10)
		upstream = make([]byte, 8<<10)
		out      = make([]byte, 0, 8<<10)
	)
	exchange := func() {
		from.Reset(request)
		in.Reset(&from, buffer)
		head, err := in.Head()
		if err == nil {
			err = req.Parse(head)
		}
		if err != nil {
			t.Fatal(err)
		}
		out = req.Append(out[:0])
		body.Start(&in, &req.Head)
		for err == nil {
			_, err = body.Next()
		}
		from.Reset(answer)
		up.Reset(&from, upstream)
		if head, err = up.Head(); err == nil {
			err = res.Parse(head, &req)
		}
		if err != nil {
			t.Fatal(err)
		}
		out = res.Append(out[:0], false, false)
		body.Start(&up, &res.Head)
		for err == nil {
			_, err = body.Next()
		}
	}
	exchange()
	if n := testing.AllocsPerRun(100, exchange); n != 0 {
		t.Errorf("a message allocates %v times", n)
	}
}

// Whatever passes is read by net/http as it was read here.
func FuzzResponses(f *testing.F) {
	f.Add([]byte("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc"), false)
	f.Add([]byte("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3;x\r\nabc\r\n0\r\nA: b\r\n\r\n"), false)
	f.Add([]byte("HTTP/1.0 200\r\n\r\nabc"), false)
	f.Add([]byte("HTTP/1.1 304 Not Modified\r\nContent-Length: 3\r\n\r\n"), true)
	f.Fuzz(func(t *testing.T, data []byte, isHead bool) {
		method := map[bool]string{true: "HEAD", false: "GET"}[isHead]
		var r Reader
		r.Reset(bytes.NewReader(data), make([]byte, 8<<10))
		var res Response
		head, err := r.Head()
		if err != nil || res.Parse(head, requestOf(t, method)) != nil || res.Status < 200 {
			return
		}
		out := res.Append(nil, res.Close, false)
		var b Body
		var ours []byte
		b.Start(&r, &res.Head)
		for {
			piece, err := b.Next()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				return
			}
			ours = append(ours, piece...)
			if res.Framing == Sized {
				out = append(out, piece...)
			} else {
				out = AppendChunk(out, piece)
			}
		}
		if res.Framing == Chunked || res.Framing == UntilClose {
			out = AppendLastChunk(out, b.Trailers)
		}
		theirs, err := http.ReadResponse(bufio.NewReader(bytes.NewReader(out)), &http.Request{Method: method})
		if err != nil {
			t.Fatalf("net/http refuses what is passed on: %v\n%q", err, out)
		}
		defer theirs.Body.Close()
		text, err := io.ReadAll(theirs.Body)
		if err != nil || !bytes.Equal(text, ours) || theirs.StatusCode != res.Status {
			t.Errorf("understood %d %q, the caller %d %q, %v\n%q", res.Status, ours, theirs.StatusCode, text, err, out)
		}
	})
}

func BenchmarkRequest(b *testing.B) {
	head := []byte("GET /fhir/Patient?_id=1 HTTP/1.1\r\nHost: patient-api.ehr.svc\r\nUser-Agent: bench\r\nAccept: */*\r\nAccept-Encoding: gzip\r\nAuthorization: " + fmt.Sprintf("%0400d", 1) + "\r\n\r\n")
	var r Request
	out := make([]byte, 0, 8<<10)
	b.ReportAllocs()
	for b.Loop() {
		if err := r.Parse(head); err != nil {
			b.Fatal(err)
		}
		out = r.Append(out[:0])
	}
}
