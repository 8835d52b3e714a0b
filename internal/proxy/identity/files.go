package identity

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	"github.com/hipaa-operator/hipaa-operator/internal/pki"
	"github.com/hipaa-operator/hipaa-operator/internal/proxy/directory"
)

// Names of the files in a directory, as in a Secret of type kubernetes.io/tls.
const (
	FileCertificate = "tls.crt"
	FileKey         = "tls.key"
	FileRoots       = "ca.crt"
)

// maxFile is more than any chain or bundle that is one.
const maxFile = 1 << 20

// pair is one state of the files: what belongs together is replaced together.
type pair struct {
	certificate *tls.Certificate
	bundle      pki.Bundle
	roots       *x509.CertPool
	text        [][]byte
}

// Files is a Source that reads a directory. The zero value with a directory has
// nothing until Load.
type Files struct {
	Directory string

	current atomic.Pointer[pair]
}

// Certificate is what the files hold, nil before they could be read.
func (f *Files) Certificate() *tls.Certificate {
	if p := f.current.Load(); p != nil {
		return p.certificate
	}
	return nil
}

// Roots are what the files hold, nil before they could be read.
func (f *Files) Roots() *x509.CertPool {
	if p := f.current.Load(); p != nil {
		return p.roots
	}
	return nil
}

// Bundle is the roots one by one, nil before they could be read.
func (f *Files) Bundle() pki.Bundle {
	if p := f.current.Load(); p != nil {
		return p.bundle
	}
	return nil
}

// Load reads the files and takes them all, or none of them.
func (f *Files) Load() error {
	text, err := directory.Read(f.Directory, maxFile, FileCertificate, FileKey, FileRoots)
	if err != nil {
		return err
	}
	if old := f.current.Load(); old != nil && slices.EqualFunc(old.text, text, bytes.Equal) {
		return nil
	}
	certificate, err := tls.X509KeyPair(text[0], text[1])
	if err != nil {
		return fmt.Errorf("taking %s and %s: %w", FileCertificate, FileKey, err)
	}
	bundle, err := pki.ParseBundle(text[2])
	if err != nil {
		return fmt.Errorf("taking %s: %w", FileRoots, err)
	}
	f.current.Store(&pair{certificate: &certificate, bundle: bundle, roots: bundle.Pool(), text: text})
	return nil
}

// Overdue reports whether the certificate should have been renewed long ago: whoever
// renews it is out of reach.
func (f *Files) Overdue(now time.Time) bool {
	c := f.Certificate()
	return c != nil && overdue(c.Leaf, now)
}

// overdue reports whether three quarters of a certificate's life have passed: it is
// renewed at half.
func overdue(leaf *x509.Certificate, now time.Time) bool {
	life := leaf.NotAfter.Sub(leaf.NotBefore)
	return now.After(leaf.NotBefore.Add(life / 4 * 3))
}
