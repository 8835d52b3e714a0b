package config

import (
	"crypto/x509"
	"fmt"
	"net/url"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/hipaa-operator/hipaa-operator/internal/pki"
)

// Bounds of what is asked of users.
const (
	maxIssuers   = 16
	maxAudiences = 32
	maxGateways  = 32
	maxRoutes    = 256
	maxPaths     = 64
	maxMachines  = 256
	maxRoles     = 64
	maxValues    = 32
	maxPEM       = 64 << 10
	maxSession   = 168 * time.Hour
	minSession   = time.Second
	maxOutage    = 7 * 24 * time.Hour
	maxEmergency = 12 * time.Hour
	maxFailures  = 1000
)

func (c *Configuration) validateUsers(bad *complaints) {
	u := c.Users
	if u == nil {
		return
	}
	if len(u.Issuers)+len(u.Gateways) == 0 {
		bad.add("users.issuers", "names nobody who knows the users; set an issuer or a gateway")
	}
	if bad.most("users.issuers", len(u.Issuers), maxIssuers) {
		urls := map[string]bool{}
		for i := range u.Issuers {
			field := fmt.Sprintf("users.issuers[%d]", i)
			u.Issuers[i].validate(bad, field)
			bad.once(field+".url", u.Issuers[i].URL, urls)
		}
	}
	u.validateGateways(bad, c.TrustDomain)
	u.validateRoutes(bad, c)
	u.Limits.validate(bad, "users.limits")
	if bad.most("users.roles", len(u.Roles), maxRoles) {
		for i := range u.Roles {
			field := fmt.Sprintf("users.roles[%d]", i)
			bad.word(field+".role", u.Roles[i].Role)
			u.Roles[i].Limits.validate(bad, field+".limits")
		}
	}
	if u.Cookie != "" && !isFieldName(u.Cookie) {
		bad.add("users.cookie", "is no name of a cookie; set one of letters, digits, _, - and dots")
	}
	bad.words("users.factors.methods", u.Factors.Methods, maxValues)
	bad.words("users.factors.classes", u.Factors.Classes, maxValues)
	bad.file("users.keyFile", u.KeyFile)
	u.validateStore(bad)
	u.validateBreakGlass(bad)
	u.validateLockout(bad)
	if u.DevicesAtOnce < 0 || u.DevicesAtOnce > MaxDevicesAtOnce {
		bad.add("users.devicesAtOnce", "is %d; set 1 to %d, or nothing for the default", u.DevicesAtOnce, MaxDevicesAtOnce)
	}
	bad.file("users.records.file", u.Records.File)
	if s := u.Records.Show; s != "" && s != ShowPseudonym && s != ShowSubject {
		bad.add("users.records.show", "is neither %s nor %s; set one of them", ShowPseudonym, ShowSubject)
	}
	u.Refusals.Identity.validate(bad, "users.refusals.identity")
	u.Refusals.MultiFactor.validate(bad, "users.refusals.multiFactor")
	u.Refusals.Session.validate(bad, "users.refusals.session")
	u.Refusals.Lockout.validate(bad, "users.refusals.lockout")
}

// algorithms that a signature may have: none with a key that both sides share.
var algorithms = []string{"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"}

func (i *Issuer) validate(bad *complaints, field string) {
	if !isHTTPS(i.URL) {
		bad.add(field+".url", "is no URL with https and without query; set the issuer as its tokens name it")
	}
	if i.Keys != "" && !isHTTPS(i.Keys) {
		bad.add(field+".keys", "is no URL with https; set where the keys are, or nothing")
	}
	if len(i.Audiences) == 0 {
		bad.add(field+".audiences", "is empty, so that tokens for anybody would count; set what this application is called there")
	}
	bad.words(field+".audiences", i.Audiences, maxAudiences)
	bad.words(field+".machines", i.Machines, maxMachines)
	for n, name := range i.Algorithms {
		if !slices.Contains(algorithms, name) {
			bad.add(fmt.Sprintf("%s.algorithms[%d]", field, n), "is none of %s; set one of them", strings.Join(algorithms, ", "))
		}
	}
	if i.Upstream != "" {
		if _, _, ok := SplitUpstream(i.Upstream); !ok {
			bad.add(field+".upstream", "is no host with a port; set one such as keycloak.sso.svc.cluster.local:8443")
		}
	}
	bad.roots(field+".roots", i.Roots)
	bad.span(field+".outage", i.Outage, maxOutage)
	if i.RolesClaim != "" {
		bad.word(field+".rolesClaim", i.RolesClaim)
	}
}

func (u *Users) validateGateways(bad *complaints, domain string) {
	if !bad.most("users.gateways", len(u.Gateways), maxGateways) {
		return
	}
	ids := map[string]bool{}
	for i := range u.Gateways {
		g, field := &u.Gateways[i], fmt.Sprintf("users.gateways[%d]", i)
		bad.once(field+".id", g.ID, ids)
		if id, err := pki.ParseID(g.ID); err != nil || id.TrustDomain != domain {
			bad.add(field+".id", "is no identity of trust domain %q; set spiffe://%s/ns/<namespace>/gateway/<name>", domain, domain)
		}
		if !isFieldName(g.User) {
			bad.add(field+".user", "is no name of a field; set the one that says who the user is")
		}
		for name, value := range map[string]string{"roles": g.Roles, "methods": g.Methods, "authenticated": g.Authenticated} {
			if value != "" && !isFieldName(value) {
				bad.add(field+"."+name, "is no name of a field; set one, or nothing")
			}
		}
		for _, name := range g.Fields() {
			switch strings.ToLower(name) {
			case "host", "content-length", "transfer-encoding", "connection", "upgrade", "expect", "authorization", "cookie":
				bad.add(field, "speaks by a field that means something else; choose another one")
			}
		}
		if u.Cookie == "" && g.Authenticated == "" {
			bad.add(field+".authenticated", "is not set, and neither is users.cookie: a session that was locked could never go on; set one of them")
		}
	}
}

func (u *Users) validateRoutes(bad *complaints, c *Configuration) {
	if !bad.most("users.routes", len(u.Routes), maxRoutes) {
		return
	}
	names := map[string]bool{}
	for i := range u.Routes {
		field := fmt.Sprintf("users.routes[%d]", i)
		u.Routes[i].validate(bad, field, c)
		bad.once(field+".name", u.Routes[i].Name, names)
	}
}

func (r *Route) validate(bad *complaints, field string, c *Configuration) {
	if !isLabel(r.Name) {
		bad.add(field+".name", "is no name; set one of lower-case letters, digits and dashes")
	}
	for n, name := range r.Ports {
		if !slices.ContainsFunc(c.Inbound, func(i Inbound) bool { return i.Name == name && i.Protocol != TCP }) {
			bad.add(fmt.Sprintf("%s.ports[%d]", field, n), "is no port of HTTP or gRPC under inbound; set the name of one")
		}
	}
	if len(r.Paths) == 0 {
		bad.add(field+".paths", "is empty; set paths such as /admin/*")
	}
	if bad.most(field+".paths", len(r.Paths), maxPaths) {
		for n, p := range r.Paths {
			if !isPattern(p) {
				bad.add(fmt.Sprintf("%s.paths[%d]", field, n), "is no path in its shortest form, whole or with /* at its end; set one such as /admin/*")
			}
		}
	}
	bad.words(field+".methods", r.Methods, maxValues)
	r.validateWho(bad, field)
	r.validateMachines(bad, field, c)
	bad.span(field+".maxAge", r.MaxAge, maxSession)
	switch r.Activity {
	case "", Interactive, Polling, Stream:
	default:
		bad.add(field+".activity", "is none of %s, %s, %s; set one of them", Interactive, Polling, Stream)
	}
	r.Limits.validate(bad, field+".limits")
}

func (r *Route) validateWho(bad *complaints, field string) {
	person := r.MultiFactor || r.MaxAge != 0 || r.Limits != SessionLimits{} || r.Activity != ""
	switch r.Who {
	case "", Person:
		if len(r.Machines) > 0 {
			bad.add(field+".machines", "says nothing where a person is needed; set who to %s, or remove them", Anyone)
		}
	case MachineOnly, Anyone:
		if len(r.Machines) == 0 {
			bad.add(field+".machines", "is empty; set who of them may call")
		}
	case Nobody:
		if len(r.Machines) > 0 {
			bad.add(field+".machines", "says nothing where nobody is asked; remove them")
		}
	default:
		bad.add(field+".who", "is none of %s, %s, %s, %s; set one of them", Person, MachineOnly, Anyone, Nobody)
	}
	if person && (r.Who == MachineOnly || r.Who == Nobody) {
		bad.add(field+".who", "has no people, of whom multiFactor, maxAge, activity and limits are; remove those")
	}
}

func (r *Route) validateMachines(bad *complaints, field string, c *Configuration) {
	if !bad.most(field+".machines", len(r.Machines), maxMachines) {
		return
	}
	for n, m := range r.Machines {
		at := fmt.Sprintf("%s.machines[%d]", field, n)
		peer := m.Peer != "" && m.Issuer == "" && m.Subject == ""
		known := slices.ContainsFunc(c.Users.Issuers, func(i Issuer) bool { return i.URL == m.Issuer })
		switch {
		case peer:
			if id, err := pki.ParseID(m.Peer); err != nil || id.TrustDomain != c.TrustDomain {
				bad.add(at+".peer", "is no identity of trust domain %q; set one", c.TrustDomain)
			}
		case m.Peer != "" || m.Subject == "" || len(m.Subject) > maxWord || !known:
			bad.add(at, "is neither a peer nor a subject of an issuer under users.issuers; set one of them")
		}
	}
}

func (l *SessionLimits) validate(bad *complaints, field string) {
	for name, d := range map[string]Duration{"idle": l.Idle, "absolute": l.Absolute} {
		if d != 0 && (time.Duration(d) < minSession || time.Duration(d) > maxSession) {
			bad.add(field+"."+name, "is %s; set %s to %s, or nothing", time.Duration(d), minSession, maxSession)
		}
	}
}

func (u *Users) validateStore(bad *complaints) {
	s := u.Store
	if s == nil {
		return
	}
	if _, _, ok := SplitUpstream(s.Address); !ok {
		bad.add("users.store.address", "is no host with a port; set one such as sessions.ehr.svc.cluster.local:6379")
	}
	if s.Plain && s.Roots != "" {
		bad.add("users.store.roots", "says nothing without TLS; remove it, or plain")
	}
	bad.roots("users.store.roots", s.Roots)
	bad.file("users.store.passwordFile", s.PasswordFile)
	if len(s.Username) > maxWord {
		bad.add("users.store.username", "is too long; set at most %d bytes", maxWord)
	}
	if s.OnOutage != Alone && s.OnOutage != Refuse {
		bad.add("users.store.onOutage", "is neither %s nor %s; set what happens while it cannot be reached", Alone, Refuse)
	}
}

func (u *Users) validateBreakGlass(bad *complaints) {
	b := u.BreakGlass
	if b == nil {
		return
	}
	if len(b.Routes) == 0 {
		bad.add("users.breakGlass.routes", "is empty; set the names of routes that emergencies open")
	}
	bad.words("users.breakGlass.roles", b.Roles, maxRoles)
	if bad.most("users.breakGlass.routes", len(b.Routes), maxRoutes) {
		for n, name := range b.Routes {
			if !slices.ContainsFunc(u.Routes, func(r Route) bool { return r.Name == name && r.Who != MachineOnly && r.Who != Nobody }) {
				bad.add(fmt.Sprintf("users.breakGlass.routes[%d]", n), "is no route for people under users.routes; set the name of one")
			}
		}
	}
	bad.span("users.breakGlass.duration", b.Duration, maxEmergency)
	bad.span("users.breakGlass.expired", b.Expired, maxEmergency)
	if (b.Credentials == "") != (b.Audience == "") {
		bad.add("users.breakGlass.audience", "belongs to credentials; set both or none")
	}
	if len(b.Credentials) > maxPEM {
		bad.add("users.breakGlass.credentials", "is too long; keep at most %d bytes", maxPEM)
	}
	if b.Audience != "" {
		bad.word("users.breakGlass.audience", b.Audience)
	}
}

func (u *Users) validateLockout(bad *complaints) {
	l := u.Lockout
	if l == nil {
		return
	}
	if l.Failures < 0 || l.Failures > maxFailures || l.Failures > 0 && l.Failures < 3 {
		bad.add("users.lockout.failures", "is %d; set 3 to %d, or nothing for the default", l.Failures, maxFailures)
	}
	bad.span("users.lockout.duration", l.Duration, maxWait)
}

func (r *Refusal) validate(bad *complaints, field string) {
	if r.Control == "" || len(r.Control) > 63 || !isPlain(r.Control) {
		bad.add(field+".control", "names no control; set its name")
	}
	if r.Citation == "" || len(r.Citation) > 127 || !isPlain(r.Citation) {
		bad.add(field+".citation", "cites nothing; set the paragraph")
	}
}

// maxWord is how long a role, a subject or a value of a claim may be.
const maxWord = 255

func (c *complaints) most(field string, n, most int) bool {
	if n > most {
		c.add(field, "has %d entries; keep at most %d", n, most)
	}
	return n <= most
}

func (c *complaints) once(field, value string, seen map[string]bool) {
	if seen[value] {
		c.add(field, "stands twice; give each its own")
	}
	seen[value] = true
}

func (c *complaints) word(field, value string) {
	if value == "" || len(value) > maxWord || !isPlain(value) {
		c.add(field, "is empty, too long or not plain; set 1 to %d printable characters", maxWord)
	}
}

func (c *complaints) words(field string, values []string, most int) {
	if !c.most(field, len(values), most) {
		return
	}
	for i, value := range values {
		c.word(fmt.Sprintf("%s[%d]", field, i), value)
	}
}

func (c *complaints) file(field, name string) {
	if name != "" && (!path.IsAbs(name) || path.Clean(name) != name || len(name) > maxText || !isPlain(name)) {
		c.add(field, "is no absolute path of a file; set one, or nothing")
	}
}

func (c *complaints) roots(field, text string) {
	if text != "" && (len(text) > maxPEM || !x509.NewCertPool().AppendCertsFromPEM([]byte(text))) {
		c.add(field, "has no certificate in PEM, or too many; set the roots of who is called")
	}
}

// isHTTPS reports whether the text is a URL that can be asked for without a doubt.
func isHTTPS(s string) bool {
	if len(s) > maxText || !isPlain(s) {
		return false
	}
	u, err := url.Parse(s)
	return err == nil && u.Scheme == "https" && u.Host != "" && u.User == nil && u.RawQuery == "" && u.Fragment == ""
}

// isPattern reports whether the text is a path that a request can have been normalised to.
func isPattern(s string) bool {
	clean, below := strings.CutSuffix(s, "/*")
	if below && clean == "" {
		return true
	}
	return IsPath(s) && path.Clean(clean) == clean && !strings.ContainsAny(clean, "*?;%")
}

func isFieldName(s string) bool {
	return s != "" && len(s) <= 64 && consistsOf(s, func(c byte) bool { return isDomainByte(c) || 'A' <= c && c <= 'Z' })
}
