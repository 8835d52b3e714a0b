package inbound

import (
	"bufio"
	"context"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/hipaa-operator/hipaa-operator/internal/proxy/config"
	"github.com/hipaa-operator/hipaa-operator/internal/proxy/proxytest"
	"github.com/hipaa-operator/hipaa-operator/internal/proxy/users"
)

// people is a scene with an identity provider, and a clock of sessions that tests step.
type people struct {
	*scene

	provider *proxytest.Provider
	journal  proxytest.Journal
	mu       sync.Mutex
	ahead    time.Duration
}

func (p *people) now() time.Time {
	p.mu.Lock()
	defer p.mu.Unlock()
	return time.Now().Add(p.ahead)
}

func (p *people) step(d time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.ahead += d
}

func withPeople(tb testing.TB, s *scene) *people {
	tb.Helper()
	p := &people{scene: s, provider: proxytest.NewProvider(tb)}
	s.server.Users = &users.Gate{Metrics: users.NewMetrics(prometheus.NewRegistry()), Now: p.now, Dial: p.provider.Dial, Output: &p.journal}
	name := config.Refusal{Control: "a-control", Citation: "45 CFR 164.312(d)"}
	s.config.Users = &config.Users{
		Issuers:  []config.Issuer{{URL: p.provider.URL, Audiences: []string{"patient-api"}, Roots: p.provider.Roots()}},
		Gateways: []config.Gateway{{ID: portal, User: "X-Forwarded-User", Authenticated: "X-Forwarded-Auth-Time"}},
		Routes: []config.Route{
			{Name: "public", Paths: []string{"/public"}, Who: config.Nobody},
			{Name: "chart", Paths: []string{"/chart", "/ws"}},
			{Name: "ward", Paths: []string{"/ward"}, Activity: config.Stream},
		},
		Cookie:     "SID",
		BreakGlass: &config.BreakGlass{Routes: []string{"chart"}},
		Refusals:   config.UserRefusals{Identity: name, MultiFactor: name, Session: name, Lockout: name},
	}
	if err := s.server.Users.Apply(&s.config); err != nil {
		tb.Fatal(err)
	}
	s.apply()
	return p
}

// get asks by either version, with fields in pairs.
func (p *people) get(client *http.Client, path string, fields ...string) (heard, string) {
	p.Helper()
	r, err := http.NewRequestWithContext(p.Context(), http.MethodGet, "https://"+p.address()+path, http.NoBody)
	if err != nil {
		p.Fatal(err)
	}
	for i := 0; i < len(fields); i += 2 {
		r.Header.Add(fields[i], fields[i+1])
	}
	res, err := client.Do(r)
	if err != nil {
		p.Fatalf("asking for %s: %v", path, err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		p.Fatal(err)
	}
	return heard{res.StatusCode, res.Header, res.Trailer, res.Close}, string(text)
}

func (p *people) bearer(change map[string]any) string {
	p.Helper()
	return "Bearer " + p.provider.Token(p.now(), change)
}

// versions are those in which peers speak.
var versions = map[string]bool{"HTTP/1.1": false, "HTTP/2": true}

func TestARequestNeedsAUser(t *testing.T) {
	for name, version2 := range versions {
		t.Run(name, func(t *testing.T) {
			seen := make(chan http.Header, 1)
			p := withPeople(t, newScene(t, config.HTTP, web(t, func(_ http.ResponseWriter, r *http.Request) { seen <- r.Header.Clone() }), config.Limits{}))
			client := p.client(portal, version2)
			res, text := p.get(client, "/Patient")
			if res.StatusCode != http.StatusUnauthorized || res.Header.Get("WWW-Authenticate") != `Bearer realm="phi"` ||
				text != `{"error":"nobody is named who makes this request; sign in","control":"a-control","citation":"45 CFR 164.312(d)"}`+"\n" {
				t.Errorf("nobody is answered %d %v %s", res.StatusCode, res.Header, text)
			}
			if res, _ := p.get(client, "/public"); res.StatusCode != http.StatusOK {
				t.Errorf("where nobody is asked: %d", res.StatusCode)
			}
			<-seen
			alice := p.bearer(nil)
			if res, _ := p.get(client, "/Patient", "Authorization", alice, "X-Remote-User", "eve"); res.StatusCode != http.StatusOK {
				t.Errorf("a user is answered %d", res.StatusCode)
			}
			if h := <-seen; h.Get("Authorization") != alice || h.Get("X-Remote-User") != "" {
				t.Errorf("the application sees %v", h)
			}
			if res, _ := p.get(client, "/Patient", "X-Forwarded-User", "bob"); res.StatusCode != http.StatusOK {
				t.Errorf("a gateway's user is answered %d", res.StatusCode)
			}
			if h := <-seen; h.Get("X-Forwarded-User") != "bob" {
				t.Errorf("the application sees %v", h)
			}
			if res, _ := p.get(client, "/public/../Patient"); res.StatusCode != http.StatusBadRequest {
				t.Errorf("a path with two readings is answered %d", res.StatusCode)
			}
			if n := p.refusals("no-user"); n != 1 || !strings.Contains(p.journal.String(), `"kind":"anonymous-refused"`) {
				t.Errorf("%v are counted, on record is %s", n, p.journal.String())
			}
		})
	}
}

func TestARefusedUserKeepsTheConnectionOfOthers(t *testing.T) {
	p := withPeople(t, newScene(t, config.HTTP, web(t, func(http.ResponseWriter, *http.Request) {}), config.Limits{}))
	c := p.dial(portal, "http/1.1")
	head := "GET /Patient HTTP/1.1\r\nHost: a\r\n"
	for range 3 {
		if res, _ := say(t, c, head+"\r\n"); res.StatusCode != http.StatusUnauthorized || res.Close {
			t.Fatalf("nobody is answered %d, closing %v", res.StatusCode, res.Close)
		}
		if res, _ := say(t, c, head+"Authorization: "+p.bearer(nil)+"\r\n\r\n"); res.StatusCode != http.StatusOK {
			t.Fatalf("a user is answered %d", res.StatusCode)
		}
	}
	// What is not read cannot be followed by something else.
	if res, _ := say(t, c, "POST /Patient HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n"); res.StatusCode != http.StatusUnauthorized || !res.Close {
		t.Errorf("a request with a body is answered %d, closing %v", res.StatusCode, res.Close)
	}
	ends(t, c)
}

func TestAnIdleUserIsLoggedOff(t *testing.T) {
	for name, version2 := range versions {
		t.Run(name, func(t *testing.T) {
			p := withPeople(t, newScene(t, config.HTTP, web(t, func(http.ResponseWriter, *http.Request) {}), config.Limits{}))
			client := p.client(portal, version2)
			alice := p.bearer(nil)
			p.get(client, "/Patient", "Authorization", alice)
			p.step(16 * time.Minute)
			res, text := p.get(client, "/Patient", "Authorization", alice)
			if res.StatusCode != http.StatusUnauthorized || !strings.HasPrefix(res.Header.Get("Set-Cookie"), "SID=;") || !strings.Contains(text, "the session is locked") {
				t.Errorf("an idle user is answered %d %v %s", res.StatusCode, res.Header, text)
			}
			if res, _ := p.get(client, "/Patient", "Authorization", p.bearer(map[string]any{"auth_time": p.now().Unix()})); res.StatusCode != http.StatusOK {
				t.Errorf("who came back is answered %d", res.StatusCode)
			}
			if n := strings.Count(p.journal.String(), `"kind":"logoff"`); n != 1 {
				t.Errorf("%d logoffs are on record", n)
			}
		})
	}
}

// upgraded speaks WebSocket as far as an echo needs it.
func upgraded(w http.ResponseWriter, _ *http.Request) {
	conn, both, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	defer conn.Close()
	_, _ = io.WriteString(conn, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
	_, _ = io.Copy(conn, both) // whoever ends it
}

func TestTheWebSocketOfALockedSessionCloses(t *testing.T) {
	p := withPeople(t, newScene(t, config.HTTP, web(t, upgraded), config.Limits{}))
	open := func(path string) func() bool {
		c := p.dial(portal, "http/1.1")
		if _, err := io.WriteString(c, "GET "+path+" HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nAuthorization: "+p.bearer(nil)+"\r\n\r\n"); err != nil {
			t.Fatal(err)
		}
		from := bufio.NewReader(c)
		res, err := http.ReadResponse(from, nil)
		if err != nil || res.StatusCode != http.StatusSwitchingProtocols {
			t.Fatalf("%v, %v", res, err)
		}
		_ = res.Body.Close() // what follows is no body
		return func() bool {
			if _, err := io.WriteString(c, "x"); err != nil {
				return false
			}
			_, err := from.ReadByte()
			return err == nil
		}
	}
	socket, monitor := open("/ws"), open("/ward")
	p.step(14 * time.Minute)
	p.server.Users.Sweep(t.Context())
	if !socket() || !monitor() {
		t.Fatal("it closes early")
	}
	// What it carries is no request: it keeps nobody.
	p.step(2 * time.Minute)
	p.server.Users.Sweep(t.Context())
	eventually(t, "the end of the WebSocket", func() bool { return !socket() })
	if !monitor() {
		t.Error("a named stream closes")
	}
}

func TestAnAnswerThatGoesOnEndsWithTheSession(t *testing.T) {
	for name, version2 := range versions {
		t.Run(name, func(t *testing.T) {
			p := withPeople(t, newScene(t, config.HTTP, web(t, func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path == "/public" {
					return
				}
				_, _ = io.WriteString(w, "data: 1\n\n")
				_ = http.NewResponseController(w).Flush()
				<-r.Context().Done()
			}), config.Limits{}))
			client := p.client(portal, version2)
			r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://"+p.address()+"/events", http.NoBody)
			if err != nil {
				t.Fatal(err)
			}
			r.Header.Set("Authorization", p.bearer(nil))
			res, err := client.Do(r)
			if err != nil {
				t.Fatal(err)
			}
			defer res.Body.Close()
			from := bufio.NewReader(res.Body)
			if line, err := from.ReadString('\n'); err != nil || line != "data: 1\n" {
				t.Fatalf("%q, %v", line, err)
			}
			p.step(16 * time.Minute)
			p.server.Users.Sweep(t.Context())
			if _, err := io.ReadAll(from); err == nil {
				t.Error("the answer ends as if it were whole")
			}
			if version2 {
				if res, _ := p.get(client, "/public"); res.StatusCode != http.StatusOK {
					t.Errorf("others on the connection are answered %d", res.StatusCode)
				}
			}
		})
	}
}

func TestACallOfGRPCNeedsAUserAndEndsWithTheSession(t *testing.T) {
	var protocols http.Protocols
	protocols.SetUnencryptedHTTP2(true)
	seen := make(chan http.Header, 8)
	l := listen(t, "127.0.0.1:0")
	server := &http.Server{Protocols: &protocols, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		seen <- r.Header.Clone()
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
	})}
	go func() { _ = server.Serve(l) }()
	t.Cleanup(func() { _ = server.Close() })
	p := withPeople(t, newScene(t, config.GRPC, l, config.Limits{}))
	client := p.client(portal, true)
	if res, _ := p.get(client, "/patients.Records/Watch"); res.StatusCode != http.StatusUnauthorized {
		t.Errorf("nobody is answered %d", res.StatusCode)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, "https://"+p.address()+"/patients.Records/Watch", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("X-Forwarded-User", "bob")
	r.Header.Set("X-Remote-User", "eve")
	r.Header.Set("Cookie", "SID=1")
	res, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if h := <-seen; res.StatusCode != http.StatusOK || h.Get("X-Forwarded-User") != "bob" || h.Get("X-Remote-User") != "" {
		t.Errorf("answered %d, the application sees %v", res.StatusCode, h)
	}
	p.step(16 * time.Minute)
	p.server.Users.Sweep(t.Context())
	if _, err := io.ReadAll(res.Body); err == nil {
		t.Error("the call ends as if it were whole")
	}
}

func TestAnEmergencyIsToldInTheAnswer(t *testing.T) {
	for name, version2 := range versions {
		t.Run(name, func(t *testing.T) {
			seen := make(chan http.Header, 2)
			p := withPeople(t, newScene(t, config.HTTP, web(t, func(_ http.ResponseWriter, r *http.Request) { seen <- r.Header.Clone() }), config.Limits{}))
			client := p.client(portal, version2)
			alice := p.bearer(nil)
			p.get(client, "/chart", "Authorization", alice)
			<-seen
			p.step(16 * time.Minute)
			res, _ := p.get(client, "/chart", "Authorization", alice, "X-Phi-Purpose-Of-Use", "ETREAT", "X-Phi-Reason", "found unconscious in hall")
			if res.StatusCode != http.StatusOK || res.Header.Get("X-Phi-Emergency-Access") == "" {
				t.Errorf("an emergency is answered %d %v", res.StatusCode, res.Header)
			}
			for name := range <-seen {
				if strings.HasPrefix(name, "X-Phi") {
					t.Errorf("the application sees %s", name)
				}
			}
			if res, _ := p.get(client, "/chart", "Authorization", alice); res.StatusCode != http.StatusUnauthorized || res.Header.Get("X-Phi-Emergency-Access") != "" {
				t.Errorf("afterwards the session is answered %d", res.StatusCode)
			}
			if !strings.Contains(p.journal.String(), "found unconscious in hall") {
				t.Error("the emergency is on no record")
			}
		})
	}
}

func TestWhatBeganWithoutUsersEndsWhenTheyAreAskedFor(t *testing.T) {
	s := newScene(t, config.HTTP, web(t, func(http.ResponseWriter, *http.Request) {}), config.Limits{})
	c := s.dial(portal, "http/1.1")
	if res, _ := say(t, c, "GET / HTTP/1.1\r\nHost: a\r\n\r\n"); res.StatusCode != http.StatusOK {
		t.Fatalf("answered %d", res.StatusCode)
	}
	p := withPeople(t, s)
	ends(t, c)
	if res, _ := p.get(p.client(portal, false), "/"); res.StatusCode != http.StatusUnauthorized {
		t.Errorf("nobody is answered %d", res.StatusCode)
	}
}

// TestManyUsersAtOnce is for the race detector: requests begin and end while sessions of
// others are locked.
func TestManyUsersAtOnce(t *testing.T) {
	p := withPeople(t, newScene(t, config.HTTP, web(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "ok") }), config.Limits{}))
	over := make(chan struct{})
	var swept sync.WaitGroup
	swept.Go(func() {
		for {
			select {
			case <-over:
				return
			default:
				p.step(10 * time.Second)
				p.server.Users.Sweep(context.Background())
			}
		}
	})
	var all sync.WaitGroup
	for _, version2 := range versions {
		client := p.client(portal, version2)
		for user := range 4 {
			all.Go(func() {
				for n := range 30 {
					r, err := http.NewRequestWithContext(context.Background(), http.MethodGet, "https://"+p.address()+"/Patient", http.NoBody)
					if err != nil {
						t.Error(err)
						return
					}
					r.Header.Set("X-Forwarded-User", string(rune('a'+user)))
					r.Header.Set("Cookie", "SID="+string(rune('a'+n)))
					res, err := client.Do(r)
					if err != nil {
						continue // it was cut
					}
					_, _ = io.Copy(io.Discard, res.Body)
					_ = res.Body.Close()
				}
			})
		}
	}
	all.Wait()
	close(over)
	swept.Wait()
	if res, _ := p.get(p.client(portal, false), "/Patient", "X-Forwarded-User", "z"); res.StatusCode != http.StatusOK {
		t.Errorf("afterwards a user is answered %d", res.StatusCode)
	}
}

func TestAnApplicationsAnswersCountForTheLock(t *testing.T) {
	for name, version2 := range versions {
		t.Run(name, func(t *testing.T) {
			p := withPeople(t, newScene(t, config.HTTP, web(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusUnauthorized) }), config.Limits{}))
			users := *p.config.Users
			users.Lockout = &config.Lockout{Failures: 3}
			users.Routes = append(slices.Clone(users.Routes), config.Route{Name: "login", Paths: []string{"/login"}, Who: config.Nobody, Login: true})
			p.config.Users = &users
			if err := p.server.Users.Apply(&p.config); err != nil {
				t.Fatal(err)
			}
			client := p.client(portal, version2)
			for i, want := range []int{401, 401, 401, 429} {
				if res, _ := p.get(client, "/login", "Authorization", "Basic YWxpY2U6Z3Vlc3M="); res.StatusCode != want {
					t.Errorf("try %d is answered %d", i, res.StatusCode)
				}
			}
			if res, _ := p.get(client, "/login", "Authorization", "Basic Ym9iOmd1ZXNz"); res.StatusCode != http.StatusUnauthorized {
				t.Errorf("another user is answered %d", res.StatusCode)
			}
		})
	}
}
