package proxy

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"reflect"
	"time"

	"github.com/hipaa-operator/hipaa-operator/internal/pki"
	"github.com/hipaa-operator/hipaa-operator/internal/proxy/config"
	"github.com/hipaa-operator/hipaa-operator/internal/proxy/directory"
	"github.com/hipaa-operator/hipaa-operator/internal/proxy/inbound"
	"github.com/hipaa-operator/hipaa-operator/internal/seal"
)

// Names of the configuration and of its signature in their directory.
const (
	FileConfiguration = "config.json"
	FileSignature     = "config.sig"
)

// found is what lies in the directory.
type found struct{ payload, signature []byte }

func (f *found) is(other *found) bool {
	return f != nil && bytes.Equal(f.payload, other.payload) && bytes.Equal(f.signature, other.signature)
}

// reconfigure serves the configuration that lies there, if it is another one.
func (p *proxy) reconfigure(ctx context.Context) error {
	lies, err := p.find()
	if err != nil {
		p.bad = nil
		return err
	}
	if p.taken.is(lies) {
		return nil
	}
	if p.bad.is(lies) {
		return p.configuration
	}
	p.bad = nil
	// A signature that is not good now may be so once newer roots have come.
	opened, err := p.verify(lies)
	if err != nil {
		return err
	}
	next, err := p.judge(lies, opened)
	if err != nil {
		p.bad = lies
		return err
	}
	// Opening a port may succeed later, so what fails here is tried again. What the
	// configuration takes away, and all of it that can be served, is in force meanwhile.
	p.taken = nil
	people := p.people.apply(next)
	ports := p.server.Apply(ctx, next)
	if errors.Is(ports, inbound.ErrDrained) {
		return ports
	}
	err = errors.Join(people, ports, p.ways.apply(ctx, next))
	p.take(next, opened)
	p.whole = p.whole || ports == nil && p.ways.gated(next)
	p.metrics.unopened.Set(float64(countErrors(err)))
	if err = errors.Join(err, p.floor.raise(next.Workload.Generation)); err == nil {
		p.taken = lies
	}
	return err
}

// countErrors counts what was joined.
func countErrors(err error) int {
	joined, many := err.(interface{ Unwrap() []error })
	switch {
	case err == nil:
		return 0
	case !many:
		return 1
	}
	count := 0
	for _, one := range joined.Unwrap() {
		count += countErrors(one)
	}
	return count
}

// find reads the configuration, and its signature where one is asked for.
func (p *proxy) find() (*found, error) {
	names := []string{FileConfiguration, FileSignature}
	if p.Unsigned {
		names = names[:1]
	}
	texts, err := directory.Read(p.Configuration, config.MaxBytes, names...)
	if file, is := errors.AsType[*directory.FileError](err); is && file.Name == FileSignature && errors.Is(err, fs.ErrNotExist) {
		return nil, &refusedError{refusedUnsigned, fmt.Errorf("the configuration is not signed: %w", err)}
	}
	if err != nil {
		return nil, &refusedError{refusedUnreadable, err}
	}
	lies := &found{payload: texts[0]}
	if !p.Unsigned {
		lies.signature = texts[1]
	}
	return lies, nil
}

// verify says whether what lies there was signed for this workload. Who may sign has a
// name in the trust domain of this proxy's own certificate: what the configuration says
// of itself counts for nothing yet.
func (p *proxy) verify(lies *found) (seal.Opened, error) {
	if p.Unsigned {
		return seal.Opened{}, nil
	}
	own, err := p.domain()
	if err != nil {
		return seal.Opened{}, err
	}
	signer, err := pki.ConfigurationSigner(own)
	if err != nil {
		return seal.Opened{}, err
	}
	return seal.Open(lies.payload, lies.signature, seal.Expectation{
		Statement: seal.Statement{Kind: seal.ProxyConfiguration, Workload: p.WorkloadUID, Generation: p.floor.least},
		Roots:     p.keeper.bundle(),
		Signer:    signer,
		At:        p.Now(),
		Grace:     p.SignatureGrace,
	})
}

// domain is that of this proxy's certificate.
func (p *proxy) domain() (string, error) {
	own, err := pki.OfCertificate(p.keeper.Certificate().Leaf)
	if err != nil {
		return "", fmt.Errorf("looking for this proxy's trust domain: %w", err)
	}
	return own.TrustDomain, nil
}

// judge reads the configuration, and says whether it may come after the one in force.
func (p *proxy) judge(lies *found, opened seal.Opened) (*config.Configuration, error) {
	next, err := config.Parse(lies.payload)
	if err != nil {
		return nil, &refusedError{refusedInvalid, err}
	}
	if !p.Unsigned {
		if err := p.agrees(next, opened); err != nil {
			return nil, &refusedError{refusedInvalid, err}
		}
	}
	return next, p.follows(next)
}

// agrees says where a configuration contradicts what was signed of it.
func (p *proxy) agrees(next *config.Configuration, opened seal.Opened) error {
	own, err := p.domain()
	switch {
	case err != nil:
		return err
	case next.TrustDomain != own:
		return fmt.Errorf("trustDomain: is %s; this proxy's certificate is of %s", next.TrustDomain, own)
	case next.Workload.UID != p.WorkloadUID:
		return errors.New("workload.uid: is another one than was signed")
	case next.Workload.Generation != opened.Generation:
		return fmt.Errorf("workload.generation: is %d; %d was signed", next.Workload.Generation, opened.Generation)
	}
	return nil
}

// follows says why a configuration may not come after the one in force.
func (p *proxy) follows(next *config.Configuration) error {
	if p.current == nil {
		return nil
	}
	if next.Workload.UID != p.current.Workload.UID {
		return &refusedError{refusedWorkload, errors.New("workload.uid: is another workload's; this proxy serves one workload as long as it lives")}
	}
	if next.Workload.Generation < p.current.Workload.Generation {
		return &refusedError{refusedOlder, fmt.Errorf("workload.generation: is %d; generation %d is in force, and the proxy never goes back", next.Workload.Generation, p.current.Workload.Generation)}
	}
	return nil
}

// take notes what is in force.
func (p *proxy) take(c *config.Configuration, opened seal.Opened) {
	again := reflect.DeepEqual(p.current, c)
	p.current, p.signed = c, opened.SignedUntil
	if !p.Unsigned {
		p.metrics.signed.Set(float64(opened.SignedUntil.Unix()))
	}
	if again {
		return
	}
	p.metrics.generation.Set(float64(c.Workload.Generation))
	p.Log.Info("Configuration is in force", "generation", c.Workload.Generation)
}

// signature is what readiness tells of the signature of what is in force: nothing
// where all is well.
func (p *proxy) signature() error {
	switch {
	case p.Unsigned:
		return errors.New("none is asked for (--unsigned); whoever writes config.json decides")
	case p.Now().After(p.signed):
		return fmt.Errorf("the certificate of the signer ended at %s; what is in force stays, but nobody has signed it anew", p.signed.UTC().Format(time.RFC3339))
	}
	return nil
}

// Reasons for which a configuration is refused, beside those of package seal.
const (
	refusedUnreadable = "unreadable"
	refusedUnsigned   = "unsigned"
	refusedInvalid    = "invalid"
	refusedWorkload   = "other-workload"
	refusedOlder      = "older"
	// It is good, but cannot be served.
	refusedUnserved = "unserved"
	// It is in force, but could not be kept for a restart.
	refusedUnkept = "unkept"
)

// refusedError is an error with its reason for metrics.
type refusedError struct {
	reason string
	error
}

func (e *refusedError) Unwrap() error { return e.error }

// sealed are the reasons that package seal gives.
var sealed = []struct {
	err    error
	reason string
}{
	{seal.ErrTooLarge, "too-large"},
	{seal.ErrTorn, "torn"},
	{seal.ErrVersion, "newer-version"},
	{seal.ErrForeignSigner, "foreign-signer"},
	{seal.ErrSignerExpired, "signer-expired"},
	{seal.ErrSignerNotYetValid, "signer-not-yet-valid"},
	{seal.ErrForged, "forged"},
	{seal.ErrEdited, "edited"},
	{seal.ErrOtherKind, "other-kind"},
	{seal.ErrOtherWorkload, refusedWorkload},
	{seal.ErrOlder, refusedOlder},
}

func reasonOf(err error) string {
	if refused, is := errors.AsType[*refusedError](err); is {
		return refused.reason
	}
	for _, s := range sealed {
		if errors.Is(err, s.err) {
			return s.reason
		}
	}
	return refusedUnserved
}
