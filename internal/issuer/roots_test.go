package issuer

import (
	"bytes"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/hipaa-operator/hipaa-operator/internal/pki"
)

const domain = "cluster.local"

func root(t *testing.T, lifetime time.Duration) pki.Root {
	t.Helper()
	authority, err := pki.NewRoot(domain, start, lifetime, "issuer.op.svc")
	if err != nil {
		t.Fatal(err)
	}
	return pki.Root{Authority: authority, Published: start}
}

func TestAVaultIsReadAsItWasWritten(t *testing.T) {
	v := vault{roots: []pki.Root{root(t, time.Hour), root(t, 2*time.Hour)}, brought: "digest"}
	secret := &corev1.Secret{Data: map[string][]byte{"tls.crt": []byte("theirs")}}
	if err := v.store(secret); err != nil {
		t.Fatal(err)
	}
	got, err := open(secret, domain)
	if err != nil || len(got.roots) != 2 || !got.has(v.roots[0]) || !got.has(v.roots[1]) || got.brought != "digest" || !got.roots[0].Published.Equal(start) {
		t.Errorf("got %+v, %v", got, err)
	}
	if string(secret.Data["tls.crt"]) != "theirs" {
		t.Error("what people brought is gone")
	}
}

// A vault that cannot be read is never taken for an empty one, and nothing of it
// appears in what is said of it.
func TestAVaultThatCannotBeReadIsNotEmpty(t *testing.T) {
	secret := &corev1.Secret{}
	if got, err := open(secret, domain); err != nil || len(got.roots) != 0 {
		t.Fatalf("an empty Secret: %+v, %v", got, err)
	}
	v := vault{roots: []pki.Root{root(t, time.Hour)}}
	if err := v.store(secret); err != nil {
		t.Fatal(err)
	}
	good := secret.Data[rootsKey]
	tests := map[string]struct {
		give   []byte
		domain string
	}{
		"cut off":                       {give: good[:len(good)-9]},
		"of another form":               {give: bytes.Replace(good, []byte(`"published"`), []byte(`"when"`), 1)},
		"with a key of something else":  {give: bytes.Replace(good, []byte("BEGIN PRIVATE KEY"), []byte("BEGIN SOMETHING"), 1)},
		"one space":                     {give: []byte(" ")},
		"read for another trust domain": {give: good, domain: "other.local"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			if test.domain == "" {
				test.domain = domain
			}
			got, err := open(&corev1.Secret{Data: map[string][]byte{rootsKey: test.give}}, test.domain)
			if err == nil {
				t.Fatalf("got %+v", got)
			}
			if strings.Contains(err.Error(), "BEGIN") {
				t.Errorf("it tells what the Secret holds: %v", err)
			}
		})
	}
}

func TestARootThatPeopleBringIsTakenOnOnce(t *testing.T) {
	const day = 24 * time.Hour
	a := &Authority{TrustDomain: domain, Names: []string{"issuer.op.svc"}, Plan: pki.DefaultPlan()}
	bring := func(r pki.Root) *corev1.Secret {
		key, err := r.KeyPEM()
		if err != nil {
			t.Fatal(err)
		}
		return &corev1.Secret{Data: map[string][]byte{"tls.crt": pki.Bundle{r.Certificate}.PEM(), "tls.key": key}}
	}
	ours, theirs := root(t, 3653*day), root(t, 400*day)
	v := vault{roots: []pki.Root{ours}}
	secret := bring(theirs)
	now := start.Add(day)
	if taken, err := v.adopt(secret, a, now); !taken || err != nil || len(v.roots) != 2 || !v.roots[1].Published.Equal(now) {
		t.Fatalf("got %t, %v, %d roots", taken, err, len(v.roots))
	}
	// It is retired one day; then it does not come back.
	v.roots = v.roots[:1]
	if taken, err := v.adopt(secret, a, now); taken || err != nil {
		t.Errorf("it came back: %t, %v", taken, err)
	}
	tests := map[string]struct {
		give *corev1.Secret
		now  time.Time
		want string
	}{
		"nothing":                       {give: &corev1.Secret{}},
		"one that the issuer has":       {give: bring(ours), want: "it is one that the issuer has already"},
		"one that ends soon":            {give: bring(theirs), now: start.Add(390 * day), want: "it ends too soon"},
		"one that lasts a week":         {give: bring(root(t, 7*day)), want: "it ends too soon"},
		"one of tomorrow":               {give: bring(theirs), now: start.Add(-day), want: "it is not valid yet"},
		"a certificate without its key": {give: &corev1.Secret{Data: map[string][]byte{"tls.crt": secret.Data["tls.crt"]}}, want: "reading a key"},
		"a key without its certificate": {give: &corev1.Secret{Data: map[string][]byte{"tls.key": secret.Data["tls.key"]}}, want: "reading a bundle: it is empty"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			v := vault{roots: []pki.Root{ours}}
			if test.now.IsZero() {
				test.now = now
			}
			taken, err := v.adopt(test.give, a, test.now)
			if taken || len(v.roots) != 1 || (err != nil) != (test.want != "") {
				t.Fatalf("got %t, %v, %d roots", taken, err, len(v.roots))
			}
			if err != nil && !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v", err)
			}
		})
	}
}
