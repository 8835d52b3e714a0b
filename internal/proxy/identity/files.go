package identity

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	"github.com/hipaa-operator/hipaa-operator/internal/pki"
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
	text        [3][]byte
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
	text, err := f.read()
	if err != nil {
		return err
	}
	if old := f.current.Load(); old != nil && same(&old.text, &text) {
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

// read takes all files from one version of the directory. The kubelet replaces a
// volume by pointing ..data elsewhere; reading through it file by file could mix two.
func (f *Files) read() ([3][]byte, error) {
	var text [3][]byte
	directory := f.Directory
	if target, err := os.Readlink(filepath.Join(directory, "..data")); err == nil {
		directory = filepath.Join(directory, filepath.Base(target))
	}
	for i, name := range []string{FileCertificate, FileKey, FileRoots} {
		var err error
		if text[i], err = readFile(filepath.Join(directory, name)); err != nil {
			return text, fmt.Errorf("reading %s: %w", name, err)
		}
	}
	return text, nil
}

func readFile(path string) ([]byte, error) {
	file, err := os.Open(path)
	if err != nil {
		// The path is the machine's matter; the name stands in front already.
		if reason, ok := errors.AsType[*os.PathError](err); ok {
			return nil, reason.Err
		}
		return nil, err
	}
	defer file.Close()
	text, err := io.ReadAll(io.LimitReader(file, maxFile+1))
	if err == nil && len(text) > maxFile {
		err = fmt.Errorf("it has more than %d bytes", maxFile)
	}
	return text, err
}

func same(a, b *[3][]byte) bool {
	for i := range a {
		if !bytes.Equal(a[i], b[i]) {
			return false
		}
	}
	return true
}
