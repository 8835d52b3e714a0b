package seal

import (
	"bytes"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/hipaa-operator/hipaa-operator/internal/pki"
)

const (
	domain  = "cluster.local"
	uid     = "0d9b7a52-6a1c-4a52-9f1b-1f0a7c9c1e55"
	another = "11111111-6a1c-4a52-9f1b-1f0a7c9c1e55"
)

var (
	start   = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	payload = []byte(`{"version":1}`)
	given   = Statement{Kind: ProxyConfiguration, Workload: uid, Generation: 7}
)

// house is an authority with the signer of configurations.
type house struct {
	root   pki.Bundle
	issuer pki.Authority
	signer Signer
}

func build(t testing.TB) house {
	t.Helper()
	plan := pki.DefaultPlan()
	root, err := pki.NewRoot(domain, start, plan.Root)
	if err != nil {
		t.Fatal(err)
	}
	issuer, err := root.Intermediate(domain, nil, start, plan.Intermediate)
	if err != nil {
		t.Fatal(err)
	}
	h := house{root: pki.Bundle{root.Certificate}, issuer: issuer}
	h.signer = h.as(t, configurations(t))
	return h
}

// as is a signer with the certificate of an identity.
func (h house) as(t testing.TB, id pki.ID) Signer {
	t.Helper()
	key, _, err := pki.NewRequest()
	if err != nil {
		t.Fatal(err)
	}
	chain, err := h.issuer.Leaf(id, key.Public(), start, pki.DefaultPlan().Leaf)
	if err != nil {
		t.Fatal(err)
	}
	return Signer{Key: key, Chain: chain}
}

func configurations(t testing.TB) pki.ID {
	t.Helper()
	id, err := pki.ConfigurationSigner(domain)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func (h house) expect(t testing.TB) Expectation {
	t.Helper()
	return Expectation{Statement: given, Roots: h.root, Signer: configurations(t), At: start.Add(time.Hour)}
}

func closed(t testing.TB, s Signer, statement Statement, payload []byte) []byte {
	t.Helper()
	seal, err := s.Close(statement, payload)
	if err != nil {
		t.Fatal(err)
	}
	return seal
}

// edit changes a seal as somebody would who has no key.
func edit(t testing.TB, seal []byte, change func(*envelope)) []byte {
	t.Helper()
	var read envelope
	if err := json.Unmarshal(seal, &read); err != nil {
		t.Fatal(err)
	}
	change(&read)
	text, err := json.Marshal(read)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func TestOpenSaysWhatIsWrong(t *testing.T) {
	h, stranger := build(t), build(t)
	good := closed(t, h.signer, given, payload)
	workload, err := pki.WorkloadID(domain, "ehr", "a")
	if err != nil {
		t.Fatal(err)
	}
	other := given
	other.Workload = another
	kind := given
	kind.Kind = "audit-policy"
	older, newer := given, given
	older.Generation, newer.Generation = 6, 8
	end := h.signer.Chain[0].NotAfter
	at := func(at time.Time, grace time.Duration) func(*Expectation) {
		return func(e *Expectation) { e.At, e.Grace = at, grace }
	}
	tests := map[string]struct {
		payload, seal []byte
		expect        func(*Expectation)
		want          error
	}{
		"as it was sealed":                          {seal: good},
		"of a later generation":                     {seal: closed(t, h.signer, newer, payload)},
		"the payload is edited":                     {payload: []byte(`{"version":2}`), seal: good, want: ErrEdited},
		"the payload is cut off":                    {payload: payload[:5], seal: good, want: ErrEdited},
		"payload and digest are edited":             {seal: edit(t, good, func(e *envelope) { e.Digest[0] ^= 1 }), want: ErrForged},
		"sealed for another workload":               {seal: closed(t, h.signer, other, payload), want: ErrOtherWorkload},
		"the workload is edited":                    {seal: edit(t, closed(t, h.signer, other, payload), func(e *envelope) { e.Workload = uid }), want: ErrForged},
		"of an earlier generation":                  {seal: closed(t, h.signer, older, payload), want: ErrOlder},
		"the generation is edited":                  {seal: edit(t, closed(t, h.signer, older, payload), func(e *envelope) { e.Generation = 9 }), want: ErrForged},
		"another kind":                              {seal: closed(t, h.signer, kind, payload), want: ErrOtherKind},
		"the kind is edited":                        {seal: edit(t, closed(t, h.signer, kind, payload), func(e *envelope) { e.Kind = ProxyConfiguration }), want: ErrForged},
		"signed by another authority's signer":      {seal: closed(t, stranger.signer, given, payload), want: ErrForeignSigner},
		"signed by a workload":                      {seal: closed(t, h.as(t, workload), given, payload), want: ErrForeignSigner},
		"the chain is another's":                    {seal: edit(t, good, func(e *envelope) { e.Chain = pki.DER(h.as(t, configurations(t)).Chain) }), want: ErrForged},
		"the chain ends at the leaf":                {seal: edit(t, good, func(e *envelope) { e.Chain = e.Chain[:1] }), want: ErrForeignSigner},
		"the chain is huge":                         {seal: edit(t, good, func(e *envelope) { e.Chain = slices.Repeat(e.Chain, 4) }), want: ErrForeignSigner},
		"the signer has expired, within the grace":  {seal: good, expect: at(end.Add(72*time.Hour), 72*time.Hour)},
		"the signer has expired, after the grace":   {seal: good, expect: at(end.Add(72*time.Hour+time.Second), 72*time.Hour), want: ErrSignerExpired},
		"the signer has expired, without a grace":   {seal: good, expect: at(end.Add(time.Second), 0), want: ErrSignerExpired},
		"a stranger's, expired, within the grace":   {seal: closed(t, stranger.signer, given, payload), expect: at(end.Add(time.Hour), 72*time.Hour), want: ErrForeignSigner},
		"the signer is of the future":               {seal: good, expect: at(start.Add(-time.Hour), 72*time.Hour), want: ErrSignerNotYetValid},
		"half a file":                               {seal: good[:len(good)/2], want: ErrTorn},
		"all but the last byte":                     {seal: good[:len(good)-1], want: ErrTorn},
		"an empty file":                             {seal: []byte{}, want: ErrTorn},
		"two seals in one":                          {seal: append(slices.Clone(good), good...), want: ErrTorn},
		"a member of nobody":                        {seal: bytes.Replace(good, []byte(`"kind"`), []byte(`"king":"","kind"`), 1), want: ErrTorn},
		"a member twice":                            {seal: bytes.Replace(good, []byte(`"generation":7`), []byte(`"generation":7,"generation":7`), 1), want: ErrTorn},
		"a chain of something else":                 {seal: edit(t, good, func(e *envelope) { e.Chain[1] = []byte("a") }), want: ErrTorn},
		"without a signature":                       {seal: edit(t, good, func(e *envelope) { e.Signature = nil }), want: ErrTorn},
		"a uid with a line break":                   {seal: edit(t, good, func(e *envelope) { e.Workload = "a\nb" }), want: ErrTorn},
		"of a newer operator":                       {seal: bytes.Replace(good, []byte(`"version":1`), []byte(`"version":2,"more":{}`), 1), want: ErrVersion},
		"a huge seal":                               {seal: make([]byte, MaxSeal+1), want: ErrTooLarge},
		"a huge payload":                            {payload: make([]byte, MaxPayload+1), seal: good, want: ErrTooLarge},
		"roots of which one is another's":           {seal: good, expect: func(e *Expectation) { e.Roots = append(slices.Clone(stranger.root), e.Roots...) }},
		"a pod that trusts nobody":                  {seal: good, expect: func(e *Expectation) { e.Roots = nil }, want: ErrForeignSigner},
		"a pod that is bound to a later generation": {seal: good, expect: func(e *Expectation) { e.Statement.Generation = 8 }, want: ErrOlder},
		"a pod that is bound to an earlier one":     {seal: good, expect: func(e *Expectation) { e.Statement.Generation = 1 }},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			expect := h.expect(t)
			if test.expect != nil {
				test.expect(&expect)
			}
			found := test.payload
			if found == nil {
				found = payload
			}
			got, err := Open(found, test.seal, expect)
			if !errors.Is(err, test.want) {
				t.Fatalf("got %v, %v", got, err)
			}
			// What was signed for us is told also where only the payload is another.
			if told := got.Generation > 0; told != (err == nil || errors.Is(err, ErrEdited)) {
				t.Errorf("it tells %+v with %v", got, err)
			}
			if err == nil && (got.Generation < 7 || got.SignedUntil != end) {
				t.Errorf("got %+v", got)
			}
		})
	}
}

func TestCloseRefusesWhatNobodyCouldOpen(t *testing.T) {
	signer := build(t).signer
	tests := map[string]struct {
		statement Statement
		payload   []byte
	}{
		"no workload":    {statement: Statement{Kind: ProxyConfiguration, Generation: 1}},
		"no kind":        {statement: Statement{Workload: uid, Generation: 1}},
		"no generation":  {statement: Statement{Kind: ProxyConfiguration, Workload: uid}},
		"a huge payload": {statement: given, payload: make([]byte, MaxPayload+1)},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			if seal, err := signer.Close(test.statement, test.payload); err == nil {
				t.Errorf("got %s", seal)
			}
		})
	}
}

// What is signed differs wherever statements do, also where their texts run together.
func TestNoTwoStatementsAreTheSameBytes(t *testing.T) {
	seen := map[string]Statement{}
	for _, statement := range []Statement{{"ab", "c", 1}, {"a", "bc", 1}, {"ab", "c", 2}, {"ab", "c1", 1}, {"abc", "", 1}} {
		text := string(statement.signed(make([]byte, 32)))
		if other, found := seen[text]; found {
			t.Errorf("%+v and %+v", statement, other)
		}
		seen[text] = statement
	}
}

func FuzzOpen(f *testing.F) {
	h := build(f)
	good := closed(f, h.signer, given, payload)
	f.Add(payload, good)
	f.Add(payload, good[:len(good)-2])
	f.Add([]byte("{}"), bytes.Replace(good, []byte(uid), []byte(another), 1))
	f.Add([]byte{}, []byte(`{"version":1,"chain":["AA=="]}`))
	expect := h.expect(f)
	f.Fuzz(func(t *testing.T, found, seal []byte) {
		// A signature may be written in more than one way, a payload in one only.
		if opened, err := Open(found, seal, expect); err == nil && (!bytes.Equal(found, payload) || opened.Generation != 7) {
			t.Fatalf("it opened as %+v: %q %q", opened, found, seal)
		}
	})
}
