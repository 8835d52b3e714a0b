package inbound

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/net/http2"

	"github.com/hipaa-operator/hipaa-operator/internal/proxy/config"
	"github.com/hipaa-operator/hipaa-operator/internal/proxy/proxytest"
)

var get2 = []string{":method", "GET", ":scheme", "https", ":path", "/", ":authority", "a"}

// A stranger who opens streams and reads nothing holds one of them, and not for long.
func TestAStrangerHoldsNoStreams(t *testing.T) {
	var late atomic.Int64
	s := newScene(t, config.HTTP, web(t, echo), config.Limits{})
	s.server.Now = func() time.Time { return time.Now().Add(time.Duration(late.Load())) }
	s.config.Inbound[0].Listen = proxytest.FreePort(t)
	s.port = s.config.Inbound[0].Listen
	s.apply()
	r := newRaw2As(t, s, stranger, http2.Setting{ID: http2.SettingInitialWindowSize, Val: 0})
	for range 20 {
		r.head(true, get2...)
	}
	answered, refused, farewell := 0, 0, false
	if err := r.conn.SetReadDeadline(time.Now().Add(30 * time.Second)); err != nil {
		t.Fatal(err)
	}
	for !farewell {
		frame, err := r.framer.ReadFrame()
		if err != nil {
			t.Fatalf("after %d answers and %d refusals: %v", answered, refused, err)
		}
		switch f := frame.(type) {
		case *http2.MetaHeadersFrame:
			answered++
		case *http2.RSTStreamFrame:
			refused++
		case *http2.GoAwayFrame:
			farewell = true
		case *http2.SettingsFrame:
			if most, _ := f.Value(http2.SettingMaxConcurrentStreams); !f.IsAck() && most != 1 {
				t.Errorf("a stranger may open %d streams", most)
			}
		}
	}
	if answered > 1 {
		t.Errorf("%d were answered", answered)
	}
	late.Store(int64(11 * time.Second))
	s.server.Sweep()
	ends(t, r.conn)
}

// Requests are bounded over all connections and ports, and no peer takes all of them.
func TestRequestsAreBounded(t *testing.T) {
	const other = "spiffe://cluster.local/ns/ehr/sa/other"
	for name, version2 := range map[string]bool{"HTTP/1.1": false, "HTTP/2": true} {
		t.Run(name, func(t *testing.T) {
			begun, goOn := make(chan struct{}, 8), make(chan struct{})
			s := newScene(t, config.HTTP, web(t, func(http.ResponseWriter, *http.Request) {
				begun <- struct{}{}
				<-goOn
			}), config.Limits{})
			s.config.Inbound[0].From = []config.Peer{{ID: portal}, {ID: other}}
			s.apply()
			s.server.exchanges.Bound(4)
			client, late := s.client(portal, version2), s.client(other, version2)
			answers := make(chan string, 8)
			ask := func(c *http.Client) {
				res, err := c.Get("https://" + s.address() + "/")
				if err != nil {
					answers <- err.Error()
					return
				}
				_ = res.Body.Close()
				answers <- fmt.Sprint(res.StatusCode)
			}
			go ask(client)
			go ask(client)
			<-begun
			<-begun
			if ask(client); <-answers != "503" {
				t.Error("one peer has more than its share")
			}
			go ask(late)
			<-begun // another one has some
			close(goOn)
			for range 3 {
				if got := <-answers; got != "200" {
					t.Errorf("who was in time hears %s", got)
				}
			}
			eventually(t, "the end of the streams", func() bool {
				ask(client)
				return <-answers == "200"
			})
		})
	}
}

// A tunnel holds none of what requests need.
func TestATunnelIsNoRequest(t *testing.T) {
	s := newScene(t, config.HTTP, raw(t, func(c net.Conn) {
		if _, err := http.ReadRequest(bufio.NewReader(c)); err != nil {
			return
		}
		_, _ = io.WriteString(c, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
		_, _ = io.Copy(c, c)
	}), config.Limits{})
	s.server.exchanges.Bound(1)
	for range 3 {
		c := s.dial(portal)
		if res, _ := say(t, c, "GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"); res.StatusCode != http.StatusSwitchingProtocols {
			t.Fatalf("answered %d", res.StatusCode)
		}
		// An echo comes once the tunnel stands, and with it the request is over.
		if _, err := io.WriteString(c, "ping"); err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadFull(c, make([]byte, 4)); err != nil {
			t.Fatal(err)
		}
	}
}

// Calls of gRPC last long, and have a bound of their own.
func TestCallsAreBounded(t *testing.T) {
	s := newScene(t, config.GRPC, grpcApplication(t), config.Limits{})
	s.server.exchanges.Bound(1)
	s.server.calls.Bound(4)
	r := newRaw2(t, s)
	fields := []string{":method", "POST", ":scheme", "https", ":path", "/a.B/C", ":authority", "a", "content-type", "application/grpc", "te", "trailers"}
	for want := range 3 {
		r.head(false, fields...)
		if want == 2 {
			continue
		}
		if err := r.framer.WriteData(r.next-2, false, []byte("\x00\x00\x00\x00\x03one")); err != nil {
			t.Fatal(err)
		}
		if status := r.status(r.next - 2); status != "200" {
			t.Errorf("call %d: %s", want, status)
		}
	}
	if status := r.status(r.next - 2); status != "503" {
		t.Errorf("one too many: %s", status)
	}
}

// What the caller does not take, or does not send, is waited for so long and no longer.
func TestAWatchTellsOfWhatIsLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		late := 0
		w := watch{late: func() { late++ }}
		for range 3 {
			w.begin(time.Minute)
			time.Sleep(59 * time.Second) //nolint:forbidigo // the bubble's clock
			w.end()
		}
		time.Sleep(time.Hour) //nolint:forbidigo // the bubble's clock
		if late != 0 {
			t.Error("what is in time is late")
		}
		w.begin(time.Minute)
		time.Sleep(61 * time.Second) //nolint:forbidigo // the bubble's clock
		w.end()
		if late != 1 {
			t.Errorf("it was told of %d times", late)
		}
	})
}

// What is late ends, whoever waits in it.
func TestWhatIsLateEndsAStream(t *testing.T) {
	ended := make(chan error, 2)
	limits := config.Limits{}.OrDefault()
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		o := newOutlet(w, &limits, NewMetrics(prometheus.NewRegistry()))
		b := newStreamedBody(w, r, false, &stream{streams: &streams{rules: &rules{limits: limits}}, conn: &conn{port: &port{server: &Server{Now: time.Now}}}})
		time.AfterFunc(10*time.Millisecond, b.watch.late)
		_, err := b.Read(make([]byte, 1))
		ended <- err
		time.AfterFunc(10*time.Millisecond, o.watch.late)
		for err = nil; err == nil; {
			if _, err = o.Write(make([]byte, 1<<16)); err == nil {
				err = o.FlushError()
			}
		}
		ended <- err
	}))
	server.EnableHTTP2 = true
	server.StartTLS()
	defer server.Close()
	out, in := io.Pipe()
	defer in.Close()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, server.URL, out)
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		if res, err := server.Client().Do(req); err == nil {
			defer res.Body.Close() // it is never read
			<-t.Context().Done()
		}
	}()
	if err := <-ended; !errors.Is(err, errSlow) {
		t.Errorf("a body that does not come ends with %v", err)
	}
	if err := <-ended; err == nil {
		t.Error("an answer that is not taken never ends")
	}
}
