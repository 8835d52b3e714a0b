package app

import (
	"context"
	"crypto/tls"
	"fmt"
	"math/rand/v2"

	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/manager"

	"github.com/hipaa-operator/hipaa-operator/controllers"
	"github.com/hipaa-operator/hipaa-operator/internal/bundle"
	"github.com/hipaa-operator/hipaa-operator/internal/control"
	"github.com/hipaa-operator/hipaa-operator/internal/enrol"
	"github.com/hipaa-operator/hipaa-operator/internal/metrics"
	"github.com/hipaa-operator/hipaa-operator/internal/pki"
	"github.com/hipaa-operator/hipaa-operator/internal/sealing"
)

// signing is what the manager has of the issuer: the roots that admission pins in pods,
// on every replica, and the certificate by which the leader seals configurations.
type signing struct {
	published *bundle.Published
	enrolment *enrol.Enrolment
	sealer    *sealing.Sealer
	changed   chan event.GenericEvent
}

// addSigning adds what proxies need. Where there is no image of the proxy it is nil: then
// nobody gets one.
func addSigning(ctx context.Context, mgr manager.Manager, o Options) (*signing, error) {
	if o.ProxyImage == "" {
		return nil, nil //nolint:nilnil // no proxies is a choice
	}
	s := &signing{changed: make(chan event.GenericEvent, 1)}
	var err error
	if s.published, err = bundle.Watch(ctx, mgr.GetConfig(), o.Namespace, s.rootsChanged); err != nil {
		return nil, err
	}
	s.enrolment, err = enrol.New(enrol.Options{
		URL:       "https://" + o.IssuerAddress,
		TokenFile: o.IssuerTokenFile,
		Roots:     s.published.Roots,
		Clock:     clock.RealClock{},
		Jitter:    rand.Float64,
		Observe: func(err error) {
			if err != nil {
				log.FromContext(ctx).WithName("signing").Error(err, "Could not get the certificate to seal configurations by")
			}
		},
	})
	if err != nil {
		return nil, err
	}
	if s.sealer, err = sealing.New(s, o.TrustDomain, clock.RealClock{}); err != nil {
		return nil, err
	}
	if err := mgr.Add(s.published); err != nil {
		return nil, fmt.Errorf("adding the watch of the roots: %w", err)
	}
	if err := mgr.Add(s); err != nil {
		return nil, fmt.Errorf("adding the signer: %w", err)
	}
	return s, nil
}

// Start keeps the certificate fresh, on the leader alone: nobody else seals.
func (s *signing) Start(ctx context.Context) error {
	go s.enrolment.Run(ctx)
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-s.enrolment.Changed():
			metrics.SignerHolds(s.enrolment.Certificate().Leaf.NotAfter)
			s.notify()
		}
	}
}

// rootsChanged asks for a certificate under the roots that count now: proxies that
// start from here on trust no other.
func (s *signing) rootsChanged() {
	s.enrolment.Renew()
	s.notify()
}

// notify tells that configurations may have to be sealed anew; one message that waits
// is enough.
func (s *signing) notify() {
	select {
	case s.changed <- event.GenericEvent{}:
	default:
	}
}

// shown are the controllers' dependencies with who seals; nobody where there are no
// proxies.
func (s *signing) shown(d controllers.Dependencies) controllers.Dependencies {
	if s != nil {
		d.Sealer, d.ProxyChanged = s.sealer, s.changed
	}
	return d
}

// proxy tells what pods get, of the moment at which it is asked; nil where they get none.
func (s *signing) proxy(o Options) func() (*control.Proxy, error) {
	if s == nil {
		return nil
	}
	var user *int64
	if o.ProxyUser != 0 {
		user = &o.ProxyUser
	}
	return func() (*control.Proxy, error) {
		roots, err := s.published.Roots()
		if err != nil {
			return nil, err
		}
		return &control.Proxy{
			Image: o.ProxyImage, Former: o.ProxyFormerImages, User: user,
			Issuer: o.IssuerAddress, IssuerNamespace: o.Namespace, Roots: string(roots.PEM()),
			TrustDomain: o.TrustDomain, ClusterDomain: o.ClusterDomain, Settles: o.ProxySettles,
		}, nil
	}
}

// Certificate is that of the signer.
func (s *signing) Certificate() *tls.Certificate { return s.enrolment.Certificate() }

// Bundle is what is published at this moment: proxies go by it, however long ago this
// process asked for its certificate.
func (s *signing) Bundle() pki.Bundle {
	roots, err := s.published.Roots()
	if err != nil {
		return nil // Ready says why
	}
	return roots
}

// Ready says whether configurations can be sealed, and if not, why.
func (s *signing) Ready() error {
	if _, err := s.published.Roots(); err != nil {
		return err
	}
	return s.enrolment.Ready()
}
