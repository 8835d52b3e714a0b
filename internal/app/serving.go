package app

import (
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// serving tells when the certificate ends that the webhook server shows. It is read anew
// each time, as the server reads it when it changes.
func serving(directory string) func() (time.Time, error) {
	return func() (time.Time, error) {
		file := filepath.Join(directory, "tls.crt")
		text, err := os.ReadFile(file)
		if err != nil {
			return time.Time{}, fmt.Errorf("reading the webhooks' certificate: %w", err)
		}
		block, _ := pem.Decode(text)
		if block == nil {
			return time.Time{}, fmt.Errorf("reading the webhooks' certificate: %s holds none in PEM", file)
		}
		certificate, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return time.Time{}, fmt.Errorf("reading the webhooks' certificate: %w", err)
		}
		return certificate.NotAfter, nil
	}
}
