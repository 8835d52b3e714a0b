package resolver

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/miekg/dns"

	"github.com/hipaa-operator/hipaa-operator/internal/proxy/config"
)

// told is what a proxy is told that knows two databases and lets one name through.
func told(upstreams ...string) *config.Configuration {
	return &config.Configuration{
		Resolver: &config.Resolver{Upstreams: upstreams, Forwarded: []string{"kubernetes.default.svc.cluster.local"}},
		Outbound: []config.Outbound{
			{Names: []string{"patient-db.ehr.svc.cluster.local", "db-0.patient-db.ehr.svc.cluster.local"}, Address: "127.0.0.16", Port: 5432},
			{Names: []string{"cache.ehr.svc.cluster.local"}, Address: "127.0.0.17", Port: 6379},
			{Names: []string{"*.vendor.example", "vendor.example"}, Address: "127.0.0.18", Port: 443},
		},
	}
}

func TestWhatAQuestionIsAnswered(t *testing.T) {
	names := tableOf(told("192.0.2.53:53"))
	for name, tc := range map[string]struct {
		question string
		kind     uint16
		code     int
		want     []string
		outcome  Outcome
	}{
		"a declared name":                  {"patient-db.ehr.svc.cluster.local.", dns.TypeA, dns.RcodeSuccess, []string{"127.0.0.16"}, Answered},
		"in capitals":                      {"Patient-DB.ehr.svc.CLUSTER.local.", dns.TypeA, dns.RcodeSuccess, []string{"127.0.0.16"}, Answered},
		"one pod of it":                    {"db-0.patient-db.ehr.svc.cluster.local.", dns.TypeA, dns.RcodeSuccess, []string{"127.0.0.16"}, Answered},
		"another one":                      {"db-1.patient-db.ehr.svc.cluster.local.", dns.TypeA, dns.RcodeNameError, nil, Undeclared},
		"its address of IPv6":              {"cache.ehr.svc.cluster.local.", dns.TypeAAAA, dns.RcodeSuccess, nil, Answered},
		"another type":                     {"cache.ehr.svc.cluster.local.", dns.TypeMX, dns.RcodeSuccess, nil, Answered},
		"what stands above a name":         {"ehr.svc.cluster.local.", dns.TypeA, dns.RcodeSuccess, nil, Answered},
		"an undeclared name":               {"collector.example.com.", dns.TypeA, dns.RcodeNameError, nil, Undeclared},
		"a declared name without a search": {"patient-db.", dns.TypeA, dns.RcodeNameError, nil, Undeclared},
		"a host of a vendor":               {"api.vendor.example.", dns.TypeA, dns.RcodeSuccess, []string{"127.0.0.18"}, Answered},
		"the vendor's own name":            {"vendor.example.", dns.TypeA, dns.RcodeSuccess, []string{"127.0.0.18"}, Answered},
		"a host of a host of a vendor":     {"a.api.vendor.example.", dns.TypeA, dns.RcodeNameError, nil, Undeclared},
		"a star in a question":             {"*.vendor.example.", dns.TypeA, dns.RcodeSuccess, []string{"127.0.0.18"}, Answered},
		"the root":                         {".", dns.TypeNS, dns.RcodeNameError, nil, Undeclared},
		"the pod itself":                   {"localhost.", dns.TypeA, dns.RcodeSuccess, []string{"127.0.0.1"}, Answered},
		"the pod itself by IPv6":           {"api.localhost.", dns.TypeAAAA, dns.RcodeSuccess, []string{"::1"}, Answered},
		"a name from an address":           {"16.0.0.127.in-addr.arpa.", dns.TypePTR, dns.RcodeNameError, nil, Undeclared},
	} {
		t.Run(name, func(t *testing.T) {
			reply, outcome := names.answer(new(dns.Msg).SetQuestion(tc.question, tc.kind))
			if reply.Rcode != tc.code || outcome != tc.outcome {
				t.Errorf("answer is %s, %s; want %s, %s", dns.RcodeToString[reply.Rcode], outcome, dns.RcodeToString[tc.code], tc.outcome)
			}
			var got []string
			for _, record := range reply.Answer {
				got = append(got, addressIn(record).String())
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("addresses (-want +got):\n%s", diff)
			}
			if len(got) == 0 && len(reply.Ns) != 1 {
				t.Error("nothing tells how long that counts")
			}
		})
	}
	if reply, outcome := names.answer(new(dns.Msg).SetQuestion("kubernetes.default.svc.cluster.local.", dns.TypeA)); reply != nil || outcome != Forwarded {
		t.Errorf("what the upstreams are to answer is answered here: %v", reply)
	}
}

func TestNoQuestionForAResolver(t *testing.T) {
	two := new(dns.Msg).SetQuestion("a.", dns.TypeA)
	two.Question = append(two.Question, two.Question[0])
	none := new(dns.Msg)
	chaos := new(dns.Msg).SetQuestion("version.bind.", dns.TypeTXT)
	chaos.Question[0].Qclass = dns.ClassCHAOS
	for name, tc := range map[string]struct {
		give *dns.Msg
		want int
	}{
		"an update":         {new(dns.Msg).SetUpdate("cluster.local."), dns.RcodeNotImplemented},
		"a notification":    {new(dns.Msg).SetNotify("cluster.local."), dns.RcodeNotImplemented},
		"two questions":     {two, dns.RcodeFormatError},
		"no question":       {none, dns.RcodeFormatError},
		"who the server is": {chaos, dns.RcodeRefused},
	} {
		t.Run(name, func(t *testing.T) {
			if reply, outcome := tableOf(told("192.0.2.53:53")).answer(tc.give); reply.Rcode != tc.want || outcome != Unanswerable {
				t.Errorf("answer is %s, %s", dns.RcodeToString[reply.Rcode], outcome)
			}
		})
	}
}

// upstream is a name server that says what a test lets it say, over UDP and TCP.
type upstream struct {
	address string
	asked   atomic.Int64
	mu      sync.Mutex
	say     func(*dns.Msg, bool) *dns.Msg
}

func (u *upstream) ServeDNS(w dns.ResponseWriter, question *dns.Msg) {
	u.asked.Add(1)
	u.mu.Lock()
	say := u.say
	u.mu.Unlock()
	_, udp := w.RemoteAddr().(*net.UDPAddr)
	if reply := say(question, udp); reply != nil {
		_ = w.WriteMsg(reply)
	}
}

func (u *upstream) says(say func(*dns.Msg, bool) *dns.Msg) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.say = say
}

func startUpstream(t *testing.T, say func(*dns.Msg, bool) *dns.Msg) *upstream {
	t.Helper()
	packets, listener := ends(t)
	u := &upstream{address: listener.Addr().String(), say: say}
	for _, server := range []*dns.Server{{PacketConn: packets, Handler: u}, {Listener: listener, Handler: u}} {
		go func() { _ = server.ActivateAndServe() }()
	}
	return u
}

// ends are a free port of the loopback address, for UDP and TCP.
func ends(t *testing.T) (net.PacketConn, net.Listener) {
	t.Helper()
	for range 20 {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		packets, err := net.ListenPacket("udp", listener.Addr().String())
		if err != nil { // somebody else has it for UDP
			_ = listener.Close()
			continue
		}
		t.Cleanup(func() { _, _ = packets.Close(), listener.Close() })
		return packets, listener
	}
	t.Fatal("no port is free for UDP and TCP")
	return nil, nil
}

// records answers a question with addresses.
func records(ttl uint32, addresses ...string) func(*dns.Msg, bool) *dns.Msg {
	return func(question *dns.Msg, _ bool) *dns.Msg {
		reply := new(dns.Msg).SetReply(question)
		q := question.Question[0]
		for _, text := range addresses {
			a := netip.MustParseAddr(text)
			header := dns.RR_Header{Name: q.Name, Rrtype: q.Qtype, Class: dns.ClassINET, Ttl: ttl}
			switch {
			case q.Qtype == dns.TypeA && a.Is4():
				reply.Answer = append(reply.Answer, &dns.A{Hdr: header, A: a.AsSlice()})
			case q.Qtype == dns.TypeAAAA && a.Is6():
				reply.Answer = append(reply.Answer, &dns.AAAA{Hdr: header, AAAA: a.AsSlice()})
			}
		}
		return reply
	}
}

// start serves and returns Go's own resolver, asking there.
func start(t *testing.T, s *Server) *net.Resolver {
	t.Helper()
	packets, listener := ends(t)
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- s.Serve(ctx, packets, listener) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Errorf("serving ended with %v", err)
		}
	})
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, network, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, network, listener.Addr().String())
	}}
}

func lookup(t *testing.T, r *net.Resolver, name string) ([]string, error) {
	t.Helper()
	found, err := r.LookupHost(t.Context(), name)
	slices.Sort(found)
	return found, err
}

func TestAnotherResolverUnderstandsTheAnswers(t *testing.T) {
	cluster := startUpstream(t, records(30, "10.96.0.1", "fd00::1"))
	s := &Server{Upstreams: &Upstreams{Now: time.Now}}
	client := start(t, s)
	if found, err := lookup(t, client, "patient-db.ehr.svc.cluster.local."); err == nil {
		t.Errorf("before there is a configuration a name leads to %v", found)
	}
	s.Apply(told(cluster.address))
	for name, want := range map[string][]string{
		"patient-db.ehr.svc.cluster.local.":     {"127.0.0.16"},
		"kubernetes.default.svc.cluster.local.": {"10.96.0.1", "fd00::1"},
	} {
		if found, err := lookup(t, client, name); err != nil || !slices.Equal(found, want) {
			t.Errorf("%s leads to %v, %v; want %v", name, found, err, want)
		}
	}
	_, err := lookup(t, client, "collector.example.com.")
	if missing, is := errors.AsType[*net.DNSError](err); !is || !missing.IsNotFound {
		t.Errorf("an undeclared name: %v, want one that does not exist", err)
	}
	changed := told(cluster.address)
	changed.Outbound = changed.Outbound[1:]
	s.Apply(changed)
	if found, err := lookup(t, client, "patient-db.ehr.svc.cluster.local."); err == nil {
		t.Errorf("a name that went leads to %v", found)
	}
}

// Only the name and the type of a question go on to the cluster's name servers, and what
// they say beside the answer stays out.
func TestWhatIsForwarded(t *testing.T) {
	var got atomic.Pointer[dns.Msg]
	cluster := startUpstream(t, func(question *dns.Msg, udp bool) *dns.Msg {
		got.Store(question.Copy())
		reply := records(30, "10.96.0.1")(question, udp)
		extra := &dns.A{Hdr: dns.RR_Header{Name: "else.example.", Rrtype: dns.TypeA, Class: dns.ClassINET, Ttl: 9}, A: net.IPv4(192, 0, 2, 1)}
		reply.Extra = append(reply.Extra, extra)
		return reply
	})
	s := &Server{Upstreams: &Upstreams{Now: time.Now}}
	s.Apply(told(cluster.address))
	question := new(dns.Msg).SetQuestion("kubernetes.default.svc.cluster.local.", dns.TypeA).SetEdns0(4096, true)
	question.Extra = append(question.Extra, &dns.TXT{Hdr: dns.RR_Header{Name: "note.", Rrtype: dns.TypeTXT, Class: dns.ClassINET}, Txt: []string{"smuggled"}})
	reply, outcome := s.reply(t.Context(), question)
	if outcome != Forwarded || len(reply.Answer) != 1 || len(reply.Extra) != 0 || reply.Id != question.Id {
		t.Errorf("reply %s: %v", outcome, reply)
	}
	if asked := got.Load(); len(asked.Extra) != 1 || asked.IsEdns0() == nil || asked.IsEdns0().Do() {
		t.Errorf("the upstream was asked %v", asked)
	}
}

func TestAnOutageOfNameServers(t *testing.T) {
	now := time.Date(2026, time.March, 2, 8, 0, 0, 0, time.UTC)
	good := startUpstream(t, records(5, "10.96.7.7"))
	broken := startUpstream(t, func(question *dns.Msg, _ bool) *dns.Msg {
		return new(dns.Msg).SetRcode(question, dns.RcodeServerFailure)
	})
	u := &Upstreams{Now: func() time.Time { return now }}
	u.Use([]string{broken.address, good.address})
	want := []netip.Addr{netip.MustParseAddr("10.96.7.7")}
	check := func(what string, asked int64) {
		t.Helper()
		got, err := u.Lookup(t.Context(), "db.ehr.svc.cluster.local")
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("%s: %v, %v", what, got, err)
		}
		if n := good.asked.Load(); n != asked {
			t.Errorf("%s: the second name server was asked %d times, want %d", what, n, asked)
		}
	}
	check("the first one is broken", 2)
	check("while the answer counts", 2)
	now = now.Add(6 * time.Second)
	check("when it has ended", 4)
	u.Use([]string{broken.address})
	now = now.Add(23 * time.Hour)
	check("for a day after, while none answers", 4)
	now = now.Add(2 * time.Hour)
	if got, err := u.Lookup(t.Context(), "db.ehr.svc.cluster.local"); !errors.Is(err, errUnreachable) {
		t.Errorf("after a day: %v, %v", got, err)
	}
}

func TestANameThatHasGoneIsNotKept(t *testing.T) {
	now := time.Date(2026, time.March, 2, 8, 0, 0, 0, time.UTC)
	cluster := startUpstream(t, records(5, "10.96.7.7"))
	u := &Upstreams{Now: func() time.Time { return now }}
	u.Use([]string{cluster.address})
	if _, err := u.Lookup(t.Context(), "db.ehr.svc.cluster.local"); err != nil {
		t.Fatal(err)
	}
	now = now.Add(time.Minute)
	cluster.says(func(question *dns.Msg, _ bool) *dns.Msg { return new(dns.Msg).SetRcode(question, dns.RcodeNameError) })
	if got, err := u.Lookup(t.Context(), "db.ehr.svc.cluster.local"); !errors.Is(err, ErrNoAddress) {
		t.Errorf("it leads to %v, %v", got, err)
	}
}

func TestAnAliasIsNoService(t *testing.T) {
	const name = "feed.ehr.svc.cluster.local"
	host := netip.MustParseAddr("192.0.2.7")
	cluster := startUpstream(t, func(question *dns.Msg, udp bool) *dns.Msg {
		reply := records(5, host.String())(question, udp)
		for _, record := range reply.Answer {
			record.Header().Name = "host.example."
		}
		header := dns.RR_Header{Name: question.Question[0].Name, Rrtype: dns.TypeCNAME, Class: dns.ClassINET, Ttl: 5}
		reply.Answer = append([]dns.RR{&dns.CNAME{Hdr: header, Target: "host.example."}}, reply.Answer...)
		return reply
	})
	u := &Upstreams{Now: time.Now}
	u.Use([]string{cluster.address})
	for _, when := range []string{"asked", "kept"} {
		if got, err := u.Service(t.Context(), name); !errors.Is(err, ErrNoAddress) || len(got) > 0 {
			t.Errorf("%s: the Service leads to %v, %v", when, got, err)
		}
		if got, err := u.Lookup(t.Context(), name); err != nil || !slices.Equal(got, []netip.Addr{host}) {
			t.Errorf("%s: the name leads to %v, %v", when, got, err)
		}
	}
	cluster.says(records(5, "10.96.7.7"))
	if got, err := u.Service(t.Context(), "db.ehr.svc.cluster.local"); err != nil || len(got) != 1 {
		t.Errorf("another one leads to %v, %v", got, err)
	}
}

func TestAnAnswerThatDoesNotFitComesOverTCP(t *testing.T) {
	cluster := startUpstream(t, func(question *dns.Msg, udp bool) *dns.Msg {
		if udp {
			reply := new(dns.Msg).SetReply(question)
			reply.Truncated = true
			return reply
		}
		return records(30, "10.96.7.7", "10.96.7.8")(question, udp)
	})
	u := &Upstreams{Now: time.Now}
	u.Use([]string{cluster.address})
	if got, err := u.Lookup(t.Context(), "db.ehr.svc.cluster.local"); err != nil || len(got) != 2 {
		t.Errorf("got %v, %v", got, err)
	}
}

// An answer to another question than the one that was asked is none.
func TestAnAnswerToAnotherQuestion(t *testing.T) {
	cluster := startUpstream(t, func(question *dns.Msg, udp bool) *dns.Msg {
		reply := records(30, "192.0.2.66")(question, udp)
		reply.Question[0].Name = "else.example."
		return reply
	})
	u := &Upstreams{Now: time.Now}
	u.Use([]string{cluster.address})
	if got, err := u.Lookup(t.Context(), "db.ehr.svc.cluster.local"); err == nil {
		t.Errorf("it leads to %v", got)
	}
}

func TestWhatIsKeptIsBounded(t *testing.T) {
	now := time.Date(2026, time.March, 2, 8, 0, 0, 0, time.UTC)
	u := &Upstreams{Now: func() time.Time { return now }}
	for i := range 3 * maxKept {
		u.keep(dns.Fqdn(time.Duration(i).String()), kept{until: now.Add(time.Minute)}, now)
	}
	if len(u.kept) > maxKept {
		t.Errorf("%d answers are kept", len(u.kept))
	}
}

func FuzzAnswer(f *testing.F) {
	for _, m := range []*dns.Msg{
		new(dns.Msg).SetQuestion("patient-db.ehr.svc.cluster.local.", dns.TypeA),
		new(dns.Msg).SetQuestion("collector.example.com.", dns.TypeAAAA).SetEdns0(4096, true),
		new(dns.Msg).SetUpdate("cluster.local."),
	} {
		packed, err := m.Pack()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(packed)
	}
	names := tableOf(told("192.0.2.53:53"))
	f.Fuzz(func(t *testing.T, data []byte) {
		question := new(dns.Msg)
		if question.Unpack(data) != nil {
			return
		}
		reply, _ := names.answer(question)
		if reply == nil {
			return
		}
		for _, record := range reply.Answer {
			if a := addressIn(record); !a.IsLoopback() {
				t.Errorf("a question leads to %s, outside the pod", a)
			}
		}
		if _, err := reply.Pack(); err != nil && len(reply.Question) == 1 {
			t.Errorf("the reply cannot be sent: %v", err)
		}
	})
}
