package node_test

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
	"github.com/hipaa-operator/hipaa-operator/internal/phitest"
)

const nginxImage = "localcluster.local/nginx:1"

// nginxSettings are what people write for a server that verifies whom it calls and shows a certificate. Its
// paths tell what it does otherwise.
const nginxSettings = `
daemon off;
worker_processes 1;
pid /tmp/nginx.pid;
error_log stderr warn;
events {}
http {
  access_log off;
  client_body_temp_path /tmp/body; proxy_temp_path /tmp/proxy; fastcgi_temp_path /tmp/f; uwsgi_temp_path /tmp/u; scgi_temp_path /tmp/s;
  map "" $shown { default /gateway; }
  proxy_ssl_protocols TLSv1.3;
  proxy_ssl_verify on;
  proxy_ssl_verify_depth 2;
  proxy_ssl_trusted_certificate /gateway/ca.crt;
  proxy_ssl_name %[1]s_api;
  proxy_http_version 1.1;
  server {
    listen 8080;
    # Names of files with a variable are read at each handshake: a renewal needs no reload.
    location / { proxy_pass https://api.%[1]s.svc.cluster.local:80; proxy_ssl_certificate $shown/tls.crt; proxy_ssl_certificate_key $shown/tls.key; }
    location /bare/ { proxy_pass https://api.%[1]s.svc.cluster.local:80/; }
    location /other/ { proxy_pass https://api.%[1]s.svc.cluster.local:80/; proxy_ssl_certificate /other/tls.crt; proxy_ssl_certificate_key /other/tls.key; }
    location /misled/ { proxy_pass https://api.%[1]s.svc.cluster.local:80/; proxy_ssl_certificate /gateway/tls.crt; proxy_ssl_certificate_key /gateway/tls.key; proxy_ssl_name %[1]s_db; }
    location /plain/ { proxy_pass http://api.%[1]s.svc.cluster.local:80/; }
  }
}
`

// nginx runs Debian's nginx as a gateway to a namespace.
func nginx(in, to string) *corev1.Pod {
	GinkgoHelper()
	Expect(admin.Create(ctx, &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{Namespace: in, Name: "nginx"}, Data: map[string]string{"nginx.conf": fmt.Sprintf(nginxSettings, to)},
	})).To(Succeed())
	// The kubelet, which looks for a Secret less and less often, is not to look before they are there.
	for _, name := range []string{"hipaa-gateway-edge", "hipaa-gateway-other"} {
		Eventually(admin.Get).WithArguments(ctx, key(in, name), &corev1.Secret{}).WithTimeout(2 * soon).Should(Succeed())
	}
	secret := func(name string) corev1.VolumeSource {
		return corev1.VolumeSource{Secret: &corev1.SecretVolumeSource{SecretName: name}}
	}
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: in, Name: "nginx", Labels: map[string]string{"app": "nginx"}},
		Spec: corev1.PodSpec{
			TerminationGracePeriodSeconds: ptr.To[int64](1),
			Containers: []corev1.Container{{
				Name: "nginx", Image: nginxImage, ImagePullPolicy: corev1.PullNever,
				Args:           []string{"-e", "/dev/stderr", "-c", "/settings/nginx.conf"},
				ReadinessProbe: &corev1.Probe{ProbeHandler: corev1.ProbeHandler{TCPSocket: &corev1.TCPSocketAction{Port: probeOf(orders).HTTPGet.Port}}, PeriodSeconds: 1},
				VolumeMounts: []corev1.VolumeMount{
					{Name: "settings", MountPath: "/settings"}, {Name: "gateway", MountPath: "/gateway"}, {Name: "other", MountPath: "/other"}, {Name: "tmp", MountPath: "/tmp"},
				},
			}},
			Volumes: []corev1.Volume{
				{Name: "settings", VolumeSource: corev1.VolumeSource{ConfigMap: &corev1.ConfigMapVolumeSource{LocalObjectReference: corev1.LocalObjectReference{Name: "nginx"}}}},
				{Name: "gateway", VolumeSource: secret("hipaa-gateway-edge")},
				{Name: "other", VolumeSource: secret("hipaa-gateway-other")},
				{Name: "tmp", VolumeSource: corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{}}},
			},
		},
	}
	return running(pod)
}

// letIn lets the issuer keep the Secret of a gateway, as docs/gateways.md says.
func letIn(namespace, gateway string) {
	GinkgoHelper()
	name := "hipaa-gateway-" + gateway
	Expect(admin.Create(ctx, &rbacv1.Role{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name},
		Rules:      []rbacv1.PolicyRule{{APIGroups: []string{""}, Resources: []string{"secrets"}, ResourceNames: []string{name}, Verbs: []string{"get", "create", "patch"}}},
	})).To(Succeed())
	Expect(admin.Create(ctx, &rbacv1.RoleBinding{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: name},
		Subjects:   []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Namespace: system, Name: "hipaa-operator-issuer"}},
	})).To(Succeed())
}

var _ = Describe("A gateway before a workload behind proxies", Ordered, ContinueOnFailure, func() {
	const profile = "gated"
	var (
		t       *town
		ingress string
		edge    *corev1.Pod
	)

	BeforeAll(func() {
		archive := filepath.Join(os.Getenv(images), "nginx.tar")
		if _, err := os.Stat(archive); errors.Is(err, fs.ErrNotExist) {
			Skip("there is no image of nginx: it is made of Debian's packages, and this is no Debian")
		}
		importImage("--archive", archive)
		ingress = namespace(nil)
		installed()
		gated := phitest.Profile(profile).Mode(hipaav1.ModeAudit).Control("mutual-tls", hipaav1.ModeEnforce).
			Selecting(hipaav1.LabelPHI, hipaav1.LabelPHIValue, governed, profile).
			Gateway("edge", ingress, "app", "nginx").Gateway("other", ingress, "app", "another").With(func(spec *hipaav1.ComplianceProfileSpec) {
			spec.Network.Gateways = append(spec.Network.Gateways,
				hipaav1.Gateway{Name: "balancer", CIDRs: []string{"10.244.0.1/32"}, Authentication: hipaav1.GatewayAddress})
		}).Obj()
		Expect(admin.Create(ctx, gated)).To(Succeed())
		DeferCleanup(func() { Expect(admin.Delete(ctx, gated)).To(Succeed()) })
		letIn(ingress, "edge")
		letIn(ingress, "other")
		t = foundTown(func() string { return phiNamespace(profile) })
		t.add(1, t.application("api"), 8080, 80, phitest.FromGateway("edge"))
		t.add(1, t.application("lab"), 8080, 80, phitest.FromGateway("balancer"))
		t.declare()
		t.start()
		edge = nginx(ingress, t.namespace)
	})

	get := func(path string) (string, error) {
		return request(net.JoinHostPort(edge.Status.PodIP, "8080"), path, nil)
	}
	counted := func(reason string, by func() error) {
		GinkgoHelper()
		pod := &t.podsOf("api")[0]
		before := refusals(pod, reason)
		Expect(by()).NotTo(Succeed())
		Eventually(func() float64 { return refusals(pod, reason) }).Should(Equal(before + 1))
	}

	It("comes through with its certificate, and knows whom it calls", func() {
		looks := capturing("read from", "GET /caller")
		Expect(get("/caller")).To(HavePrefix("127.0.0.6:"))
		seen := looks.sees()
		Expect(seen.TLS13).To(HaveKey(listening(&t.podsOf("api")[0], 8080)), seen.String())
		_, err := get("/misled/caller")
		Expect(err).To(MatchError(ContainSubstring("502")), "whoever answers has to be called as nginx was told")
	})

	It("is refused without one, with that of another gateway, and in plaintext, and each is counted", func() {
		counted("handshake", func() error { _, err := get("/bare/caller"); return err })
		counted("not-allowed", func() error { _, err := get("/other/caller"); return err })
		counted("plaintext", func() error { _, err := get("/plain/caller"); return err })
	})

	It("comes in by TLS alone where its addresses are declared to be enough, and nobody else does", func() {
		lab := t.podsOf("lab")[0]
		at := listening(&lab, 8080).String()
		client := &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{
			DisableKeepAlives: true, TLSClientConfig: &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS13},
		}}
		response, err := client.Get("https://" + at + "/caller")
		Expect(err).NotTo(HaveOccurred())
		defer response.Body.Close()
		Expect(io.ReadAll(response.Body)).To(HavePrefix("127.0.0.6:"))
		Expect(metric(&lab, `phi_proxy_inbound_uncertified_total{grade="one-way"}`)).To(Equal(1.0))
		before := refusals(&lab, "plaintext")
		_, err = request(at, "/caller", nil)
		Expect(err).To(HaveOccurred())
		Eventually(func() float64 { return refusals(&lab, "plaintext") }).Should(Equal(before + 1))
		_, err = client.Get("https://" + listening(&t.podsOf("api")[0], 8080).String() + "/caller")
		Expect(err).To(HaveOccurred(), "which another workload does not let in")
		Eventually(verdict(t.namespace, "lab", "mutual-tls")).Should(And(HavePrefix("Pass"), ContainSubstring("of a lower grade: gateway balancer shows no certificate")))
	})

	It("goes on with the next certificate", func() {
		var was, now corev1.Secret
		Expect(admin.Get(ctx, key(ingress, "hipaa-gateway-edge"), &was)).To(Succeed())
		Expect(admin.Delete(ctx, &was)).To(Succeed())
		Eventually(func() error { return admin.Get(ctx, key(ingress, "hipaa-gateway-edge"), &now) }, "2m").Should(Succeed())
		Expect(now.Data["tls.key"]).NotTo(Equal(was.Data["tls.key"]))
		failed := 0
		// The kubelet brings a changed Secret within a minute or two.
		Eventually(func() (bool, error) {
			if _, err := get("/caller"); err != nil {
				failed++
			}
			said, err := kubectl("exec", "-n", ingress, "nginx", "--", "/bin/busybox", "cat", "/gateway/tls.crt")
			return strings.Contains(said, "CERTIFICATE") && strings.TrimSpace(said) != strings.TrimSpace(string(was.Data["tls.crt"])), err
		}, "3m", "1s").Should(BeTrue())
		Expect(get("/caller")).To(HavePrefix("127.0.0.6:"))
		Expect(failed).To(BeZero())
	})
})
