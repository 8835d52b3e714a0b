package proxy

import (
	"crypto/tls"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hipaa-operator/hipaa-operator/internal/pki"
	"github.com/hipaa-operator/hipaa-operator/internal/proxy/directory"
	"github.com/hipaa-operator/hipaa-operator/internal/proxy/identity"
	"github.com/hipaa-operator/hipaa-operator/internal/proxy/proxytest"
	"github.com/hipaa-operator/hipaa-operator/internal/seal"
)

const signerLife = 7 * 24 * time.Hour

// house is who signs configurations and certificates.
type house struct {
	testing.TB

	root, issuer pki.Authority
}

func newHouse(t testing.TB) *house {
	t.Helper()
	h := &house{TB: t}
	var err error
	if h.root, err = pki.NewRoot(domain, time.Now(), pki.DefaultPlan().Root); err != nil {
		t.Fatal(err)
	}
	if h.issuer, err = h.root.Intermediate(domain, nil, time.Now(), 365*24*time.Hour); err != nil {
		t.Fatal(err)
	}
	return h
}

func (h *house) leaf(id string, lifetime time.Duration) *tls.Certificate {
	h.Helper()
	who, err := pki.ParseID(id)
	if err != nil {
		h.Fatal(err)
	}
	key, _, err := pki.NewRequest()
	if err != nil {
		h.Fatal(err)
	}
	chain, err := h.issuer.Leaf(who, key.Public(), time.Now(), lifetime)
	if err != nil {
		h.Fatal(err)
	}
	certificate := &tls.Certificate{PrivateKey: key, Leaf: chain[0]}
	for _, c := range chain {
		certificate.Certificate = append(certificate.Certificate, c.Raw)
	}
	return certificate
}

// signer has a certificate as the manager has one.
func (h *house) signer(id string) *seal.Signer {
	h.Helper()
	key, _, err := pki.NewRequest()
	if err != nil {
		h.Fatal(err)
	}
	who, err := pki.ParseID(id)
	if err != nil {
		h.Fatal(err)
	}
	chain, err := h.issuer.Leaf(who, key.Public(), time.Now(), signerLife)
	if err != nil {
		h.Fatal(err)
	}
	return &seal.Signer{Key: key, Chain: chain}
}

const configurations = "spiffe://cluster.local/signer/configuration"

// signed starts a proxy that wants signatures, with a certificate that lasts.
func signed(t *testing.T, h *house, now func() time.Time, changes ...func(*Options)) *running {
	t.Helper()
	changes = append(changes, func(o *Options) {
		o.Unsigned, o.WorkloadUID, o.MinimumGeneration, o.SignatureGrace, o.Now = false, "6f1c", 2, 72*time.Hour, now
	})
	r := run(t, application(t, healthy), changes...)
	r.root, r.signer = &proxytest.Authority{Certificate: h.root.Certificate}, h.signer(configurations)
	r.root.Write(t, r.options.Certificates, h.leaf(api, 60*24*time.Hour))
	return r
}

// text is the configuration as it is written. A test that spoils one writes no good one
// first: the proxy might be quicker.
func (r *running) text() string {
	r.Helper()
	text, err := json.Marshal(r.config)
	if err != nil {
		r.Fatal(err)
	}
	return string(text)
}

func (r *running) callAs(certificate *tls.Certificate) (int, error) {
	verifier := &identity.Verifier{Source: proxytest.NewSource(certificate, r.root), Now: time.Now}
	transport := &http.Transport{TLSClientConfig: verifier.Client(identity.Policy{TrustDomain: domain}), DisableKeepAlives: true}
	res, err := (&http.Client{Transport: transport, Timeout: 10 * time.Second}).Get(fmt.Sprintf("https://127.0.0.1:%d/ready?full", r.port))
	if err != nil {
		return 0, err
	}
	return res.StatusCode, res.Body.Close()
}

func TestOnlyWhatWasSignedForThisWorkloadIsTaken(t *testing.T) {
	h, elsewhere := newHouse(t), newHouse(t)
	caller := h.leaf(portal, time.Hour)
	for name, tc := range map[string]struct {
		spoil        func(r *running)
		want, reason string
	}{
		"no signature": {func(r *running) {
			_ = os.Remove(filepath.Join(r.options.Configuration, FileSignature)) // a proxy that has just started has none
			r.write(r.text())
		}, "the configuration is not signed: reading config.sig: no such file or directory", "unsigned"},
		"no configuration": {func(r *running) {
			r.file(FileSignature, r.sealed(nil))
			_ = os.Remove(filepath.Join(r.options.Configuration, FileConfiguration)) // a proxy that has just started has none
		}, "reading config.json: no such file or directory", "unreadable"},
		"half a signature": {func(r *running) { r.file(FileSignature, `{"version":1,`); r.write(r.text()) }, "the seal is torn", "torn"},
		"edited": {func(r *running) {
			seal := r.sealed([]byte(r.text()))
			r.config.Inbound[0].From[0].ID = "spiffe://cluster.local/ns/thief/sa/*"
			r.write(r.text())
			r.file(FileSignature, seal)
		}, "the payload was edited", "edited"},
		"signed by another root's signer": {func(r *running) { r.signer = elsewhere.signer(configurations); r.writeConfig() }, "the signer is not trusted", "foreign-signer"},
		"signed by a workload":            {func(r *running) { r.signer = h.signer(portal); r.writeConfig() }, "the signer is not trusted", "foreign-signer"},
		"of another workload":             {func(r *running) { r.config.Workload.UID = "other"; r.writeConfig() }, "it was sealed for another workload: uid other instead of 6f1c", "other-workload"},
		"older than the pod":              {func(r *running) { r.config.Workload.Generation = 1; r.writeConfig() }, "it is older than what is in force: generation 1, at least 2 counts", "older"},
		"another generation inside": {func(r *running) {
			text, _ := json.Marshal(r.config)
			r.config.Workload.Generation = 9
			r.file(FileSignature, r.sealed(text))
			r.write(string(text))
		}, "workload.generation: is 2; 9 was signed", "invalid"},
		"another workload inside": {func(r *running) {
			r.config.Workload.UID = "other"
			text, _ := json.Marshal(r.config)
			r.config.Workload.UID = "6f1c"
			r.file(FileSignature, r.sealed(text))
			r.write(string(text))
		}, "workload.uid: is another one than was signed", "invalid"},
		"of another trust domain": {func(r *running) {
			r.config.TrustDomain, r.config.Inbound[0].From = "elsewhere", nil
			r.writeConfig()
		}, "trustDomain: is elsewhere; this proxy's certificate is of cluster.local", "invalid"},
		"signed and invalid": {func(r *running) { r.config.TrustDomain = ""; r.writeConfig() }, "trustDomain: is no trust domain", "invalid"},
	} {
		t.Run(name, func(t *testing.T) {
			count := `phi_proxy_configuration_refusals_total{reason="` + tc.reason + `"} `
			fresh := signed(t, h, time.Now)
			tc.spoil(fresh)
			fresh.reads(http.StatusServiceUnavailable, tc.want)
			if fresh.open() {
				t.Error("it is open")
			}
			fresh.tells(count)

			r := signed(t, h, time.Now)
			r.writeConfig()
			r.reads(http.StatusOK, "[+]configuration ok\n")
			tc.spoil(r)
			r.reads(http.StatusOK, tc.want)
			r.tells(count)
			if status, err := r.callAs(caller); status != http.StatusOK || err != nil {
				t.Errorf("a peer hears %d, %v", status, err)
			}
		})
	}
}

func (r *running) tells(part string) {
	r.Helper()
	if _, text := r.ask(r.options.AdminPort, "/metrics"); !strings.Contains(text, part) {
		r.Errorf("the metrics do not say %s:\n%s", part, text)
	}
}

// What is in force outlasts its signature; what comes is held to the grace.
func TestASignatureMayEndAndWhatIsInForceStays(t *testing.T) {
	h := newHouse(t)
	var ahead atomic.Int64
	now := func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) }
	r := signed(t, h, now)
	r.writeConfig()
	r.reads(http.StatusOK, "[+]configuration ok\n[+]in service ok\n[+]signature ok\n")
	r.tells(fmt.Sprintf("phi_proxy_configuration_signature_expiry_timestamp_seconds %v", float64(r.signer.Chain[0].NotAfter.Unix())))
	first := r.signer

	ahead.Store(int64(signerLife + 71*time.Hour))
	r.reads(http.StatusOK, "[+]signature ok: the certificate of the signer ended at ")
	restarted := signed(t, h, now)
	restarted.signer = first
	restarted.writeConfig()
	restarted.reads(http.StatusOK, "[+]configuration ok\n")

	ahead.Store(int64(signerLife + 73*time.Hour))
	restarted.reads(http.StatusOK, "[+]configuration ok\n")
	inForce, err := directory.Read(r.options.Configuration, seal.MaxPayload, FileConfiguration, FileSignature)
	if err != nil {
		t.Fatal(err)
	}
	r.config.Workload.Generation = 3
	r.writeConfig()
	r.reads(http.StatusOK, "[+]configuration ok: opening a seal: the signer's certificate has expired")
	r.tells(`phi_proxy_configuration_refusals_total{reason="signer-expired"} 1`)
	r.tells("phi_proxy_configuration_generation 2\n")
	// What is in force comes back as it was: there is nothing to refuse.
	r.file(FileSignature, string(inForce[1]))
	r.write(string(inForce[0]))
	r.reads(http.StatusOK, "[+]configuration ok\n")
	late := signed(t, h, now)
	late.signer = first
	late.writeConfig()
	late.reads(http.StatusServiceUnavailable, "[-]configuration no: opening a seal: the signer's certificate has expired")
}

// A signer under a root that this proxy does not know yet is taken once it does.
func TestASignatureIsJudgedByTheRootsOfThisMoment(t *testing.T) {
	h, next := newHouse(t), newHouse(t)
	r := signed(t, h, time.Now)
	r.signer = next.signer(configurations)
	r.writeConfig()
	r.reads(http.StatusServiceUnavailable, "the signer is not trusted")
	both := pki.Bundle{h.root.Certificate, next.root.Certificate}
	if err := os.WriteFile(filepath.Join(r.options.Certificates, identity.FileRoots), both.PEM(), 0o600); err != nil {
		t.Fatal(err)
	}
	r.reads(http.StatusOK, "[+]configuration ok\n")
}

func TestWithoutSignaturesReadinessSaysSo(t *testing.T) {
	r := run(t, application(t, healthy))
	r.root.Write(t, r.options.Certificates, r.root.Leaf(t, time.Now(), api))
	r.file(FileSignature, "not looked at")
	r.writeConfig()
	r.reads(http.StatusOK, "[+]configuration ok\n[+]in service ok\n[+]signature ok: none is asked for (--unsigned); whoever writes config.json decides\n")
}
