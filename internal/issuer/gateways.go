package issuer

import (
	"bytes"
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	corev1ac "k8s.io/client-go/applyconfigurations/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
	"github.com/hipaa-operator/hipaa-operator/internal/metrics"
	"github.com/hipaa-operator/hipaa-operator/internal/pki"
)

// Who is a gateway stands in profiles. The right to write their Secrets is not here: a
// Role in the namespace of each gateway gives it, for that one name.
// +kubebuilder:rbac:groups=hipaa-operator.io,resources=complianceprofiles,verbs=list

const (
	// gatewaySecret begins the name of a gateway's Secret.
	gatewaySecret = "hipaa-gateway-"
	// rootsFile is where servers of HTTP look for roots in such a Secret.
	rootsFile = "ca.crt"
)

// Gateways keeps the client certificates of gateways: ingress controllers, which have no
// proxy and take what they show from a Secret. Its promise: the Secret holds a key and a
// certificate of that gateway with more than half of its life to come, and nothing is
// written while it does.
type Gateways struct {
	// Client reads and writes live.
	Client client.Client
	// Authority signs.
	Authority *Authority

	// told is what was said last of gateways that have no certificate.
	told map[pki.ID]string
}

// Refresh looks at every gateway that profiles declare.
func (g *Gateways) Refresh(ctx context.Context) error {
	if err := g.Authority.Ready(); err != nil {
		return err
	}
	declared, err := g.declared(ctx)
	if err != nil {
		metrics.IssuerRefreshFailed()
		return err
	}
	var failures []error
	lacking := map[pki.ID]string{}
	for _, id := range declared {
		switch err := g.keep(ctx, id); {
		case err == nil:
		case apierrors.IsForbidden(err):
			// People let the issuer in, or do not: nothing to try again soon.
			lacking[id] = "a Role in its namespace has to let the issuer get, create and patch Secret " + gatewaySecret + id.Name
		default:
			lacking[id] = err.Error()
			failures = append(failures, fmt.Errorf("keeping the certificate of gateway %s/%s: %w", id.Namespace, id.Name, err))
		}
	}
	g.tell(ctx, lacking)
	metrics.IssuerGateways(len(declared)-len(lacking), len(lacking))
	return errors.Join(failures...)
}

// tell says once of each gateway why it has no certificate.
func (g *Gateways) tell(ctx context.Context, lacking map[pki.ID]string) {
	for id, why := range lacking {
		if g.told[id] != why {
			log.FromContext(ctx).Info("A gateway has no certificate", "namespace", id.Namespace, "gateway", id.Name, "reason", why)
		}
	}
	g.told = lacking
}

// declared are the gateways of all profiles that run as pods and show a certificate.
func (g *Gateways) declared(ctx context.Context) ([]pki.ID, error) {
	var profiles hipaav1.ComplianceProfileList
	if err := g.Client.List(ctx, &profiles); err != nil {
		return nil, fmt.Errorf("reading profiles: %w", err)
	}
	var ids []pki.ID
	for i := range profiles.Items {
		network := profiles.Items[i].Spec.Network
		if network == nil {
			continue
		}
		for _, gateway := range network.Gateways {
			if gateway.Namespace == "" || gateway.Authentication == hipaav1.GatewayAddress {
				continue
			}
			id, err := pki.GatewayID(g.Authority.TrustDomain, gateway.Namespace, gateway.Name)
			if err != nil {
				log.FromContext(ctx).V(1).Info("Left a gateway out whose name cannot stand in an identity", "profile", profiles.Items[i].Name)
				continue
			}
			ids = append(ids, id)
		}
	}
	slices.SortFunc(ids, func(x, y pki.ID) int { return cmp.Compare(x.String(), y.String()) })
	return slices.Compact(ids), nil
}

// keep has a good certificate stand in the Secret of one gateway.
func (g *Gateways) keep(ctx context.Context, id pki.ID) error {
	var standing corev1.Secret
	err := g.Client.Get(ctx, client.ObjectKey{Namespace: id.Namespace, Name: gatewaySecret + id.Name}, &standing)
	if err != nil && !apierrors.IsNotFound(err) {
		return err
	}
	bundle := g.Authority.Bundle()
	data := standing.Data
	switch {
	case err != nil || !isGood(data, id, bundle, g.Authority.Clock.Now()):
		if data, err = g.fresh(id); err != nil {
			return err
		}
		log.FromContext(ctx).Info("Renewed the certificate of a gateway", "namespace", id.Namespace, "gateway", id.Name)
	case !bytes.Equal(data[rootsFile], bundle.PEM()):
		data = map[string][]byte{corev1.TLSCertKey: data[corev1.TLSCertKey], corev1.TLSPrivateKeyKey: data[corev1.TLSPrivateKeyKey], rootsFile: bundle.PEM()}
	case standing.Labels[hipaav1.LabelManagedBy] == hipaav1.ManagedByValue:
		return nil
	}
	return g.write(ctx, id, data, standing.ResourceVersion)
}

// fresh is a new key and its certificate.
func (g *Gateways) fresh(id pki.ID) (map[string][]byte, error) {
	key, _, err := pki.NewRequest()
	if err != nil {
		return nil, err
	}
	chain, bundle, err := g.Authority.Sign(id, key.Public())
	if err != nil {
		return nil, err
	}
	text, err := pki.KeyPEM(key)
	if err != nil {
		return nil, err
	}
	return map[string][]byte{corev1.TLSCertKey: pki.ChainPEM(chain), corev1.TLSPrivateKeyKey: text, rootsFile: bundle.PEM()}, nil
}

// write puts it there, unless the other replica was faster: then there is nothing to do.
func (g *Gateways) write(ctx context.Context, id pki.ID, data map[string][]byte, version string) error {
	desired := corev1ac.Secret(gatewaySecret+id.Name, id.Namespace).
		WithLabels(map[string]string{hipaav1.LabelManagedBy: hipaav1.ManagedByValue}).
		WithType(corev1.SecretTypeTLS).
		WithData(data)
	if version != "" {
		desired = desired.WithResourceVersion(version)
	}
	err := g.Client.Apply(ctx, desired, client.FieldOwner(fieldOwner), client.ForceOwnership)
	if apierrors.IsConflict(err) || apierrors.IsAlreadyExists(err) {
		return nil
	}
	return err
}

// isGood reports whether what stands in a Secret is the gateway's, leads to a root that
// is trusted, and has half of its life before it.
func isGood(data map[string][]byte, id pki.ID, bundle pki.Bundle, now time.Time) bool {
	pair, err := tls.X509KeyPair(data[corev1.TLSCertKey], data[corev1.TLSPrivateKeyKey])
	if err != nil {
		return false
	}
	chain, err := pki.ParseChain(pair.Certificate)
	if err != nil {
		return false
	}
	whose, err := pki.Verify(chain, bundle, pki.Acceptance{At: now, Usage: x509.ExtKeyUsageClientAuth})
	return err == nil && whose == id && !halfOver(now, chain[0])
}
