package node_test

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
	"github.com/hipaa-operator/hipaa-operator/internal/control"
	"github.com/hipaa-operator/hipaa-operator/internal/phitest"
	"github.com/hipaa-operator/hipaa-operator/internal/proxy/egress"
)

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
		consenting := profile.Obj()
		consenting.Spec.Transmission = &hipaav1.TransmissionParameters{Proxy: &hipaav1.ProxyParameters{Capture: hipaav1.CaptureRedirect}}
		Expect(admin.Create(ctx, consenting)).To(Succeed())
		for _, name := range []string{lasting, closing, ending, within} {
			declareVendor(signedVendor(name, far))
		}
		declareVendor(phitest.Vendor(unsigned).Agreed(nil).Obj())

		enforcePolicies()
		world = goOutside()
		s = newSurgery(vended, lasting, closing, ending, within)
		s.add(1, s.trusting(s.application("ward")), 8080, 80)
		ward := &s.part("ward").Spec
		ward.Egress = &hipaav1.Egress{To: []hipaav1.EgressPeer{phitest.ToVendor(lasting)}}
		ward.Transmission = &hipaav1.WorkloadTransmission{Capture: hipaav1.CaptureRedirect}
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

	DescribeTable("leave the node in TLS that names the host, by phi-egress alone, where they are allowed", func(part string) {
		// It learns of a workload from its first pod.
		Eventually(func() (string, error) { return s.sends(part, "https://"+hostOf(lasting)+"/") }).WithTimeout(promised).Should(Equal("received"))
		gateFollows()
		looks, leaving := capturing(hostOf(lasting), record), capturingAt(uplink, hostOf(lasting), record)
		carried, out := leaves(egress.Carried), s.counts(part, "carried")
		Expect(s.sends(part, "https://"+hostOf(lasting)+"/?"+strings.ReplaceAll(record, " ", "+"))).To(Equal("received"))
		Expect(leaves(egress.Carried)).To(Equal(carried + 1))
		Expect(s.counts(part, "carried")).To(Equal(out + 1))

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
	},
		Entry("by name", "clinic"),
		Entry("redirected", "ward"),
	)

	It("go where the name leads for phi-egress, whatever address a redirected application dials", func() {
		leaving, strange := capturingAt(uplink), stranger.visits()
		Expect(s.sends("ward", "https://"+hostOf(lasting)+"/", "-at", strangerAt+":443")).To(Equal("received"))
		seen := leaving.sees()
		Expect(seen.To).To(And(HaveKey(netip.MustParseAddr(vendorAt)), Not(HaveKey(netip.MustParseAddr(strangerAt)))), seen.String())
		Expect(stranger.visits()).To(Equal(strange))
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
		Entry("redirected, in plaintext", func() error {
			_, err := s.sends("ward", "http://"+hostOf(lasting)+":443/")
			Expect(err).To(MatchError(ContainSubstring("a vendor is called over TLS: write https")))
			return err
		}, func() float64 { return s.counts("ward", "cleartext") }),
		Entry("redirected, with another name in TLS", func() error {
			_, err := s.sends("ward", "https://api.stranger.example/", "-at", hostOf(lasting)+":443")
			return err
		}, func() float64 { return s.counts("ward", "undeclared") }),
		Entry("redirected, to a host that nobody declares", func() error {
			_, err := s.sends("ward", "https://api.stranger.example/")
			Expect(err).To(MatchError(ContainSubstring("no such host")))
			return err
		}, nil),
		Entry("redirected, to a vendor of others", func() error {
			_, err := s.sends("ward", "https://"+hostOf(closing)+"/", "-at", hostOf(lasting)+":443")
			return err
		}, func() float64 { return s.counts("ward", "undeclared") }),
		Entry("redirected, to the address of somebody else", func() error {
			_, err := s.sends("ward", "https://"+strangerAt+"/")
			return err
		}, func() float64 { return undeclaredCalls(&s.podsOf("ward")[0]) }),
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
		gateFollows() // who still lets out by what was before would answer for what is to come
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
