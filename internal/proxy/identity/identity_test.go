package identity_test

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/url"
	"testing"
	"time"

	"github.com/hipaa-operator/hipaa-operator/internal/proxy/identity"
	"github.com/hipaa-operator/hipaa-operator/internal/proxy/proxytest"
)

var start = time.Date(2026, 11, 23, 8, 0, 0, 0, time.UTC)

const (
	domain = "cluster.local"
	portal = "spiffe://cluster.local/ns/ehr/sa/portal"
	api    = "spiffe://cluster.local/ns/ehr/sa/patient-api"
)

// shake runs one handshake and says how each side ended.
func shake(t *testing.T, server, client *tls.Config) (*tls.Conn, *tls.Conn, error, error) {
	t.Helper()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatalf("listening: %v", err)
	}
	defer l.Close()
	b, err := new(net.Dialer).DialContext(t.Context(), "tcp", l.Addr().String())
	if err != nil {
		t.Fatalf("dialling: %v", err)
	}
	a, err := l.Accept()
	if err != nil {
		t.Fatalf("accepting: %v", err)
	}
	t.Cleanup(func() { _, _ = a.Close(), b.Close() })
	s, c := tls.Server(a, server), tls.Client(b, client)
	done := make(chan error, 1)
	go func() {
		err := s.HandshakeContext(t.Context())
		if err != nil {
			_ = a.Close()
		}
		done <- err
	}()
	clientErr := c.HandshakeContext(t.Context())
	if clientErr != nil {
		_ = b.Close()
	}
	return s, c, <-done, clientErr
}

func TestAPeerIsWhoItsCertificateSays(t *testing.T) {
	root := proxytest.NewAuthority(t, start)
	other := proxytest.NewAuthority(t, start)
	middle := root.Intermediate(t, start)
	below := middle.Leaf(t, start, portal)
	below.Certificate = append(below.Certificate, middle.Certificate.Raw)
	changed := func(change func(*x509.Certificate)) *tls.Certificate {
		template := proxytest.LeafTemplate(t, start, portal)
		change(template)
		return root.Issue(t, template)
	}
	for name, tc := range map[string]struct {
		give *tls.Certificate
		want error
	}{
		"issued by the root":                      {root.Leaf(t, start, portal), nil},
		"issued by an intermediate that it shows": {below, nil},
		"issued by an intermediate that it hides": {middle.Leaf(t, start, portal), identity.ErrUntrusted},
		"issued by another root":                  {other.Leaf(t, start, portal), identity.ErrUntrusted},
		"no URI":                                  {root.Leaf(t, start), identity.ErrNobody},
		"two URIs":                                {root.Leaf(t, start, portal, api), identity.ErrNobody},
		"another trust domain":                    {root.Leaf(t, start, "spiffe://elsewhere/ns/ehr/sa/portal"), identity.ErrNobody},
		"a longer trust domain":                   {root.Leaf(t, start, "spiffe://cluster.localx/ns/ehr/sa/portal"), identity.ErrNobody},
		"another scheme":                          {root.Leaf(t, start, "https://cluster.local/ns/ehr/sa/portal"), identity.ErrNobody},
		"a path of another kind":                  {root.Leaf(t, start, "spiffe://cluster.local/workload/portal"), identity.ErrNobody},
		"a name beside the URI":                   {changed(func(c *x509.Certificate) { c.DNSNames = []string{"portal.ehr.svc"} }), identity.ErrNobody},
		"the domain alone":                        {root.Leaf(t, start, "spiffe://cluster.local"), identity.ErrNobody},
		"an empty segment":                        {root.Leaf(t, start, "spiffe://cluster.local/ns//sa/portal"), identity.ErrNobody},
		"a segment that climbs":                   {root.Leaf(t, start, "spiffe://cluster.local/ns/x/../sa/portal"), identity.ErrNobody},
		"a port":                                  {root.Leaf(t, start, "spiffe://cluster.local:443/ns/ehr/sa/portal"), identity.ErrNobody},
		"a user":                                  {root.Leaf(t, start, "spiffe://me@cluster.local/ns/ehr/sa/portal"), identity.ErrNobody},
		"a query":                                 {root.Leaf(t, start, portal+"?x"), identity.ErrNobody},
		"an escape":                               {root.Leaf(t, start, "spiffe://cluster.local/ns/ehr/sa/%70ortal"), identity.ErrNobody},
		"expired":                                 {changed(func(c *x509.Certificate) { c.NotAfter = start.Add(-time.Second) }), identity.ErrExpired},
		"not yet in force":                        {changed(func(c *x509.Certificate) { c.NotBefore = start.Add(time.Minute) }), identity.ErrExpired},
		"for servers only":                        {changed(func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth} }), identity.ErrUntrusted},
		"for signing code":                        {changed(func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageCodeSigning} }), identity.ErrUntrusted},
		"an authority's own": {changed(func(c *x509.Certificate) {
			c.IsCA, c.BasicConstraintsValid, c.KeyUsage = true, true, x509.KeyUsageCertSign|x509.KeyUsageDigitalSignature
		}), identity.ErrNobody},
	} {
		t.Run(name, func(t *testing.T) {
			now := func() time.Time { return start }
			server := &identity.Verifier{Source: proxytest.NewSource(root.Leaf(t, start, api), root), Now: now}
			client := &identity.Verifier{Source: proxytest.NewSource(tc.give, root), Now: now}
			s, _, err, _ := shake(t, server.Server(identity.Policy{TrustDomain: domain}), client.Client(identity.Policy{TrustDomain: domain}))
			if !errors.Is(err, tc.want) {
				t.Fatalf("the handshake ended with %v, want %v", err, tc.want)
			}
			if err != nil {
				return
			}
			state := s.ConnectionState()
			if id, err := identity.Peer(state, domain); id != portal || err != nil {
				t.Errorf("Peer() = %q, %v", id, err)
			}
			if state.Version != tls.VersionTLS13 || state.CurveID != tls.X25519MLKEM768 {
				t.Errorf("spoken is %x with %v", state.Version, state.CurveID)
			}
		})
	}
}

func TestACallerWithoutACertificateOrWithAnOldTLSIsRefused(t *testing.T) {
	root := proxytest.NewAuthority(t, start)
	v := &identity.Verifier{Source: proxytest.NewSource(root.Leaf(t, start, api), root), Now: func() time.Time { return start }}
	bare := &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS12}
	if _, _, err, _ := shake(t, v.Server(identity.Policy{TrustDomain: domain}), bare); err == nil {
		t.Error("a caller without a certificate is taken")
	}
	old := v.Client(identity.Policy{TrustDomain: domain, MinVersion: tls.VersionTLS12})
	old.MaxVersion = tls.VersionTLS12
	if _, _, err, _ := shake(t, v.Server(identity.Policy{TrustDomain: domain}), old); err == nil {
		t.Error("TLS 1.2 is taken where nothing says so")
	}
	if _, _, err, _ := shake(t, v.Server(identity.Policy{TrustDomain: domain, MinVersion: tls.VersionTLS12}), old); err != nil {
		t.Errorf("TLS 1.2 is refused where the configuration allows it: %v", err)
	}
	admit := func(id string) bool { return id == api }
	if _, _, err, _ := shake(t, v.Server(identity.Policy{TrustDomain: domain}), v.Client(identity.Policy{TrustDomain: domain, Admit: admit})); err != nil {
		t.Errorf("the peer that is meant: %v", err)
	}
	nobody := func(string) bool { return false }
	if _, _, _, err := shake(t, v.Server(identity.Policy{TrustDomain: domain}), v.Client(identity.Policy{TrustDomain: domain, Admit: nobody})); !errors.Is(err, identity.ErrNotAdmitted) {
		t.Errorf("a peer that is not meant: %v", err)
	}
}

func TestWithoutCertificateOrRootsNothingOpens(t *testing.T) {
	root := proxytest.NewAuthority(t, start)
	now := func() time.Time { return start }
	client := &identity.Verifier{Source: proxytest.NewSource(root.Leaf(t, start, portal), root), Now: now}
	for name, prepare := range map[string]func(*proxytest.Source){
		"no certificate": func(s *proxytest.Source) { s.Own.Store(nil) },
		"no roots":       func(s *proxytest.Source) { s.Trust.Store(nil) },
	} {
		t.Run(name, func(t *testing.T) {
			source := proxytest.NewSource(root.Leaf(t, start, api), root)
			prepare(source)
			server := &identity.Verifier{Source: source, Now: now}
			if _, _, err, _ := shake(t, server.Server(identity.Policy{TrustDomain: domain}), client.Client(identity.Policy{TrustDomain: domain})); !errors.Is(err, identity.ErrNotReady) {
				t.Errorf("the handshake ended with %v", err)
			}
		})
	}
}

func TestAnExpiredCertificateOfAKnownPeerCountsDuringAnOutage(t *testing.T) {
	const grace = 72 * time.Hour
	root := proxytest.NewAuthority(t, start)
	for name, tc := range map[string]struct {
		met, outage bool
		after       time.Duration
		want        error
	}{
		"known, outage, within the grace":  {met: true, outage: true, after: grace - time.Second},
		"a stranger":                       {met: false, outage: true, after: time.Hour, want: identity.ErrExpired},
		"no outage":                        {met: true, outage: false, after: time.Hour, want: identity.ErrExpired},
		"after the grace":                  {met: true, outage: true, after: grace, want: identity.ErrExpired},
		"no outage, but still in force":    {met: false, outage: false, after: -time.Second},
		"an outage, and it still in force": {met: false, outage: true, after: 0},
	} {
		t.Run(name, func(t *testing.T) {
			now := start
			clock := func() time.Time { return now }
			server := &identity.Verifier{Source: proxytest.NewSource(root.Leaf(t, start, api), root), Now: clock, Outage: func() bool { return tc.outage }}
			leaf := root.Leaf(t, start, portal)
			client := &identity.Verifier{Source: proxytest.NewSource(leaf, root), Now: clock, Outage: func() bool { return true }}
			serving := server.Server(identity.Policy{TrustDomain: domain, Grace: grace})
			// The caller takes whatever the callee shows: this is about the caller's certificate.
			calling := client.Client(identity.Policy{TrustDomain: domain})
			calling.VerifyConnection = nil
			if tc.met {
				if _, _, err, _ := shake(t, serving, calling); err != nil {
					t.Fatalf("meeting: %v", err)
				}
			}
			now = leaf.Leaf.NotAfter.Add(tc.after)
			if _, _, err, _ := shake(t, serving, calling); !errors.Is(err, tc.want) {
				t.Errorf("the handshake ended with %v, want %v", err, tc.want)
			}
		})
	}
}

func TestAnOverdueCertificateRaisesADoubtBeforeItEnds(t *testing.T) {
	root := proxytest.NewAuthority(t, start)
	now, asked := start, 0
	leaf := root.Leaf(t, start, portal)
	server := &identity.Verifier{Source: proxytest.NewSource(root.Leaf(t, start, api), root), Now: func() time.Time { return now }, Outage: func() bool { asked++; return false }}
	client := &identity.Verifier{Source: proxytest.NewSource(leaf, root), Now: func() time.Time { return now }}
	meet := func(grace time.Duration) {
		t.Helper()
		if _, _, err, _ := shake(t, server.Server(identity.Policy{TrustDomain: domain, Grace: grace}), client.Client(identity.Policy{TrustDomain: domain})); err != nil {
			t.Fatalf("meeting: %v", err)
		}
	}
	now = leaf.Leaf.NotBefore.Add(18 * time.Hour)
	meet(time.Hour)
	if asked != 0 {
		t.Error("a certificate in its time raises a doubt")
	}
	now = now.Add(time.Second)
	meet(0)
	if asked != 0 {
		t.Error("it raises one where there is no grace")
	}
	meet(time.Hour)
	if asked != 1 {
		t.Errorf("an overdue certificate raises %d doubts", asked)
	}
}

func TestWhoCameLateDoesNotBecomeKnown(t *testing.T) {
	root := proxytest.NewAuthority(t, start)
	now := start
	server := &identity.Verifier{Source: proxytest.NewSource(root.Leaf(t, start, api), root), Now: func() time.Time { return now }, Outage: func() bool { return true }}
	serving := server.Server(identity.Policy{TrustDomain: domain, Grace: time.Hour})
	call := func(leaf *tls.Certificate) error {
		_, _, err, _ := shake(t, serving, &tls.Config{InsecureSkipVerify: true, Certificates: []tls.Certificate{*leaf}, MinVersion: tls.VersionTLS13})
		return err
	}
	if err := call(root.Leaf(t, start, portal)); err != nil {
		t.Fatalf("meeting: %v", err)
	}
	// Those who come after push out those who came first; the memory is bounded.
	for n := range 4096 {
		template := proxytest.LeafTemplate(t, start, fmt.Sprintf("spiffe://cluster.local/ns/ehr/sa/p%d", n))
		id := identityOf(t, template.URIs[0])
		identity.Remember(server, id)
	}
	now = start.Add(23*time.Hour + time.Minute)
	late := root.Leaf(t, start, portal)
	if err := call(late); !errors.Is(err, identity.ErrExpired) {
		t.Errorf("who was forgotten is taken late: %v", err)
	}
	identity.Remember(server, portal)
	if err := call(late); err != nil {
		t.Errorf("who is known is refused late: %v", err)
	}
}

func identityOf(t *testing.T, uri *url.URL) string {
	t.Helper()
	id, err := identity.ID(&x509.Certificate{URIs: []*url.URL{uri}}, domain)
	if err != nil {
		t.Fatalf("ID: %v", err)
	}
	return id
}

func TestRootsChangeUnderway(t *testing.T) {
	before, after := proxytest.NewAuthority(t, start), proxytest.NewAuthority(t, start)
	now := func() time.Time { return start }
	source := proxytest.NewSource(before.Leaf(t, start, api), before)
	server := &identity.Verifier{Source: source, Now: now}
	client := &identity.Verifier{Source: proxytest.NewSource(before.Leaf(t, start, portal), before), Now: now}
	serving, calling := server.Server(identity.Policy{TrustDomain: domain}), client.Client(identity.Policy{TrustDomain: domain})
	if _, _, err, _ := shake(t, serving, calling); err != nil {
		t.Fatalf("before: %v", err)
	}
	source.Trust.Store(after.Pool())
	if _, _, err, _ := shake(t, serving, calling); !errors.Is(err, identity.ErrUntrusted) {
		t.Errorf("after the root is withdrawn: %v", err)
	}
}

// No URI is an identity in two spellings, or one of another domain.
func FuzzID(f *testing.F) {
	f.Add(portal)
	f.Add("spiffe://cluster.local/ns/%65hr/sa/x")
	f.Add("spiffe:cluster.local/ns")
	f.Fuzz(func(t *testing.T, text string) {
		uri, err := url.Parse(text)
		if err != nil {
			return
		}
		id, err := identity.ID(&x509.Certificate{URIs: []*url.URL{uri}}, domain)
		if err != nil {
			return
		}
		again, err := url.Parse(id)
		if err != nil || again.Host != domain || again.Scheme != "spiffe" || again.User != nil || again.RawQuery != "" || again.Fragment != "" || again.Path != again.EscapedPath() {
			t.Errorf("%q is taken as %q", text, id)
		}
	})
}
