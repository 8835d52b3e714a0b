package node_test

import (
	"crypto/tls"
	"encoding/json"
	"fmt"
	"net"
	"net/url"
	"os"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/controller-runtime/pkg/client"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
	"github.com/hipaa-operator/hipaa-operator/internal/control"
	"github.com/hipaa-operator/hipaa-operator/internal/phitest"
	"github.com/hipaa-operator/hipaa-operator/internal/proxy/egress"
	"github.com/hipaa-operator/hipaa-operator/internal/proxy/proxytest"
)

const (
	// promised is within what calls close that people have closed.
	promised = 2 * time.Minute
	// vended is a profile that holds vendors against their agreements, and has the network of workloads closed.
	vended = "vended"
	ana    = "ana@example.org"
	ben    = "ben@example.org"
)

// hostOf is where a vendor of these specs is called.
func hostOf(vendor string) string { return "api." + vendor + ".example" }

// signedVendor is one whose agreement is in force now, until an instant.
func signedVendor(name string, until time.Time) *hipaav1.Vendor {
	v := phitest.Vendor(name).Expires(metav1.NewTime(until)).Obj()
	begins := metav1.NewTime(time.Now().Add(-time.Hour))
	v.Spec.Agreement.Signed, v.Spec.Agreement.Effective = begins, begins
	return v
}

// declareVendor creates one, until its container ends.
func declareVendor(v *hipaav1.Vendor) {
	GinkgoHelper()
	Expect(admin.Create(ctx, v)).To(Succeed())
	DeferCleanup(func() { Expect(client.IgnoreNotFound(admin.Delete(ctx, v))).To(Succeed()) })
}

// amend changes the spec of a Vendor.
func amend(vendor string, change any) {
	GinkgoHelper()
	text, err := json.Marshal(map[string]any{"spec": change})
	Expect(err).NotTo(HaveOccurred())
	v := &hipaav1.Vendor{ObjectMeta: metav1.ObjectMeta{Name: vendor}}
	Expect(admin.Patch(ctx, v, client.RawPatch(types.MergePatchType, text))).To(Succeed())
}

// surgery is a town with vendors: a clinic that calls them, and a lab that does not say so.
type surgery struct {
	*town
	authority *proxytest.Authority
}

func newSurgery(profile string, vendors ...string) *surgery {
	GinkgoHelper()
	s := &surgery{town: foundTown(func() string { return phiNamespace(profile) }), authority: proxytest.NewAuthority(GinkgoTB(), time.Now())}
	for _, name := range []string{"clinic", "lab"} {
		s.add(1, s.trusting(s.application(name)), 8080, 80)
	}
	s.part("clinic").Spec.Egress = &hipaav1.Egress{}
	for _, vendor := range vendors {
		to := &s.part("clinic").Spec.Egress.To
		*to = append(*to, phitest.ToVendor(vendor))
	}
	return s
}

// trusting lets an application trust the authority of vendors, as its makers say: here by a variable that
// OpenSSL and Go read. Nobody else has to know of it.
func (s *surgery) trusting(pod *corev1.Pod) *corev1.Pod {
	pod.Spec.Volumes = append(pod.Spec.Volumes, corev1.Volume{Name: "roots", VolumeSource: corev1.VolumeSource{
		ConfigMap: &corev1.ConfigMapVolumeSource{LocalObjectReference: corev1.LocalObjectReference{Name: "roots"}},
	}})
	c := &pod.Spec.Containers[0]
	c.VolumeMounts = append(c.VolumeMounts, corev1.VolumeMount{Name: "roots", MountPath: "/roots", ReadOnly: true})
	c.Env = append(c.Env, corev1.EnvVar{Name: "SSL_CERT_FILE", Value: "/roots/roots.pem"})
	return pod
}

// open declares the parts and runs them.
func (s *surgery) open() {
	GinkgoHelper()
	Expect(admin.Create(ctx, &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{Namespace: s.namespace, Name: "roots"}, Data: map[string]string{"roots.pem": certified(s.authority)},
	})).To(Succeed())
	s.declare()
	s.start()
}

// sends lets the application of a part ask a vendor once, with flags.
func (s *surgery) sends(part, address string, flags ...string) (string, error) {
	args := append([]string{"exec", "-n", s.namespace, "deployment/" + part, "-c", "app", "--", "/records", "-get", address, "-within", "10s"}, flags...)
	said, err := kubectl(args...)
	if err != nil {
		err = fmt.Errorf("%w: %s", err, said)
	}
	return said, err
}

// fetches has the application of a part asked by the node to ask a vendor.
func (s *surgery) fetches(part, vendor string) (string, error) {
	GinkgoHelper()
	return request(net.JoinHostPort(s.podsOf(part)[0].Status.PodIP, "8080"), "/fetch", url.Values{"from": {"https://" + hostOf(vendor) + "/"}})
}

// streams lets the clinic listen to a vendor without an end, and returns how that ended.
func (s *surgery) streams(vendor string, at *party) <-chan error {
	GinkgoHelper()
	before, ended := at.streams(), make(chan error, 1)
	go func() {
		_, err := s.sends("clinic", "https://"+hostOf(vendor)+"/stream", "-within", "10m")
		ended <- err
	}()
	Eventually(at.streams).Should(Equal(before + 1))
	return ended
}

// counts is a metric of the proxy of a part, of calls to vendors by their outcome.
func (s *surgery) counts(part, outcome string) float64 {
	GinkgoHelper()
	return metric(&s.podsOf(part)[0], `phi_proxy_outbound_calls_total{outcome="`+outcome+`",trust="Vendor"}`)
}

// asking is a proxy that has been taken over: it speaks with phi-egress as it likes, by the certificate of a
// workload.
func (s *surgery) asking(part string) *tls.Conn {
	GinkgoHelper()
	pods := gatePods()
	Expect(pods).NotTo(BeEmpty())
	return s.askingAt(&pods[0], part)
}

// askingAt is one at a pod of phi-egress.
func (s *surgery) askingAt(gate *corev1.Pod, part string) *tls.Conn {
	GinkgoHelper()
	config := &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS13, NextProtos: []string{egress.Protocol}}
	if part != "" {
		config.Certificates = []tls.Certificate{tlsOf(certificateUnder(root(), idOf(s.namespace, part), time.Now()))}
	}
	dialer := &tls.Dialer{Config: config}
	conn, err := dialer.DialContext(ctx, "tcp", net.JoinHostPort(gate.Status.PodIP, fmt.Sprint(control.EgressPort)))
	Expect(err).NotTo(HaveOccurred())
	DeferCleanup(func() { _ = conn.Close() }) // who has been cut cannot say good-bye
	secured, is := conn.(*tls.Conn)
	Expect(is).To(BeTrue())
	Expect(secured.SetDeadline(time.Now().Add(20 * time.Second))).To(Succeed())
	return secured
}

// person acts as somebody whom the API server knows by this name.
func person(name string) client.Client {
	GinkgoHelper()
	config, err := clientcmd.BuildConfigFromFlags("", os.Getenv("KUBECONFIG"))
	Expect(err).NotTo(HaveOccurred())
	config.Impersonate = rest.ImpersonationConfig{UserName: name}
	as, err := client.New(config, client.Options{Scheme: admin.Scheme()})
	Expect(err).NotTo(HaveOccurred())
	return as
}

// approvers are bound to the role of those who decide, as docs/vendors.md says.
func approvers(people ...string) {
	GinkgoHelper()
	b := &rbacv1.ClusterRoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: "approvers-of-these-specs"},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "hipaa-operator-approver"},
	}
	for _, name := range people {
		b.Subjects = append(b.Subjects, rbacv1.Subject{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: name})
	}
	Expect(admin.Create(ctx, b)).To(Succeed())
	DeferCleanup(func() { Expect(admin.Delete(ctx, b)).To(Succeed()) })
}

// word is what a person writes who wants calls closed.
func word(vendor, name, part string) error {
	var v hipaav1.Vendor
	if err := admin.Get(ctx, key("", vendor), &v); err != nil {
		return err
	}
	text := fmt.Sprintf(`{"status":{"closure":{%q:{"person":%q,"agreementDigest":%q}}}}`, part, name, v.Status.AgreementDigest)
	return person(name).Status().Patch(ctx, &v, client.RawPatch(types.MergePatchType, []byte(text)))
}

// said is the verdict on a part by a control, with its message.
func (s *surgery) said(part, controlID string) (string, error) {
	var w hipaav1.PHIWorkload
	err := admin.Get(ctx, key(s.namespace, part), &w)
	for _, result := range w.Status.Controls {
		if result.ID == controlID {
			return string(result.Verdict) + ": " + result.Message, err
		}
	}
	return "", err
}

// callsOpen is the condition of a Vendor, as its reason.
func callsOpen(vendor string) func() (string, error) {
	return func() (string, error) {
		var v hipaav1.Vendor
		err := admin.Get(ctx, key("", vendor), &v)
		for _, c := range v.Status.Conditions {
			if c.Type == hipaav1.ConditionCallsOpen {
				return string(c.Status) + " " + c.Reason, err
			}
		}
		return "", err
	}
}
