package resolver

import (
	"net/netip"

	"github.com/miekg/dns"
)

// ttl is how many seconds an answer may be kept: a change of the configuration counts
// for the next connection soon after.
const ttl = 5

// Outcome is what became of a question.
type Outcome string

// Outcomes.
const (
	// Answered had the address of a listener, or is known to have none of this type.
	Answered Outcome = "answered"
	// Forwarded was answered by an upstream.
	Forwarded Outcome = "forwarded"
	// Undeclared was for a name that the configuration does not have.
	Undeclared Outcome = "undeclared"
	// Unanswerable was no question that a resolver answers.
	Unanswerable Outcome = "unanswerable"
	// Unreachable was for an upstream, and none answered.
	Unreachable Outcome = "unreachable"
)

// answer says what is known of the one question of a message. Names that are the
// upstreams' to answer are left to the caller, who is told by a nil.
func (t table) answer(question *dns.Msg) (*dns.Msg, Outcome) {
	reply := new(dns.Msg).SetReply(question)
	reply.RecursionAvailable = true
	if code := unanswerable(question); code != dns.RcodeSuccess {
		reply.Rcode = code
		return reply, Unanswerable
	}
	q := question.Question[0]
	switch e := t.find(q.Name); e.standing {
	case forwarded:
		return nil, Forwarded
	case declared:
		answerWith(reply, q, e.address)
	case local:
		answerWith(reply, q, netip.AddrFrom4([4]byte{127, 0, 0, 1}), netip.IPv6Loopback())
	case between:
		reply.Ns = authority(q.Name)
	default:
		reply.Rcode = dns.RcodeNameError
		reply.Ns = authority(q.Name)
		return reply, Undeclared
	}
	return reply, Answered
}

// unanswerable is the code by which a message is refused that no resolver answers.
func unanswerable(m *dns.Msg) int {
	switch {
	case m.Opcode != dns.OpcodeQuery:
		return dns.RcodeNotImplemented
	case len(m.Question) != 1:
		return dns.RcodeFormatError
	case m.Question[0].Qclass != dns.ClassINET:
		return dns.RcodeRefused
	default:
		return dns.RcodeSuccess
	}
}

// answerWith gives those addresses that are of the type in question, and says otherwise
// that there are none.
func answerWith(reply *dns.Msg, q dns.Question, addresses ...netip.Addr) {
	for _, a := range addresses {
		header := dns.RR_Header{Name: q.Name, Rrtype: q.Qtype, Class: dns.ClassINET, Ttl: ttl}
		switch {
		case q.Qtype == dns.TypeA && a.Is4():
			reply.Answer = append(reply.Answer, &dns.A{Hdr: header, A: a.AsSlice()})
		case q.Qtype == dns.TypeAAAA && a.Is6():
			reply.Answer = append(reply.Answer, &dns.AAAA{Hdr: header, AAAA: a.AsSlice()})
		}
	}
	if len(reply.Answer) == 0 {
		reply.Ns = authority(q.Name)
	}
}

// authority says how long it may be remembered that there is nothing (RFC 2308).
func authority(name string) []dns.RR {
	return []dns.RR{&dns.SOA{
		Hdr: dns.RR_Header{Name: name, Rrtype: dns.TypeSOA, Class: dns.ClassINET, Ttl: ttl},
		Ns:  "phi-proxy.invalid.", Mbox: "phi-proxy.invalid.", Serial: 1, Refresh: ttl, Retry: ttl, Expire: ttl, Minttl: ttl,
	}}
}
