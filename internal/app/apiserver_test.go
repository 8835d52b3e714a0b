package app

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"
)

// What docs/security.md has an API server read, with the address of this test in
// the place of the Service.
const (
	admissionConfiguration = `apiVersion: apiserver.config.k8s.io/v1
kind: AdmissionConfiguration
plugins:
- name: ValidatingAdmissionWebhook
  configuration:
    apiVersion: apiserver.config.k8s.io/v1
    kind: WebhookAdmissionConfiguration
    kubeConfigFile: %s/kubeconfig.yaml
`
	callerKubeconfig = `apiVersion: v1
kind: Config
users:
- name: '%[2]s'
  user:
    client-certificate: %[1]s/tls.crt
    client-key: %[1]s/tls.key
`
)

func TestAnAPIServerShowsTheCertificateThatItsConfigurationNames(t *testing.T) {
	if os.Getenv("KUBEBUILDER_ASSETS") == "" {
		t.Skip("needs a real API server: KUBEBUILDER_ASSETS is not set, make test sets it")
	}
	trusted := newAuthority(t)
	server := knowing(t, trusted)
	folder := t.TempDir()
	shown := trusted.issue(t, x509.ExtKeyUsageClientAuth)
	key, err := x509.MarshalPKCS8PrivateKey(shown.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"tls.crt":         encoded("CERTIFICATE", shown.Certificate[0]),
		"tls.key":         encoded("PRIVATE KEY", key),
		"admission.yaml":  fmt.Sprintf(admissionConfiguration, folder),
		"kubeconfig.yaml": fmt.Sprintf(callerKubeconfig, folder, server.Listener.Addr()),
	} {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	environment := &envtest.Environment{}
	environment.ControlPlane.GetAPIServer().Configure().Set("admission-control-config-file", filepath.Join(folder, "admission.yaml"))
	config, err := environment.Start()
	if err != nil {
		t.Fatalf("starting an API server: %v", err)
	}
	t.Cleanup(func() { _ = environment.Stop() })
	admin, err := client.New(config, client.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := admin.Create(t.Context(), asking(server)); err != nil {
		t.Fatalf("pointing the API server at the webhook: %v", err)
	}
	var answer error
	err = wait.PollUntilContextTimeout(t.Context(), 50*time.Millisecond, 20*time.Second, true, func(ctx context.Context) (bool, error) {
		answer = admin.Create(ctx, &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{GenerateName: "asked-", Namespace: "default"}}, client.DryRunAll)
		return answer != nil, nil
	})
	if err != nil || !strings.Contains(answer.Error(), "has been judged") {
		t.Errorf("the API server says %v (%v), want what the webhook said", answer, err)
	}
}

// knowing serves a webhook that refuses everything to those who show a
// certificate of the authority.
func knowing(t *testing.T, trusted *authority) *httptest.Server {
	t.Helper()
	pool, err := readAuthority(trusted.file(t))
	if err != nil {
		t.Fatal(err)
	}
	routes := mux{http.NewServeMux()}
	onlyKnown{routes}.Register("/validate", &admission.Webhook{Handler: admission.HandlerFunc(
		func(context.Context, admission.Request) admission.Response {
			return admission.Denied("has been judged")
		},
	)})
	server := httptest.NewUnstartedServer(routes)
	server.TLS = &tls.Config{MinVersion: tls.VersionTLS13}
	verifying(pool)(server.TLS)
	server.StartTLS()
	t.Cleanup(server.Close)
	return server
}

func asking(server *httptest.Server) *admissionregistrationv1.ValidatingWebhookConfiguration {
	return &admissionregistrationv1.ValidatingWebhookConfiguration{
		ObjectMeta: metav1.ObjectMeta{Name: "asking"},
		Webhooks: []admissionregistrationv1.ValidatingWebhook{{
			Name: "asking.example.org", AdmissionReviewVersions: []string{"v1"},
			SideEffects: ptr.To(admissionregistrationv1.SideEffectClassNone),
			ClientConfig: admissionregistrationv1.WebhookClientConfig{
				URL: ptr.To(server.URL + "/validate"), CABundle: []byte(encoded("CERTIFICATE", server.Certificate().Raw)),
			},
			Rules: []admissionregistrationv1.RuleWithOperations{{
				Operations: []admissionregistrationv1.OperationType{admissionregistrationv1.Create},
				Rule:       admissionregistrationv1.Rule{APIGroups: []string{""}, APIVersions: []string{"v1"}, Resources: []string{"configmaps"}},
			}},
		}},
	}
}

func encoded(kind string, raw []byte) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: raw}))
}
