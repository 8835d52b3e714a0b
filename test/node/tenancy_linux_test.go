package node_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"golang.org/x/sys/unix"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
	"github.com/hipaa-operator/hipaa-operator/internal/control"
	"github.com/hipaa-operator/hipaa-operator/internal/enrol"
	"github.com/hipaa-operator/hipaa-operator/internal/injection"
	"github.com/hipaa-operator/hipaa-operator/internal/phitest"
)

const (
	// tenanted is a profile for namespaces with tenants of their own.
	tenanted = "tenanted"
	tess     = "tess@example.org"
)

// tenancy is a surgery in which somebody has the role edit: a clinic that calls a vendor and the lab, and a
// courier whose traffic is redirected.
type tenancy struct {
	*surgery
	tess client.Client
}

func newTenancy(vendors ...string) *tenancy {
	GinkgoHelper()
	v := &tenancy{newSurgery(tenanted, vendors...), person(tess)}
	lab, clinic := v.part("lab"), v.part("clinic")
	lab.pod.Spec.Containers[0].Args = []string{"-keep", record}
	lab.Spec.Access = &hipaav1.Access{From: []hipaav1.AccessPeer{phitest.FromWorkload("clinic")}}
	clinic.Spec.Egress.To = append(clinic.Spec.Egress.To, phitest.ToWorkload("lab"))
	// A pod of the clinic that passes for the lab would let the clinic in.
	clinic.Spec.Access = &hipaav1.Access{From: []hipaav1.AccessPeer{phitest.FromWorkload("clinic")}}
	v.add(1, v.trusting(v.application("courier")), 8080, 80)
	courier := v.part("courier")
	courier.Spec.Transmission = &hipaav1.WorkloadTransmission{Capture: hipaav1.CaptureRedirect}
	courier.Spec.Egress = &hipaav1.Egress{To: []hipaav1.EgressPeer{phitest.ToVendor(vendors[0]), phitest.ToService("", "feed")}}
	feed := service(v.namespace, "feed", corev1.ServicePort{Port: 80, TargetPort: intstr.FromInt32(8080)})
	Expect(admin.Create(ctx, feed)).To(Succeed())
	v.may("edit")
	return v
}

// may binds a role of the cluster to the tenant, or one that says what it lets do.
func (v *tenancy) may(role string, rules ...rbacv1.PolicyRule) {
	GinkgoHelper()
	kind := "ClusterRole"
	if len(rules) > 0 {
		kind = "Role"
		Expect(admin.Create(ctx, &rbacv1.Role{ObjectMeta: metav1.ObjectMeta{Namespace: v.namespace, Name: role}, Rules: rules})).To(Succeed())
	}
	Expect(admin.Create(ctx, &rbacv1.RoleBinding{
		ObjectMeta: metav1.ObjectMeta{Namespace: v.namespace, Name: role}, RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: kind, Name: role},
		Subjects: []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: tess}},
	})).To(Succeed())
}

// leadsAway lets the tenant have a Service lead to a host out there, and returns how it is put right again.
func (v *tenancy) leadsAway(name string) (back func()) {
	GinkgoHelper()
	var s corev1.Service
	Expect(admin.Get(ctx, key(v.namespace, name), &s)).To(Succeed())
	was := s.Spec
	s.Spec = corev1.ServiceSpec{Type: corev1.ServiceTypeExternalName, ExternalName: "api.stranger.example", Ports: was.Ports}
	Expect(v.tess.Update(ctx, &s)).To(Succeed())
	return func() {
		GinkgoHelper()
		s.Spec = was
		Expect(v.tess.Update(ctx, &s)).To(Succeed())
	}
}

// errand is a pod of a workload that does one thing, as a tenant writes it.
func (v *tenancy) errand(part string, args ...string) *corev1.Pod {
	pod := v.trusting(v.application(part))
	pod.Name, pod.GenerateName = "", part+"-errand-"
	pod.Spec.RestartPolicy, pod.Spec.TerminationGracePeriodSeconds = corev1.RestartPolicyNever, ptr.To[int64](1)
	c := &pod.Spec.Containers[0]
	c.Args, c.ReadinessProbe, c.LivenessProbe, c.Lifecycle = args, nil, nil, nil
	return pod
}

// runs lets the tenant run some until their spec ends, and waits until their applications have begun.
func (v *tenancy) runs(pods ...*corev1.Pod) {
	GinkgoHelper()
	for _, pod := range pods {
		Expect(v.tess.Create(ctx, pod)).To(Succeed())
		DeferCleanup(func() { Expect(client.IgnoreNotFound(admin.Delete(ctx, pod))).To(Succeed()) })
	}
	for _, pod := range pods {
		Eventually(func(g Gomega) {
			g.Expect(admin.Get(ctx, client.ObjectKeyFromObject(pod), pod)).To(Succeed())
			g.Expect(pod.Status.ContainerStatuses).To(ContainElement(HaveField("State.Waiting", BeNil())))
		}).Should(Succeed(), v.troubles)
	}
}

// says is what the application of an errand has printed when it has ended.
func (v *tenancy) says(pod *corev1.Pod) string {
	GinkgoHelper()
	Eventually(func(g Gomega) {
		g.Expect(admin.Get(ctx, client.ObjectKeyFromObject(pod), pod)).To(Succeed())
		g.Expect(pod.Status.Phase).To(Or(Equal(corev1.PodSucceeded), Equal(corev1.PodFailed)))
	}).Should(Succeed())
	said, err := kubectl("logs", "-n", v.namespace, pod.Name, "-c", "app")
	Expect(err).NotTo(HaveOccurred(), said)
	return said
}

// tries lets the tenant create errands of a workload, each with one change, which is what it is refused for.
func (v *tenancy) tries(part string, changes map[string]func(*corev1.PodSpec)) {
	GinkgoHelper()
	Expect(v.tess.Create(ctx, v.errand(part), client.DryRunAll)).To(Succeed(), "without a change")
	for says, change := range changes {
		pod := v.errand(part)
		change(&pod.Spec)
		Expect(v.tess.Create(ctx, pod)).To(MatchError(And(ContainSubstring("\n  mutual-tls "), ContainSubstring(says))))
	}
}

// proxyOf is the process of a workload's proxy that runs alone.
func (v *tenancy) proxyOf(part string) int {
	GinkgoHelper()
	return processOf("--workload-uid=" + string(v.part(part).UID))
}

// userOf is whom the proxies of a workload run under.
func (v *tenancy) userOf(part string) *int64 {
	GinkgoHelper()
	for _, c := range v.podsOf(part)[0].Spec.InitContainers {
		if c.Name == control.ProxyContainer {
			return c.SecurityContext.RunAsUser
		}
	}
	return nil
}

// sealedFor is what configures the proxies of a workload.
func (v *tenancy) sealedFor(part string) *corev1.ConfigMap {
	GinkgoHelper()
	var m corev1.ConfigMap
	Expect(admin.Get(ctx, key(v.namespace, injection.ConfigMapOf(part)), &m)).To(Succeed())
	return &m
}

// putThere puts files where the proxy of a pod reads its configuration, as the kubelet puts them there, which puts
// its own back after a while.
func putThere(pod *corev1.Pod, files map[string]string) {
	GinkgoHelper()
	// Of all processes, those of the node see it.
	volumes, err := filepath.Glob(filepath.Join("/proc/[0-9]*/root/var/lib/kubelet/pods", string(pod.UID), "volumes/kubernetes.io~configmap/phi-proxy-config"))
	Expect(err).NotTo(HaveOccurred())
	Expect(volumes).NotTo(BeEmpty())
	folder, err := os.MkdirTemp(volumes[0], "..tenant-")
	Expect(err).NotTo(HaveOccurred())
	Expect(os.Chmod(folder, 0o755)).To(Succeed())
	for name, text := range files {
		Expect(os.WriteFile(filepath.Join(folder, name), []byte(text), 0o644)).To(Succeed())
	}
	link := folder + ".link"
	Expect(os.Symlink(filepath.Base(folder), link)).To(Succeed())
	Expect(os.Rename(link, filepath.Join(volumes[0], "..data"))).To(Succeed())
}

// certified asks the issuer from the network of a process, by a token, for a certificate that names another workload. It
// returns whom the certificate names that it gets, or why there is none.
func (v *tenancy) certified(process int, token, wanted string) ([]string, error) {
	GinkgoHelper()
	var service corev1.Service
	Expect(admin.Get(ctx, key(system, enrol.ServiceName), &service)).To(Succeed())
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	Expect(err).NotTo(HaveOccurred())
	wish, err := url.Parse(idOf(v.namespace, wanted).String())
	Expect(err).NotTo(HaveOccurred())
	csr, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{
		Subject: pkix.Name{CommonName: v.namespace + "_" + wanted}, URIs: []*url.URL{wish},
	}, private)
	Expect(err).NotTo(HaveOccurred())
	body, err := json.Marshal(enrol.NewRequest(csr))
	Expect(err).NotTo(HaveOccurred())
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, "https://"+net.JoinHostPort(service.Spec.ClusterIP, "443")+enrol.Path, bytes.NewReader(body))
	Expect(err).NotTo(HaveOccurred())
	request.Header.Set("Authorization", "Bearer "+token)
	response, err := (&http.Client{Timeout: soon, Transport: &http.Transport{
		DialContext: func(_ context.Context, _, address string) (net.Conn, error) { return dialingFrom(process)(address) }, DisableKeepAlives: true,
		TLSClientConfig: &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS13},
	}}).Do(request)
	Expect(err).NotTo(HaveOccurred(), "the issuer answers whoever asks")
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	Expect(err).NotTo(HaveOccurred())
	if response.StatusCode != http.StatusOK {
		return nil, refusal(fmt.Sprintf("%d: %s", response.StatusCode, text))
	}
	var granted enrol.Response
	Expect(json.Unmarshal(text, &granted)).To(Succeed())
	leaf, err := x509.ParseCertificate(granted.Chain[0])
	Expect(err).NotTo(HaveOccurred())
	Expect(private.PublicKey.Equal(leaf.PublicKey)).To(BeTrue())
	names := leaf.DNSNames
	for _, uri := range leaf.URIs {
		names = append(names, uri.String())
	}
	return names, nil
}

// mountToken is how a pod asks its node for a token that the issuer takes.
func mountToken(p *corev1.PodSpec) {
	p.Volumes = append(p.Volumes, corev1.Volume{Name: "mine", VolumeSource: corev1.VolumeSource{Projected: &corev1.ProjectedVolumeSource{
		Sources: []corev1.VolumeProjection{{ServiceAccountToken: &corev1.ServiceAccountTokenProjection{Audience: enrol.Audience, Path: "token"}}},
	}}})
	p.Containers[0].VolumeMounts = append(p.Containers[0].VolumeMounts, corev1.VolumeMount{Name: "mine", MountPath: "/mine"})
}

// tokenOf reads a token where a process has it.
func tokenOf(process int, file string) string {
	GinkgoHelper()
	token, err := os.ReadFile(filepath.Join("/proc", fmt.Sprint(process), "root", file))
	Expect(err).NotTo(HaveOccurred())
	return string(token)
}

// dialingFrom dials from the network of a process.
func dialingFrom(process int) func(address string) (net.Conn, error) {
	return func(address string) (conn net.Conn, err error) {
		done := make(chan struct{})
		go func() {
			defer close(done)
			runtime.LockOSThread() // and it is never unlocked: the thread ends in that network
			var at *os.File
			if at, err = os.Open(fmt.Sprintf("/proc/%d/ns/net", process)); err != nil {
				return
			}
			defer at.Close()
			if err = unix.Setns(int(at.Fd()), unix.CLONE_NEWNET); err == nil {
				conn, err = net.DialTimeout("tcp", address, 3*time.Second)
			}
		}()
		<-done
		return conn, err
	}
}
