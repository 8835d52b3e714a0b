package identity

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"
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
	roots, err := bundle(text[2])
	if err != nil {
		return fmt.Errorf("taking %s: %w", FileRoots, err)
	}
	f.current.Store(&pair{certificate: &certificate, roots: roots, text: text})
	return nil
}

// Overdue reports whether three quarters of the certificate's life have passed: it is
// renewed at half, so whoever renews it is out of reach.
func (f *Files) Overdue(now time.Time) bool {
	c := f.Certificate()
	if c == nil {
		return false
	}
	life := c.Leaf.NotAfter.Sub(c.Leaf.NotBefore)
	return now.After(c.Leaf.NotBefore.Add(life / 4 * 3))
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

// bundle reads roots. Unlike the standard library it refuses a bundle of which a part
// cannot be read: an authority that silently goes missing is an outage later.
func bundle(text []byte) (*x509.CertPool, error) {
	pool, count := x509.NewCertPool(), 0
	for len(bytes.TrimSpace(text)) > 0 {
		var block *pem.Block
		if block, text = pem.Decode(text); block == nil {
			return nil, errors.New("it holds something else than PEM")
		}
		if block.Type != "CERTIFICATE" {
			return nil, errors.New("it holds something else than certificates")
		}
		root, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("reading certificate %d: %w", count+1, err)
		}
		if !root.IsCA {
			return nil, fmt.Errorf("certificate %d is no authority's", count+1)
		}
		pool.AddCert(root)
		count++
	}
	if count == 0 {
		return nil, errors.New("it is empty")
	}
	return pool, nil
}
