package issuer

import (
	"context"
	"crypto"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/hipaa-operator/hipaa-operator/internal/metrics"
	"github.com/hipaa-operator/hipaa-operator/internal/pki"
)

// +kubebuilder:rbac:groups="",namespace=hipaa-operator-system,resources=secrets,resourceNames=hipaa-operator-root,verbs=get;update

// Authority signs for this replica, by an intermediate that never leaves its memory.
// Replicas agree through the Secret alone: whoever writes a root first wins, and all
// compute the same rotation from when roots were published.
type Authority struct {
	// Client reads and writes the Secret and the bundle, live.
	Client client.Client
	// Namespace is the operator's.
	Namespace string
	// TrustDomain is that of every identity.
	TrustDomain string
	// Names are the DNS names of the issuer's own server.
	Names []string
	// Plan is how long everything lasts.
	Plan pki.Plan
	// Clock is the time by which everything is judged.
	Clock clock.PassiveClock

	mu       sync.RWMutex
	known    vault
	decision pki.Decision
	by       pki.Authority
	under    *x509.Certificate
	serving  *tls.Certificate
	stamp    time.Time
}

// Refresh reads the roots and does what is due: a new root, an intermediate, the
// server's own certificate, the published bundle.
func (a *Authority) Refresh(ctx context.Context) error {
	now := a.Clock.Now()
	known, decision, err := a.settle(ctx, now)
	if err != nil {
		metrics.IssuerRefreshFailed()
		return err
	}
	if err := a.take(now, known, decision); err != nil {
		metrics.IssuerRefreshFailed()
		return err
	}
	if err := a.publish(ctx, decision.Bundle()); err != nil {
		metrics.IssuerRefreshFailed()
		return err
	}
	a.measure()
	return nil
}

// settle reads the Secret live and writes what is due, unless somebody else was
// faster: then the next refresh reads what that was.
func (a *Authority) settle(ctx context.Context, now time.Time) (vault, pki.Decision, error) {
	var secret corev1.Secret
	if err := a.Client.Get(ctx, client.ObjectKey{Namespace: a.Namespace, Name: SecretName}, &secret); err != nil {
		return vault{}, pki.Decision{}, fmt.Errorf("reading Secret %s: %w", SecretName, err)
	}
	v, err := open(&secret, a.TrustDomain)
	if err != nil {
		return vault{}, pki.Decision{}, err
	}
	before := len(v.roots)
	restored := a.restore(&v, now)
	adopted, adoptErr := v.adopt(&secret, a, now)
	if adoptErr != nil {
		if before == 0 && !restored {
			// People meant this to be the first root: another one would have to be
			// rotated out again.
			return vault{}, pki.Decision{}, adoptErr
		}
		log.FromContext(ctx).Error(adoptErr, "Going on without the root that was brought")
	}
	decision := a.Plan.Decide(now, v.roots)
	if decision.Publish {
		authority, err := pki.NewRoot(a.TrustDomain, now, a.Plan.Root, a.Names...)
		if err != nil {
			return vault{}, pki.Decision{}, err
		}
		v.roots = append(v.roots, pki.Root{Authority: authority, Published: now})
		decision = a.Plan.Decide(now, v.roots)
	}
	changed := restored || adopted || len(decision.Keep) != before
	v.roots = decision.Keep
	if !changed {
		return v, decision, nil
	}
	if err := v.store(&secret); err != nil {
		return vault{}, pki.Decision{}, err
	}
	// The resourceVersion that was read makes it compare and swap.
	if err := a.Client.Update(ctx, &secret); err != nil {
		return vault{}, pki.Decision{}, fmt.Errorf("writing Secret %s: %w", SecretName, err)
	}
	log.FromContext(ctx).Info("Wrote the roots", "roots", len(v.roots), "restored", restored, "brought", adopted)
	return v, decision, nil
}

// restore puts back what this replica knows and the Secret has lost, by hand or by
// an old backup: proxies trust those roots, and would believe no other.
func (a *Authority) restore(v *vault, now time.Time) bool {
	a.mu.RLock()
	defer a.mu.RUnlock()
	lost := false
	for _, root := range a.Plan.Decide(now, a.known.roots).Keep {
		if !v.has(root) {
			v.roots, lost = append(v.roots, root), true
		}
	}
	if v.brought == "" {
		v.brought = a.known.brought
	}
	return lost
}

// take renews what this replica holds of its own. Everything under another root
// than the one that signs now is renewed at once.
func (a *Authority) take(now time.Time, known vault, decision pki.Decision) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	root := decision.Signer.Certificate
	if root == nil {
		return errors.New("choosing a root: none of them is valid")
	}
	by, serving := a.by, a.serving
	if a.under == nil || !a.under.Equal(root) || halfOver(now, by.Certificate) {
		fresh, err := decision.Signer.Intermediate(a.TrustDomain, a.Names, now, a.Plan.Intermediate)
		if err != nil {
			return err
		}
		by, serving = fresh, nil
	}
	if serving == nil || halfOver(now, serving.Leaf) {
		fresh, err := a.serve(by, now)
		if err != nil {
			return err
		}
		serving = fresh
	}
	a.known, a.decision, a.by, a.under, a.serving, a.stamp = known, decision, by, root, serving, now
	return nil
}

// serve makes the certificate of the issuer's own server.
func (a *Authority) serve(by pki.Authority, now time.Time) (*tls.Certificate, error) {
	key, _, err := pki.NewRequest()
	if err != nil {
		return nil, err
	}
	chain, err := by.Serving(a.Names, key.Public(), now, a.Plan.Leaf)
	if err != nil {
		return nil, err
	}
	return &tls.Certificate{Certificate: pki.DER(chain), PrivateKey: key, Leaf: chain[0]}, nil
}

// Sign certifies a key, and says which roots to trust with it. The signer of
// configurations gets as long as it can: what it signed stands in for it while the
// operator is down.
func (a *Authority) Sign(id pki.ID, key crypto.PublicKey) ([]*x509.Certificate, pki.Bundle, error) {
	a.mu.RLock()
	defer a.mu.RUnlock()
	if a.by.Certificate == nil {
		return nil, nil, errNoAuthority
	}
	lifetime := a.Plan.Leaf
	if id.Kind == pki.Signer {
		lifetime = a.Plan.Intermediate
	}
	chain, err := a.by.Leaf(id, key, a.Clock.Now(), lifetime)
	return chain, a.decision.Bundle(), err
}

// Bundle is the roots to trust now.
func (a *Authority) Bundle() pki.Bundle {
	a.mu.RLock()
	defer a.mu.RUnlock()
	return a.decision.Bundle()
}

var errNoAuthority = errors.New("the roots could not be read yet")

// Serving is the server's certificate, as crypto/tls asks for it.
func (a *Authority) Serving(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	a.mu.RLock()
	defer a.mu.RUnlock()
	if a.serving == nil {
		return nil, errNoAuthority
	}
	return a.serving, nil
}

// Ready says whether this replica can sign.
func (a *Authority) Ready() error {
	a.mu.RLock()
	defer a.mu.RUnlock()
	switch {
	case a.by.Certificate == nil:
		return errNoAuthority
	case a.Clock.Now().After(a.by.Certificate.NotAfter):
		return fmt.Errorf("the intermediate has ended, and the roots were read last at %s", a.stamp.UTC().Format(time.RFC3339))
	}
	return nil
}

func (a *Authority) measure() {
	a.mu.RLock()
	defer a.mu.RUnlock()
	metrics.IssuerHolds(len(a.decision.Keep), a.under.NotAfter, a.by.Certificate.NotAfter)
}

// halfOver says whether a certificate is in the second half of its life.
func halfOver(now time.Time, certificate *x509.Certificate) bool {
	return !now.Before(certificate.NotBefore.Add(certificate.NotAfter.Sub(certificate.NotBefore) / 2))
}
