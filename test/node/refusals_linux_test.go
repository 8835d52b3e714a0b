package node_test

import (
	"crypto/tls"
	"errors"
	"io"
	"net/http"
	"net/netip"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"

	"github.com/hipaa-operator/hipaa-operator/internal/pki"
)

// asksForThePassword holds that the database does of records what it does of nobody on loopback.
func (t *town) asksForThePassword() {
	GinkgoHelper()
	Expect(t.asks("portal", patient)).To(HaveSuffix("read from 127.0.0.6"))
	Expect(kubectl("exec", "-n", t.namespace, "deployment/db", "-c", "app", "--",
		"psql", "-h", "127.0.0.1", "-U", "records", "-tAc", "SELECT record FROM patients")).To(ContainSubstring(record))
	try := func(settings string) (string, error) {
		return kubectl("exec", "-n", t.namespace, "deployment/records", "-c", "app", "--", "/records", "-try", "-database", settings)
	}
	Expect(try("")).To(BeEmpty())
	said, err := try("password=guessed")
	Expect(err).To(HaveOccurred())
	Expect(said).To(ContainSubstring("password authentication failed"))
}

// refusesStrangers holds that a pod of records lets portal in at an address of its proxy, and nobody else.
func (t *town) refusesStrangers(pod *corev1.Pod, at netip.AddrPort) {
	GinkgoHelper()
	get := func(transport *http.Transport, scheme string) error {
		transport.DisableKeepAlives = true
		defer transport.CloseIdleConnections()
		response, err := (&http.Client{Timeout: 10 * time.Second, Transport: transport}).Get(scheme + "://" + at.String() + "/patients/7")
		if err != nil {
			return err
		}
		defer response.Body.Close()
		text, err := io.ReadAll(response.Body)
		if response.StatusCode != http.StatusOK {
			return errors.Join(err, refusal(response.Status+" "+string(text)))
		}
		return err
	}
	as := func(name string, at time.Time) *http.Transport {
		config := &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS13}
		if name != "" {
			config.Certificates = []tls.Certificate{tlsOf(certificateUnder(root(), idOf(t.namespace, name), at))}
		}
		return &http.Transport{TLSClientConfig: config}
	}
	now := time.Now()
	foreign := as("portal", now)
	other, err := pki.NewRoot(trustDomain, now, time.Hour)
	Expect(err).NotTo(HaveOccurred())
	foreign.TLSClientConfig.Certificates = []tls.Certificate{tlsOf(certificateUnder(other, idOf(t.namespace, "portal"), now))}
	Expect(get(as("portal", now), "https")).To(Succeed(), "who is declared gets in by the same means")
	for reason, stranger := range map[string]struct {
		transport *http.Transport
		scheme    string
	}{
		"plaintext":   {&http.Transport{}, "http"},
		"handshake":   {as("", now), "https"},
		"untrusted":   {foreign, "https"},
		"not-allowed": {as("db", now), "https"},
		"expired":     {as("portal", now.Add(-2*pki.DefaultPlan().Leaf)), "https"},
	} {
		before := refusals(pod, reason)
		Expect(get(stranger.transport, stranger.scheme)).NotTo(Succeed(), reason)
		Eventually(func() float64 { return refusals(pod, reason) }).Should(Equal(before+1), reason)
	}
}
