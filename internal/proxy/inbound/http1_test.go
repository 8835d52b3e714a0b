package inbound

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hipaa-operator/hipaa-operator/internal/proxy/config"
)

func echo(w http.ResponseWriter, r *http.Request) {
	if strings.HasPrefix(r.RemoteAddr, "127.0.0.1:") {
		w.WriteHeader(http.StatusTeapot)
	}
	text, err := io.ReadAll(r.Body)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	w.Header().Set("Told", fmt.Sprintf("%s %s %s %d%s%s", r.Method, r.RequestURI, r.Host, len(text), r.Header.Get("X-Forwarded-For"), r.Header.Get("X-Remote-User")))
	if sum := r.Trailer.Get("Sum"); sum != "" {
		w.Header().Set(http.TrailerPrefix+"Sum", sum)
	}
	_, _ = w.Write(text)
}

func TestAPeerReachesTheApplication(t *testing.T) {
	s := newScene(t, config.HTTP, web(t, echo), config.Limits{})
	for _, version2 := range []bool{false, true} {
		client := s.client(portal, version2)
		for name, size := range map[string]int{"nothing": 0, "a little": 10, "a buffer": 16 << 10, "much": 3 << 20} {
			for _, known := range []bool{true, false} {
				t.Run(fmt.Sprint(name, ", length known: ", known, ", HTTP/2: ", version2), func(t *testing.T) {
					text := bytes.Repeat([]byte("x"), size)
					var body io.Reader = bytes.NewReader(text)
					if !known {
						body = io.MultiReader(body)
					}
					req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "https://"+s.address()+"/a?b=c", body)
					if err != nil {
						t.Fatal(err)
					}
					req.Host = "patient-api"
					req.Header.Set("X-Forwarded-For", "1.2.3.4")
					req.Header.Set("X-Remote-User", "admin")
					res, err := client.Do(req)
					if err != nil {
						t.Fatalf("calling: %v", err)
					}
					defer res.Body.Close()
					got, err := io.ReadAll(res.Body)
					if want := fmt.Sprint("POST /a?b=c patient-api ", size); err != nil || res.StatusCode != http.StatusOK || res.Header.Get("Told") != want || !bytes.Equal(got, text) {
						t.Errorf("answered %d, %q, %d bytes, %v; want %q", res.StatusCode, res.Header.Get("Told"), len(got), err, want)
					}
				})
			}
		}
	}
}

func TestAStrangerIsToldWhy(t *testing.T) {
	var reached atomic.Bool
	s := newScene(t, config.HTTP, web(t, func(http.ResponseWriter, *http.Request) { reached.Store(true) }), config.Limits{})
	for _, version2 := range []bool{false, true} {
		res, err := s.client(stranger, version2).Post("https://"+s.address()+"/", "text/plain", strings.NewReader(strings.Repeat("x", 100_000)))
		if err != nil {
			t.Fatalf("calling: %v", err)
		}
		text, err := io.ReadAll(res.Body)
		_ = res.Body.Close()
		want := `{"error":"this peer may not call this workload; declare it in spec.access.from of the PHIWorkload","control":"some-control","citation":"45 CFR 164.312(e)(1)"}` + "\n"
		if err != nil || res.StatusCode != http.StatusForbidden || string(text) != want || res.Header.Get("Content-Type") != "application/json" {
			t.Errorf("answered %d, %s, %v", res.StatusCode, text, err)
		}
	}
	if reached.Load() || s.refusals(reasonNotAllowed) != 2 {
		t.Errorf("reached the application: %t; refusals: %v", reached.Load(), s.refusals(reasonNotAllowed))
	}
}

func TestPipelinedRequestsAreAnsweredInOrder(t *testing.T) {
	s := newScene(t, config.HTTP, web(t, echo), config.Limits{})
	c := s.dial(portal)
	if _, err := io.WriteString(c, "POST /1 HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc"+
		"POST /2 HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTrailer: Sum\r\n\r\n2\r\nde\r\n0\r\nSum: 7\r\n\r\n"+
		"HEAD /3 HTTP/1.1\r\nHost: a\r\n\r\nGET /4 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	from := bufio.NewReader(c)
	for i, want := range []string{"POST /1 a 3", "POST /2 a 2", "HEAD /3 a 0", "GET /4 a 0"} {
		method, _, _ := strings.Cut(want, " ")
		res, text := answer(t, from, method)
		if res.Header.Get("Told") != want || i == 0 && text != "abc" || i == 1 && (text != "de" || res.Trailer.Get("Sum") != "7") {
			t.Errorf("answer %d is %q %q with %v, want %q", i, res.Header.Get("Told"), text, res.Trailer, want)
		}
		if closing := i == 3; res.Close != closing {
			t.Errorf("answer %d closes: %t", i, res.Close)
		}
	}
	ends(t, c)
}

func TestWhatIsRefusedEndsTheConnection(t *testing.T) {
	var heard atomic.Int32
	s := newScene(t, config.HTTP, web(t, func(http.ResponseWriter, *http.Request) { heard.Add(1) }), config.Limits{})
	for name, tc := range map[string]struct {
		give   string
		status int
		reason string
	}{
		"two framings":      {"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /x HTTP/1.1\r\nHost: a\r\n\r\n", 400, "framing"},
		"a bare line feed":  {"GET / HTTP/1.1\nHost: a\n\n", 400, "line"},
		"a head too long":   {"GET / HTTP/1.1\r\nHost: a\r\nX: " + strings.Repeat("x", 20_000) + "\r\n\r\n", 431, "too-long"},
		"a tunnel":          {"CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n", 501, "method"},
		"an absolute":       {"GET http://b/ HTTP/1.1\r\nHost: a\r\n\r\n", 400, "target"},
		"an unknown coding": {"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", 501, "coding"},
	} {
		t.Run(name, func(t *testing.T) {
			before := s.refusals(tc.reason)
			c := s.dial(portal)
			res, text := say(t, c, tc.give)
			if res.StatusCode != tc.status || !res.Close || !strings.HasPrefix(text, `{"error":"`) || strings.Contains(text, "control") {
				t.Errorf("answered %d, closing: %t, %q", res.StatusCode, res.Close, text)
			}
			ends(t, c)
			if s.refusals(tc.reason) != before+1 {
				t.Errorf("it is not counted as %s", tc.reason)
			}
		})
	}
	if heard.Load() != 0 {
		t.Errorf("the application heard of %d", heard.Load())
	}
}

// A chunk that is malformed comes to light when the application has the head already.
func TestABodyThatIsMalformedEndsBothConnections(t *testing.T) {
	torn := make(chan error, 1)
	s := newScene(t, config.HTTP, web(t, func(_ http.ResponseWriter, r *http.Request) {
		_, err := io.Copy(io.Discard, r.Body)
		torn <- err
	}), config.Limits{})
	c := s.dial(portal)
	if _, err := io.WriteString(c, "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5;\nhello\r\n0\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	if res, _ := answer(t, bufio.NewReader(c), http.MethodPost); res.StatusCode != http.StatusBadRequest || s.refusals("chunk") != 1 {
		t.Errorf("answered %d", res.StatusCode)
	}
	ends(t, c)
	if err := <-torn; err == nil {
		t.Error("the application took a malformed body for a whole one")
	}
}

func TestTheCallerMayWaitForContinue(t *testing.T) {
	s := newScene(t, config.HTTP, web(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/no" {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		echo(w, r)
	}), config.Limits{})
	c := s.dial(portal)
	from := bufio.NewReader(c)
	if _, err := io.WriteString(c, "PUT /yes HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	if line, err := from.ReadString('\n'); err != nil || line != "HTTP/1.1 100 Continue\r\n" {
		t.Fatalf("told %q, %v", line, err)
	}
	if line, err := from.ReadString('\n'); err != nil || line != "\r\n" {
		t.Fatalf("told %q, %v", line, err)
	}
	if _, err := io.WriteString(c, "hello"); err != nil {
		t.Fatal(err)
	}
	if res, text := answer(t, from, http.MethodPut); res.StatusCode != http.StatusOK || text != "hello" {
		t.Errorf("answered %d %q", res.StatusCode, text)
	}
	// Who is told no does not send the body, so where the next request begins is unknown.
	if _, err := io.WriteString(c, "PUT /no HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	if res, _ := answer(t, from, http.MethodPut); res.StatusCode != http.StatusUnauthorized {
		t.Errorf("answered %d", res.StatusCode)
	}
	ends(t, c)
}

func TestAWebSocketPassesBothWays(t *testing.T) {
	s := newScene(t, config.HTTP, raw(t, func(c net.Conn) {
		from := bufio.NewReader(c)
		req, err := http.ReadRequest(from)
		if err != nil || req.Header.Get("Upgrade") != "websocket" || req.Header.Get("Connection") != "Upgrade" {
			return
		}
		_, _ = io.WriteString(c, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\nhello ")
		text, _ := io.ReadAll(from)
		_, _ = c.Write(bytes.ToUpper(text))
	}), config.Limits{IdleTimeout: config.Duration(time.Millisecond)})
	c := s.dial(portal)
	if _, err := io.WriteString(c, "GET /ws HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\nearly "); err != nil {
		t.Fatal(err)
	}
	from := bufio.NewReader(c)
	res, err := http.ReadResponse(from, &http.Request{Method: http.MethodGet}) //nolint:bodyclose // what follows is the socket
	if err != nil || res.StatusCode != http.StatusSwitchingProtocols || res.Header.Get("Upgrade") != "websocket" {
		t.Fatalf("answered %v, %v", res, err)
	}
	if _, err := io.WriteString(c, "and late"); err != nil {
		t.Fatal(err)
	}
	// The caller's half ends; the application's answer still comes.
	if err := c.CloseWrite(); err != nil {
		t.Fatal(err)
	}
	if text, err := io.ReadAll(from); err != nil || string(text) != "hello EARLY AND LATE" {
		t.Errorf("heard %q, %v", text, err)
	}
}

func TestAnswersOfEveryKindKeepTheirEnds(t *testing.T) {
	for name, tc := range map[string]struct {
		give   string
		status int
		text   string
		closes bool
	}{
		"by length":               {"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc", 200, "abc", false},
		"by chunks":               {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3;x\r\nabc\r\n0\r\n\r\n", 200, "abc", false},
		"by the connection's end": {"HTTP/1.1 200 OK\r\n\r\nabc", 200, "abc", false},
		"without a body":          {"HTTP/1.1 204 No Content\r\n\r\n", 204, "", false},
		"not modified":            {"HTTP/1.1 304 Not Modified\r\nContent-Length: 3\r\n\r\n", 304, "", false},
		"after a hint":            {"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc", 200, "abc", false},
		"of HTTP/1.0":             {"HTTP/1.0 200 OK\r\nContent-Length: 3\r\n\r\nabc", 200, "abc", false},
		"more than it says":       {"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabcHTTP/1.1 200 OK\r\n", 200, "abc", false},
		"two framings":            {"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\nabc", 502, "", true},
		"no answer":               {"", 502, "", true},
		"half a head":             {"HTTP/1.1 200 OK\r\n", 502, "", true},
		"no HTTP":                 {"-ERR unknown command\r\n\r\n", 502, "", true},
		"a switch nobody wanted":  {"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n", 502, "", true},
		"hints without end":       {strings.Repeat("HTTP/1.1 103 Early Hints\r\n\r\n", 30), 502, "", true},
	} {
		t.Run(name, func(t *testing.T) {
			s := newScene(t, config.HTTP, raw(t, func(c net.Conn) {
				if _, err := http.ReadRequest(bufio.NewReader(c)); err == nil {
					_, _ = io.WriteString(c, tc.give)
				}
			}), config.Limits{})
			c := s.dial(portal)
			for range 2 {
				if _, err := io.WriteString(c, "GET / HTTP/1.1\r\nHost: a\r\n\r\n"); err != nil {
					t.Fatal(err)
				}
				from := bufio.NewReader(c)
				res, text := answer(t, from, http.MethodGet)
				for res.StatusCode == http.StatusEarlyHints {
					res, text = answer(t, from, http.MethodGet)
				}
				if res.StatusCode != tc.status || tc.status < 300 && text != tc.text || res.Close != tc.closes {
					t.Errorf("answered %d %q, closing: %t", res.StatusCode, text, res.Close)
				}
				if tc.closes {
					break
				}
			}
		})
	}
}

// Half an answer must not look like a whole one.
func TestATornAnswerIsTorn(t *testing.T) {
	for name, tc := range map[string]struct{ ask, give string }{
		"by length":               {"GET / HTTP/1.1\r\nHost: a\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 30\r\n\r\nabc"},
		"by chunks":               {"GET / HTTP/1.1\r\nHost: a\r\n\r\n", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n"},
		"by chunks, to HTTP/1.0":  {"GET / HTTP/1.0\r\nHost: a\r\n\r\n", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n"},
		"by chunks, then garbage": {"GET / HTTP/1.1\r\nHost: a\r\n\r\n", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabcX"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newScene(t, config.HTTP, raw(t, func(c net.Conn) {
				if _, err := http.ReadRequest(bufio.NewReader(c)); err == nil {
					_, _ = io.WriteString(c, tc.give)
				}
			}), config.Limits{})
			c := s.dial(portal)
			if _, err := io.WriteString(c, tc.ask); err != nil {
				t.Fatal(err)
			}
			res, err := http.ReadResponse(bufio.NewReader(c), &http.Request{Method: http.MethodGet})
			if err != nil {
				return // it is torn already
			}
			defer res.Body.Close()
			if text, err := io.ReadAll(res.Body); err == nil {
				t.Errorf("a torn answer ends well: %q", text)
			}
		})
	}
}

// Applications close connections that wait. Requests that may be sent twice are.
func TestAConnectionThatTheApplicationClosedIsReplaced(t *testing.T) {
	var conns atomic.Int32
	s := newScene(t, config.HTTP, raw(t, func(c net.Conn) {
		conns.Add(1)
		from := bufio.NewReader(c)
		if _, err := http.ReadRequest(from); err != nil {
			return
		}
		_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
		// It looks open until the next request comes.
		_, _ = from.Peek(1)
	}), config.Limits{})
	c := s.dial(portal)
	for range 3 {
		if res, text := say(t, c, "GET / HTTP/1.1\r\nHost: a\r\n\r\n"); res.StatusCode != http.StatusOK || text != "ok" {
			t.Errorf("answered %d %q", res.StatusCode, text)
		}
	}
	if conns.Load() != 3 {
		t.Errorf("%d connections", conns.Load())
	}
	// What may not be sent twice is answered with an error.
	if res, _ := say(t, c, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx"); res.StatusCode != http.StatusBadGateway {
		t.Errorf("answered %d", res.StatusCode)
	}
}

// Where an application ends, its callers' connections end as they would without a proxy,
// so that they ask elsewhere; who comes anew hears why.
func TestAnApplicationThatEndsEndsItsConnections(t *testing.T) {
	application := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "ok") }))
	application.Start()
	defer application.Close()
	s := newScene(t, config.HTTP, application.Listener, config.Limits{})
	used := s.dial(portal)
	if res, text := say(t, used, "GET / HTTP/1.1\r\nHost: a\r\n\r\n"); res.StatusCode != http.StatusOK || text != "ok" {
		t.Fatalf("answered %d %q", res.StatusCode, text)
	}
	application.Close()
	if _, err := io.WriteString(used, "GET / HTTP/1.1\r\nHost: a\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	if answer, err := io.ReadAll(used); err != nil || len(answer) > 0 {
		t.Errorf("a connection that was in use hears %q, and ends with %v; want a farewell alone", answer, err)
	}
	if res, _ := say(t, s.dial(portal), "GET / HTTP/1.1\r\nHost: a\r\n\r\n"); res.StatusCode != http.StatusBadGateway {
		t.Errorf("a new connection hears %d", res.StatusCode)
	}
}

// Bytes that nobody asked for would be the next caller's answer.
func TestAnAnswerThatNobodyAskedForReachesNobody(t *testing.T) {
	sent := make(chan struct{}, 8)
	s := newScene(t, config.HTTP, raw(t, func(c net.Conn) {
		from := bufio.NewReader(c)
		for {
			if _, err := http.ReadRequest(from); err != nil {
				return
			}
			_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nmine")
			_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nothers")
			sent <- struct{}{}
		}
	}), config.Limits{})
	for range 5 {
		if _, text := say(t, s.dial(portal), "GET / HTTP/1.1\r\nHost: a\r\n\r\n"); text != "mine" {
			t.Errorf("a caller heard %q", text)
		}
		<-sent
	}
}

func TestHTTP10GetsNoChunks(t *testing.T) {
	s := newScene(t, config.HTTP, raw(t, func(c net.Conn) {
		if _, err := http.ReadRequest(bufio.NewReader(c)); err == nil {
			_, _ = io.WriteString(c, "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n")
		}
	}), config.Limits{})
	c := s.dial(portal)
	if _, err := io.WriteString(c, "GET / HTTP/1.0\r\nHost: a\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	if text, err := io.ReadAll(c); err != nil || string(text) != "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nabc" {
		t.Errorf("heard %q, %v", text, err)
	}
}

func TestAnAnswerComesAsItIsMade(t *testing.T) {
	for _, version2 := range []bool{false, true} {
		next := make(chan string)
		s := newScene(t, config.HTTP, web(t, func(w http.ResponseWriter, _ *http.Request) {
			for text := range next {
				_, _ = io.WriteString(w, text)
				_ = http.NewResponseController(w).Flush()
			}
		}), config.Limits{})
		client := s.client(portal, version2)
		piece := make(chan string)
		go func() {
			defer close(piece)
			res, err := client.Get("https://" + s.address() + "/events")
			if err != nil {
				return
			}
			defer res.Body.Close()
			for buffer := make([]byte, 10); ; {
				n, err := res.Body.Read(buffer)
				if n > 0 {
					piece <- string(buffer[:n])
				}
				if err != nil {
					return
				}
			}
		}()
		for _, want := range []string{"one", "two", "three"} {
			next <- want
			if got := <-piece; got != want {
				t.Errorf("heard %q, want %q", got, want)
			}
		}
		close(next)
		if more, ok := <-piece; ok {
			t.Errorf("heard %q", more)
		}
	}
}

func TestASlowCallerIsCutAndOthersAreUnharmed(t *testing.T) {
	s := newScene(t, config.HTTP, web(t, echo), config.Limits{HeadTimeout: config.Duration(300 * time.Millisecond)})
	slow := make([]*tls.Conn, 50)
	for i := range slow {
		slow[i] = s.dial(portal)
		if _, err := io.WriteString(slow[i], "GET / HTTP/1.1\r\nHost: a\r\nX: "); err != nil {
			t.Fatal(err)
		}
	}
	client := s.client(portal, false)
	for range 50 {
		begin := time.Now()
		res, err := client.Get("https://" + s.address() + "/")
		if err != nil {
			t.Fatalf("another caller: %v", err)
		}
		_ = res.Body.Close()
		if took := time.Since(begin); took > 3*time.Second {
			t.Errorf("another caller waits %s", took)
		}
	}
	for _, c := range slow {
		if res, _ := answer(t, bufio.NewReader(c), http.MethodGet); res.StatusCode != http.StatusRequestTimeout || !res.Close {
			t.Errorf("answered %d", res.StatusCode)
		}
	}
	if got := s.refusals(reasonSlow); got != 50 {
		t.Errorf("%v are counted as slow", got)
	}
}

func TestAnApplicationThatIsLateOrGoneIsTold(t *testing.T) {
	l := raw(t, func(c net.Conn) { _, _ = io.Copy(io.Discard, c) })
	s := newScene(t, config.HTTP, l, config.Limits{AnswerTimeout: config.Duration(100 * time.Millisecond)})
	if res, text := say(t, s.dial(portal), "GET / HTTP/1.1\r\nHost: a\r\n\r\n"); res.StatusCode != http.StatusGatewayTimeout || !strings.Contains(text, "takes too long") {
		t.Errorf("answered %d %s", res.StatusCode, text)
	}
	_ = l.Close()
	if res, _ := say(t, s.dial(portal), "GET / HTTP/1.1\r\nHost: a\r\n\r\n"); res.StatusCode != http.StatusBadGateway {
		t.Errorf("answered %d", res.StatusCode)
	}
}

// The application may answer and close before it has the whole request.
func TestAnEarlyAnswerArrives(t *testing.T) {
	s := newScene(t, config.HTTP, raw(t, func(c net.Conn) {
		if _, err := http.ReadRequest(bufio.NewReader(c)); err == nil {
			_, _ = io.WriteString(c, "HTTP/1.1 413 Content Too Large\r\nContent-Length: 3\r\nConnection: close\r\n\r\nbig")
		}
	}), config.Limits{})
	c := s.dial(portal)
	if res, text := say(t, c, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\nbegin"); res.StatusCode != http.StatusRequestEntityTooLarge || text != "big" {
		t.Errorf("answered %d %q", res.StatusCode, text)
	}
	ends(t, c)
}

func TestManyCallersAtOnce(t *testing.T) {
	s := newScene(t, config.HTTP, web(t, echo), config.Limits{})
	var all sync.WaitGroup
	for worker := range 16 {
		all.Go(func() {
			client := s.client(portal, worker%2 == 0)
			for n := range 50 {
				text := strings.Repeat(string(rune('a'+worker)), n*997%40_000)
				res, err := client.Post("https://"+s.address()+"/", "text/plain", strings.NewReader(text))
				if err != nil {
					t.Errorf("calling: %v", err)
					return
				}
				got, err := io.ReadAll(res.Body)
				_ = res.Body.Close()
				if err != nil || string(got) != text {
					t.Errorf("a caller heard %d bytes of somebody's, want %d: %v", len(got), len(text), err)
				}
			}
		})
	}
	all.Wait()
}

func TestABodyMustGoOn(t *testing.T) {
	now := time.Now()
	client, server := net.Pipe()
	defer client.Close()
	c := &caller{Conn: tls.Server(server, &tls.Config{MinVersion: tls.VersionTLS13}), now: func() time.Time { return now }, limits: &config.Limits{BodyRate: 100}}
	c.startBody()
	c.got, c.waited = 1000, grace+11*time.Second
	if _, err := c.Read(make([]byte, 1)); !errors.Is(err, errSlow) {
		t.Errorf("a body of 1000 bytes in 41 seconds goes on: %v", err)
	}
	c.stop()
	if _, err := c.Read(make([]byte, 1)); err == nil || errors.Is(err, io.EOF) {
		t.Errorf("a caller that was stopped is read: %v", err)
	}
}

// In the steady state a request costs no memory of ours, from one socket to the other.
// crypto/tls makes one small object for a record that it reads, here on both ends.
func TestARequestAllocatesNothing(t *testing.T) {
	if raced {
		t.Skip("under the race detector pools lose what they hold")
	}
	s := newScene(t, config.HTTP, raw(t, func(c net.Conn) {
		buffer, out := make([]byte, 4<<10), []byte("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc")
		for {
			if _, err := c.Read(buffer); err != nil {
				return
			}
			if _, err := c.Write(out); err != nil {
				return
			}
		}
	}), config.Limits{})
	c := s.dial(portal)
	ask, buffer := []byte("POST /a HTTP/1.1\r\nHost: a\r\nAccept: */*\r\nContent-Length: 3\r\n\r\nabc"), make([]byte, 4<<10)
	once := func() {
		if _, err := c.Write(ask); err != nil {
			t.Fatal(err)
		}
		if _, err := c.Read(buffer); err != nil {
			t.Fatal(err)
		}
	}
	once()
	// A collection empties the pools, so a rare one may be made anew.
	if n := testing.AllocsPerRun(2000, once); n > 2 {
		t.Errorf("a request allocates %v times", n-2)
	}
}
