package issuer

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"github.com/go-json-experiment/json"
	corev1 "k8s.io/api/core/v1"

	"github.com/hipaa-operator/hipaa-operator/internal/pki"
)

const (
	// SecretName is the Secret with the roots; it must exist, empty at first.
	SecretName = "hipaa-operator-root"
	// rootsKey is where the issuer keeps the roots.
	rootsKey = "roots.json"
)

// vault is what the Secret holds.
type vault struct {
	// roots are those that bundles hold, the oldest first.
	roots []pki.Root
	// brought is the digest of the last root that people brought, so that one which
	// was retired does not come back.
	brought string
}

// The form in which the vault is stored.
type (
	storedVault struct {
		Roots   []storedRoot `json:"roots"`
		Brought string       `json:"brought,omitempty"`
	}
	storedRoot struct {
		Certificate string    `json:"certificate"`
		Key         string    `json:"key"`
		Published   time.Time `json:"published"`
	}
)

// open reads the Secret. What cannot be read is an error and never an empty vault:
// a new root would cut everybody off who trusts the old one.
func open(secret *corev1.Secret, trustDomain string) (vault, error) {
	text := secret.Data[rootsKey]
	if len(text) == 0 {
		return vault{}, nil
	}
	var stored storedVault
	if err := json.Unmarshal(text, &stored, json.RejectUnknownMembers(true)); err != nil {
		// What the decoder says may quote a key.
		return vault{}, fmt.Errorf("reading Secret %s: %s is not what the issuer wrote", SecretName, rootsKey)
	}
	v := vault{brought: stored.Brought}
	for i, root := range stored.Roots {
		authority, err := pki.ParseRoot([]byte(root.Certificate), []byte(root.Key), trustDomain)
		if err != nil {
			return vault{}, fmt.Errorf("reading root %d of Secret %s: %w", i, SecretName, err)
		}
		v.roots = append(v.roots, pki.Root{Authority: authority, Published: root.Published})
	}
	return v, nil
}

// store puts the vault into the Secret.
func (v vault) store(secret *corev1.Secret) error {
	stored := storedVault{Brought: v.brought}
	for _, root := range v.roots {
		key, err := root.KeyPEM()
		if err != nil {
			return err
		}
		stored.Roots = append(stored.Roots, storedRoot{
			Certificate: string(pki.Bundle{root.Certificate}.PEM()),
			Key:         string(key),
			Published:   root.Published.UTC(),
		})
	}
	text, err := json.Marshal(stored)
	if err != nil {
		return fmt.Errorf("writing roots: %w", err)
	}
	if secret.Data == nil {
		secret.Data = map[string][]byte{}
	}
	secret.Data[rootsKey] = text
	return nil
}

// has says whether the vault holds a root.
func (v vault) has(root pki.Root) bool {
	for _, held := range v.roots {
		if held.Certificate.Equal(root.Certificate) {
			return true
		}
	}
	return false
}

// adopt takes on a root that people put into tls.crt and tls.key, and says whether
// there was one that is new. It is published now and signs when its time has come.
func (v *vault) adopt(secret *corev1.Secret, a *Authority, now time.Time) (bool, error) {
	certificate, key := secret.Data[corev1.TLSCertKey], secret.Data[corev1.TLSPrivateKeyKey]
	if len(certificate) == 0 && len(key) == 0 {
		return false, nil
	}
	sum := sha256.Sum256(certificate)
	digest := hex.EncodeToString(sum[:])
	if digest == v.brought {
		return false, nil
	}
	authority, err := pki.ParseRoot(certificate, key, a.TrustDomain, a.Names...)
	switch root := authority.Certificate; {
	case err != nil:
		return false, fmt.Errorf("taking on the root in tls.crt of Secret %s: %w", SecretName, err)
	case now.Before(root.NotBefore):
		return false, fmt.Errorf("taking on the root in tls.crt of Secret %s: it is not valid yet", SecretName)
	case a.Plan.Due(now, root):
		return false, fmt.Errorf("taking on the root in tls.crt of Secret %s: it ends too soon to be distributed and followed by another", SecretName)
	}
	brought := pki.Root{Authority: authority, Published: now}
	if v.has(brought) {
		return false, errors.New("taking on the root in tls.crt: it is one that the issuer has already")
	}
	v.roots, v.brought = append(v.roots, brought), digest
	return true, nil
}
