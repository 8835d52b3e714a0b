package app

import (
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/hipaa-operator/hipaa-operator/internal/enrol"
	"github.com/hipaa-operator/hipaa-operator/internal/pki"
	"github.com/hipaa-operator/hipaa-operator/internal/sealing"
)

func TestProxiesAreAskedForByTheirImage(t *testing.T) {
	tests := map[string]struct {
		give Options
		want string // the issuer's address
		bad  string
	}{
		"no proxies":                      {give: Options{TrustDomain: "Not One"}},
		"the issuer beside the manager":   {give: Options{ProxyImage: "phi-proxy:1", ClusterDomain: "cluster.local", TrustDomain: "cluster.local"}, want: "hipaa-operator-issuer.op.svc.cluster.local"},
		"an issuer elsewhere":             {give: Options{ProxyImage: "phi-proxy:1", ClusterDomain: "cluster.local", TrustDomain: "cluster.local", IssuerAddress: "ca.example.org:8443"}, want: "ca.example.org:8443"},
		"a cluster domain that cannot be": {give: Options{ProxyImage: "phi-proxy:1", ClusterDomain: "Not One", TrustDomain: "cluster.local"}, bad: "reading --cluster-domain"},
		"a user that cannot be":           {give: Options{ProxyImage: "phi-proxy:1", ClusterDomain: "cluster.local", TrustDomain: "cluster.local", ProxyUser: -1}, bad: "reading --proxy-user"},
		"a trust domain that cannot be":   {give: Options{ProxyImage: "phi-proxy:1", ClusterDomain: "cluster.local", TrustDomain: "Not One"}, bad: "reading --trust-domain"},
		"a trust domain that is left out": {give: Options{ProxyImage: "phi-proxy:1", ClusterDomain: "cluster.local"}, bad: "reading --trust-domain"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			test.give.Namespace = "op"
			err := test.give.complete()
			if test.bad != "" {
				if err == nil || !strings.Contains(err.Error(), test.bad) {
					t.Errorf("got %v", err)
				}
				return
			}
			if err != nil || test.give.IssuerAddress != test.want {
				t.Errorf("got %q, %v", test.give.IssuerAddress, err)
			}
		})
	}
}

// certifying is an issuer that certifies whoever asks as the signer.
func certifying(t *testing.T) (address string, roots pki.Bundle) {
	t.Helper()
	root, err := pki.NewRoot("cluster.local", time.Now(), 24*time.Hour, "localhost")
	if err != nil {
		t.Fatal(err)
	}
	by, err := root.Intermediate("cluster.local", []string{"localhost"}, time.Now(), 12*time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	key, _, err := pki.NewRequest()
	if err != nil {
		t.Fatal(err)
	}
	serving, err := by.Serving([]string{"localhost"}, key.Public(), time.Now(), time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	roots = pki.Bundle{root.Certificate}
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		request, err := enrol.ReadRequest(r.Body)
		if err != nil {
			t.Error(err)
		}
		key, err := pki.ParseRequest(request.CSR)
		if err != nil {
			t.Error(err)
		}
		id, err := pki.ConfigurationSigner("cluster.local")
		if err != nil {
			t.Error(err)
		}
		chain, err := by.Leaf(id, key, time.Now(), time.Hour)
		if err != nil {
			t.Error(err)
		}
		text, err := json.Marshal(enrol.Response{Chain: pki.DER(chain), Bundle: roots.PEM()})
		if err != nil {
			t.Error(err)
		}
		_, _ = w.Write(text)
	}))
	server.TLS = &tls.Config{MinVersion: tls.VersionTLS13, Certificates: []tls.Certificate{{Certificate: pki.DER(serving), PrivateKey: key}}}
	server.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	server.StartTLS()
	t.Cleanup(server.Close)
	u, err := url.Parse(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	return "localhost:" + u.Port(), roots
}

// signingManager runs a manager that signs, until the test ends.
func signingManager(t *testing.T, config *rest.Config, issuer string) *signing {
	t.Helper()
	token := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(token, []byte("token"), 0o600); err != nil {
		t.Fatal(err)
	}
	o := Options{
		Namespace: "default", MetricsAddress: "0", HealthAddress: "0",
		ProxyImage: "phi-proxy:1", ClusterDomain: "cluster.local", IssuerAddress: issuer, IssuerTokenFile: token, TrustDomain: "cluster.local",
	}
	mgr, err := newManager(config, o)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	if off, err := addSigning(ctx, mgr, Options{}); off != nil || err != nil {
		t.Errorf("without an image of the proxy: %v, %v", off, err)
	}
	s, err := addSigning(ctx, mgr, o)
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- mgr.Start(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return s
}

func TestTheManagerSealsAsSoonAsThereAreRoots(t *testing.T) {
	if os.Getenv("KUBEBUILDER_ASSETS") == "" {
		t.Skip("needs a real API server: KUBEBUILDER_ASSETS is not set, make test sets it")
	}
	log.SetLogger(logr.Discard())
	environment := &envtest.Environment{}
	config, err := environment.Start()
	if err != nil {
		t.Fatalf("starting an API server: %v", err)
	}
	t.Cleanup(func() { _ = environment.Stop() })
	address, roots := certifying(t)
	s := signingManager(t, config, address)
	eventually(t, "it says that nothing is published", func() bool {
		err := s.Ready()
		return err != nil && strings.HasPrefix(err.Error(), "there is no ConfigMap hipaa-operator-bundle")
	})
	draft := sealing.Draft{Workload: "6f1c", Write: func(int64) ([]byte, error) { return []byte("{}"), nil }}
	if _, err := s.sealer.Seal(draft); !errors.Is(err, sealing.ErrNoCertificate) {
		t.Errorf("without roots: %v", err)
	}
	admin, err := client.New(config, client.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := admin.Create(t.Context(), &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: enrol.BundleName},
		Data:       map[string]string{enrol.BundleKey: string(roots.PEM())},
	}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "it seals", func() bool {
		<-s.changed
		sealed, err := s.sealer.Seal(draft)
		return err == nil && sealed.Generation == 1
	})
	if s.Bundle() == nil || !s.Bundle().Equal(roots) {
		t.Error("the roots are not what is published")
	}
}

func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	if err := wait.PollUntilContextTimeout(t.Context(), 20*time.Millisecond, 20*time.Second, true, func(context.Context) (bool, error) { return holds(), nil }); err != nil {
		t.Fatalf("waiting until %s: %v", what, err)
	}
}
