package bench

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"math/big"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	admissionv1 "k8s.io/api/admission/v1"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/hipaa-operator/hipaa-operator/test/cluster"
)

// The yardsticks: two webhooks, one mutating and one validating, that decode the
// review and allow it; and the same with a mutating one that adds as many labels as
// the operator does, because what a patch costs the API server's time is nobody's
// to save. They run in a process of their own: this test binary, started with the
// variable below.
const (
	nullWebhookAddress = "BENCH_NULL_WEBHOOK"
	nullWebhookCert    = "BENCH_NULL_WEBHOOK_CERT"
	yardstickLabel     = "bench.example.org/yardstick"
	labellingPath      = "/labelling"
)

// labelling is a patch of the size of the operator's.
var labelling = func() []byte {
	var operations []string
	for i := range 7 {
		operations = append(operations, fmt.Sprintf(`{"op":"add","path":"/metadata/labels/bench.example.org~1label-%d","value":"true"}`, i))
	}
	return []byte("[" + strings.Join(operations, ",") + "]")
}()

func serveNothing(address string) {
	server := &http.Server{Addr: address, ReadHeaderTimeout: time.Minute, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var review admissionv1.AdmissionReview
		if err := json.NewDecoder(r.Body).Decode(&review); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		review.Response = &admissionv1.AdmissionResponse{UID: review.Request.UID, Allowed: true}
		review.Request = nil
		if r.URL.Path == labellingPath {
			review.Response.Patch, review.Response.PatchType = labelling, ptr.To(admissionv1.PatchTypeJSONPatch)
		}
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(review)
	})}
	folder := os.Getenv(nullWebhookCert)
	fmt.Fprintln(os.Stderr, server.ListenAndServeTLS(filepath.Join(folder, "tls.crt"), filepath.Join(folder, "tls.key")))
}

// yardsticks starts the yardsticks and registers them for namespaces whose
// yardstickLabel names one.
func (w *world) yardsticks(ctx context.Context, address string) error {
	folder := filepath.Join(w.cluster.Workdir, "null")
	ca, err := selfSigned(folder)
	if err != nil {
		return err
	}
	w.null, err = cluster.Launch(filepath.Join(w.cluster.Workdir, "null.log"),
		[]string{nullWebhookAddress + "=" + address, nullWebhookCert + "=" + folder}, os.Args[0])
	if err != nil {
		return err
	}
	for name, path := range map[string]string{"null": "/", "guarded": "/", "labelling": labellingPath} {
		if err := w.register(ctx, name, ca, "https://"+address+"/", "https://"+address+path); err != nil {
			return err
		}
	}
	return nil
}

// register makes a pair of webhooks that look at new pods.
func (w *world) register(ctx context.Context, name string, ca []byte, validates, mutates string) error {
	rules := []admissionregistrationv1.RuleWithOperations{{
		Operations: []admissionregistrationv1.OperationType{admissionregistrationv1.Create},
		Rule:       admissionregistrationv1.Rule{APIGroups: []string{""}, APIVersions: []string{"v1"}, Resources: []string{"pods"}},
	}}
	selector := &metav1.LabelSelector{MatchLabels: map[string]string{yardstickLabel: name}}
	if err := w.admin.Create(ctx, &admissionregistrationv1.MutatingWebhookConfiguration{
		ObjectMeta: metav1.ObjectMeta{Name: "bench-" + name},
		Webhooks: []admissionregistrationv1.MutatingWebhook{{
			Name: name + ".bench.example.org", Rules: rules, NamespaceSelector: selector,
			ClientConfig: admissionregistrationv1.WebhookClientConfig{URL: &mutates, CABundle: ca},
			SideEffects:  ptr.To(admissionregistrationv1.SideEffectClassNone), AdmissionReviewVersions: []string{"v1"},
		}},
	}); err != nil {
		return fmt.Errorf("registering the mutating yardstick: %w", err)
	}
	if err := w.admin.Create(ctx, &admissionregistrationv1.ValidatingWebhookConfiguration{
		ObjectMeta: metav1.ObjectMeta{Name: "bench-" + name},
		Webhooks: []admissionregistrationv1.ValidatingWebhook{{
			Name: name + ".bench.example.org", Rules: rules, NamespaceSelector: selector,
			ClientConfig: admissionregistrationv1.WebhookClientConfig{URL: &validates, CABundle: ca},
			SideEffects:  ptr.To(admissionregistrationv1.SideEffectClassNone), AdmissionReviewVersions: []string{"v1"},
		}},
	}); err != nil {
		return fmt.Errorf("registering the validating yardstick: %w", err)
	}
	return nil
}

// selfSigned writes a certificate for 127.0.0.1 and returns it as its own CA.
func selfSigned(folder string) ([]byte, error) {
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return nil, fmt.Errorf("making a folder for certificates: %w", err)
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("making a key: %w", err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "null"}, DNSNames: []string{"localhost"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, fmt.Errorf("making a certificate: %w", err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, fmt.Errorf("encoding a key: %w", err)
	}
	certificate := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	if _, err := tls.X509KeyPair(certificate, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER})); err != nil {
		return nil, fmt.Errorf("pairing key and certificate: %w", err)
	}
	for name, content := range map[string][]byte{
		"tls.crt": certificate,
		"tls.key": pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER}),
	} {
		if err := os.WriteFile(filepath.Join(folder, name), content, 0o600); err != nil {
			return nil, fmt.Errorf("writing %s: %w", name, err)
		}
	}
	return certificate, nil
}
