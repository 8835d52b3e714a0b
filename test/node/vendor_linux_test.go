package node_test

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
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

// gatePods are those of phi-egress that take calls.
func gatePods() []corev1.Pod {
	GinkgoHelper()
	var pods []corev1.Pod
	for _, pod := range operatorPods("egress") {
		if isReady(&pod) {
			pods = append(pods, pod)
		}
	}
	return pods
}

// leaves is how many calls phi-egress has had, by their outcome.
func leaves(outcome egress.Outcome) (sum float64) {
	GinkgoHelper()
	for _, pod := range gatePods() {
		sum += metric(&pod, `phi_proxy_egress_calls_total{outcome="`+string(outcome)+`"}`)
	}
	return sum
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

var _ = Describe("Calls to vendors", Ordered, ContinueOnFailure, func() {
	// What these vendors are is what the specs do to them.
	const lasting, closing, ending, unsigned, within = "lasting", "closing", "ending", "unsigned", "within"
	var (
		s        *surgery
		world    *outside
		vendor   *party
		stranger *party
		// monitoring is the namespace of who reads metrics.
		monitoring string
		far        = time.Now().Add(1000 * 24 * time.Hour)
	)
	sends := func() (string, error) { return s.sends("clinic", "https://"+hostOf(lasting)+"/") }

	BeforeAll(func() {
		installed()
		said, err := kubectl("-n", system, "rollout", "status", "deployment/"+control.EgressName, "--timeout=2m")
		Expect(err).NotTo(HaveOccurred(), said)
		monitoring = namespace(nil)
		profile := phitest.Profile(vended).Mode(hipaav1.ModeAudit).Selecting(hipaav1.LabelPHI, hipaav1.LabelPHIValue, governed, vended).
			Monitor(monitoring, "app", "prometheus")
		for _, id := range []string{"mutual-tls", "network-isolation", "business-associate-agreement", "vendor-tls"} {
			profile = profile.Control(id, hipaav1.ModeEnforce)
		}
		Expect(admin.Create(ctx, profile.Obj())).To(Succeed())
		for _, name := range []string{lasting, closing, ending, within} {
			declareVendor(signedVendor(name, far))
		}
		declareVendor(phitest.Vendor(unsigned).Agreed(nil).Obj())

		enforcePolicies()
		world = goOutside()
		s = newSurgery(vended, lasting, closing, ending, within)
		hosts := map[string]string{hostOf(within): nodeAddress().String(), "api.stranger.example": strangerAt}
		var all []string
		for _, name := range []string{lasting, closing, ending, unsigned} {
			hosts[hostOf(name)] = vendorAt
			all = append(all, hostOf(name))
		}
		names(hosts)
		vendor, stranger = world.serve(vendorAt, s.authority, all...), world.serve(strangerAt, s.authority, "api.stranger.example")
		s.open()
		approvers(ana, ben)
	})

	It("leave the node in TLS that names the host, by phi-egress alone, where they are allowed", func() {
		// It learns of a workload from its first pod.
		Eventually(sends).WithTimeout(promised).Should(Equal("received"))
		gateFollows()
		looks, leaving := capturing(hostOf(lasting), record), capturingAt(uplink, hostOf(lasting), record)
		carried, out := leaves(egress.Carried), s.counts("clinic", "carried")
		Expect(s.sends("clinic", "https://"+hostOf(lasting)+"/?"+strings.ReplaceAll(record, " ", "+"))).To(Equal("received"))
		Expect(leaves(egress.Carried)).To(Equal(carried + 1))
		Expect(s.counts("clinic", "carried")).To(Equal(out + 1))

		m := vendor.last()
		Expect(m.name).To(Equal(hostOf(lasting)))
		Expect(m.version).To(BeNumerically(">=", tls.VersionTLS12))
		var gates []string
		for _, pod := range gatePods() {
			gates = append(gates, pod.Status.PodIP)
		}
		Expect(gates).To(ContainElement(m.from.String()))
		seen := leaving.sees()
		Expect(seen.Found).To(And(HaveKeyWithValue(hostOf(lasting), 1), HaveLen(1)), "what leaves names the host and shows nothing else: %s", seen)
		seen = looks.sees()
		Expect(seen.TLS13).To(HaveKey(HaveField("Port()", uint16(control.EgressPort))), seen.String())
	})

	It("are told of by the control", func() {
		Eventually(func() (string, error) { return s.said("clinic", "vendor-tls") }).Should(And(HavePrefix("Pass"), ContainSubstring(hostOf(lasting)+":443")))
		Eventually(func() (string, error) { return s.said("clinic", "business-associate-agreement") }).Should(HavePrefix("Pass"))
	})

	It("are counted by proxies and phi-egress for who reads metrics, and for nobody else", func() {
		reader, other := running(peer(monitoring, "prometheus")), running(peer(monitoring, "other"))
		for _, pod := range append(gatePods(), s.podsOf("clinic")[0]) {
			at := net.JoinHostPort(pod.Status.PodIP, strconv.Itoa(control.ProxyAdminPort))
			Eventually(asks).WithArguments(reader, at+"/metrics?all=").Should(ContainSubstring("phi_proxy_configuration_generation"), pod.Name)
			isCutOff(other, at)
			isCutOff(reader, listening(&pod, 8080).String())
		}
	})

	DescribeTable("that are not allowed do not leave the node", func(call func() error, counted func() float64) {
		var before float64
		if counted != nil {
			before = counted()
		}
		leaving, was := capturingAt(uplink), vendor.visits()+stranger.visits()
		Expect(call()).To(HaveOccurred())
		if counted != nil {
			Eventually(counted).Should(Equal(before + 1))
		}
		seen := leaving.sees()
		Expect(seen.To).To(BeEmpty(), seen.String())
		Expect(vendor.visits() + stranger.visits()).To(Equal(was))
		By("looking where something passes")
		Expect(sends()).To(Equal("received"))
		Expect(leaving.sees().To).NotTo(BeEmpty())
	},
		Entry("in plaintext", func() error {
			_, err := s.sends("clinic", "http://"+hostOf(lasting)+":443/")
			Expect(err).To(MatchError(ContainSubstring("a vendor is called over TLS: write https")))
			return err
		}, func() float64 { return s.counts("clinic", "cleartext") }),
		Entry("with another name in TLS", func() error {
			_, err := s.sends("clinic", "https://api.stranger.example/", "-at", hostOf(lasting)+":443")
			return err
		}, func() float64 { return s.counts("clinic", "undeclared") }),
		Entry("without a name in TLS", func() error {
			_, err := s.sends("clinic", "https://"+vendorAt+"/", "-at", hostOf(lasting)+":443")
			return err
		}, func() float64 { return s.counts("clinic", "undeclared") }),
		Entry("to a host that nobody declares", func() error {
			_, err := s.sends("clinic", "https://api.stranger.example/")
			Expect(err).To(MatchError(ContainSubstring("no such host")))
			return err
		}, nil),
		Entry("to the address of somebody else", func() error {
			_, err := s.sends("clinic", "https://"+strangerAt+"/")
			return err
		}, nil),
		Entry("past the proxy, to the vendor's own address", func() error {
			_, err := s.sends("clinic", "https://"+hostOf(lasting)+"/", "-at", vendorAt+":443")
			return err
		}, nil),
		Entry("of a workload that does not declare them, by name", func() error {
			_, err := s.sends("lab", "https://"+hostOf(lasting)+"/")
			return err
		}, nil),
		Entry("of a workload that does not declare them, by address", func() error {
			_, err := s.sends("lab", "https://"+hostOf(lasting)+"/", "-at", vendorAt+":443")
			return err
		}, nil),
		Entry("to a name that leads inside", func() error {
			_, err := s.sends("clinic", "https://"+hostOf(within)+"/")
			return err
		}, func() float64 { return leaves(egress.Unresolved) }),
		Entry("of a proxy that was taken over, for a workload that does not declare them", func() error {
			return egress.Ask(s.asking("lab"), egress.Destination{Way: egress.Direct, Host: hostOf(lasting), Port: 443})
		}, func() float64 { return leaves(egress.Undeclared) + leaves(egress.Unproved) }),
		Entry("of a proxy that was taken over, to another host", func() error {
			return egress.Ask(s.asking("clinic"), egress.Destination{Way: egress.Direct, Host: "api.stranger.example", Port: 443})
		}, func() float64 { return leaves(egress.Undeclared) }),
		Entry("of a proxy that was taken over, to another port", func() error {
			return egress.Ask(s.asking("clinic"), egress.Destination{Way: egress.Direct, Host: hostOf(lasting), Port: 8443})
		}, func() float64 { return leaves(egress.Undeclared) }),
		Entry("of a proxy that was taken over, to an address", func() error {
			return egress.Ask(s.asking("clinic"), egress.Destination{Way: egress.Direct, Host: strangerAt, Port: 443})
		}, func() float64 { return leaves(egress.Garbled) }),
		Entry("of somebody without a certificate", func() error {
			return egress.Ask(s.asking(""), egress.Destination{Way: egress.Direct, Host: hostOf(lasting), Port: 443})
		}, func() float64 { return leaves(egress.Unproved) }),
	)

	DescribeTable("bring nothing to the vendor of a proxy that was taken over and says", func(say func(*tls.Conn) error) {
		leaving, before, requests := capturingAt(uplink, record, "stranger"), leaves(egress.Misnamed), vendor.streams()
		conn := s.asking("clinic")
		Expect(egress.Ask(conn, egress.Destination{Way: egress.Direct, Host: hostOf(lasting), Port: 443})).To(Succeed())
		Expect(say(conn)).To(HaveOccurred())
		Eventually(func() float64 { return leaves(egress.Misnamed) }).Should(Equal(before + 1))
		seen := leaving.sees()
		Expect(seen.Packets).To(BeZero(), "a connection that has begun carries nothing: %s", seen)
		Expect(vendor.streams()).To(Equal(requests))
	},
		Entry("plaintext", func(conn *tls.Conn) error {
			request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+hostOf(lasting)+"/"+record, http.NoBody)
			Expect(err).NotTo(HaveOccurred())
			Expect(request.Write(conn)).To(Succeed())
			_, err = http.ReadResponse(bufio.NewReader(conn), request)
			return err
		}),
		Entry("another name in TLS", func(conn *tls.Conn) error {
			return tls.Client(conn, &tls.Config{ServerName: "api.stranger.example", MinVersion: tls.VersionTLS12}).HandshakeContext(ctx)
		}),
	)

	It("are refused as a new flow to a vendor without an agreement, and so is a workload with one", func() {
		var lab hipaav1.PHIWorkload
		Expect(admin.Get(ctx, key(s.namespace, "lab"), &lab)).To(Succeed())
		lab.Spec.Egress = &hipaav1.Egress{To: []hipaav1.EgressPeer{phitest.ToVendor(unsigned)}}
		Expect(admin.Update(ctx, &lab)).To(MatchError(And(ContainSubstring("business-associate-agreement"), ContainSubstring(unsigned))))
		fresh := phitest.Workload("fresh").Namespace(s.namespace).To(phitest.ToVendor(unsigned)).Obj()
		Expect(admin.Create(ctx, fresh)).To(MatchError(ContainSubstring("business-associate-agreement")))
	})

	It("end, those that are open too, within two minutes of the second person's decision, and open again by one of them", func() {
		call := func() (string, error) { return s.sends("clinic", "https://"+hostOf(closing)+"/") }
		Expect(call()).To(Equal("received"))
		stream := s.streams(closing, vendor)
		Expect(word(closing, ana, "proposal")).To(Succeed())
		Consistently(call).WithTimeout(5*time.Second).Should(Equal("received"), "one person closes nothing")
		Expect(word(closing, ben, "approval")).To(Succeed())
		decided := time.Now()
		Eventually(stream).WithTimeout(promised).Should(Receive(HaveOccurred()))
		Expect(vendor.streams()).To(BeZero())
		// The two replicas of phi-egress hear of it one after the other, and proxies when the kubelet tells them.
		asked := func(g Gomega) {
			for _, pod := range gatePods() {
				to := egress.Destination{Way: egress.Direct, Host: hostOf(closing), Port: 443}
				g.Expect(egress.Ask(s.askingAt(&pod, "clinic"), to)).To(MatchError(egress.ErrRefused), pod.Name)
			}
		}
		Eventually(asked).WithTimeout(promised).Should(Succeed())
		_, err := call()
		Expect(err).To(HaveOccurred())
		AddReportEntry("closed after the decision of the second", time.Since(decided).String(), ReportEntryVisibilityAlways)
		Expect(time.Since(decided)).To(BeNumerically("<", promised))
		Eventually(callsOpen(closing)).Should(Equal("False " + hipaav1.ReasonClosedByPeople))

		By("letting nobody out, also of proxies that were not told yet, and others as ever")
		leaving := capturingAt(uplink)
		asked(Default)
		_, err = call()
		Expect(err).To(HaveOccurred())
		seen := leaving.sees()
		Expect(seen.To).To(BeEmpty(), seen.String())
		Expect(sends()).To(Equal("received"))

		By("taking a word back")
		v := &hipaav1.Vendor{ObjectMeta: metav1.ObjectMeta{Name: closing}}
		Expect(person(ana).Status().Patch(ctx, v, client.RawPatch(types.MergePatchType, []byte(`{"status":{"closure":{"proposal":null}}}`)))).To(Succeed())
		Eventually(call).WithTimeout(promised).Should(Equal("received"))
	})

	It("end with an agreement that is taken away", func() {
		Eventually(func() (string, error) { return s.fetches("clinic", closing) }).WithTimeout(promised).Should(Equal("received"))
		gateFollows() // either of its pods may have the stream
		stream := s.streams(closing, vendor)
		amend(closing, map[string]any{"agreement": nil})
		Eventually(stream).WithTimeout(promised).Should(Receive(HaveOccurred()))
		Eventually(func() (string, error) { return s.said("clinic", "business-associate-agreement") }).Should(HavePrefix("Fail"))
	})

	It("stay closed where what phi-egress went by before is put back while the operator is down, and its containers start anew", func() {
		amend(closing, map[string]any{"agreement": signedVendor(closing, far).Spec.Agreement})
		Eventually(func() (string, error) { return s.fetches("clinic", closing) }).WithTimeout(promised).Should(Equal("received"))
		var open, closed corev1.ConfigMap
		Expect(admin.Get(ctx, key(system, control.EgressName), &open)).To(Succeed())
		amend(closing, map[string]any{"agreement": nil})
		Eventually(func(g Gomega) {
			g.Expect(admin.Get(ctx, key(system, control.EgressName), &closed)).To(Succeed())
			g.Expect(closed.Data).NotTo(Equal(open.Data))
		}).Should(Succeed())
		gateFollows()
		replicas("manager", 0)
		DeferCleanup(replicas, "manager", int32(2))
		// The operator may have written once more before it ended.
		Expect(admin.Get(ctx, key(system, control.EgressName), &closed)).To(Succeed())
		closed.Data = open.Data
		Expect(admin.Update(ctx, &closed)).To(Succeed())
		pods := gatePods()
		Expect(pods).To(HaveLen(2))
		for _, pod := range pods {
			end(&pod)
			Eventually(func() (string, error) {
				return request(net.JoinHostPort(pod.Status.PodIP, fmt.Sprint(adminPort)), "/metrics", nil)
			}).Should(ContainSubstring(`phi_proxy_configuration_refusals_total{reason="older"}`))
		}
		leaving := capturingAt(uplink)
		_, err := s.fetches("clinic", closing)
		Expect(err).To(HaveOccurred())
		seen := leaving.sees()
		Expect(seen.To).To(BeEmpty(), seen.String())

		By("letting the operator put right what was put back")
		replicas("manager", 2)
		Eventually(func() (string, error) { return s.fetches("clinic", lasting) }).WithTimeout(promised).Should(Equal("received"))
		_, err = s.fetches("clinic", closing)
		Expect(err).To(HaveOccurred())
	})

	It("end at the agreement's end where that was chosen, also while the operator is down, and go on where care depends on them", func() {
		care := signedVendor(lasting, far).Spec
		refused := client.RawPatch(types.MergePatchType, []byte(`{"spec":{"onEnd":"Close"}}`))
		Expect(care.Continuity).To(BeEmpty(), "which means PatientCare")
		Expect(admin.Patch(ctx, &hipaav1.Vendor{ObjectMeta: metav1.ObjectMeta{Name: lasting}}, refused)).To(MatchError(ContainSubstring("closed by people alone")))
		DeferCleanup(replicas, "manager", int32(2))
		var (
			ends        time.Time
			cut, goesOn <-chan error
		)
		// phi-egress has to hear of the end before it comes, and the operator to be gone. On a machine
		// that is slow it is put off.
		for wait := promised; ; wait *= 2 {
			ends = time.Now().Add(wait).Truncate(time.Second)
			expires := map[string]any{"expires": ends.UTC().Format(time.RFC3339)}
			amend(lasting, map[string]any{"agreement": expires})
			amend(ending, map[string]any{"agreement": expires, "continuity": "Business", "onEnd": "Close"})
			Eventually(func() (bool, error) { return gateKnows(ends) }).Should(BeTrue())
			gateFollows()
			if time.Now().Before(ends) {
				// Nobody executes anything in pods while the operator is down.
				cut, goesOn = s.streams(ending, vendor), s.streams(lasting, vendor)
				replicas("manager", 0)
				if time.Now().Before(ends) {
					break
				}
				replicas("manager", 2)
			}
			Expect(wait).To(BeNumerically("<", time.Hour), "nothing follows")
		}
		Consistently(cut).WithTimeout(time.Until(ends)).ShouldNot(Receive())
		Eventually(cut).WithTimeout(promised).Should(Receive(HaveOccurred()))
		Expect(time.Now()).To(BeTemporally(">=", ends))
		_, err := s.fetches("clinic", ending)
		Expect(err).To(HaveOccurred())
		Expect(s.fetches("clinic", lasting)).To(Equal("received"))

		By("telling people, once the operator is back")
		replicas("manager", 2)
		Eventually(func() (string, error) { return s.said("clinic", "business-associate-agreement") }).WithTimeout(promised).Should(And(HavePrefix("Fail"), ContainSubstring(lasting)))
		Eventually(callsOpen(lasting)).WithTimeout(promised).Should(Equal("True " + hipaav1.ReasonPastEnd))
		Eventually(callsOpen(ending)).WithTimeout(promised).Should(Equal("False " + hipaav1.ReasonClosedAtEnd))
		Consistently(goesOn).WithTimeout(10 * time.Second).ShouldNot(Receive())
		Expect(sends()).To(Equal("received"))

		By("opening again with another agreement")
		amend(ending, map[string]any{"agreement": map[string]any{"expires": far.UTC().Format(time.RFC3339)}})
		Eventually(func() (string, error) { return s.sends("clinic", "https://"+hostOf(ending)+"/") }).WithTimeout(promised).Should(Equal("received"))
	})
})

// end kills what runs of phi-egress in a pod, which its kubelet starts anew there.
func end(pod *corev1.Pod) {
	GinkgoHelper()
	killed := 0
	processes, err := filepath.Glob("/proc/[0-9]*")
	Expect(err).NotTo(HaveOccurred())
	for _, process := range processes {
		group, _ := os.ReadFile(filepath.Join(process, "cgroup")) // of one that has ended there is none
		command, _ := os.ReadFile(filepath.Join(process, "cmdline"))
		if !bytes.Contains(group, []byte(pod.UID)) || !bytes.Contains(command, []byte("--workload-uid=")) {
			continue
		}
		id, err := strconv.Atoi(filepath.Base(process))
		Expect(err).NotTo(HaveOccurred())
		Expect(syscall.Kill(id, syscall.SIGKILL)).To(Succeed())
		killed++
	}
	Expect(killed).To(Equal(1), "%s", pod.Name)
}

// gateFollows waits until the pods of phi-egress go by what stands.
func gateFollows() {
	GinkgoHelper()
	Eventually(func(g Gomega) {
		for _, pod := range gatePods() {
			g.Expect(metric(&pod, "phi_proxy_configuration_generation")).To(Equal(gateGeneration()), pod.Name)
		}
	}).WithTimeout(promised).Should(Succeed())
}

// gateKnows reports whether an end stands in what phi-egress is to go by.
func gateKnows(end time.Time) (bool, error) {
	var m corev1.ConfigMap
	err := admin.Get(ctx, key(system, control.EgressName), &m)
	return strings.Contains(m.Data["config.json"], end.UTC().Format(time.RFC3339)), err
}

// gateGeneration is that of what phi-egress is to go by.
func gateGeneration() float64 {
	GinkgoHelper()
	var m corev1.ConfigMap
	Expect(admin.Get(ctx, key(system, control.EgressName), &m)).To(Succeed())
	var c struct {
		Workload struct {
			Generation float64 `json:"generation"`
		} `json:"workload"`
	}
	Expect(json.Unmarshal([]byte(m.Data["config.json"]), &c)).To(Succeed())
	return c.Workload.Generation
}
