package app

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net/http"
	"os"

	"github.com/hipaa-operator/hipaa-operator/internal/admission"
)

// readAuthority reads who signs the certificates of those who may ask for
// judgement. Empty is nobody: then everybody may who reaches the port.
func readAuthority(file string) (*x509.CertPool, error) {
	if file == "" {
		return nil, nil //nolint:nilnil // no authority is a choice
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("reading --webhook-client-ca-file: %w", err)
	}
	authority := x509.NewCertPool()
	if !authority.AppendCertsFromPEM(text) {
		return nil, fmt.Errorf("reading --webhook-client-ca-file: %s holds no certificate in PEM", file)
	}
	return authority, nil
}

// verifying has the webhook server ask for client certificates and verify those
// that come. A caller without one is refused by onlyKnown, not by the handshake:
// the readiness check shakes hands, and asks nothing.
func verifying(authority *x509.CertPool) func(*tls.Config) {
	return func(c *tls.Config) {
		if authority != nil {
			c.ClientCAs, c.ClientAuth = authority, tls.VerifyClientCertIfGiven
		}
	}
}

// onlyKnown is a server whose webhooks answer only who came with a verified
// certificate.
type onlyKnown struct{ admission.Server }

// Register puts the check before a webhook.
func (s onlyKnown) Register(path string, webhook http.Handler) {
	s.Server.Register(path, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.TLS == nil || len(r.TLS.VerifiedChains) == 0 {
			http.Error(w, "hipaa-operator answers only API servers that show the client certificate of its --webhook-client-ca-file", http.StatusUnauthorized)
			return
		}
		webhook.ServeHTTP(w, r)
	}))
}
