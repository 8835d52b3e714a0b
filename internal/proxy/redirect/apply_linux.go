package redirect

import (
	"fmt"
	"net/netip"

	"github.com/google/nftables"
	"golang.org/x/sys/unix"
)

// The loopback addresses of the pod itself come first; the others are names that the
// application calls.
var (
	firstOwn  = netip.MustParseAddr("127.0.0.0")
	lastOwn   = netip.MustParseAddr("127.255.255.255")
	firstName = netip.MustParseAddr("127.0.0.16")
	own6      = netip.MustParseAddr("::1")
)

const namePort = 53

// chain is one with its rules.
type chain struct {
	*nftables.Chain
	rules []rule
}

// Apply makes these the rules of the network that this process is in, in one step, and
// reads them back. What stood there of an earlier Apply goes.
func (r *Rules) Apply() error {
	if err := r.check(); err != nil {
		return err
	}
	return r.apply()
}

func (r *Rules) apply() error {
	kernel, err := nftables.New()
	if err != nil {
		return fmt.Errorf("talking to nftables: %w", err)
	}
	table := &nftables.Table{Family: nftables.TableFamilyINet, Name: Table}
	// To add it first is what makes the removal of one that may not be there succeed.
	kernel.AddTable(table)
	kernel.DelTable(table)
	kernel.AddTable(table)
	chains := r.chains(table)
	for _, c := range chains {
		kernel.AddChain(c.Chain)
		for _, exprs := range c.rules {
			kernel.AddRule(&nftables.Rule{Table: table, Chain: c.Chain, Exprs: exprs})
		}
	}
	if err := kernel.Flush(); err != nil {
		return fmt.Errorf("setting the rules: %w; it takes the capability NET_ADMIN and a kernel with nftables and its nat", err)
	}
	for _, c := range chains {
		standing, err := kernel.GetRules(table, c.Chain)
		if err != nil {
			return fmt.Errorf("reading the rules of %s back: %w", c.Name, err)
		}
		if len(standing) != len(c.rules) {
			return fmt.Errorf("reading the rules of %s back: %d of %d stand", c.Name, len(standing), len(c.rules))
		}
	}
	return nil
}

func (r *Rules) chains(table *nftables.Table) []chain {
	base := func(name string, kind nftables.ChainType, hook *nftables.ChainHook, priority *nftables.ChainPriority) *nftables.Chain {
		return &nftables.Chain{Name: name, Table: table, Type: kind, Hooknum: hook, Priority: priority}
	}
	closed := func(c *nftables.Chain) *nftables.Chain {
		policy := nftables.ChainPolicyDrop
		c.Policy = &policy
		return c
	}
	return []chain{
		{base("arriving", nftables.ChainTypeNAT, nftables.ChainHookPrerouting, nftables.ChainPriorityNATDest), r.arriving()},
		{base("leaving", nftables.ChainTypeNAT, nftables.ChainHookOutput, nftables.ChainPriorityNATDest), r.leaving()},
		{closed(base("in", nftables.ChainTypeFilter, nftables.ChainHookInput, nftables.ChainPriorityFilter)), r.in()},
		{closed(base("through", nftables.ChainTypeFilter, nftables.ChainHookForward, nftables.ChainPriorityFilter)), nil},
		{closed(base("out", nftables.ChainTypeFilter, nftables.ChainHookOutput, nftables.ChainPriorityFilter)), r.out()},
	}
}

// arriving sends who calls from outside to the proxy, whatever port is meant.
func (r *Rules) arriving() []rule {
	rules := []rule{when(fromLoopback(), leave())}
	for _, port := range r.Open {
		rules = append(rules, when(protocol(unix.IPPROTO_TCP), toPort(port), leave()))
	}
	return append(rules, when(protocol(unix.IPPROTO_TCP), into(r.Inbound)))
}

// leaving sends what the application opens to the proxy, and its questions for names to
// where they are answered. What stays in the pod is left, but for addresses of names.
func (r *Rules) leaving() []rule {
	return []rule{
		when(byUser(r.User), leave()),
		when(protocol(unix.IPPROTO_UDP), toPort(namePort), into(r.Resolver)),
		when(protocol(unix.IPPROTO_TCP), toPort(namePort), into(r.Resolver)),
		when(toAddresses(firstName, lastOwn), protocol(unix.IPPROTO_TCP), into(r.Outbound)),
		when(intoLoopback(), leave()),
		when(protocol(unix.IPPROTO_TCP), into(r.Outbound)),
	}
}

// in lets in what arriving has sent to the proxy, what is the proxy's own, and answers.
func (r *Rules) in() []rule {
	rules := []rule{when(fromLoopback(), accept()), when(known(), accept())}
	for _, port := range append([]uint16{r.Inbound}, r.Open...) {
		rules = append(rules, when(protocol(unix.IPPROTO_TCP), toPort(port), accept()))
	}
	return append(withNeighbours(rules), when(drop()))
}

// out lets out what the proxy sends, answers to who was let in, and nothing else: what was
// redirected has an address of loopback by now.
func (r *Rules) out() []rule {
	rules := []rule{
		when(intoLoopback(), accept()),
		when(toAddresses(firstOwn, lastOwn), accept()),
		when(toAddresses(own6, own6), accept()),
		when(byUser(r.User), accept()),
		when(known(), accept()),
	}
	return append(withNeighbours(rules), when(drop()))
}

func withNeighbours(rules []rule) []rule {
	const listenerQuery, listenerReport, listenerDone, routerSolicitation, routerAdvertisement, solicitation, advertisement, listenerReport2 = 130, 131, 132, 133, 134, 135, 136, 143
	for _, kind := range []byte{listenerQuery, listenerReport, listenerDone, routerSolicitation, routerAdvertisement, solicitation, advertisement, listenerReport2} {
		rules = append(rules, when(neighbours(kind), accept()))
	}
	return rules
}
