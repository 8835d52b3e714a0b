// Package enrol gets a pod its certificate from the issuer and keeps it fresh. Its
// promise: the key never leaves the memory of this process, and nobody but an issuer
// under a trusted root is ever shown the token.
package enrol

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/url"
	"sync/atomic"
	"time"

	"github.com/hipaa-operator/hipaa-operator/internal/pki"
)

// Clock tells the time and waits.
type Clock interface {
	Now() time.Time
	After(d time.Duration) <-chan time.Time
}

// Options say where the issuer is and by what a pod asks.
type Options struct {
	// URL is the issuer's: https and a host, which its certificate must name.
	URL string
	// TokenFile is the projected token of audience Audience. The kubelet renews it,
	// so it is read anew at each try.
	TokenFile string
	// BundleFile is the first trust: the roots, in PEM, that admission pinned in the
	// pod. It is read at each try until the issuer has answered once; from then on the
	// bundle in its answers counts, which came under a root that was trusted before.
	BundleFile string
	// Roots, where it is set, is asked at each try in place of that file and of the
	// bundle in the latest answer: for who can ask the API server which roots count.
	Roots func() (pki.Bundle, error)
	// Clock is the time by which certificates are judged and renewed.
	Clock Clock
	// Jitter gives numbers from 0 to below 1, so that pods do not ask all at once.
	Jitter func() float64
	// Dial connects to the issuer; nil is a plain net.Dialer.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
	// Observe is told how each try ended, nil where it brought a certificate. Optional.
	Observe func(error)
}

const (
	// A pod without a certificate serves nobody: it waits no longer than that.
	longestFirst = 15 * time.Second
	// One that renews has half of the lifetime to do so.
	longest  = 5 * time.Minute
	shortest = time.Second
	// After an outage everybody has asked again within the longest wait and a few tries.
	recovery = 2 * longest
	// A renewal is due between 45 and 55 hundredths of the lifetime.
	renewFrom, renewSpread = 0.45, 0.1
)

// Enrolment is a certificate, the roots that came with it, and why there is no newer.
// It may be asked from many goroutines.
type Enrolment struct {
	options Options
	host    string
	held    atomic.Pointer[credentials]
	failed  atomic.Pointer[error]
	// tried is when the latest try ended, lost when the latest ended that did not reach
	// the issuer, and doubt is a wish for one now.
	tried   atomic.Pointer[time.Time]
	lost    atomic.Pointer[time.Time]
	doubt   chan struct{}
	changed chan struct{}
}

// credentials are what one answer brought; they change together.
type credentials struct {
	id          pki.ID
	certificate *tls.Certificate
	bundle      pki.Bundle
	pool        *x509.CertPool
}

// New checks the options. Run asks.
func New(o Options) (*Enrolment, error) {
	issuer, err := url.Parse(o.URL)
	if err != nil || issuer.Scheme != "https" || issuer.Hostname() == "" || issuer.Path != "" || issuer.RawQuery != "" || issuer.User != nil {
		return nil, errors.New("enrolling: the issuer's URL is https, a host and a port, and nothing else")
	}
	if o.TokenFile == "" || o.BundleFile == "" && o.Roots == nil || o.Clock == nil || o.Jitter == nil {
		return nil, errors.New("enrolling: a token file, a bundle, a clock and a jitter are needed")
	}
	if o.Dial == nil {
		o.Dial = (&net.Dialer{Timeout: tryTimeout}).DialContext
	}
	return &Enrolment{options: o, host: issuer.Hostname(), doubt: make(chan struct{}, 1), changed: make(chan struct{}, 1)}, nil
}

// Certificate is the present one with its chain and key, nil before the first. It
// stays when it has expired: whether it still counts is for those to say who see it.
func (e *Enrolment) Certificate() *tls.Certificate {
	if held := e.held.Load(); held != nil {
		return held.certificate
	}
	return nil
}

// Bundle is the roots to trust, nil before the first answer.
func (e *Enrolment) Bundle() pki.Bundle {
	if held := e.held.Load(); held != nil {
		return held.bundle
	}
	return nil
}

// Roots is the bundle as crypto/tls takes it, nil before the first answer.
func (e *Enrolment) Roots() *x509.CertPool {
	if held := e.held.Load(); held != nil {
		return held.pool
	}
	return nil
}

// ID is whom the certificate names; the zero ID before the first.
func (e *Enrolment) ID() pki.ID {
	if held := e.held.Load(); held != nil {
		return held.id
	}
	return pki.ID{}
}

// Changed tells of a new certificate; one message that waits is enough.
func (e *Enrolment) Changed() <-chan struct{} { return e.changed }

// Renew has Run ask now, whatever is left of the certificate: who heard of other roots
// need not wait until it is due.
func (e *Enrolment) Renew() {
	select {
	case e.doubt <- struct{}{}:
	default:
	}
}

// LastError is why the latest try failed, nil if it did not.
func (e *Enrolment) LastError() error {
	if failed := e.failed.Load(); failed != nil {
		return *failed
	}
	return nil
}

// Outage reports whether the issuer is out of reach, by the latest try, or was until a
// moment ago: others may hear later than we that it is back. Where that try was long
// ago nobody knows, and whoever asks has a reason to doubt: so Run tries now, and the
// next who asks hears what came of it.
func (e *Enrolment) Outage() bool {
	now := e.options.Clock.Now()
	if lost := e.lost.Load(); lost != nil && (Unreachable(e.LastError()) || now.Sub(*lost) <= recovery) {
		return true
	}
	if tried := e.tried.Load(); tried != nil && now.Sub(*tried) > longest {
		e.Renew()
	}
	return false
}

// ErrWaiting says that the first try has not ended yet.
var ErrWaiting = errors.New("the issuer has not answered yet")

// Ready says whether there is a certificate that has not expired, and if not, why.
func (e *Enrolment) Ready() error {
	held := e.held.Load()
	switch {
	case held == nil && e.LastError() == nil:
		return ErrWaiting
	case held == nil:
		return e.LastError()
	}
	end := held.certificate.Leaf.NotAfter
	if !e.options.Clock.Now().After(end) {
		return nil
	}
	ended := fmt.Errorf("it ended at %s", end.UTC().Format(time.RFC3339))
	if err := e.LastError(); err != nil {
		return fmt.Errorf("%w: %w", ended, err)
	}
	return ended
}

// Run asks, waits and asks again until the context ends.
func (e *Enrolment) Run(ctx context.Context) {
	for failures := 0; ; {
		fresh, err := e.try(ctx)
		if ctx.Err() != nil {
			return
		}
		var wait time.Duration
		if err == nil {
			failures = 0
			e.hold(fresh)
			wait = e.untilRenewal(fresh)
		} else {
			failures++
			e.failed.Store(&err)
			wait = e.untilRetry(err, failures)
		}
		e.told(err)
		select {
		case <-ctx.Done():
			return
		case <-e.doubt:
		case <-e.options.Clock.After(wait):
		}
	}
}

// told notes that a try has ended. Doubts from before it are settled.
func (e *Enrolment) told(err error) {
	now := e.options.Clock.Now()
	e.tried.Store(&now)
	if Unreachable(err) {
		e.lost.Store(&now)
	}
	select {
	case <-e.doubt:
	default:
	}
	if e.options.Observe != nil {
		e.options.Observe(err)
	}
}

func (e *Enrolment) hold(fresh *credentials) {
	e.held.Store(fresh)
	e.failed.Store(nil)
	select {
	case e.changed <- struct{}{}:
	default:
	}
}

// untilRenewal is about half of what is left, and never nothing: an issuer whose
// certificates have ended when they come is not asked in a loop.
func (e *Enrolment) untilRenewal(fresh *credentials) time.Duration {
	left := fresh.certificate.Leaf.NotAfter.Sub(e.options.Clock.Now())
	return max(shortest, time.Duration(float64(left)*(renewFrom+renewSpread*e.options.Jitter())))
}

// untilRetry doubles with each failure, up to a bound, and is spread over its upper
// half. What the issuer advises counts within the same bound.
func (e *Enrolment) untilRetry(err error, failures int) time.Duration {
	most := longest
	if e.held.Load() == nil {
		most = longestFirst
	}
	wait := min(most, shortest<<min(failures-1, 16))
	if refused := (*RefusedError)(nil); errors.As(err, &refused) {
		wait = min(most, max(wait, refused.RetryAfter))
	}
	return wait/2 + time.Duration(float64(wait/2)*e.options.Jitter())
}
