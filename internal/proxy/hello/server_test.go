package hello

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"math/big"
	"net"
	"testing"
)

// answers is what Go's own server answers to the words of a caller.
func answers(t *testing.T, c *tls.Config, words []byte) net.Conn {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	c.Certificates = []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}
	here, there := net.Pipe()
	t.Cleanup(func() { _, _ = here.Close(), there.Close() })
	go func() {
		_ = tls.Server(there, c).HandshakeContext(t.Context()) // the test reads how it begins
		_ = there.Close()
	}()
	if _, err := here.Write(words); err != nil {
		t.Fatal(err)
	}
	return here
}

func TestWhatAServerAgreesTo(t *testing.T) {
	old := &tls.Config{ServerName: "old.vendor.example", MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS12}
	new13 := &tls.Config{ServerName: "api.vendor.example"}
	upTo := func(version uint16) *tls.Config {
		return &tls.Config{MinVersion: tls.VersionTLS10, MaxVersion: version}
	}
	for name, tc := range map[string]struct {
		server, caller *tls.Config
		want           error
	}{
		"TLS 1.3":                         {upTo(tls.VersionTLS13), new13, nil},
		"TLS 1.2":                         {upTo(tls.VersionTLS12), new13, nil},
		"TLS 1.1, which the caller takes": {upTo(tls.VersionTLS11), old, ErrOutdated},
		"TLS 1.0, which the caller takes": {upTo(tls.VersionTLS10), old, ErrOutdated},
		"nothing: it says so":             {upTo(tls.VersionTLS11), new13, nil},
	} {
		t.Run(name, func(t *testing.T) {
			conn := answers(t, tc.server, first(t, tc.caller))
			words, err := ReadServer(conn)
			if !errors.Is(err, tc.want) || err != nil && tc.want == nil {
				t.Errorf("ReadServer() = %x, %v", words, err)
			}
		})
	}
}

func TestAServerMaySayLittle(t *testing.T) {
	for name, tc := range map[string]struct {
		words []byte
		bad   bool
	}{
		"an alert":                   {[]byte{21, 3, 1, 0, 2, 2, 70}, false},
		"something else":             {[]byte("HTTP/1.1 400 Bad Request\r\n"), false},
		"nothing":                    {nil, true},
		"half a head":                {[]byte{22, 3, 3}, true},
		"a message that breaks off":  {[]byte{22, 3, 3, 0, 90, 2, 0, 0}, true},
		"what a caller says, echoed": {[]byte{22, 3, 1, 0, 90, 1, 0, 0, 86, 3, 1}, false},
	} {
		t.Run(name, func(t *testing.T) {
			conn := saying(t, tc.words, 1)
			words, err := ReadServer(conn)
			if (err != nil) != tc.bad {
				t.Errorf("ReadServer() = %x, %v", words, err)
			}
			rest, _ := io.ReadAll(conn) // as far as it goes
			if string(words)+string(rest) != string(tc.words) {
				t.Errorf("of %x come %x and %x", tc.words, words, rest)
			}
		})
	}
}
