package hello

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"math/big"
	"net"
	"slices"
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
		"nothing: it says so":             {upTo(tls.VersionTLS11), new13, ErrDeclined},
	} {
		t.Run(name, func(t *testing.T) {
			conn := answers(t, tc.server, first(t, tc.caller))
			words, err := ReadServer(conn)
			if !errors.Is(err, tc.want) {
				t.Errorf("ReadServer() = %x, %v", words, err)
			}
		})
	}
}

// record is one of TLS.
func record(kind byte, body ...byte) []byte {
	return slices.Concat([]byte{kind, 3, 1, byte(len(body) >> 8), byte(len(body))}, body)
}

func TestHowAServerMayBegin(t *testing.T) {
	outdated, today := []byte{helloOfServer, 0, 0, 70, 3, 1}, []byte{helloOfServer, 0, 0, 70, 3, 3}
	unrecognised, refused, closes := record(alert, warning, 112), record(alert, 2, 70), record(alert, warning, closing)
	for name, tc := range map[string]struct {
		words []byte
		want  error
	}{
		"at once":                          {record(handshake, today...), nil},
		"after a warning":                  {slices.Concat(unrecognised, record(handshake, today...)), nil},
		"outdated after a warning":         {slices.Concat(unrecognised, record(handshake, outdated...)), ErrOutdated},
		"in two records":                   {slices.Concat(record(handshake, today[:1]...), record(handshake, today[1:]...)), nil},
		"outdated in two records":          {slices.Concat(record(handshake, outdated[:5]...), record(handshake, outdated[5:]...)), ErrOutdated},
		"outdated, and a warning between":  {slices.Concat(record(handshake, outdated[:5]...), unrecognised, record(handshake, outdated[5:]...)), ErrOutdated},
		"with warnings without end":        {slices.Concat(bytes.Repeat(unrecognised, mostWarnings+1), record(handshake, outdated...)), ErrDeclined},
		"with an alert":                    {refused, ErrDeclined},
		"with an alert, and go on":         {slices.Concat(refused, record(handshake, outdated...)), ErrDeclined},
		"by closing":                       {slices.Concat(closes, record(handshake, outdated...)), ErrDeclined},
		"with an alert of another length":  {slices.Concat(record(alert, 1), record(handshake, outdated...)), ErrDeclined},
		"with something else":              {[]byte("HTTP/1.1 400 Bad Request\r\n"), ErrDeclined},
		"with a record of nothing":         {slices.Concat(record(handshake), record(handshake, outdated...)), ErrDeclined},
		"with a record that is too long":   {slices.Concat([]byte{handshake, 3, 1, 0xff, 0xff}, outdated), ErrDeclined},
		"with what a caller says, echoed":  {record(handshake, 1, 0, 0, 86, 3, 1), ErrDeclined},
		"with nothing":                     {nil, io.EOF},
		"with half a head":                 {[]byte{handshake, 3, 3}, io.EOF},
		"with a message that breaks off":   {[]byte{handshake, 3, 3, 0, 90, helloOfServer, 0, 0}, io.EOF},
		"with an alert that breaks off":    {refused[:6], io.EOF},
		"with half a hello, and no second": {record(handshake, today[:4]...), io.EOF},
	} {
		t.Run(name, func(t *testing.T) {
			conn := saying(t, tc.words, 1)
			words, err := ReadServer(conn)
			if !errors.Is(err, tc.want) {
				t.Errorf("ReadServer() = %x, %v, want %v", words, err, tc.want)
			}
			rest, _ := io.ReadAll(conn) // as far as it goes
			if string(words)+string(rest) != string(tc.words) {
				t.Errorf("of %x come %x and %x", tc.words, words, rest)
			}
		})
	}
}

func FuzzReadServer(f *testing.F) {
	f.Add(record(handshake, helloOfServer, 0, 0, 70, 3, 3))
	f.Add(slices.Concat(record(alert, warning, 112), record(handshake, helloOfServer, 0, 0, 70, 3, 1)))
	f.Fuzz(func(t *testing.T, said []byte) {
		words, err := ReadServer(saying(t, said, 7))
		if !bytes.HasPrefix(said, words) {
			t.Errorf("of %x comes %x", said, words)
		}
		if err == nil && (words[0] != handshake && words[0] != alert || len(words) > 512) {
			t.Errorf("%x counts as a hello", words)
		}
	})
}
