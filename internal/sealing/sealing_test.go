package sealing

import (
	"bytes"
	"crypto/tls"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/hipaa-operator/hipaa-operator/internal/pki"
	"github.com/hipaa-operator/hipaa-operator/internal/seal"
)

const (
	domain = "cluster.local"
	uid    = "0d9b7a52-6a1c-4a52-9f1b-1f0a7c9c1e55"
	other  = "11111111-6a1c-4a52-9f1b-1f0a7c9c1e55"
	day    = 24 * time.Hour
)

var start = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// desk is a signer with an issuer beside it, and a clock that a test sets.
type desk struct {
	*testing.T

	now         time.Time
	root        pki.Authority
	bundle      pki.Bundle
	certificate *tls.Certificate
	failure     error
	sealer      *Sealer
}

func (d *desk) Now() time.Time                { return d.now }
func (d *desk) Certificate() *tls.Certificate { return d.certificate }
func (d *desk) Bundle() pki.Bundle            { return d.bundle }

func (d *desk) Ready() error {
	if d.failure == nil && d.now.After(d.certificate.Leaf.NotAfter) {
		return errors.New("it ended")
	}
	return d.failure
}

func newDesk(t *testing.T) *desk {
	t.Helper()
	d := &desk{T: t, now: start}
	d.rotate()
	d.enrol(signer(t))
	var err error
	if d.sealer, err = New(d, domain, d); err != nil {
		t.Fatal(err)
	}
	return d
}

func signer(t *testing.T) pki.ID {
	t.Helper()
	id, err := pki.ConfigurationSigner(domain)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

// rotate replaces the root, and everybody trusts the new one alone.
func (d *desk) rotate() {
	d.Helper()
	var err error
	if d.root, err = pki.NewRoot(domain, d.now, pki.DefaultPlan().Root); err != nil {
		d.Fatal(err)
	}
	d.bundle = pki.Bundle{d.root.Certificate}
}

// enrol gets a certificate of seven days from a new intermediate.
func (d *desk) enrol(id pki.ID) {
	d.Helper()
	by, err := d.root.Intermediate(domain, nil, d.now, 7*day)
	if err != nil {
		d.Fatal(err)
	}
	key, _, err := pki.NewRequest()
	if err != nil {
		d.Fatal(err)
	}
	chain, err := by.Leaf(id, key.Public(), d.now, 7*day)
	if err != nil {
		d.Fatal(err)
	}
	d.certificate = &tls.Certificate{Certificate: pki.DER(chain), PrivateKey: key, Leaf: chain[0]}
}

// writes is a configuration that says this, of any generation.
func writes(text string) func(int64) ([]byte, error) {
	return func(generation int64) ([]byte, error) { return fmt.Appendf(nil, "%s %d", text, generation), nil }
}

// seal seals and holds the answer against what a proxy would say of it.
func (d *desk) seal(draft Draft) Sealed {
	d.Helper()
	draft.Workload = uid
	got, err := d.sealer.Seal(draft)
	if err != nil {
		d.Fatal(err)
	}
	opened, err := seal.Open(got.Payload, got.Seal, seal.Expectation{
		Statement: seal.Statement{Kind: seal.ProxyConfiguration, Workload: uid, Generation: max(draft.Known, 1)},
		Roots:     d.bundle, Signer: signer(d.T), At: d.now,
	})
	if err != nil || opened.Generation != got.Generation || !strings.HasSuffix(string(got.Payload), fmt.Sprintf(" %d", got.Generation)) {
		d.Fatalf("a proxy says of generation %d: %+v, %v", got.Generation, opened, err)
	}
	if !got.Again.After(d.now) || got.Again.After(opened.SignedUntil) {
		d.Errorf("it is looked at again at %s; the seal counts until %s", got.Again, opened.SignedUntil)
	}
	return got
}

// keeps says whether an answer is what stands already.
func keeps(stands, got Sealed) bool {
	return got.Generation == stands.Generation && bytes.Equal(got.Payload, stands.Payload) && bytes.Equal(got.Seal, stands.Seal)
}

func after(s Sealed) Draft { return Draft{Known: s.Generation, Payload: s.Payload, Seal: s.Seal} }

func TestASealStaysWhileItIsGood(t *testing.T) {
	d := newDesk(t)
	draft := Draft{Write: writes("one")}
	first := d.seal(draft)
	if first.Generation != 1 || !first.Again.Equal(start.Add(-5*time.Minute+(7*day+5*time.Minute)/2)) {
		t.Errorf("the first is of generation %d and counts until %s", first.Generation, first.Again)
	}
	stands := after(first)
	stands.Write = writes("one")
	for _, at := range []time.Duration{0, day, 3 * day} {
		d.now = start.Add(at)
		if got := d.seal(stands); !keeps(first, got) || got.Again != first.Again {
			t.Errorf("after %s it is replaced by generation %d", at, got.Generation)
		}
	}
	// Another replica leads, whose certificate is newer: nothing is due yet.
	d.enrol(signer(t))
	if got := d.seal(stands); !keeps(first, got) {
		t.Error("a newer certificate replaces a good seal")
	}
	// A status that has forgotten all is no reason either.
	stands.Known = 0
	if got := d.seal(stands); !keeps(first, got) {
		t.Error("without a known generation it is replaced")
	}
}

func TestInTheSecondHalfTheSameBytesGetANewSeal(t *testing.T) {
	d := newDesk(t)
	first := d.seal(Draft{Write: writes("one")})
	stands := after(first)
	stands.Write = writes("one")
	d.now = first.Again
	if got := d.seal(stands); !keeps(first, got) {
		t.Error("the certificate that is due itself seals anew")
	}
	d.enrol(signer(t))
	got := d.seal(stands)
	if got.Generation != 1 || !bytes.Equal(got.Payload, first.Payload) || bytes.Equal(got.Seal, first.Seal) || got.Again.Before(d.now.Add(3*day)) {
		t.Errorf("got generation %d, again at %s", got.Generation, got.Again)
	}
	// Nobody looked for a month: the old seal has ended, and what it said still counts.
	d.now = start.Add(30 * day)
	d.enrol(signer(t))
	if got = d.seal(stands); got.Generation != 1 || bytes.Equal(got.Seal, first.Seal) {
		t.Errorf("after a month it is generation %d", got.Generation)
	}
}

func TestWhatChangesGetsAGenerationThatNobodyHasSeen(t *testing.T) {
	d := newDesk(t)
	one := d.seal(Draft{Write: writes("one")})
	change := after(one)
	change.Write = writes("two")
	two := d.seal(change)
	stranger := newDesk(t)
	forged := stranger.seal(Draft{Known: 1000, Write: writes("three")})
	tests := map[string]struct {
		give Draft
		want int64
	}{
		"nothing stands":                         {Draft{}, 1},
		"nothing stands, and five is known":      {Draft{Known: 5}, 6},
		"another configuration stands":           {after(two), 3},
		"the one that stands is put back":        {Draft{Known: 2, Payload: one.Payload, Seal: one.Seal}, 3},
		"the status is older than what stands":   {Draft{Known: 1, Payload: two.Payload, Seal: two.Seal}, 3},
		"the status is gone":                     {Draft{Payload: two.Payload, Seal: two.Seal}, 3},
		"the payload was edited":                 {Draft{Known: 2, Payload: []byte("anything"), Seal: two.Seal}, 3},
		"it was edited and the status is gone":   {Draft{Payload: []byte("anything"), Seal: two.Seal}, 3},
		"the payload was edited to what is next": {Draft{Known: 2, Payload: []byte("three 2"), Seal: two.Seal}, 3},
		"the seal was taken away":                {Draft{Known: 2, Payload: two.Payload}, 3},
		"the seal is torn":                       {Draft{Known: 2, Payload: two.Payload, Seal: two.Seal[:50]}, 3},
		"the seal is a stranger's":               {Draft{Known: 2, Payload: forged.Payload, Seal: forged.Seal}, 3},
		"a stranger's, and nothing is known":     {Draft{Payload: forged.Payload, Seal: forged.Seal}, 1},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			test.give.Write = writes("three")
			if got := d.seal(test.give); got.Generation != test.want {
				t.Errorf("got generation %d, want %d", got.Generation, test.want)
			}
		})
	}
}

func TestASealOfAnotherWorkloadIsNone(t *testing.T) {
	d := newDesk(t)
	theirs, err := d.sealer.Seal(Draft{Workload: other, Known: 40, Write: writes("one")})
	if err != nil {
		t.Fatal(err)
	}
	if got := d.seal(Draft{Known: 2, Payload: theirs.Payload, Seal: theirs.Seal, Write: writes("one")}); got.Generation != 3 {
		t.Errorf("got generation %d", got.Generation)
	}
}

func TestASealUnderARootThatIsGoneIsReplaced(t *testing.T) {
	d := newDesk(t)
	first := d.seal(Draft{Write: writes("one")})
	d.rotate()
	d.enrol(signer(t))
	stands := after(first)
	stands.Write = writes("one")
	if got := d.seal(stands); got.Generation != 2 {
		t.Errorf("got generation %d", got.Generation)
	}
}

func TestWithoutACertificateWhatStandsStays(t *testing.T) {
	broken := errors.New("broken")
	tests := map[string]struct {
		spoil func(*desk, *Draft)
		want  string
		is    error
	}{
		"the issuer has not answered yet": {
			func(d *desk, _ *Draft) { d.certificate, d.failure = nil, errors.New("the issuer has not answered yet") },
			"there is no certificate to seal by: the issuer has not answered yet", ErrNoCertificate,
		},
		"it has ended": {
			func(d *desk, _ *Draft) { d.now = start.Add(8 * day) },
			"there is no certificate to seal by: it ended", ErrNoCertificate,
		},
		"its root is gone": {
			func(d *desk, _ *Draft) { d.rotate() },
			"there is no certificate to seal by: the certificate does not chain to a trusted root", ErrNoCertificate,
		},
		"it is another's": {
			func(d *desk, _ *Draft) {
				id, err := pki.WorkloadID(domain, "hipaa-operator-system", "phi-egress")
				if err != nil {
					d.Fatal(err)
				}
				d.enrol(id)
			},
			"there is no certificate to seal by: the issuer certified spiffe://cluster.local/ns/hipaa-operator-system/sa/phi-egress instead of spiffe://cluster.local/signer/configuration; the manager runs under ServiceAccount hipaa-operator-manager, and its trust domain is the issuer's", ErrNoCertificate,
		},
		"the configuration cannot be written": {
			func(_ *desk, draft *Draft) { draft.Write = func(int64) ([]byte, error) { return nil, broken } },
			"broken", broken,
		},
		"it is larger than a ConfigMap": {
			func(_ *desk, draft *Draft) {
				draft.Write = func(int64) ([]byte, error) { return make([]byte, seal.MaxPayload+1), nil }
			},
			"sealing: the payload is too large: 1048577 bytes, 1048576 are possible", seal.ErrTooLarge,
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			d := newDesk(t)
			first := d.seal(Draft{Write: writes("one")})
			draft := after(first)
			draft.Workload, draft.Write = uid, writes("two")
			test.spoil(d, &draft)
			got, err := d.sealer.Seal(draft)
			if !errors.Is(err, test.is) || !strings.HasPrefix(err.Error(), test.want) || got.Seal != nil || got.Payload != nil {
				t.Errorf("got %+v, %v", got, err)
			}
		})
	}
}
