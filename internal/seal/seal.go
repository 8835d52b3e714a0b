// Package seal signs what proxies are configured by, and says what is wrong with
// what they find. Its promise: what opens was sealed for this very workload, by the
// signer of configurations, no earlier than the generation that the pod is bound to.
package seal

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/hipaa-operator/hipaa-operator/internal/pki"
)

const (
	// ProxyConfiguration is the kind of what configures the proxy of a workload.
	ProxyConfiguration = "proxy-configuration"
	// MaxPayload bounds what is sealed, in bytes: a ConfigMap holds no more.
	MaxPayload = 1 << 20
	// MaxSeal bounds a seal in bytes; one with a chain of two has 2 KiB.
	MaxSeal = 16 << 10

	version = 1
	// purpose stands before everything that is signed, so that a signature made for
	// something else is none here.
	purpose = "hipaa-operator seal v1\x00"
	// maxText bounds kind and workload in bytes.
	maxText = 128
)

// The ways in which a seal may be wrong; Open returns one of them, wrapped.
var (
	// ErrTooLarge says that payload or seal are larger than either ever is.
	ErrTooLarge = errors.New("too large")
	// ErrTorn says that the seal cannot be read: half a file, or something else.
	ErrTorn = errors.New("the seal is torn")
	// ErrVersion says that a newer operator wrote the seal.
	ErrVersion = errors.New("the seal is of another version")
	// ErrForeignSigner says that the certificate in the seal is not one of the signer
	// of configurations under a root that is trusted.
	ErrForeignSigner = errors.New("the signer is not trusted")
	// ErrSignerExpired says that the signer's certificate ended longer ago than the
	// grace allows, so that nobody has looked after this configuration since.
	ErrSignerExpired = errors.New("the signer's certificate has expired")
	// ErrSignerNotYetValid says that the signer's certificate is of the future, or
	// our clock is behind.
	ErrSignerNotYetValid = errors.New("the signer's certificate is not valid yet")
	// ErrForged says that the signature is not the signer's.
	ErrForged = errors.New("the signature is not the signer's")
	// ErrEdited says that the payload is not what was sealed.
	ErrEdited = errors.New("the payload was edited")
	// ErrOtherKind says that something else than what is expected was sealed.
	ErrOtherKind = errors.New("something else was sealed")
	// ErrOtherWorkload says that it was sealed for another workload.
	ErrOtherWorkload = errors.New("it was sealed for another workload")
	// ErrOlder says that it is older than the least generation that counts.
	ErrOlder = errors.New("it is older than what is in force")
)

// Statement is what a seal says of a payload.
type Statement struct {
	// Kind says what the payload is: ProxyConfiguration.
	Kind string
	// Workload is the uid of the PHIWorkload that it is for.
	Workload string
	// Generation grows with every change.
	Generation int64
}

// Signer seals.
type Signer struct {
	// Key is of P-256.
	Key crypto.Signer
	// Chain certifies the key, the leaf first.
	Chain []*x509.Certificate
}

// envelope is how a seal is written.
type envelope struct {
	Version    int      `json:"version"`
	Kind       string   `json:"kind"`
	Workload   string   `json:"workload"`
	Generation int64    `json:"generation"`
	Digest     []byte   `json:"digest"`
	Signature  []byte   `json:"signature"`
	Chain      [][]byte `json:"chain"`
}

func (e envelope) statement() Statement {
	return Statement{Kind: e.Kind, Workload: e.Workload, Generation: e.Generation}
}

// Close seals a payload. The seal stands beside it, in a file of its own.
func (s Signer) Close(statement Statement, payload []byte) ([]byte, error) {
	if err := statement.check(); err != nil {
		return nil, err
	}
	if len(payload) > MaxPayload {
		return nil, fmt.Errorf("sealing: the payload is %w: %d bytes, %d are possible", ErrTooLarge, len(payload), MaxPayload)
	}
	digest := sha256.Sum256(payload)
	signature, err := s.Key.Sign(rand.Reader, statement.signed(digest[:]), crypto.SHA256)
	if err != nil {
		return nil, fmt.Errorf("sealing: %w", err)
	}
	written := envelope{
		Version: version, Kind: statement.Kind, Workload: statement.Workload, Generation: statement.Generation,
		Digest: digest[:], Signature: signature, Chain: pki.DER(s.Chain),
	}
	text, err := json.Marshal(written)
	if err != nil {
		return nil, fmt.Errorf("sealing: %w", err)
	}
	return text, nil
}

// Expectation is what somebody who opens a seal goes by.
type Expectation struct {
	// Statement has the kind, the workload and the least generation that counts.
	Statement Statement
	// Roots are those that are trusted.
	Roots pki.Bundle
	// Signer is who may seal.
	Signer pki.ID
	// At is the instant of the judgement.
	At time.Time
	// Grace is for how long after the end of the signer's certificate a seal counts.
	Grace time.Duration
}

// Opened is what a good seal said.
type Opened struct {
	// Generation is that of the payload.
	Generation int64
	// SignedFrom and SignedUntil are when the signer's certificate begins and ends.
	SignedFrom, SignedUntil time.Time
}

// Open says whether a payload is what was sealed for whoever expects it. Where it is not
// but all else is in order, what the seal says stands beside ErrEdited.
func Open(payload, seal []byte, expect Expectation) (Opened, error) {
	if len(payload) > MaxPayload {
		return Opened{}, fmt.Errorf("opening a seal: the payload is %w: %d bytes, %d are possible", ErrTooLarge, len(payload), MaxPayload)
	}
	if len(seal) > MaxSeal {
		return Opened{}, fmt.Errorf("opening a seal: it is %w: %d bytes, %d are possible", ErrTooLarge, len(seal), MaxSeal)
	}
	read, err := parse(seal)
	if err != nil {
		return Opened{}, fmt.Errorf("opening a seal: %w", err)
	}
	leaf, err := expect.signer(read.Chain)
	if err != nil {
		return Opened{}, fmt.Errorf("opening a seal: %w", err)
	}
	key, ok := leaf.PublicKey.(*ecdsa.PublicKey)
	if !ok || !ecdsa.VerifyASN1(key, read.statement().signed(read.Digest), read.Signature) {
		return Opened{}, fmt.Errorf("opening a seal: %w", ErrForged)
	}
	if err := expect.compare(read.statement()); err != nil {
		return Opened{}, fmt.Errorf("opening a seal: %w", err)
	}
	opened := Opened{Generation: read.Generation, SignedFrom: leaf.NotBefore, SignedUntil: leaf.NotAfter}
	if digest := sha256.Sum256(payload); string(digest[:]) != string(read.Digest) {
		return opened, fmt.Errorf("opening a seal: %w", ErrEdited)
	}
	return opened, nil
}

// parse reads a seal: every field, no other, once.
func parse(seal []byte) (envelope, error) {
	var read envelope
	// An unknown member may be one of a newer version, so the version is read first.
	if err := json.Unmarshal(seal, &struct {
		Version *int `json:"version"`
	}{&read.Version}); err != nil {
		return envelope{}, fmt.Errorf("%w: it is no JSON of ours", ErrTorn)
	}
	if read.Version != version {
		return envelope{}, fmt.Errorf("%w: %d instead of %d", ErrVersion, read.Version, version)
	}
	if err := json.Unmarshal(seal, &read, json.RejectUnknownMembers(true)); err != nil {
		return envelope{}, fmt.Errorf("%w: it is no JSON of ours", ErrTorn)
	}
	if err := read.statement().check(); err != nil {
		return envelope{}, fmt.Errorf("%w: %w", ErrTorn, err)
	}
	if len(read.Digest) != sha256.Size || len(read.Signature) == 0 || len(read.Chain) == 0 {
		return envelope{}, fmt.Errorf("%w: digest, signature or chain is missing", ErrTorn)
	}
	return read, nil
}

// signer verifies who sealed.
func (e Expectation) signer(raw [][]byte) (*x509.Certificate, error) {
	chain, err := pki.ParseChain(raw)
	if err != nil {
		return nil, fmt.Errorf("%w: its chain holds something that is no certificate", ErrTorn)
	}
	id, err := pki.Verify(chain, e.Roots, pki.Acceptance{At: e.At, Grace: e.Grace, Usage: x509.ExtKeyUsageCodeSigning})
	switch {
	case errors.Is(err, pki.ErrExpired):
		return nil, fmt.Errorf("%w: %w", ErrSignerExpired, err)
	case errors.Is(err, pki.ErrNotYetValid):
		return nil, fmt.Errorf("%w: %w", ErrSignerNotYetValid, err)
	case err != nil:
		return nil, fmt.Errorf("%w: %w", ErrForeignSigner, err)
	case id != e.Signer:
		return nil, fmt.Errorf("%w: it is %s", ErrForeignSigner, id)
	}
	return chain[0], nil
}

// compare holds what was sealed against what is expected.
func (e Expectation) compare(got Statement) error {
	switch want := e.Statement; {
	case got.Kind != want.Kind:
		return fmt.Errorf("%w: %s instead of %s", ErrOtherKind, got.Kind, want.Kind)
	case got.Workload != want.Workload:
		return fmt.Errorf("%w: uid %s instead of %s", ErrOtherWorkload, got.Workload, want.Workload)
	case got.Generation < want.Generation:
		return fmt.Errorf("%w: generation %d, at least %d counts", ErrOlder, got.Generation, want.Generation)
	}
	return nil
}

// check bounds a statement.
func (s Statement) check() error {
	switch {
	case !isToken(s.Kind):
		return errors.New("the kind is empty, too long or has other bytes than letters, digits and dashes")
	case !isToken(s.Workload):
		return errors.New("the workload's uid is empty, too long or has other bytes than letters, digits and dashes")
	case s.Generation < 1:
		return errors.New("the generation is not positive")
	}
	return nil
}

// signed is the digest that is signed. Every text has its length before it, so that
// no two statements are the same bytes.
func (s Statement) signed(digest []byte) []byte {
	text := []byte(purpose)
	for _, part := range [][]byte{[]byte(s.Kind), []byte(s.Workload), digest} {
		text = binary.BigEndian.AppendUint32(text, uint32(len(part))) //nolint:gosec // each is bounded far below
		text = append(text, part...)
	}
	text = binary.BigEndian.AppendUint64(text, uint64(s.Generation)) //nolint:gosec // positive
	sum := sha256.Sum256(text)
	return sum[:]
}

func isToken(text string) bool {
	for _, b := range []byte(text) {
		if (b < 'a' || b > 'z') && (b < 'A' || b > 'Z') && (b < '0' || b > '9') && b != '-' {
			return false
		}
	}
	return text != "" && len(text) <= maxText
}
