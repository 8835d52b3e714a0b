package config

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"time"

	"github.com/hipaa-operator/hipaa-operator/internal/pki"
)

// complaints are everything that is wrong, each with its field.
type complaints struct{ list []error }

func (c *complaints) add(field, format string, args ...any) {
	c.list = append(c.list, fmt.Errorf("%s: %s", field, fmt.Sprintf(format, args...)))
}

// Validate says everything that is wrong, or nothing.
func (c *Configuration) Validate() error {
	var bad complaints
	if c.Version != Version {
		bad.add("version", "is %d; set %d", c.Version, Version)
	}
	c.Workload.validate(&bad)
	if pki.CheckTrustDomain(c.TrustDomain) != nil {
		bad.add("trustDomain", "is no trust domain; set one of lower-case letters, digits, dots and dashes, such as cluster.local")
	}
	if v := c.TLS.MinVersion; v != "" && v != TLS12 && v != TLS13 {
		bad.add("tls.minVersion", "is neither %s nor %s; set one of them", TLS13, TLS12)
	}
	bad.span("outageGrace", c.OutageGrace, maxGrace)
	c.Refusal.validate(&bad, "refusal")
	c.validateInbound(&bad)
	c.validateProbes(&bad)
	c.Resolver.validate(&bad)
	c.validateOutbound(&bad)
	c.Egress.validate(&bad, c.TrustDomain)
	c.validateUsers(&bad)
	return errors.Join(bad.list...)
}

func (w *Workload) validate(bad *complaints) {
	if w.UID == "" || len(w.UID) > 63 || !isPlain(w.UID) {
		bad.add("workload.uid", "is no uid; set that of the PHIWorkload")
	}
	if !isLabel(w.Namespace) {
		bad.add("workload.namespace", "is no name of a namespace; set that of the PHIWorkload")
	}
	if w.Name == "" || len(w.Name) > 253 || !isDomain(w.Name) {
		bad.add("workload.name", "is no name; set that of the PHIWorkload")
	}
	if w.Generation < 1 {
		bad.add("workload.generation", "is %d; set the generation, which begins at 1", w.Generation)
	}
}

func (c *Configuration) validateInbound(bad *complaints) {
	if len(c.Inbound) > maxInbound {
		bad.add("inbound", "has %d ports; keep at most %d", len(c.Inbound), maxInbound)
		return
	}
	names, listens := map[string]bool{}, map[int]bool{}
	for i := range c.Inbound {
		in, field := &c.Inbound[i], fmt.Sprintf("inbound[%d]", i)
		in.validate(bad, field, c.TrustDomain)
		if names[in.Name] {
			bad.add(field+".name", "stands twice; give each port its own")
		}
		if listens[in.Listen] {
			bad.add(field+".listen", "%d stands twice; give each port its own", in.Listen)
		}
		names[in.Name], listens[in.Listen] = true, true
	}
	for i := range c.Inbound {
		if listens[c.Inbound[i].Forward] {
			bad.add(fmt.Sprintf("inbound[%d].forward", i), "%d is a port of this proxy; set the application's", c.Inbound[i].Forward)
		}
	}
}

func (i *Inbound) validate(bad *complaints, field, domain string) {
	if !isLabel(i.Name) {
		bad.add(field+".name", "is no name of a port; set one of lower-case letters, digits and dashes")
	}
	bad.port(field+".listen", i.Listen)
	bad.port(field+".forward", i.Forward)
	i.Protocol.validate(bad, field+".protocol")
	if len(i.From) > maxPeers {
		bad.add(field+".from", "has %d peers; keep at most %d", len(i.From), maxPeers)
		return
	}
	validatePeers(bad, field+".from", i.From, domain)
	i.validateGrades(bad, field)
	i.Limits.validate(bad, field+".limits")
}

// validateGrades is of callers without a certificate.
func (i *Inbound) validateGrades(bad *complaints, field string) {
	if len(i.OneWay) > maxRanges {
		bad.add(field+".oneWay", "has %d ranges; keep at most %d", len(i.OneWay), maxRanges)
		return
	}
	for n, text := range i.OneWay {
		if prefix, err := netip.ParsePrefix(text); err != nil || prefix != prefix.Masked() || prefix.Addr().Is4In6() {
			bad.add(fmt.Sprintf("%s.oneWay[%d]", field, n), "is no range; set one such as 10.20.0.0/16")
		}
	}
	if i.Plaintext != "" && i.Plaintext != PlaintextPermitted {
		bad.add(field+".plaintext", "is not %s; set that, or nothing", PlaintextPermitted)
	}
}

func (c *Configuration) validateProbes(bad *complaints) {
	if len(c.Probes) > maxProbes {
		bad.add("probes", "has %d entries; keep at most %d", len(c.Probes), maxProbes)
		return
	}
	paths := map[string]bool{}
	for i := range c.Probes {
		p, field := &c.Probes[i], fmt.Sprintf("probes[%d]", i)
		p.validate(bad, field)
		if paths[p.Path] {
			bad.add(field+".path", "stands twice; give each probe its own")
		}
		paths[p.Path] = true
	}
}

func (p *Probe) validate(bad *complaints, field string) {
	if !IsPath(p.Path) || strings.Contains(p.Path, "?") {
		bad.add(field+".path", "is no path; set one that begins with /")
	}
	bad.port(field+".port", p.Port)
	switch p.Kind {
	case ProbeHTTP:
		if !IsPath(p.Target) {
			bad.add(field+".target", "is no path; set the one that the application serves")
		}
		if p.Scheme != "" && p.Scheme != SchemeHTTP && p.Scheme != SchemeHTTPS {
			bad.add(field+".scheme", "is neither %s nor %s; set one of them", SchemeHTTP, SchemeHTTPS)
		}
		p.validateFields(bad, field)
	case ProbeTCP, ProbeGRPC:
		if p.Target != "" || p.Scheme != "" || len(p.Fields) > 0 {
			bad.add(field+".target", "is of HTTP probes only; remove target, scheme and fields")
		}
	default:
		bad.add(field+".kind", "is none of %s, %s, %s; set one of them", ProbeHTTP, ProbeTCP, ProbeGRPC)
	}
	if p.Service != "" && p.Kind != ProbeGRPC || len(p.Service) > maxText {
		bad.add(field+".service", "is of gRPC probes only, and short; remove it")
	}
}

// validateFields is of HTTP probes.
func (p *Probe) validateFields(bad *complaints, field string) {
	if len(p.Fields) > MaxProbeFields {
		bad.add(field+".fields", "has %d fields; keep at most %d", len(p.Fields), MaxProbeFields)
		return
	}
	for n, f := range p.Fields {
		if !f.IsSound() {
			bad.add(fmt.Sprintf("%s.fields[%d]", field, n), "is no field of HTTP; set a name of letters, digits and dashes, and a value without control characters")
		}
	}
}

// IsSound reports whether the field can stand in a request.
func (f ProbeField) IsSound() bool {
	name := func(c byte) bool { return 'A' <= c && c <= 'Z' || c != '.' && isDomainByte(c) }
	value := func(c byte) bool { return ' ' <= c && c < 0x7f }
	return f.Name != "" && len(f.Name) <= 127 && consistsOf(f.Name, name) && len(f.Value) <= maxText && consistsOf(f.Value, value)
}

// IsPath reports whether the text can stand in the first line of a request.
func IsPath(s string) bool {
	return strings.HasPrefix(s, "/") && len(s) <= maxText && consistsOf(s, func(c byte) bool { return c > ' ' && c < 0x7f && c != '#' && c != '\\' })
}

func (p Protocol) validate(bad *complaints, field string) {
	if p != HTTP && p != GRPC && p != TCP {
		bad.add(field, "is none of %s, %s, %s; set one of them", HTTP, GRPC, TCP)
	}
}

func validatePeers(bad *complaints, field string, peers []Peer, domain string) {
	for n, peer := range peers {
		if !peer.valid(domain) {
			bad.add(fmt.Sprintf("%s[%d].id", field, n), "is no identity of trust domain %q; set spiffe://%s/ns/<namespace>/sa/<name or *>", domain, domain)
		}
	}
}

func (l *Limits) validate(bad *complaints, field string) {
	if l.Connections < 0 || l.Connections > maxConnections {
		bad.add(field+".connections", "is %d; set at most %d, or nothing for the default", l.Connections, maxConnections)
	}
	if l.HeadBytes != 0 && (l.HeadBytes < minHead || l.HeadBytes > MaxHead) {
		bad.add(field+".headBytes", "is %d; set %d to %d, or nothing for the default", l.HeadBytes, minHead, MaxHead)
	}
	if l.BodyRate < 0 || l.BodyRate > 1<<30 {
		bad.add(field+".bodyRate", "is %d; set bytes a second, or nothing for the default", l.BodyRate)
	}
	bad.span(field+".headTimeout", l.HeadTimeout, maxWait)
	bad.span(field+".idleTimeout", l.IdleTimeout, maxWait)
	bad.span(field+".answerTimeout", l.AnswerTimeout, maxWait)
}

func (c *complaints) port(field string, port int) {
	if port < 1 || port > 65535 {
		c.add(field, "%d is no port; set 1 to 65535", port)
	}
}

func (c *complaints) span(field string, d Duration, most time.Duration) {
	if d < 0 || time.Duration(d) > most {
		c.add(field, "is %s; set at most %s, or nothing", time.Duration(d), most)
	}
}

// valid reports whether the peer is an identity of the domain, or all workloads of one
// of its namespaces.
func (p Peer) valid(domain string) bool {
	pattern, err := pki.ParsePattern(p.ID)
	return err == nil && pattern.TrustDomain() == domain
}

func isDomain(s string) bool {
	return s != "" && len(s) <= 255 && consistsOf(s, isDomainByte)
}

func isDomainByte(c byte) bool {
	return 'a' <= c && c <= 'z' || '0' <= c && c <= '9' || c == '.' || c == '-' || c == '_'
}

func isLabel(s string) bool {
	return s != "" && len(s) <= 63 && s[0] != '-' && s[len(s)-1] != '-' &&
		consistsOf(s, func(c byte) bool { return c != '.' && c != '_' && isDomainByte(c) })
}

// isPlain reports whether the text can stand in an answer as it is.
func isPlain(s string) bool {
	return consistsOf(s, func(c byte) bool { return ' ' <= c && c < 0x7f && c != '"' && c != '\\' })
}

func consistsOf(s string, ok func(byte) bool) bool {
	for i := range len(s) {
		if !ok(s[i]) {
			return false
		}
	}
	return true
}
