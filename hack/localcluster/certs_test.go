package main

import (
	"crypto/tls"
	"crypto/x509"
	"os"
	"path/filepath"
	"testing"
	"time"
)

var certTime = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func TestPKI(t *testing.T) {
	k, err := newPKI(t.TempDir(), certTime)
	if err != nil {
		t.Fatal(err)
	}
	serving, client := x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth
	for name, tc := range map[string]struct {
		give  keyPair
		ca    keyPair
		host  string
		usage x509.ExtKeyUsage
		fails bool
	}{
		"the API server is known by its loopback address":     {give: k.apiServer, ca: k.ca, host: "127.0.0.1", usage: serving},
		"the API server is known by its Service address":      {give: k.apiServer, ca: k.ca, host: firstServiceIP, usage: serving},
		"the API server is known by its Service name":         {give: k.apiServer, ca: k.ca, host: "kubernetes.default.svc", usage: serving},
		"the API server is not known by other names":          {give: k.apiServer, ca: k.ca, host: "example.org", usage: serving, fails: true},
		"the controller-manager serves its metrics":           {give: k.manager, ca: k.ca, host: "127.0.0.1", usage: serving},
		"the admin is a client":                               {give: k.admin, ca: k.ca, usage: client},
		"the admin cannot pose as a server":                   {give: k.admin, ca: k.ca, usage: serving, fails: true},
		"the admin has no way around the API server to etcd":  {give: k.admin, ca: k.etcdCA, usage: client, fails: true},
		"etcd's client is nobody to the API server":           {give: k.etcdClient, ca: k.ca, usage: client, fails: true},
		"a user's certificate cannot pose as the front proxy": {give: k.admin, ca: k.proxyCA, usage: client, fails: true},
	} {
		t.Run(name, func(t *testing.T) {
			roots := x509.NewCertPool()
			pemCA, err := os.ReadFile(tc.ca.cert)
			if err != nil || !roots.AppendCertsFromPEM(pemCA) {
				t.Fatalf("reading the authority: %v", err)
			}
			pair, err := tls.LoadX509KeyPair(tc.give.cert, tc.give.key)
			if err != nil {
				t.Fatal(err)
			}
			_, err = pair.Leaf.Verify(x509.VerifyOptions{
				Roots: roots, DNSName: tc.host, CurrentTime: certTime, KeyUsages: []x509.ExtKeyUsage{tc.usage},
			})
			if (err != nil) != tc.fails {
				t.Errorf("verifying: %v, want failure: %v", err, tc.fails)
			}
		})
	}
}

func TestPKIIsPrivate(t *testing.T) {
	dir := t.TempDir()
	if _, err := newPKI(dir, certTime); err != nil {
		t.Fatal(err)
	}
	for _, name := range names(t, filepath.Join(dir, "pki")) {
		info, err := os.Stat(filepath.Join(dir, "pki", name))
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode().Perm() != 0o600 {
			t.Errorf("%s has mode %v", name, info.Mode())
		}
	}
}
