package app

import (
	"fmt"
	"path/filepath"
	"time"

	"k8s.io/client-go/util/cert"
)

// serving tells when the certificate ends that the webhook server shows. It is read anew
// each time, as the server reads it when it changes.
func serving(directory string) func() (time.Time, error) {
	return func() (time.Time, error) {
		shown, err := cert.CertsFromFile(filepath.Join(directory, "tls.crt"))
		if err != nil {
			return time.Time{}, fmt.Errorf("reading the webhooks' certificate: %w", err)
		}
		return shown[0].NotAfter, nil
	}
}
