package pki

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"net"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

const domain = "cluster.local"

var start = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// house is a root with an intermediate, made at start.
type house struct{ root, intermediate Authority }

func build(t *testing.T) house {
	t.Helper()
	plan := DefaultPlan()
	root, err := NewRoot(domain, start, plan.Root, "issuer.op.svc")
	if err != nil {
		t.Fatal(err)
	}
	intermediate, err := root.Intermediate(domain, []string{"issuer.op.svc"}, start, plan.Intermediate)
	if err != nil {
		t.Fatal(err)
	}
	return house{root, intermediate}
}

func (h house) bundle() Bundle { return Bundle{h.root.Certificate} }

func (h house) leaf(t *testing.T, id ID) []*x509.Certificate {
	t.Helper()
	chain, err := h.intermediate.Leaf(id, public(t), start, DefaultPlan().Leaf)
	if err != nil {
		t.Fatal(err)
	}
	return chain
}

func public(t *testing.T) crypto.PublicKey {
	t.Helper()
	_, der, err := NewRequest()
	if err != nil {
		t.Fatal(err)
	}
	key, err := ParseRequest(der)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func named(t *testing.T, text string) ID {
	t.Helper()
	id, err := ParseID(text)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func TestALeafSaysWhoAndForWhat(t *testing.T) {
	h := build(t)
	tests := map[string]struct {
		give string
		want []x509.ExtKeyUsage
	}{
		"a workload serves and dials": {"spiffe://cluster.local/ns/ehr/sa/a", []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}},
		"a gateway dials":             {"spiffe://cluster.local/ns/edge/gateway/a", []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}},
		"the signer does neither":     {"spiffe://cluster.local/signer/configuration", []x509.ExtKeyUsage{x509.ExtKeyUsageCodeSigning}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			id := named(t, test.give)
			chain := h.leaf(t, id)
			leaf := chain[0]
			if len(chain) != 2 || !chain[1].Equal(h.intermediate.Certificate) {
				t.Errorf("the chain has %d certificates", len(chain))
			}
			if diff := cmp.Diff(test.want, leaf.ExtKeyUsage); diff != "" {
				t.Errorf("usages (-want +got):\n%s", diff)
			}
			checkShape(t, leaf, CommonName(id))
			for _, usage := range []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageCodeSigning} {
				got, err := Verify(chain, h.bundle(), Acceptance{At: start, Usage: usage})
				if slices.Contains(test.want, usage) {
					if err != nil || got != id {
						t.Errorf("for usage %v: %v, %v", usage, got, err)
					}
				} else if !errors.Is(err, ErrUntrusted) {
					t.Errorf("for usage %v it is good as well: %v", usage, err)
				}
			}
		})
	}
}

func checkShape(t *testing.T, leaf *x509.Certificate, name string) {
	t.Helper()
	if leaf.IsCA || !leaf.BasicConstraintsValid || leaf.KeyUsage != x509.KeyUsageDigitalSignature || leaf.Subject.CommonName != name {
		t.Errorf("got %+v", leaf)
	}
	if leaf.NotAfter != start.Add(24*time.Hour) || leaf.SerialNumber.BitLen() < 64 {
		t.Errorf("it ends at %s and has the serial number %s", leaf.NotAfter, leaf.SerialNumber)
	}
}

func TestAWorkloadHasANameForWhoKnowsNoURI(t *testing.T) {
	for give, want := range map[string]string{
		"spiffe://cluster.local/ns/ehr/sa/patient-api":                "ehr_patient-api",
		"spiffe://cluster.local/ns/ehr/sa/patient.api":                "", // it could be taken for a DNS name
		"spiffe://cluster.local/ns/ehr/sa/" + strings.Repeat("a", 61): "",
		"spiffe://cluster.local/ns/ehr/sa/" + strings.Repeat("a", 60): "ehr_" + strings.Repeat("a", 60),
		"spiffe://cluster.local/ns/ehr/gateway/patient-api":           "", // it serves nobody
		"spiffe://cluster.local/signer/configuration":                 "",
	} {
		if got := CommonName(named(t, give)); got != want {
			t.Errorf("%s is called %q", give, got)
		}
	}
}

func TestWhatIsSignedNeverOutlastsItsAuthority(t *testing.T) {
	h := build(t)
	end := h.intermediate.Certificate.NotAfter
	chain, err := h.intermediate.Leaf(named(t, "spiffe://cluster.local/ns/ehr/sa/a"), public(t), end.Add(-time.Hour), 24*time.Hour)
	if err != nil || chain[0].NotAfter != end {
		t.Errorf("got %v, %v", chain, err)
	}
	if chain, err := h.intermediate.Leaf(named(t, "spiffe://cluster.local/ns/ehr/sa/a"), public(t), end, 24*time.Hour); err == nil {
		t.Errorf("an expired intermediate signed %v", chain)
	}
	late := h.root.Certificate.NotAfter.Add(-time.Hour)
	if got, err := h.root.Intermediate(domain, nil, late, 7*24*time.Hour); err != nil || got.Certificate.NotAfter != h.root.Certificate.NotAfter {
		t.Errorf("got %v, %v", got, err)
	}
}

func TestVerifySaysWhatIsWrong(t *testing.T) {
	h, other := build(t), build(t)
	id := named(t, "spiffe://cluster.local/ns/ehr/sa/a")
	chain := h.leaf(t, id)
	end := chain[0].NotAfter
	serving, err := h.intermediate.Serving([]string{"issuer.op.svc"}, public(t), start, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	tests := map[string]struct {
		chain []*x509.Certificate
		roots Bundle
		at    time.Time
		grace time.Duration
		want  error
	}{
		"good":                               {chain, h.bundle(), start, 0, nil},
		"good, with another root beside":     {chain, append(other.bundle(), h.root.Certificate), start, 0, nil},
		"good for a clock that is behind":    {chain, h.bundle(), start.Add(-4 * time.Minute), 0, nil},
		"in its last second":                 {chain, h.bundle(), end, 0, nil},
		"expired":                            {chain, h.bundle(), end.Add(time.Second), 0, ErrExpired},
		"expired, within the grace":          {chain, h.bundle(), end.Add(72 * time.Hour), 72 * time.Hour, nil},
		"expired after the intermediate too": {chain, h.bundle(), end.Add(30 * 24 * time.Hour), 30 * 24 * time.Hour, nil},
		"expired longer ago than the grace":  {chain, h.bundle(), end.Add(72*time.Hour + time.Second), 72 * time.Hour, ErrExpired},
		"of tomorrow":                        {chain, h.bundle(), start.Add(-time.Hour), 72 * time.Hour, ErrNotYetValid},
		"of another root":                    {chain, other.bundle(), start, 0, ErrUntrusted},
		"of another root, in the grace":      {chain, other.bundle(), end.Add(time.Hour), 72 * time.Hour, ErrUntrusted},
		"without its intermediate":           {chain[:1], h.bundle(), start, 0, ErrUntrusted},
		"with another intermediate":          {[]*x509.Certificate{chain[0], other.intermediate.Certificate}, h.bundle(), start, 0, ErrUntrusted},
		"nothing":                            {nil, h.bundle(), start, 0, ErrUntrusted},
		"longer than a chain is":             {slices.Repeat(chain, 3), h.bundle(), start, 0, ErrUntrusted},
		"the intermediate itself":            {chain[1:], h.bundle(), start, 0, ErrNoIdentity},
		"the issuer's serving certificate":   {serving, h.bundle(), start, 0, ErrNoIdentity},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := Verify(test.chain, test.roots, Acceptance{At: test.at, Grace: test.grace, Usage: x509.ExtKeyUsageServerAuth})
			if !errors.Is(err, test.want) || (err == nil) != (got == id) {
				t.Errorf("got %v, %v", got, err)
			}
		})
	}
}

// Whoever steals an intermediate can name nobody outside its constraints, and can
// make no authority below it. Here the thief does not go through our functions.
func TestConstraintsHoldAgainstAThief(t *testing.T) {
	h := build(t)
	uri := func(text string) []*url.URL {
		u, err := url.Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		return []*url.URL{u}
	}
	tests := map[string]struct {
		give x509.Certificate
		good bool
	}{
		"one of our domain":         {x509.Certificate{URIs: uri("spiffe://cluster.local/ns/ehr/sa/a")}, true},
		"one of another domain":     {x509.Certificate{URIs: uri("spiffe://other.local/ns/ehr/sa/a")}, false},
		"the issuer's DNS name":     {x509.Certificate{DNSNames: []string{"issuer.op.svc"}}, true},
		"another DNS name":          {x509.Certificate{DNSNames: []string{"kubernetes.default.svc"}}, false},
		"an IPv4 address":           {x509.Certificate{IPAddresses: []net.IP{net.IPv4(10, 0, 0, 1).To4()}}, false},
		"an IPv6 address":           {x509.Certificate{IPAddresses: []net.IP{net.ParseIP("fd00::1")}}, false},
		"a mailbox":                 {x509.Certificate{EmailAddresses: []string{"a@example.org"}}, false},
		"one of another domain too": {x509.Certificate{URIs: append(uri("spiffe://cluster.local/ns/ehr/sa/a"), uri("spiffe://other.local/ns/ehr/sa/a")...)}, false},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			test.give.NotBefore, test.give.NotAfter = start, start.Add(time.Hour)
			test.give.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
			leaf, err := sign(&test.give, h.intermediate.Certificate, public(t), h.intermediate.Key)
			if err != nil {
				t.Fatal(err)
			}
			below := x509.NewCertPool()
			below.AddCert(h.intermediate.Certificate)
			_, err = leaf.Verify(x509.VerifyOptions{Roots: h.bundle().Pool(), Intermediates: below, CurrentTime: start, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny}})
			if (err == nil) != test.good {
				t.Errorf("got %v", err)
			}
		})
	}
	below, err := h.intermediate.Intermediate(domain, nil, start, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	chain, err := below.Leaf(named(t, "spiffe://cluster.local/ns/ehr/sa/a"), public(t), start, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	if id, err := Verify(chain, h.bundle(), Acceptance{At: start, Usage: x509.ExtKeyUsageServerAuth}); !errors.Is(err, ErrUntrusted) {
		t.Errorf("an authority below an intermediate is believed: %v, %v", id, err)
	}
}

// Whoever has the root's key, and no intermediate of ours, is bound as well.
func TestARootNamesNobodyElse(t *testing.T) {
	h := build(t)
	template := &x509.Certificate{
		Subject: pkix.Name{CommonName: "thief"}, NotBefore: start, NotAfter: start.Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	key, err := newKey()
	if err != nil {
		t.Fatal(err)
	}
	loose, err := sign(template, h.root.Certificate, key.Public(), h.root.Key)
	if err != nil {
		t.Fatal(err)
	}
	tests := map[string]struct {
		give x509.Certificate
		good bool
	}{
		"one of our domain":              {x509.Certificate{URIs: []*url.URL{{Scheme: "spiffe", Host: domain, Path: "/ns/ehr/sa/a"}}}, true},
		"one of another domain":          {x509.Certificate{URIs: []*url.URL{{Scheme: "spiffe", Host: "other.local", Path: "/ns/ehr/sa/a"}}}, false},
		"the issuer's DNS name":          {x509.Certificate{DNSNames: []string{"issuer.op.svc"}}, true},
		"the API server's":               {x509.Certificate{DNSNames: []string{"kubernetes.default.svc"}}, false},
		"the issuer's in another domain": {x509.Certificate{DNSNames: []string{"issuer.op.svc.example.org"}}, false},
		"an IPv4 address":                {x509.Certificate{IPAddresses: []net.IP{net.IPv4(10, 0, 0, 1).To4()}}, false},
		"an IPv6 address":                {x509.Certificate{IPAddresses: []net.IP{net.ParseIP("fd00::1")}}, false},
		"a mailbox":                      {x509.Certificate{EmailAddresses: []string{"a@example.org"}}, false},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			test.give.NotBefore, test.give.NotAfter = start, start.Add(time.Hour)
			leaf, err := sign(&test.give, loose, public(t), key)
			if err != nil {
				t.Fatal(err)
			}
			between := x509.NewCertPool()
			between.AddCert(loose)
			_, err = leaf.Verify(x509.VerifyOptions{Roots: h.bundle().Pool(), Intermediates: between, CurrentTime: start, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny}})
			if (err == nil) != test.good {
				t.Errorf("got %v", err)
			}
		})
	}
	for _, authority := range []*x509.Certificate{h.root.Certificate, h.intermediate.Certificate} {
		if !authority.PermittedDNSDomainsCritical {
			t.Errorf("a verifier may pass over the constraints of %s", authority.Subject)
		}
	}
}

// A root that people brought may have no constraints. What it signed for other purposes
// names nobody here.
func TestTheRuleHoldsUnderARootWithoutConstraints(t *testing.T) {
	key, err := newKey()
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		Subject: pkix.Name{CommonName: "theirs"}, NotBefore: start, NotAfter: start.Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	root, err := sign(template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	id := named(t, "spiffe://cluster.local/ns/ehr/sa/a")
	uri := []*url.URL{id.uri()}
	// A principal, as Active Directory writes it beside the URI.
	names, err := asn1.Marshal([]asn1.RawValue{
		{Class: asn1.ClassContextSpecific, Tag: 6, Bytes: []byte(id.String())},
		{Class: asn1.ClassContextSpecific, Tag: 0, IsCompound: true, Bytes: []byte{6, 1, 42, 0xa0, 3, 12, 1, 'a'}},
	})
	if err != nil {
		t.Fatal(err)
	}
	tests := map[string]struct {
		give x509.Certificate
		want error
	}{
		"a workload":       {x509.Certificate{URIs: uri}, nil},
		"a web server":     {x509.Certificate{DNSNames: []string{"www.example.org"}}, ErrNoIdentity},
		"both":             {x509.Certificate{URIs: uri, DNSNames: []string{"issuer.op.svc"}}, ErrNoIdentity},
		"with an address":  {x509.Certificate{URIs: uri, IPAddresses: []net.IP{net.IPv4(10, 0, 0, 1).To4()}}, ErrNoIdentity},
		"with a mailbox":   {x509.Certificate{URIs: uri, EmailAddresses: []string{"a@example.org"}}, ErrNoIdentity},
		"with a principal": {x509.Certificate{ExtraExtensions: []pkix.Extension{{Id: alternativeNames, Value: names}}}, ErrNoIdentity},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			test.give.NotBefore, test.give.NotAfter = start, start.Add(time.Hour)
			test.give.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
			leaf, err := sign(&test.give, root, public(t), key)
			if err != nil {
				t.Fatal(err)
			}
			got, err := Verify([]*x509.Certificate{leaf}, Bundle{root}, Acceptance{At: start, Usage: x509.ExtKeyUsageServerAuth})
			if !errors.Is(err, test.want) || (err == nil) != (got == id) {
				t.Errorf("got %v, %v", got, err)
			}
		})
	}
}

func TestParseRequestTakesOnlyOurKeys(t *testing.T) {
	_, good, err := NewRequest()
	if err != nil {
		t.Fatal(err)
	}
	big, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	other, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{}, big)
	if err != nil {
		t.Fatal(err)
	}
	forged := slices.Clone(good)
	forged[len(forged)-1] ^= 1
	tests := map[string]struct {
		give []byte
		bad  bool
	}{
		"ours":                  {give: good},
		"of another curve":      {give: other, bad: true},
		"signed by another key": {give: forged, bad: true},
		"cut off":               {give: good[:len(good)-1], bad: true},
		"with something behind": {give: append(slices.Clone(good), 0), bad: true},
		"nothing":               {bad: true},
		"huge":                  {give: make([]byte, MaxRequest+1), bad: true},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			if key, err := ParseRequest(test.give); (err != nil) != test.bad {
				t.Errorf("got %v, %v", key, err)
			}
		})
	}
}

func TestParseRootTakesWhatCanDoItsWork(t *testing.T) {
	h := build(t)
	pem := func(a Authority) (certificate, key []byte) {
		text, err := a.KeyPEM()
		if err != nil {
			t.Fatal(err)
		}
		return Bundle{a.Certificate}.PEM(), text
	}
	certificate, key := pem(h.root)
	_, otherKey := pem(build(t).root)
	below, belowKey := pem(h.intermediate)
	foreign, err := NewRoot("other.local", start, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	foreignCertificate, foreignKey := pem(foreign)
	mute, err := NewRoot(domain, start, DefaultPlan().Root)
	if err != nil {
		t.Fatal(err)
	}
	muteCertificate, muteKey := pem(mute)
	tests := map[string]struct {
		certificate, key []byte
		bad              bool
	}{
		"ours":                      {certificate: certificate, key: key},
		"of another trust domain":   {certificate: foreignCertificate, key: foreignKey, bad: true},
		"one that cannot serve":     {certificate: muteCertificate, key: muteKey, bad: true},
		"with another's key":        {certificate: certificate, key: otherKey, bad: true},
		"an intermediate":           {certificate: below, key: belowKey, bad: true},
		"two of them":               {certificate: append(certificate, foreignCertificate...), key: key, bad: true},
		"without a key":             {certificate: certificate, bad: true},
		"the wrong way round":       {certificate: key, key: certificate, bad: true},
		"with words in front of it": {certificate: append([]byte("subject: me\n"), certificate...), key: key, bad: true},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := ParseRoot(test.certificate, test.key, domain, "issuer.op.svc")
			if (err != nil) != test.bad {
				t.Fatalf("got %v, %v", got, err)
			}
			if err == nil && !got.Certificate.Equal(h.root.Certificate) {
				t.Error("it is another certificate")
			}
		})
	}
}
