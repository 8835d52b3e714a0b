package node_test

import (
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
	"github.com/hipaa-operator/hipaa-operator/internal/control"
	"github.com/hipaa-operator/hipaa-operator/internal/phitest"
)

// redirecting is the profile by which workloads may ask for Redirect.
const redirecting = "redirecting"

// letRedirect creates it. It enforces what judges such pods.
var letRedirect = sync.OnceFunc(func() {
	installed()
	profile := phitest.Profile(redirecting).Mode(hipaav1.ModeAudit).
		Control("mutual-tls", hipaav1.ModeEnforce).Control("pod-hardening", hipaav1.ModeEnforce).
		Control("network-isolation", hipaav1.ModeEnforce).
		Selecting(hipaav1.LabelPHI, hipaav1.LabelPHIValue, governed, redirecting).Obj()
	profile.Spec.Transmission = &hipaav1.TransmissionParameters{Proxy: &hipaav1.ProxyParameters{Capture: hipaav1.CaptureRedirect}}
	Eventually(func() error { return admin.Create(ctx, profile) }).Should(Succeed())
})

// redirected has every part ask for Redirect, and the Service of records lead to a port by its
// number.
func redirected(t *town) {
	for _, p := range t.parts {
		p.Spec.Transmission = &hipaav1.WorkloadTransmission{Capture: hipaav1.CaptureRedirect}
	}
	t.part("records").service.Spec.Ports[0].TargetPort = intstr.FromInt32(8080)
}

// at is an address of a pod.
func at(pod *corev1.Pod, port int32) netip.AddrPort {
	return netip.AddrPortFrom(netip.MustParseAddr(pod.Status.PodIP), uint16(port))
}

func undeclaredCalls(pod *corev1.Pod) float64 {
	return metric(pod, `phi_proxy_outbound_calls_total{outcome="undeclared",trust="Nobody"}`)
}

var _ = Describe("Two PHI workloads and a database, redirected", Ordered, ContinueOnFailure, func() {
	var t *town

	BeforeAll(func() {
		letRedirect()
		t = newTown(redirecting, redirected)
		headless := service(t.namespace, "records-pods", corev1.ServicePort{Port: 8080})
		headless.Spec.ClusterIP, headless.Spec.Selector = corev1.ClusterIPNone, t.part("records").service.Spec.Selector
		Expect(admin.Create(ctx, headless)).To(Succeed())
		t.start()
	})

	It("answer as ever, by TLS 1.3, and show nothing of it on the bridge, by a Service that leads to a number", func() { t.answersUnseen(at) })

	It("let the database ask for the password, which it asks nobody on loopback for", func() { t.asksForThePassword() })

	It("refuse everybody who is not declared, at the application's own port as at the proxy's, and count it", func() {
		pod := &t.podsOf("records")[0]
		t.refusesStrangers(pod, at(pod, 8080))
		t.refusesStrangers(pod, listening(pod, 8080))
	})

	It("find whom they declare by name, and nobody else", func() {
		for _, name := range []string{"records", "records-pods:8080", "records." + t.namespace + ".svc.cluster.local"} {
			Expect(t.asks("portal", "http://"+name+"/patients/7")).To(HavePrefix(record), name)
		}
		for _, name := range []string{"db", "kubernetes.default.svc.cluster.local", "hipaa-operator-issuer." + system + ".svc.cluster.local"} {
			said, err := t.asks("portal", "http://"+name+"/")
			Expect(err).To(HaveOccurred(), name)
			Expect(said).To(ContainSubstring("no such host"), name)
		}
	})

	It("are called by the addresses of Services and of pods, with the identity proved", func() {
		service := t.part("records").service
		Expect(admin.Get(ctx, key(t.namespace, service.Name), service)).To(Succeed())
		portal, pod := &t.podsOf("portal")[0], &t.podsOf("records")[0]
		mutual := func() float64 {
			return metric(portal, `phi_proxy_outbound_calls_total{outcome="carried",trust="Mutual"}`)
		}
		for _, address := range []string{
			service.Spec.ClusterIP, at(pod, 8080).String(), listening(pod, 8080).String(),
		} {
			before := mutual()
			looks := capturing(record, "/patients/7")
			Expect(t.asks("portal", "http://"+address+"/patients/7")).To(HavePrefix(record), address)
			seen := looks.sees()
			Expect(seen.Found).To(BeEmpty(), "%s: %s", address, seen.String())
			Expect(mutual()).To(Equal(before+1), address)
		}
	})

	It("reach nobody else, by whatever address", func() {
		strange := lonely()
		portal, db := &t.podsOf("portal")[0], &t.podsOf("db")[0]
		for _, address := range []string{strange.String(), "198.51.100.7:443", at(db, 5432).String()} {
			before := undeclaredCalls(portal)
			looks := capturing("/patients/7")
			said, err := t.asks("portal", "http://"+address+"/patients/7")
			Expect(err).To(HaveOccurred(), "%s says %s", address, said)
			Eventually(undeclaredCalls).WithArguments(portal).Should(BeNumerically(">", before), address)
			seen := looks.sees()
			Expect(seen.Found).To(BeEmpty(), seen.String())
			Expect(seen.Other).NotTo(HaveKey(netip.MustParseAddrPort(address)), seen.String())
		}
	})

	It("refuse every port that is not declared, and count it", func() {
		pod := &t.podsOf("records")[0]
		for _, port := range []int{9999, 15006, 15001, 53} {
			const reason = "undeclared-port"
			before := refusals(pod, reason)
			_, err := request(net.JoinHostPort(pod.Status.PodIP, strconv.Itoa(port)), "/patients/7", nil)
			Expect(err).To(HaveOccurred(), "port %d", port)
			Eventually(func() float64 { return refusals(pod, reason) }).Should(Equal(before+1), "port %d", port)
		}
	})

	It("are probed by the kubelet as ever, and no container was restarted", func() {
		for _, name := range []string{"records", "portal", "db"} {
			for _, pod := range t.podsOf(name) {
				Expect(control.HasRules(&pod)).To(BeTrue(), pod.Name)
				for _, status := range append(pod.Status.InitContainerStatuses, pod.Status.ContainerStatuses...) {
					Expect(status.RestartCount).To(BeZero(), "%s: %s", pod.Name, status.Name)
				}
			}
		}
		Eventually(func(g Gomega) {
			var w hipaav1.PHIWorkload
			g.Expect(admin.Get(ctx, key(t.namespace, "records"), &w)).To(Succeed())
			g.Expect(w.Status.Proxy.Capture).To(Equal(hipaav1.CaptureRedirect))
			g.Expect(w.Status.Proxy.Plaintext).To(Equal(hipaav1.PlaintextClosed))
		}).Should(Succeed())
	})

	It("admit nobody who borrows the proxy's user, might have it, or could change the rules", func() {
		user := t.podsOf("portal")[0].Spec.InitContainers[1].SecurityContext.RunAsUser
		for reason, change := range map[string]func(*corev1.PodSpec){
			"which only the proxy runs under": func(p *corev1.PodSpec) { p.SecurityContext.RunAsUser = user },
			"its image may choose":            func(p *corev1.PodSpec) { p.SecurityContext.RunAsUser = nil },
			"the rules can be changed": func(p *corev1.PodSpec) {
				p.Containers[0].SecurityContext.Capabilities.Add = []corev1.Capability{"NET_ADMIN"}
			},
			"is not what the operator gives": func(p *corev1.PodSpec) {
				p.InitContainers = append([]corev1.Container{{Name: control.RulesContainer, Image: recordsImage}}, p.InitContainers...)
			},
		} {
			pod := t.application("portal")
			pod.Name = "borrower"
			change(&pod.Spec)
			err := admin.Create(ctx, pod)
			if reason == "is not what the operator gives" {
				// Admission puts its own in place of an imitation.
				Expect(err).NotTo(HaveOccurred())
				Expect(pod.Spec.InitContainers[0].Image).NotTo(Equal(recordsImage))
				Expect(admin.Delete(ctx, pod)).To(Succeed())
				continue
			}
			Expect(err).To(MatchError(And(ContainSubstring("mutual-tls"), ContainSubstring(reason))))
		}
	})

	It("have no other way while a proxy is away, and go on when it is back", func() {
		portal, strange := &t.podsOf("portal")[0], lonely()
		rules := restarts(portal, control.RulesContainer)
		looks := capturing(record, "/patients/7")
		kill(processOf("--workload-uid=" + string(t.part("portal").UID)))
		var answered []string
		Eventually(func(g Gomega) {
			if text, err := request(at(portal, 8080).String(), "/busy", nil); err == nil {
				answered = append(answered, "to plaintext: "+text)
			}
			if text, err := t.asks("portal", "http://"+strange.String()+"/patients/7"); err == nil {
				answered = append(answered, "by a stranger: "+text)
			}
			g.Expect(admin.Get(ctx, key(portal.Namespace, portal.Name), portal)).To(Succeed())
			g.Expect(restarts(portal, control.ProxyContainer)).To(BeEquivalentTo(1))
			g.Expect(isReady(portal)).To(BeTrue())
		}).Should(Succeed())
		Expect(answered).To(BeEmpty())
		Expect(restarts(portal, control.RulesContainer)).To(Equal(rules), "the rules outlive it")
		Eventually(func() (string, error) { return t.asks("portal", patient) }).Should(HavePrefix(record))
		seen := looks.sees()
		Expect(seen.Found).To(BeEmpty(), seen.String())
		Expect(seen.Other).NotTo(HaveKey(strange), seen.String())
	})

	It("go on where policies are enforced, which let declared callers alone to the application's own ports", func() {
		enforcePolicies()
		pod := &t.podsOf("records")[0]
		isCutOff(running(peer(phiNamespace(redirecting), "stranger")), at(pod, 8080).String())
		Expect(t.asks("portal", patient)).To(HavePrefix(record))
		Expect(t.asks("portal", "http://"+at(pod, 8080).String()+"/patients/7")).To(HavePrefix(record))
	})

	It("go back to names by a rollout, after which nothing is redirected and nothing shown", func() {
		records := t.part("records")
		Expect(admin.Get(ctx, key(t.namespace, "records"), records.service)).To(Succeed())
		records.service.Spec.Ports[0].TargetPort = intstr.FromString("http")
		Expect(admin.Update(ctx, records.service)).To(Succeed())
		for _, p := range t.parts {
			Expect(admin.Get(ctx, key(t.namespace, p.Name), p.PHIWorkload)).To(Succeed())
			p.Spec.Transmission = nil
			Expect(admin.Update(ctx, p.PHIWorkload)).To(Succeed())
		}
		for _, p := range t.parts {
			Eventually(func() (hipaav1.CaptureMode, error) {
				err := admin.Get(ctx, key(t.namespace, p.Name), p.PHIWorkload)
				if p.Status.Proxy == nil {
					return "", err
				}
				return p.Status.Proxy.Capture, err
			}).Should(BeEmpty(), p.Name)
		}
		Expect(t.asks("portal", patient)).To(HavePrefix(record), "pods that run go on")
		for _, name := range []string{"records", "db", "portal"} {
			t.replace(name)
			looks := capturing(record, password, "SELECT record", "/patients/7")
			Eventually(func() (string, error) { return t.asks("portal", patient) }).Should(HavePrefix(record), name)
			seen := looks.sees()
			Expect(seen.Found).To(BeEmpty(), "%s: %s", name, seen.String())
			for _, pod := range t.podsOf(name) {
				Expect(control.HasRules(&pod)).To(BeFalse(), pod.Name)
			}
		}
	})
})

// lonely is an address where somebody listens whom nobody probes, so that whatever is sent there was sent by
// who is looked at.
func lonely() netip.AddrPort {
	GinkgoHelper()
	pod := peer(namespace(nil), "stranger")
	pod.Spec.Containers[0].ReadinessProbe = nil
	address := at(running(pod), 8080)
	Eventually(func() error {
		conn, err := net.DialTimeout("tcp", address.String(), soon)
		if err != nil {
			return err
		}
		return conn.Close()
	}).Should(Succeed(), "it listens")
	return address
}

// restarts counts those of an init container.
func restarts(pod *corev1.Pod, name string) int32 {
	for _, status := range pod.Status.InitContainerStatuses {
		if status.Name == name {
			return status.RestartCount
		}
	}
	return -1
}

// processOf is the process of a container that was started with an argument.
func processOf(argument string) int {
	GinkgoHelper()
	var found []int
	processes, err := filepath.Glob("/proc/[0-9]*/cmdline")
	Expect(err).NotTo(HaveOccurred())
	for _, file := range processes {
		line, err := os.ReadFile(file)
		if err != nil {
			continue // it has ended
		}
		if slices.Contains(strings.Split(string(line), "\x00"), argument) {
			number, err := strconv.Atoi(filepath.Base(filepath.Dir(file)))
			Expect(err).NotTo(HaveOccurred())
			found = append(found, number)
		}
	}
	Expect(found).To(HaveLen(1), argument)
	return found[0]
}

func kill(process int) {
	GinkgoHelper()
	Expect(syscall.Kill(process, syscall.SIGKILL)).To(Succeed())
}
