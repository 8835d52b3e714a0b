package proxy

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/hipaa-operator/hipaa-operator/internal/enrol"
	"github.com/hipaa-operator/hipaa-operator/internal/pki"
	"github.com/hipaa-operator/hipaa-operator/internal/proxy/config"
	"github.com/hipaa-operator/hipaa-operator/internal/proxy/dial"
	"github.com/hipaa-operator/hipaa-operator/internal/proxy/identity"
	"github.com/hipaa-operator/hipaa-operator/internal/proxy/resolver"
)

// Issuer is where a proxy gets its certificate, and by what it asks.
type Issuer struct {
	// Address is the issuer's host, which its certificate must name, with its port where
	// that is not 443.
	Address string
	// Token is the file of the token, Roots that of the roots that are trusted until the
	// issuer has answered once.
	Token, Roots string
	// NameServers are asked where the issuer is, as address:port. Without them it is the
	// pod's own resolver, which cannot be the proxy itself: that answers nobody before it
	// has its certificate.
	NameServers []string
	// After waits; nil is time.After.
	After func(time.Duration) <-chan time.Time
}

// keeper keeps what a proxy proves itself by and trusts: from files, or from the issuer.
type keeper struct {
	identity.Source

	// bundle is the roots one by one.
	bundle func() pki.Bundle
	// outage reports whether whoever renews certificates is out of reach.
	outage func() bool
	// look takes what is new, and says what is wrong, nil where nothing is.
	look func() error
	// run keeps it fresh until the context ends, and changed tells of it; both are nil
	// where looking is all.
	run     func(context.Context)
	changed <-chan struct{}
}

func newKeeper(o *Options, m *metrics) (*keeper, error) {
	switch {
	case o.Issuer.Address != "":
		return enrolled(o, m)
	case o.Certificates != "":
		files := &identity.Files{Directory: o.Certificates}
		return &keeper{Source: files, bundle: files.Bundle, outage: func() bool { return files.Overdue(o.Now()) }, look: files.Load}, nil
	}
	return nil, errors.New("an issuer or a directory of certificates is needed")
}

// enrolled asks the issuer.
func enrolled(o *Options, m *metrics) (*keeper, error) {
	if err := o.Issuer.check(); err != nil {
		return nil, err
	}
	enrolment, err := enrol.New(enrol.Options{
		URL:        "https://" + o.Issuer.Address,
		TokenFile:  o.Issuer.Token,
		BundleFile: o.Issuer.Roots,
		Clock:      clock{o.Now, o.Issuer.After},
		Jitter:     rand.Float64,
		Dial:       o.Issuer.dial(o.Now),
		Observe: func(err error) {
			m.enrolments.With(prometheus.Labels{labelOutcome: outcomeOf(err)}).Inc()
		},
	})
	if err != nil {
		return nil, err
	}
	look := func() error {
		if err := enrolment.Ready(); err != nil {
			return err
		}
		return enrolment.LastError()
	}
	return &keeper{
		Source: enrolment, bundle: enrolment.Bundle, outage: enrolment.Outage, look: look,
		run: enrolment.Run, changed: enrolment.Changed(),
	}, nil
}

// Outcomes of asking for a certificate.
const (
	enrolmentIssued      = "issued"
	enrolmentRefused     = "refused"
	enrolmentUnreachable = "unreachable"
	// Something here is missing, or the answer was no good.
	enrolmentFailed = "failed"
)

func outcomeOf(err error) string {
	_, refused := errors.AsType[*enrol.RefusedError](err)
	switch {
	case err == nil:
		return enrolmentIssued
	case enrol.Unreachable(err):
		return enrolmentUnreachable
	case refused:
		return enrolmentRefused
	}
	return enrolmentFailed
}

// dial connects to the issuer; nil leaves that to the pod's own resolver.
func (i *Issuer) dial(now func() time.Time) func(ctx context.Context, network, address string) (net.Conn, error) {
	if len(i.NameServers) == 0 {
		return nil
	}
	upstreams := &resolver.Upstreams{Now: now}
	upstreams.Use(i.NameServers)
	out := dial.Out(upstreams.Lookup, nil)
	return func(ctx context.Context, _, address string) (net.Conn, error) {
		host, digits, err := net.SplitHostPort(address)
		if err != nil {
			return nil, err
		}
		port, err := strconv.ParseUint(digits, 10, 16)
		if err != nil {
			return nil, err
		}
		connection, err := out(ctx, host, uint16(port))
		if err != nil {
			return nil, err // a nil connection in an interface would not be nil
		}
		return connection, nil
	}
}

func (i *Issuer) check() error {
	for _, server := range i.NameServers {
		if !config.IsNameServer(server) {
			return fmt.Errorf("reading --name-servers: %q is no address with a port; set one such as 10.96.0.10:53", server)
		}
	}
	return nil
}

// clock is that of the enrolment.
type clock struct {
	now   func() time.Time
	after func(time.Duration) <-chan time.Time
}

func (c clock) Now() time.Time { return c.now() }

func (c clock) After(d time.Duration) <-chan time.Time {
	if c.after == nil {
		return time.After(d)
	}
	return c.after(d)
}
