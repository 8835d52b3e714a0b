package inbound

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"runtime"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/hipaa-operator/hipaa-operator/internal/proxy/config"
	"github.com/hipaa-operator/hipaa-operator/internal/proxy/door"
	"github.com/hipaa-operator/hipaa-operator/internal/proxy/proxytest"
)

// database says hello first, as MySQL does, and gives back what it hears.
func database(tb testing.TB) net.Listener {
	tb.Helper()
	return raw(tb, func(c net.Conn) {
		_, _ = fmt.Fprintf(c, "%s|", c.RemoteAddr())
		_, _ = io.Copy(c, c)
	})
}

func TestBytesPassBothWaysAndEndApart(t *testing.T) {
	s := newScene(t, config.TCP, database(t), config.Limits{})
	c := s.dial(portal)
	text := strings.Repeat("select 1;", 50_000)
	go func() {
		_, _ = io.WriteString(c, text)
		_ = c.CloseWrite()
	}()
	got, err := io.ReadAll(c)
	from, heard, _ := strings.Cut(string(got), "|")
	if err != nil || heard != text || !strings.HasPrefix(from, "127.0.0.6:") {
		t.Errorf("heard %d bytes from %q, %v", len(heard), from, err)
	}
}

func TestWhoHasNoBusinessHereGetsNothing(t *testing.T) {
	s := newScene(t, config.TCP, database(t), config.Limits{})
	other := proxytest.NewAuthority(t, time.Now())
	expired := proxytest.LeafTemplate(t, time.Now().Add(-48*time.Hour), portal)
	with := func(c *tls.Certificate) *tls.Config {
		return &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{*c}}
	}
	for name, tc := range map[string]struct {
		give   *tls.Config
		reason string
	}{
		"another workload's certificate": {with(s.root.Leaf(t, time.Now(), stranger)), reasonNotAllowed},
		"an expired certificate":         {with(s.root.Issue(t, expired)), reasonExpired},
		"another authority's":            {with(other.Leaf(t, time.Now(), portal)), reasonUntrusted},
		"no identity":                    {with(s.root.Leaf(t, time.Now())), reasonNobody},
		"no certificate":                 {&tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS12}, reasonHandshake},
		"an old TLS":                     {&tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS12, MaxVersion: tls.VersionTLS12}, reasonHandshake},
	} {
		t.Run(name, func(t *testing.T) {
			before := s.refusals(tc.reason)
			c, err := (&tls.Dialer{Config: tc.give}).DialContext(t.Context(), "tcp", s.address())
			if err == nil {
				// A caller of TLS 1.3 hears of the refusal when it reads.
				if text, err := io.ReadAll(c); err == nil || len(text) > 0 {
					t.Errorf("heard %q, %v", text, err)
				}
				_ = c.Close()
			}
			eventually(t, "the count", func() bool { return s.refusals(tc.reason) == before+1 })
		})
	}
	t.Run("plaintext", func(t *testing.T) {
		c, err := new(net.Dialer).DialContext(t.Context(), "tcp", s.address())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		if _, err := io.WriteString(c, "GET / HTTP/1.1\r\nHost: a\r\n\r\n"); err != nil {
			t.Fatal(err)
		}
		ends(t, c)
		eventually(t, "the count", func() bool { return s.refusals(reasonPlaintext) == 1 })
	})
}

func TestAnApplicationThatShunsLoopbackIsFound(t *testing.T) {
	// Any address but loopback's own stands for the pod's.
	l := listen(t, "127.0.0.99:0")
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			_, _ = fmt.Fprint(c, c.RemoteAddr())
			_ = c.Close()
		}
	}()
	a := &application{port: portOf(t, l), pod: netip.MustParseAddr("127.0.0.99"), now: time.Now}
	for range 2 {
		c, err := a.get(time.Second, true)
		if err != nil {
			t.Fatalf("dialling: %v", err)
		}
		if text, err := io.ReadAll(c); err != nil || !strings.HasPrefix(string(text), "127.0.0.6:") || !a.shuns.Load() {
			t.Errorf("seen as %s, %v", text, err)
		}
		_ = c.Close()
	}
	_ = l.Close()
	if _, err := a.get(time.Second, true); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("nobody listens: %v", err)
	}
}

// The body of a request goes to the application while its answer comes: both move the
// deadline.
func TestBothDirectionsMoveTheDeadline(t *testing.T) {
	var jumps atomic.Int64
	now := func() time.Time { return time.Now().Add(time.Duration(jumps.Add(1)) * time.Second) }
	a := &application{port: portOf(t, raw(t, func(c net.Conn) { _, _ = io.Copy(c, c) })), now: now}
	c, err := a.get(16*time.Second, true)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	const times = 100
	go func() {
		for range times {
			_, _ = c.Write([]byte("x"))
		}
	}()
	for n := 0; n < times; {
		more, err := c.Read(make([]byte, times))
		if err != nil {
			t.Fatal(err)
		}
		n += more
	}
}

func TestAConnectionThatWaitsTooLongIsNotUsed(t *testing.T) {
	now := time.Now()
	a := &application{port: portOf(t, raw(t, func(c net.Conn) { _, _ = io.Copy(io.Discard, c) })), now: func() time.Time { return now }}
	first, err := a.get(time.Second, true)
	if err != nil {
		t.Fatal(err)
	}
	a.put(first)
	if c, err := a.get(time.Second, false); err != nil || c != first {
		t.Errorf("what waits is not used: %v", err)
	}
	a.put(first)
	now = now.Add(maxIdleTime)
	second, err := a.get(time.Second, false)
	if err != nil || second == first {
		t.Errorf("what waited too long is used: %v", err)
	}
	a.close()
	a.put(second)
	if _, err := second.Write([]byte("x")); err == nil {
		t.Error("what nobody will use stays open")
	}
}

func TestAChangeClosesWhatItNoLongerAllows(t *testing.T) {
	s := newScene(t, config.HTTP, web(t, echo), config.Limits{})
	s.config.Inbound[0].From = []config.Peer{{ID: portal}, {ID: stranger}}
	s.apply()
	stays, goes := s.dial(portal), s.dial(stranger)
	const get = "GET / HTTP/1.1\r\nHost: a\r\n\r\n"
	for _, c := range []net.Conn{stays, goes} {
		if res, _ := say(t, c, get); res.StatusCode != http.StatusOK {
			t.Fatalf("before: %d", res.StatusCode)
		}
	}
	s.config.Inbound[0].From = []config.Peer{{ID: portal}}
	s.apply()
	ends(t, goes)
	if res, _ := say(t, stays, get); res.StatusCode != http.StatusOK || s.refusals(reasonWithdrawn) != 1 {
		t.Errorf("who may stay hears %d; withdrawn: %v", res.StatusCode, s.refusals(reasonWithdrawn))
	}
	if res, _ := say(t, s.dial(stranger), get); res.StatusCode != http.StatusForbidden {
		t.Errorf("who may no longer come hears %d", res.StatusCode)
	}
	// Another application behind the same port is another service.
	s.config.Inbound[0].Forward = portOf(t, web(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusAccepted) }))
	s.apply()
	ends(t, stays)
	if res, _ := say(t, s.dial(portal), get); res.StatusCode != http.StatusAccepted {
		t.Errorf("the other application says %d", res.StatusCode)
	}
	last := s.dial(portal)
	s.config.Inbound = nil
	s.apply()
	ends(t, last)
	if c, err := new(net.Dialer).DialContext(t.Context(), "tcp", s.address()); err == nil {
		_ = c.Close()
		t.Error("a port that is gone is open")
	}
}

// A port that cannot be opened keeps nothing else of a change from counting.
func TestAPortThatCannotBeOpenedHoldsNothingElseUp(t *testing.T) {
	s := newScene(t, config.HTTP, web(t, echo), config.Limits{})
	s.config.Inbound[0].From = []config.Peer{{ID: portal}, {ID: stranger}}
	old := s.config.Inbound[0]
	old.Name, old.Listen = "old", proxytest.FreePort(t)
	s.config.Inbound = append(s.config.Inbound, old)
	s.apply()
	const get = "GET / HTTP/1.1\r\nHost: a\r\n\r\n"
	goes := s.dial(stranger)
	say(t, goes, get)
	free, taken := proxytest.FreePort(t), listen(t, "127.0.0.1:0")
	next := s.config
	next.Inbound = []config.Inbound{s.config.Inbound[0], old, old}
	next.Inbound[0].From = []config.Peer{{ID: portal}}
	next.Inbound[1].Listen, next.Inbound[2].Listen = portOf(t, taken), free
	if err := s.server.Apply(t.Context(), &next); !errors.Is(err, syscall.EADDRINUSE) {
		t.Errorf("Apply() = %v", err)
	}
	ends(t, goes)
	open := func(port int) bool {
		c, err := new(net.Dialer).DialContext(t.Context(), "tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err == nil {
			_ = c.Close()
		}
		return err == nil
	}
	if !s.taken(stranger, http.StatusForbidden) || !s.taken(portal, http.StatusOK) || open(old.Listen) || !open(free) {
		t.Error("what is narrowed is not, or what can be served is not")
	}
	_ = taken.Close()
	if err := s.server.Apply(t.Context(), &next); err != nil || !open(next.Inbound[1].Listen) {
		t.Errorf("once the port is free: %v", err)
	}
}

// No connection lives longer than what its peer proved itself by.
func TestAConnectionEndsWithItsCertificate(t *testing.T) {
	for name, tc := range map[string]struct {
		grace  config.Duration
		outage bool
		stays  bool
	}{
		"no grace":                {0, true, false},
		"a grace without outage":  {config.Duration(72 * time.Hour), false, false},
		"an outage":               {config.Duration(72 * time.Hour), true, true},
		"an outage beyond it all": {config.Duration(time.Minute), true, false},
	} {
		t.Run(name, func(t *testing.T) {
			var late atomic.Int64
			now := func() time.Time { return time.Now().Add(time.Duration(late.Load())) }
			s := newScene(t, config.TCP, database(t), config.Limits{})
			s.server.Now, s.server.Verifier.Now = now, now
			s.server.Verifier.Outage = func() bool { return tc.outage }
			s.config.OutageGrace = tc.grace
			s.config.Inbound[0].Listen = proxytest.FreePort(t)
			s.port = s.config.Inbound[0].Listen
			s.apply()
			c := s.dial(portal)
			from := bufio.NewReader(c)
			if _, err := from.ReadString('|'); err != nil {
				t.Fatal(err)
			}
			late.Store(int64(22 * time.Hour))
			s.server.Sweep()
			alive := func() bool {
				_, err := io.WriteString(c, "|")
				if err == nil {
					_, err = from.ReadString('|')
				}
				return err == nil
			}
			if !alive() {
				t.Error("it ends before its certificate")
			}
			late.Store(int64(24 * time.Hour))
			s.server.Sweep()
			if alive() != tc.stays || !tc.stays && s.refusals(string(door.Expired)) != 1 {
				t.Errorf("after its end it is alive: %t, %v were told of", !tc.stays, s.refusals(string(door.Expired)))
			}
		})
	}
}

func TestADrainLetsWhatIsUnderWayFinish(t *testing.T) {
	for _, version2 := range []bool{false, true} {
		begun, goOn := make(chan struct{}), make(chan struct{})
		s := newScene(t, config.HTTP, web(t, func(w http.ResponseWriter, _ *http.Request) {
			close(begun)
			<-goOn
			_, _ = io.WriteString(w, "done")
		}), config.Limits{})
		idle := s.dial(portal)
		heard := make(chan string, 1)
		client := s.client(portal, version2)
		go func() {
			res, err := client.Get("https://" + s.address() + "/")
			if err != nil {
				heard <- err.Error()
				return
			}
			defer res.Body.Close()
			text, _ := io.ReadAll(res.Body)
			heard <- string(text)
		}()
		<-begun
		drained := make(chan struct{})
		go func() {
			defer close(drained)
			s.server.Drain(t.Context())
		}()
		ends(t, idle)
		eventually(t, "the end of listening", func() bool {
			c, err := new(net.Dialer).DialContext(t.Context(), "tcp", s.address())
			if err == nil {
				_ = c.Close()
			}
			return err != nil
		})
		close(goOn)
		if got := <-heard; got != "done" {
			t.Errorf("HTTP/2: %t, what was under way ended with %q", version2, got)
		}
		<-drained
		if err := s.server.Apply(t.Context(), &s.config); !errors.Is(err, ErrDrained) {
			t.Errorf("Apply() = %v", err)
		}
	}
}

// A handshake that has not ended is nothing that anybody waits for.
func TestADrainDoesNotWaitForHandshakes(t *testing.T) {
	s := newScene(t, config.HTTP, web(t, echo), config.Limits{})
	c, err := new(net.Dialer).DialContext(t.Context(), "tcp", s.address())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	eventually(t, "the connection", func() bool { return testutil.ToFloat64(s.server.Metrics.connections) == 1 })
	s.server.Drain(t.Context())
	ends(t, c)
}

func TestADrainEnds(t *testing.T) {
	s := newScene(t, config.TCP, database(t), config.Limits{})
	c := s.dial(portal)
	if _, err := bufio.NewReader(c).ReadString('|'); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	s.server.Drain(ctx)
	ends(t, c)
}

func TestHandshakesThatNeverEndPushEachOtherOut(t *testing.T) {
	s := newScene(t, config.HTTP, web(t, echo), config.Limits{})
	first, err := new(net.Dialer).DialContext(t.Context(), "tcp", s.address())
	if err != nil {
		t.Fatal(err)
	}
	defer first.Close()
	for range maxHandshakes {
		c, err := new(net.Dialer).DialContext(t.Context(), "tcp", s.address())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
	}
	ends(t, first)
	if res, _ := say(t, s.dial(portal), "GET / HTTP/1.1\r\nHost: a\r\n\r\n"); res.StatusCode != http.StatusOK || s.refusals(reasonCrowded) == 0 {
		t.Errorf("an honest caller hears %d", res.StatusCode)
	}
}

// taken reports whether somebody is let in and answered with this status.
func (s *scene) taken(id string, status int) bool {
	c, err := (&tls.Dialer{Config: s.tls(id)}).DialContext(s.Context(), "tcp", s.address())
	if err != nil {
		return false
	}
	s.Cleanup(func() { _ = c.Close() })
	// A caller of TLS 1.3 hears that there is no room when it reads.
	if _, err := io.WriteString(c, "GET / HTTP/1.1\r\nHost: a\r\n\r\n"); err != nil {
		return false
	}
	res, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		return false
	}
	_ = res.Body.Close()
	return res.StatusCode == status
}

func TestConnectionsAreLimited(t *testing.T) {
	s := newScene(t, config.HTTP, web(t, echo), config.Limits{Connections: 2})
	one, two := s.dial(portal), s.dial(portal)
	for _, c := range []net.Conn{one, two} {
		say(t, c, "GET / HTTP/1.1\r\nHost: a\r\n\r\n") // who is answered is in: the handshake ends for the caller before it does for the server
	}
	if s.taken(portal, http.StatusOK) {
		t.Error("a third one is taken")
	}
	_ = one.Close()
	eventually(t, "room", func() bool { return s.taken(portal, http.StatusOK) })
}

// Nobody may come so often that others may not.
func TestOnePeerDoesNotTakeThePort(t *testing.T) {
	const other = "spiffe://cluster.local/ns/ehr/sa/other"
	s := newScene(t, config.HTTP, web(t, echo), config.Limits{Connections: 4})
	s.config.Inbound[0].From = []config.Peer{{ID: portal}, {ID: other}}
	s.apply()
	for range 4 {
		s.dial(portal)
	}
	eventually(t, "the count", func() bool { return s.refusals(string(door.Crowded)) == 2 })
	if !s.taken(other, http.StatusOK) {
		t.Error("one caller that holds connections keeps the other out")
	}
}

// Strangers who stay keep neither peers out nor other strangers from hearing why.
func TestStrangersTakeNoPlace(t *testing.T) {
	var late atomic.Int64
	s := newScene(t, config.HTTP, web(t, echo), config.Limits{Connections: 2})
	s.server.Now = func() time.Time { return time.Now().Add(time.Duration(late.Load())) }
	s.config.Inbound[0].Listen = proxytest.FreePort(t)
	s.port = s.config.Inbound[0].Listen
	s.apply()
	// They are met in any order: the handshake ends for the caller before it does for the server.
	const silent = 70
	var gone atomic.Int64
	for range silent {
		c := s.dial(stranger)
		go func() {
			_, _ = io.Copy(io.Discard, c)
			gone.Add(1)
		}()
	}
	if !s.taken(portal, http.StatusOK) || !s.taken(stranger, http.StatusForbidden) {
		t.Error("strangers who are silent keep others out")
	}
	eventually(t, "room for those who came last", func() bool { return gone.Load() > 0 })
	if gone.Load() == silent {
		t.Error("nobody hears why")
	}
	late.Store(int64(11 * time.Second))
	eventually(t, "an end of all of them", func() bool {
		s.server.Sweep()
		return gone.Load() == silent
	})
	if s.refusals(string(door.Overdue)) == 0 {
		t.Error("nobody was in for too long")
	}
}

// Idle connections hold a goroutine and what crypto/tls keeps, and no buffer of ours.
// Both ends are in this process, which asks for descriptors enough and takes what it gets.
func TestManyIdleConnectionsCostLittle(t *testing.T) {
	if testing.Short() {
		t.Skip("it makes thousands of handshakes")
	}
	const each = 40 << 10
	count := 10_000
	limit := syscall.Rlimit{Cur: 3 * uint64(count), Max: 3 * uint64(count)}
	_ = syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit) // only root may have more than the hard limit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	count = min(count, int(limit.Cur)/2-200)
	s := newScene(t, config.HTTP, web(t, echo), config.Limits{})
	used := func() uint64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.GC()
		runtime.ReadMemStats(&m)
		return m.HeapInuse + m.StackInuse
	}
	dialer := tls.Dialer{Config: s.tls(portal, "http/1.1")}
	before := used()
	for range count {
		c, err := dialer.DialContext(t.Context(), "tcp", s.address())
		if err != nil {
			t.Fatalf("dialling: %v", err)
		}
		if res, _ := say(t, c, "GET / HTTP/1.1\r\nHost: a\r\n\r\n"); res.StatusCode != http.StatusOK {
			t.Fatalf("answered %d", res.StatusCode)
		}
		// Only the descriptor of this end stays.
		bare := c.(*tls.Conn).NetConn() //nolint:errcheck // a tls.Dialer gives nothing else
		t.Cleanup(func() { _ = bare.Close() })
	}
	after := used()
	if got := (after - before) / uint64(count); got > each {
		t.Errorf("%d idle connections cost %d bytes each, more than %d", count, got, each)
	} else {
		t.Logf("%d idle connections cost %d bytes each", count, got)
	}
}

func TestRulesThatDifferAreNotTheSame(t *testing.T) {
	s := newScene(t, config.HTTP, web(t, echo), config.Limits{})
	s.config.Inbound[0].Limits.HeadBytes = 4096
	with := func(change func(*config.Configuration)) *rules {
		c := s.config
		c.Inbound = append([]config.Inbound(nil), c.Inbound...)
		change(&c)
		return s.server.rules(&c, &c.Inbound[0], nil)
	}
	before := with(func(*config.Configuration) {})
	if !before.sameRules(with(func(*config.Configuration) {})) {
		t.Error("the same rules are not the same")
	}
	for name, tc := range map[string]struct {
		change func(*config.Configuration)
		stays  bool
	}{
		"the grace":        {func(c *config.Configuration) { c.OutageGrace++ }, true},
		"TLS":              {func(c *config.Configuration) { c.TLS.MinVersion = config.TLS12 }, true},
		"the refusal":      {func(c *config.Configuration) { c.Refusal.Control = "other" }, true},
		"the peers":        {func(c *config.Configuration) { c.Inbound[0].From = nil }, true},
		"a limit":          {func(c *config.Configuration) { c.Inbound[0].Limits.BodyRate = 1 }, true},
		"the trust domain": {func(c *config.Configuration) { c.TrustDomain = "other" }, false},
		"the protocol":     {func(c *config.Configuration) { c.Inbound[0].Protocol = config.TCP }, false},
		"the application":  {func(c *config.Configuration) { c.Inbound[0].Forward++ }, false},
	} {
		after := with(tc.change)
		if before.sameRules(after) || before.sameService(after) != tc.stays {
			t.Errorf("%s changes: the same rules: %t, the same service: %t", name, before.sameRules(after), before.sameService(after))
		}
	}
}
