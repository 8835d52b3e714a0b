package http1

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"
	"testing"
	"testing/iotest"
)

// told is one request as it was understood.
type told struct{ Method, Target, Host, Body string }

// pass reads requests as the proxy does and writes what an application would get.
func pass(from io.Reader) (upstream []byte, understood []told, err error) {
	var r Reader
	r.Reset(from, make([]byte, 8<<10))
	var req Request
	for {
		head, err := r.Head()
		if errors.Is(err, io.EOF) {
			return upstream, understood, nil
		}
		if err != nil {
			return upstream, understood, err
		}
		if err := req.Parse(head); err != nil {
			return upstream, understood, err
		}
		out := req.Append(nil)
		one := told{Method: string(req.Method), Target: string(req.Target), Host: string(req.hostName)}
		var body Body
		body.Start(&r, &req.Head)
		chunked := req.Framing == Chunked
		for {
			piece, err := body.Next()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				return upstream, understood, err
			}
			one.Body += string(piece)
			if chunked {
				out = AppendChunk(out, piece)
			} else {
				out = append(out, piece...)
			}
		}
		if chunked {
			out = AppendLastChunk(out, body.Trailers)
		}
		upstream, understood = append(upstream, out...), append(understood, one)
	}
}

// reread reads what an application would get with another parser, that of net/http.
func reread(t *testing.T, upstream []byte) []told {
	t.Helper()
	var all []told
	from := bufio.NewReader(bytes.NewReader(upstream))
	for {
		if _, err := from.Peek(1); errors.Is(err, io.EOF) {
			return all
		}
		req, err := http.ReadRequest(from)
		if err != nil {
			t.Fatalf("net/http refuses what is passed on: %v\n%q", err, upstream)
		}
		body, err := io.ReadAll(req.Body)
		if err != nil {
			t.Fatalf("net/http refuses a body that is passed on: %v\n%q", err, upstream)
		}
		for name := range req.Header {
			if k, _ := kindOf([]byte(name)); k == claim || k == hop {
				t.Errorf("%s is passed on", name)
			}
		}
		for name := range req.Trailer {
			if k, _ := kindOf([]byte(name)); k != plain {
				t.Errorf("%s is passed on at the end", name)
			}
		}
		all = append(all, told{req.Method, req.RequestURI, req.Host, string(body)})
	}
}

func TestPublishedDesyncsHaveOneReadingOrNone(t *testing.T) {
	for name, tc := range corpus(t) {
		t.Run(name, func(t *testing.T) {
			for how, from := range map[string]io.Reader{
				"at once":      strings.NewReader(tc.raw),
				"byte by byte": iotest.OneByteReader(strings.NewReader(tc.raw)),
			} {
				upstream, understood, err := pass(from)
				if refusal := AsRefusal(err); refusal != nil {
					if strconv.Itoa(refusal.Status) != tc.want {
						t.Errorf("%s: refused with %d: %v, want %s", how, refusal.Status, err, tc.want)
					}
				} else if err != nil || strconv.Itoa(len(understood)) != tc.want {
					t.Errorf("%s: %d requests and %v, want %s", how, len(understood), err, tc.want)
				}
				compare(t, understood, reread(t, upstream))
			}
		})
	}
}

func compare(t *testing.T, ours, theirs []told) {
	t.Helper()
	if len(ours) != len(theirs) {
		t.Fatalf("understood %d requests, the application %d:\n%q\n%q", len(ours), len(theirs), ours, theirs)
	}
	for i := range ours {
		if ours[i] != theirs[i] {
			t.Errorf("understood %q, the application %q", ours[i], theirs[i])
		}
	}
}

type desync struct{ raw, want string }

func corpus(t testing.TB) map[string]desync {
	t.Helper()
	text, err := os.ReadFile("testdata/desync.txt")
	if err != nil {
		t.Fatal(err)
	}
	cases := map[string]desync{}
	for _, block := range strings.Split(string(text), "\n== ")[1:] {
		lines := strings.Split(strings.TrimSpace(block), "\n")
		name, want, ok := strings.Cut(lines[0], " | ")
		if !ok {
			t.Fatalf("%q does not say what becomes of it", lines[0])
		}
		var one desync
		one.want = want
		for _, line := range lines[1:] {
			piece, err := strconv.Unquote(line)
			if err != nil {
				t.Fatalf("%s: %s is no Go string", name, line)
			}
			one.raw += piece
		}
		if _, twice := cases[name]; twice {
			t.Fatalf("%s stands twice", name)
		}
		cases[name] = one
	}
	return cases
}

// Whatever passes is read by another parser as it was read here.
func FuzzRequests(f *testing.F) {
	for _, tc := range corpus(f) {
		f.Add([]byte(tc.raw))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		upstream, understood, _ := pass(bytes.NewReader(data))
		compare(t, understood, reread(t, upstream))
	})
}
