package resolver

import (
	"context"
	"errors"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/miekg/dns"
)

// ErrNoAddress means that the cluster's name servers have no address for a name.
var ErrNoAddress = errors.New("the name has no address")

// errUnreachable means that no upstream answered.
var errUnreachable = errors.New("no name server answered")

const (
	// patience is how long one upstream may take. Those after it still have their turn
	// within the time that resolvers of applications wait.
	patience = 1500 * time.Millisecond
	// maxKept bounds how many names are kept.
	maxKept = 2048
	// leastKept and mostKept bound how long an answer counts whatever its TTL says.
	leastKept = time.Second
	mostKept  = 30 * time.Second
	// mostStale is how long after that it still counts while no upstream answers
	// (RFC 8767): an outage of names must not become one of care.
	mostStale = 24 * time.Hour
)

// Upstreams asks the cluster's name servers. It is safe for concurrent use.
type Upstreams struct {
	// Now tells how old answers are.
	Now func() time.Time

	mu      sync.RWMutex
	servers []string
	kept    map[string]kept
}

// kept is an answer that still counts.
type kept struct {
	found
	until time.Time
}

// Use asks these servers from now on. What others have answered still counts.
func (u *Upstreams) Use(servers []string) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.servers = slices.Clone(servers)
}

// Lookup is where a name leads: the addresses of IPv4 first. While no name server
// answers, what the last one said counts for a day.
func (u *Upstreams) Lookup(ctx context.Context, name string) ([]netip.Addr, error) {
	f, err := u.find(ctx, name)
	return f.addresses, err
}

// Service is where the name of a Service leads, as Lookup tells. One that is an alias
// leads nowhere: whoever writes a Service (type ExternalName) could have everything that
// calls it call any host.
func (u *Upstreams) Service(ctx context.Context, name string) ([]netip.Addr, error) {
	f, err := u.find(ctx, name)
	if err == nil && f.alias {
		return nil, ErrNoAddress
	}
	return f.addresses, err
}

func (u *Upstreams) find(ctx context.Context, name string) (found, error) {
	now := u.Now()
	known, there := u.recall(name)
	if there && now.Before(known.until) {
		return known.found, nil
	}
	f, err := u.ask(ctx, name)
	if err == nil {
		u.keep(name, kept{f, now.Add(f.lasts)}, now)
		return f, nil
	}
	if there && errors.Is(err, errUnreachable) && now.Before(known.until.Add(mostStale)) {
		return known.found, nil
	}
	return found{}, err
}

func (u *Upstreams) recall(name string) (kept, bool) {
	u.mu.RLock()
	defer u.mu.RUnlock()
	k, there := u.kept[name]
	return k, there
}

// keep remembers an answer. Where there is no room the names go that nobody has asked
// for since their answer ended, else everything.
func (u *Upstreams) keep(name string, k kept, now time.Time) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if len(u.kept) >= maxKept {
		for other, o := range u.kept {
			if now.After(o.until) {
				delete(u.kept, other)
			}
		}
		if len(u.kept) >= maxKept {
			clear(u.kept)
		}
	}
	if u.kept == nil {
		u.kept = map[string]kept{}
	}
	u.kept[name] = k
}

// found is what both families have for a name.
type found struct {
	addresses []netip.Addr
	// alias says that they are those of another name.
	alias bool
	lasts time.Duration
}

// ask asks for both families at once. One that fails does not hide the other.
func (u *Upstreams) ask(ctx context.Context, name string) (found, error) {
	types := []uint16{dns.TypeA, dns.TypeAAAA}
	replies := make([]*dns.Msg, len(types))
	failures := make([]error, len(types))
	var wait sync.WaitGroup
	for i, kind := range types {
		wait.Go(func() {
			question := new(dns.Msg).SetQuestion(dns.Fqdn(name), kind).SetEdns0(maxUDP, false)
			replies[i], failures[i] = u.Exchange(ctx, question)
		})
	}
	wait.Wait()
	all := found{lasts: mostKept}
	for _, reply := range replies {
		if reply == nil {
			continue
		}
		for _, record := range reply.Answer {
			all.alias = all.alias || record.Header().Rrtype == dns.TypeCNAME || record.Header().Rrtype == dns.TypeDNAME
			address := addressIn(record)
			if !address.IsValid() {
				continue
			}
			all.addresses = append(all.addresses, address)
			all.lasts = min(all.lasts, max(leastKept, time.Duration(record.Header().Ttl)*time.Second))
		}
	}
	if len(all.addresses) > 0 {
		return all, nil
	}
	if err := errors.Join(failures...); err != nil {
		return found{}, err
	}
	return found{}, ErrNoAddress
}

// addressIn is the address that a record gives, or the zero one.
func addressIn(record dns.RR) netip.Addr {
	var raw []byte
	switch r := record.(type) {
	case *dns.A:
		raw = r.A.To4()
	case *dns.AAAA:
		raw = r.AAAA.To16()
	}
	address, _ := netip.AddrFromSlice(raw) // of nothing it is the zero one
	return address.Unmap()
}

// Exchange asks the upstreams in their order until one answers the question, over TCP
// where an answer does not fit.
func (u *Upstreams) Exchange(ctx context.Context, question *dns.Msg) (*dns.Msg, error) {
	u.mu.RLock()
	servers := u.servers
	u.mu.RUnlock()
	for _, server := range servers {
		reply, err := exchange(ctx, "udp", server, question)
		if err == nil && reply.Truncated {
			reply, err = exchange(ctx, "tcp", server, question)
		}
		if err == nil && reply.Rcode != dns.RcodeServerFailure && reply.Rcode != dns.RcodeRefused && answers(question, reply) {
			return reply, nil
		}
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
	}
	return nil, errUnreachable
}

func exchange(ctx context.Context, network, server string, question *dns.Msg) (*dns.Msg, error) {
	ctx, stop := context.WithTimeout(ctx, patience)
	defer stop()
	client := dns.Client{Net: network, Timeout: patience, UDPSize: maxUDP}
	reply, _, err := client.ExchangeContext(ctx, question, server)
	return reply, err
}

// answers reports whether the reply is about the question; its number the client has
// compared.
func answers(question, reply *dns.Msg) bool {
	return len(reply.Question) == 1 && reply.Question[0].Qtype == question.Question[0].Qtype &&
		dns.CanonicalName(reply.Question[0].Name) == dns.CanonicalName(question.Question[0].Name)
}
