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
func at(pod *corev1.Pod, port uint16) netip.AddrPort {
	return netip.AddrPortFrom(netip.MustParseAddr(pod.Status.PodIP), port)
}

func undeclaredCalls(pod *corev1.Pod) float64 {
	return metric(pod, `phi_proxy_outbound_calls_total{outcome="undeclared",trust="Nobody"}`)
}

var _ = Describe("Two PHI workloads and a database, redirected", Ordered, ContinueOnFailure, func() {
	var t *town

	BeforeAll(func() {
		letRedirect()
		t = newTown(redirecting, redirected)
		t.start()
	})

	It("answer as ever, by TLS 1.3, and show nothing of it on the bridge, by a Service that leads to a number", func() {
		looks := capturing(record, password, "SELECT record", "/patients/7")
		Expect(t.asks("portal", patient)).To(HavePrefix(record))
		seen := looks.sees()
		Expect(seen.Found).To(BeEmpty(), seen.String())
		Expect(seen.TLS13).To(HaveKey(listening(&t.podsOf("db")[0], 5432)), seen.String())
		asked := 0
		for _, pod := range t.podsOf("records") {
			asked += seen.TLS13[at(&pod, 8080)]
		}
		Expect(asked).To(BeNumerically(">", 0), seen.String())
	})

	It("let the database ask for the password, which it asks nobody on loopback for", func() {
		Expect(t.asks("portal", patient)).To(HaveSuffix("read from 127.0.0.6"))
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
		stranger := running(peer(namespace(nil), "stranger"))
		strange := at(stranger, 8080)
		_, err := net.DialTimeout("tcp", strange.String(), soon)
		Expect(err).NotTo(HaveOccurred(), "it listens")
		portal, db := &t.podsOf("portal")[0], &t.podsOf("db")[0]
		for _, address := range []string{strange.String(), "198.51.100.7:443", at(db, 5432).String()} {
			before := undeclaredCalls(portal)
			looks := capturing("/patients/7")
			said, err := t.asks("portal", "http://"+address+"/patients/7")
			Expect(err).To(HaveOccurred(), "%s says %s", address, said)
			Expect(undeclaredCalls(portal)).To(BeNumerically(">", before), address)
			seen := looks.sees()
			Expect(seen.Found).To(BeEmpty(), seen.String())
			Expect(seen.Other).NotTo(HaveKey(netip.MustParseAddrPort(address)), seen.String())
		}
	})

	It("refuse plaintext at the application's own port, and every port that is not declared, and count it", func() {
		pod := &t.podsOf("records")[0]
		for port, reason := range map[int]string{8080: "plaintext", 18080: "plaintext", 9999: "undeclared-port", 15006: "undeclared-port", 15001: "undeclared-port"} {
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
		portal := &t.podsOf("portal")[0]
		rules := restarts(portal, control.RulesContainer)
		kill(processOf("--pod-address=" + portal.Status.PodIP))
		Eventually(func(g Gomega) {
			g.Expect(admin.Get(ctx, key(portal.Namespace, portal.Name), portal)).To(Succeed())
			g.Expect(restarts(portal, control.ProxyContainer)).To(BeEquivalentTo(1))
			g.Expect(isReady(portal)).To(BeTrue())
		}).Should(Succeed())
		Expect(restarts(portal, control.RulesContainer)).To(Equal(rules), "the rules outlive it")
		looks := capturing(record, "/patients/7")
		Eventually(func() (string, error) { return t.asks("portal", patient) }).Should(HavePrefix(record))
		seen := looks.sees()
		Expect(seen.Found).To(BeEmpty(), seen.String())
	})
})

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
