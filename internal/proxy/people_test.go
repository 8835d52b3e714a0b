package proxy

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/hipaa-operator/hipaa-operator/internal/proxy/config"
	"github.com/hipaa-operator/hipaa-operator/internal/proxy/identity"
	"github.com/hipaa-operator/hipaa-operator/internal/proxy/proxytest"
)

// callFor asks the application as the portal, for a user.
func (r *running) callFor(token string) int {
	r.Helper()
	verifier := &identity.Verifier{Source: proxytest.NewSource(r.root.Leaf(r, time.Now(), portal), r.root), Now: time.Now}
	transport := &http.Transport{TLSClientConfig: verifier.Client(identity.Policy{TrustDomain: domain}), DisableKeepAlives: true}
	q, err := http.NewRequestWithContext(r.Context(), http.MethodGet, fmt.Sprintf("https://127.0.0.1:%d/ready?full", r.port), http.NoBody)
	if err != nil {
		r.Fatal(err)
	}
	if token != "" {
		q.Header.Set("Authorization", "Bearer "+token)
	}
	res, err := (&http.Client{Transport: transport, Timeout: 10 * time.Second}).Do(q)
	if err != nil {
		return 0
	}
	defer res.Body.Close()
	_, _ = io.Copy(io.Discard, res.Body)
	return res.StatusCode
}

// TestAProxyAsksForUsers runs it whole, with a real identity provider and a limit that
// really passes.
func TestAProxyAsksForUsers(t *testing.T) {
	provider, records := proxytest.NewProvider(t), new(proxytest.Journal)
	r := run(t, application(t, healthy), func(o *Options) { o.Records = records })
	r.root.Write(t, r.options.Certificates, r.root.Leaf(t, time.Now(), api))
	name := config.Refusal{Control: "some-control", Citation: "45 CFR 164.312(d)"}
	r.config.Users = &config.Users{
		Issuers:  []config.Issuer{{URL: provider.URL, Audiences: []string{"patient-api"}, Roots: provider.Roots()}},
		Limits:   config.SessionLimits{Idle: config.Duration(2 * time.Second)},
		KeyFile:  filepath.Join(t.TempDir(), "key"),
		Refusals: config.UserRefusals{Identity: name, MultiFactor: name, Session: name, Lockout: name},
	}
	r.writeConfig()
	// Without the key nobody can be asked, so nobody passes.
	r.reads(http.StatusOK, "reading the key of sessions")
	if status := r.callFor(provider.Token(time.Now(), nil)); status != http.StatusServiceUnavailable {
		t.Errorf("without a key a user hears %d", status)
	}
	if err := os.WriteFile(r.config.Users.KeyFile, bytes.Repeat([]byte("k"), 32), 0o600); err != nil {
		t.Fatal(err)
	}
	r.reads(http.StatusOK, "[+]configuration ok\n")
	if status := r.callFor(""); status != http.StatusUnauthorized {
		t.Errorf("nobody hears %d", status)
	}
	token := provider.Token(time.Now(), map[string]any{"auth_time": nil})
	if status := r.callFor(token); status != http.StatusOK {
		t.Errorf("a user hears %d", status)
	}
	idle := time.NewTimer(2100 * time.Millisecond)
	<-idle.C
	if status := r.callFor(token); status != http.StatusUnauthorized {
		t.Errorf("an idle user hears %d", status)
	}
	if text := records.String(); !strings.Contains(text, `"kind":"logoff"`) {
		t.Errorf("on record is %s", text)
	}
	status, text := r.ask(r.options.AdminPort, "/metrics")
	for _, want := range []string{`phi_proxy_sessions_total{basis="sid"} 1`, "phi_proxy_session_locks_total 1", `phi_proxy_inbound_refusals_total{reason="session-locked"} 1`} {
		if !strings.Contains(text, want) {
			t.Errorf("metrics say %d, without %s", status, want)
		}
	}
	// A change that asks for nobody lets everybody pass, and the proxy ends as ever.
	r.config.Users, r.config.Workload.Generation = nil, 3
	r.writeConfig()
	r.eventually("an answer for nobody", func() (string, bool) {
		status := r.callFor("")
		return fmt.Sprint(status), status == http.StatusOK
	})
	r.stop()
	if err := <-r.ended; err != nil {
		t.Errorf("Run() = %v", err)
	}
}
