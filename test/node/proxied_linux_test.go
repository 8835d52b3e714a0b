package node_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/hipaa-operator/hipaa-operator/internal/control"
)

const (
	adminPort = 15090
	patient   = "http://127.0.0.1:8080/patients/7"
)

// listening is an address of the proxy of a pod, for a port of the application.
func listening(pod *corev1.Pod, port int32) netip.AddrPort {
	return netip.AddrPortFrom(netip.MustParseAddr(pod.Status.PodIP), uint16(control.ListenPort(port)))
}

// podsOf are the pods of a part that are ready and not going.
func (t *town) podsOf(name string) []corev1.Pod {
	GinkgoHelper()
	return t.podsLike(map[string]string{"app": name})
}

// podsLike are the pods with these labels that are ready and not going.
func (t *town) podsLike(labels map[string]string) []corev1.Pod {
	GinkgoHelper()
	var list corev1.PodList
	Expect(admin.List(ctx, &list, client.InNamespace(t.namespace), client.MatchingLabels(labels))).To(Succeed())
	var pods []corev1.Pod
	for _, pod := range list.Items {
		if pod.DeletionTimestamp.IsZero() && isReady(&pod) {
			pods = append(pods, pod)
		}
	}
	return pods
}

// metric is the value of a proxy's metric, 0 where it does not stand.
func metric(pod *corev1.Pod, name string) float64 {
	GinkgoHelper()
	text, err := request(net.JoinHostPort(pod.Status.PodIP, strconv.Itoa(adminPort)), "/metrics", nil)
	Expect(err).NotTo(HaveOccurred())
	for line := range strings.Lines(text) {
		if value, found := strings.CutPrefix(strings.TrimSpace(line), name+" "); found {
			number, err := strconv.ParseFloat(value, 64)
			Expect(err).NotTo(HaveOccurred())
			return number
		}
	}
	return 0
}

func refusals(pod *corev1.Pod, reason string) float64 {
	return metric(pod, `phi_proxy_inbound_refusals_total{reason="`+reason+`"}`)
}

var _ = Describe("Two PHI workloads and a database, without proxies", Ordered, func() {
	It("show the record to whoever looks at the bridge", func() {
		bare := newTown(auditing)
		bare.start()
		looks := capturing(record)
		Expect(bare.asks("portal", patient)).To(HavePrefix(record + " read from 10.244.0."))
		seen := looks.sees()
		// From the database to records, and from there to the portal; through a Service both before and after translation.
		Expect(seen.Found[record]).To(BeNumerically(">=", 2), seen.String())
		database := netip.AddrPortFrom(netip.MustParseAddr(bare.podsOf("db")[0].Status.PodIP), 5432)
		Expect(seen.Other).To(HaveKey(database), seen.String())
		Expect(seen.TLS13).NotTo(HaveKey(database), seen.String())
	})
})

// answersUnseen asks for a record, which goes by TLS 1.3 and shows on the bridge to nobody. The
// server of records is seen where its Service leads.
func (t *town) answersUnseen(where func(*corev1.Pod, int32) netip.AddrPort) {
	GinkgoHelper()
	looks := capturing(record, password, "SELECT record", "/patients/7")
	Expect(t.asks("portal", patient)).To(HavePrefix(record))
	seen := looks.sees()
	Expect(seen.Found).To(BeEmpty(), seen.String())
	Expect(seen.TLS13).To(HaveKey(listening(&t.podsOf("db")[0], 5432)), seen.String())
	asked := 0
	for _, pod := range t.podsOf("records") {
		asked += seen.TLS13[where(&pod, 8080)]
	}
	Expect(asked).To(BeNumerically(">", 0), seen.String())
}

var _ = Describe("Two PHI workloads and a database, behind proxies", Ordered, ContinueOnFailure, func() {
	var t *town

	BeforeAll(func() {
		t = newTown(proxied)
		t.start()
	})

	It("answer as ever, by TLS 1.3, and show nothing of it on the bridge", func() { t.answersUnseen(listening) })

	It("let the database ask for the password, which it asks nobody on loopback for", func() { t.asksForThePassword() })

	It("have their probes asked by way of the proxy, and no container restarted", func() {
		for _, name := range []string{"records", "portal", "db"} {
			for _, pod := range t.podsOf(name) {
				for _, status := range append(pod.Status.InitContainerStatuses, pod.Status.ContainerStatuses...) {
					Expect(status.RestartCount).To(BeZero(), "%s: %s", pod.Name, status.Name)
				}
			}
		}
		pod := t.podsOf("records")[0]
		Expect(pod.Spec.Containers[0].ReadinessProbe.HTTPGet.Port.IntVal).To(Equal(int32(15020)))
		ask := func(path string) error {
			_, err := request(net.JoinHostPort(pod.Status.PodIP, "15020"), path, nil)
			return err
		}
		Expect(ask(pod.Spec.Containers[0].ReadinessProbe.HTTPGet.Path)).To(Succeed())
		Expect(ask("/http/8080/patients/7")).NotTo(Succeed(), "what no probe asks is not answered")
	})

	It("refuse everybody who is not declared, and count it", func() {
		pod := &t.podsOf("records")[0]
		t.refusesStrangers(pod, listening(pod, 8080))
	})

	It("let a Job end when its work is done", func() {
		report := t.part("report")
		template := report.template()
		template.Spec.RestartPolicy = corev1.RestartPolicyNever
		c := &template.Spec.Containers[0]
		c.Args, c.ReadinessProbe, c.LivenessProbe, c.Lifecycle = []string{"-get", "http://records/patients/7"}, nil, nil, nil
		job := &batchv1.Job{
			ObjectMeta: metav1.ObjectMeta{Namespace: t.namespace, Name: "report"}, Spec: batchv1.JobSpec{Template: template},
		}
		Expect(admin.Create(ctx, job)).To(Succeed())
		Eventually(func(g Gomega) {
			g.Expect(admin.Get(ctx, client.ObjectKeyFromObject(job), job)).To(Succeed())
			g.Expect(job.Status.Succeeded).To(Equal(int32(1)), "%+v", job.Status)
		}).Should(Succeed())
		// Whoever is called learns of a caller's identity from its first pod, which may be refused still.
		done, err := kubectl("get", "pods", "-n", t.namespace, "-l", "app=report", "--field-selector=status.phase=Succeeded", "-o", "name")
		Expect(err).NotTo(HaveOccurred(), done)
		Expect(kubectl("logs", "-n", t.namespace, strings.TrimSpace(done), "-c", "app")).To(HavePrefix(record))
	})

	It("let a request finish whose server is asked to end", func() {
		answered := make(chan string, 1)
		go func() {
			said, err := t.asks("portal", "http://127.0.0.1:8080/fetch?from=http://records/slow?for=6s")
			answered <- fmt.Sprint(said, err)
		}()
		Eventually(func() (busy []string) {
			for _, pod := range t.podsOf("records") {
				// Asked at the application itself: nothing but a policy keeps anybody from it.
				text, _ := request(net.JoinHostPort(pod.Status.PodIP, "8080"), "/busy", nil)
				busy = append(busy, text)
			}
			return busy
		}).Should(ContainElement("1"))
		Expect(admin.DeleteAllOf(ctx, &corev1.Pod{}, client.InNamespace(t.namespace), client.MatchingLabels{"app": "records"})).To(Succeed())
		Eventually(answered).Should(Receive(Equal("slow<nil>")))
		said, err := kubectl("rollout", "status", "-n", t.namespace, "deployment/records", "--timeout=90s")
		Expect(err).NotTo(HaveOccurred(), said)
	})

	It("go on under a steady load while the operator, the issuer, the pods that answer and their certificates are replaced", func() {
		stop := t.steadily("http://records/patients/7")
		Expect(kubectl("rollout", "restart", "-n", system, "deployment/hipaa-operator-manager")).To(ContainSubstring("restarted"))
		start("issuer", "--leaf-lifetime=2m")
		DeferCleanup(func() {
			Expect(kubectl("rollout", "undo", "-n", system, "deployment/hipaa-operator-issuer")).To(ContainSubstring("rolled back"))
			Expect(kubectl("rollout", "status", "-n", system, "deployment/hipaa-operator-issuer", "--timeout=2m")).To(ContainSubstring("successfully"))
		})
		Expect(kubectl("rollout", "status", "-n", system, "deployment/hipaa-operator-issuer", "--timeout=2m")).To(ContainSubstring("successfully"))
		before := t.podsOf("records")
		t.replace("records")
		for _, pod := range t.podsOf("records") {
			for _, old := range before {
				Expect(pod.UID).NotTo(Equal(old.UID))
			}
		}
		for _, pod := range t.podsOf("records") {
			Eventually(func() float64 { return metric(&pod, `phi_proxy_enrolments_total{outcome="issued"}`) }, "3m").Should(BeNumerically(">", 1), pod.Name)
		}
		l := stop()
		AddReportEntry("a steady load through all of it", fmt.Sprintf("%d answered, %d failed", l.Answered, l.Failed), ReportEntryVisibilityAlways)
		// A native sidecar is asked to end after the application, and a Service forgets a pod after that: so a
		// connection may be opened to a proxy behind which nobody is left. Without the proxy it would be refused.
		Expect(l.Failed).To(BeNumerically("<", l.Answered/100), "%+v", l)
		Expect(l.First).To(Or(BeEmpty(), ContainSubstring("the application does not answer")))
		Expect(l.Answered).To(BeNumerically(">", 100), "%+v", l)
	})
})

// loaded is what became of a steady load.
type loaded struct {
	Answered int    `json:"answered"`
	Failed   int    `json:"failed"`
	First    string `json:"first"`
}

// loadOf has the portal ask for something twenty times a second, over connections that it keeps.
func (t *town) loadOf(length, from string) <-chan loaded {
	done := make(chan loaded, 1)
	go func() {
		said, err := t.asks("portal", "http://127.0.0.1:8080/load?for="+length+"&from="+from)
		var l loaded
		if err := errors.Join(err, json.NewDecoder(bytes.NewBufferString(said)).Decode(&l)); err != nil {
			l.First = said + err.Error()
		}
		done <- l
	}()
	return done
}

// replace rolls a part, and waits until its new pods are ready.
func (t *town) replace(name string) {
	GinkgoHelper()
	d := &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Namespace: t.namespace, Name: name}}
	Expect(admin.Patch(ctx, d, client.RawPatch(types.MergePatchType,
		fmt.Appendf(nil, `{"spec":{"template":{"metadata":{"annotations":{"replaced":"%d"}}}}}`, time.Now().UnixNano())))).To(Succeed())
	said, err := kubectl("rollout", "status", "-n", t.namespace, "deployment/"+name, "--timeout=90s")
	Expect(err).NotTo(HaveOccurred(), "%s\n%s", said, t.troubles())
}
