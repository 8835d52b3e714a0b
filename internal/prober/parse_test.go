package prober

import (
	"bytes"
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"testing"

	"github.com/hipaa-operator/hipaa-operator/internal/control"
)

// A greeting is one that the library of Go understands in full.
func TestAGreetingIsUnderstood(t *testing.T) {
	for name, tc := range map[string]struct {
		host    string
		version uint16
	}{
		"with a host":    {"api.example.org", version11},
		"without a host": {"", version10},
	} {
		t.Run(name, func(t *testing.T) {
			client, server := net.Pipe()
			defer func() { _ = client.Close() }()
			var seen *tls.ClientHelloInfo
			enough := errors.New("enough")
			done := make(chan error, 1)
			go func() {
				done <- tls.Server(server, &tls.Config{MinVersion: tls.VersionTLS10, GetConfigForClient: func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
					seen = hello
					_ = server.Close()
					return nil, enough
				}}).HandshakeContext(t.Context())
			}()
			if _, err := client.Write(greeting(tc.version, tc.host, [32]byte{1})); err != nil {
				t.Fatalf("writing: %v", err)
			}
			if err := <-done; !errors.Is(err, enough) {
				t.Fatalf("the greeting is not read: %v", err)
			}
			if seen.ServerName != tc.host || seen.SupportedVersions[0] != tc.version || len(seen.CipherSuites) != len(oldSuites) {
				t.Errorf("read as %q, %x, %d suites", seen.ServerName, seen.SupportedVersions, len(seen.CipherSuites))
			}
		})
	}
}

func TestAnAnswerToAGreetingIsRead(t *testing.T) {
	hello := []byte{recordHandshake, 3, 1, 0, 6, messageServerHello, 0, 0, 38, 3, 1}
	warning := []byte{recordAlert, 3, 1, 0, 2, alertWarning, 112}
	for name, tc := range map[string]struct {
		give []byte
		want uint16
		err  bool
	}{
		"a version that is taken":         {give: hello, want: version10},
		"a version after a warning":       {give: append(bytes.Clone(warning), hello...), want: version10},
		"a refusal":                       {give: []byte{recordAlert, 3, 1, 0, 2, 2, 70}},
		"a farewell":                      {give: []byte{recordAlert, 3, 1, 0, 2, alertWarning, alertCloseNotify}},
		"warnings without end":            {give: bytes.Repeat(warning, 100), err: true},
		"nothing":                         {err: true},
		"half a record":                   {give: hello[:7], err: true},
		"another message":                 {give: []byte{recordHandshake, 3, 1, 0, 6, 4, 0, 0, 38, 3, 1}, err: true},
		"another record":                  {give: []byte{23, 3, 1, 0, 6, 2, 0, 0, 38, 3, 1}, err: true},
		"a record that is too long":       {give: []byte{recordHandshake, 3, 1, 0xff, 0xff, 2, 0, 0, 38, 3, 1}, err: true},
		"a record that is too short":      {give: []byte{recordHandshake, 3, 1, 0, 1, 2}, err: true},
		"another protocol":                {give: []byte("HTTP/1.1 400 Bad Request"), err: true},
		"a version that is none":          {give: []byte{recordHandshake, 3, 1, 0, 6, 2, 0, 0, 38, 9, 9}, err: true},
		"an alert with something besides": {give: []byte{recordAlert, 3, 1, 0, 3, 2, 70, 0}, err: true},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := readAnswer(bytes.NewReader(tc.give))
			if got != tc.want || (err != nil) != tc.err {
				t.Errorf("readAnswer() = %x, %v, want %x, an error: %t", got, err, tc.want, tc.err)
			}
		})
	}
}

func FuzzAnswers(f *testing.F) {
	f.Add([]byte{recordHandshake, 3, 1, 0, 6, messageServerHello, 0, 0, 38, 3, 1})
	f.Add([]byte{recordAlert, 3, 1, 0, 2, 1, 112, recordAlert, 3, 1, 0, 2, 2, 70})
	f.Add([]byte("HTTP/1.1 301 Moved\r\nLocation: https://api.example.org/\r\n\r\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		if version, err := readAnswer(bytes.NewReader(data)); err == nil && version != 0 && version>>8 != 3 {
			t.Errorf("version %x", version)
		}
		e := control.Endpoint{Ask: control.AskPlaintext, Address: "192.0.2.1", Port: 80, Host: "api.example.org"}
		got := readPlaintext(bytes.NewReader(data), &http.Request{Method: http.MethodHead}, e)
		if got.Answer == control.Closed || got.Answer == control.OldRefused || got.Answer == control.OldAccepted {
			t.Errorf("what was read comes to %+v", got)
		}
	})
}
