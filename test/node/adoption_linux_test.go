package node_test

import (
	"fmt"
	"net"
	"strconv"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
	"github.com/hipaa-operator/hipaa-operator/internal/control"
	"github.com/hipaa-operator/hipaa-operator/internal/phitest"
)

// bareIn are the pods of a part that have no proxy, those that are going included.
func (t *town) bareIn(name string) (bare int) {
	GinkgoHelper()
	for _, pod := range t.podsOf(name) {
		if !control.HasProxy(&pod) {
			bare++
		}
	}
	return bare
}

func (t *town) plaintext(name string) hipaav1.PlaintextAccess {
	GinkgoHelper()
	var w hipaav1.PHIWorkload
	Expect(admin.Get(ctx, key(t.namespace, name), &w)).To(Succeed())
	if w.Status.Proxy == nil {
		return ""
	}
	return w.Status.Proxy.Plaintext
}

// steadily asks for something, twenty times a second by connections that are kept, until it is told to stop.
func (t *town) steadily(from string) (stop func() loaded) {
	stopped, done := make(chan struct{}), make(chan loaded, 1)
	go func() {
		var sum loaded
		for {
			piece := <-t.loadOf("20s", from)
			sum.Answered, sum.Failed = sum.Answered+piece.Answered, sum.Failed+piece.Failed
			if sum.First == "" {
				sum.First = piece.First
			}
			if piece.Answered+piece.Failed == 0 {
				sum.Failed++ // nobody could be asked to ask
			}
			select {
			case <-stopped:
				done <- sum
				return
			default:
			}
		}
	}()
	return func() loaded {
		GinkgoHelper()
		close(stopped)
		var sum loaded
		Eventually(done, "1m").Should(Receive(&sum))
		return sum
	}
}

// outcomesOf is what the proxies of a part say of its calls.
func (t *town) outcomesOf(name string) string {
	var said strings.Builder
	for _, pod := range t.podsOf(name) {
		text, err := request(net.JoinHostPort(pod.Status.PodIP, strconv.Itoa(adminPort)), "/metrics", nil)
		if err != nil {
			text = "phi_proxy_outbound_calls_total: " + err.Error() + "\n"
		}
		for line := range strings.Lines(text) {
			if strings.HasPrefix(line, "phi_proxy_outbound_calls_total") {
				said.WriteString(pod.Name + " " + line)
			}
		}
	}
	return said.String()
}

var _ = Describe("A running application that is adopted", func() {
	// api has two pods, which the operator replaces by itself; portal has one, its last, which people replace.
	DescribeTable("loses no call while its pods get their proxies one by one", func(profile string, callersFirst bool) {
		installed()
		adopting := phitest.Profile(profile).Mode(hipaav1.ModeAudit).Selecting(hipaav1.LabelPHI, hipaav1.LabelPHIValue, governed, profile).Obj()
		Expect(admin.Create(ctx, adopting)).To(Succeed())
		DeferCleanup(func() { Expect(admin.Delete(ctx, adopting)).To(Succeed()) })
		t := foundTown(func() string { return phiNamespace(profile) })
		t.add(2, t.application("api"), 8080, 80, phitest.FromWorkload("portal"))
		t.add(1, t.application("portal"), 8080, 80)
		t.calls("portal", "api")
		for _, p := range t.parts {
			p.Spec.Continuity = hipaav1.ContinuityPatientCare // people replace pods, in the order of this spec
		}
		if !callersFirst {
			t.part("api").Spec.Continuity = hipaav1.ContinuityBusiness // the operator does
		}
		t.declare()
		t.start()
		none := func(stop func() loaded) {
			GinkgoHelper()
			l := stop()
			Expect(l.Failed).To(BeZero(), func() string { return fmt.Sprintf("%+v\n%s", l, t.outcomesOf("portal")) })
			Expect(l.Answered).To(BeNumerically(">", 100), "%+v", l)
		}
		load := func() func() loaded { return t.steadily("http://api/caller") }

		before := load()
		enforceAt := metav1.NewTime(time.Now().Add(time.Second).Truncate(time.Second))
		Expect(admin.Patch(ctx, adopting, client.RawPatch(types.MergePatchType, []byte(
			`{"spec":{"controls":[{"id":"mutual-tls","mode":"Enforce"}],"rollout":{"enforceBy":"`+enforceAt.UTC().Format(time.RFC3339)+`"}}}`)))).To(Succeed())
		Eventually(func() hipaav1.PlaintextAccess { return t.plaintext("portal") }).ShouldNot(BeEmpty())
		Eventually(func() hipaav1.PlaintextAccess { return t.plaintext("api") }).Should(Equal(hipaav1.PlaintextOpen))
		if !callersFirst {
			Eventually(func() int { return t.bareIn("api") }, "2m").Should(BeZero(), t.troubles)
			Expect(t.bareIn("portal")).To(Equal(1), "its last pod stays until a person replaces it")
		}
		none(before)
		t.replace("portal")
		if callersFirst {
			during := load()
			t.replace("api")
			none(during)
		}
		Expect(t.plaintext("api")).NotTo(Equal(hipaav1.PlaintextClosed))
		during := load()
		Eventually(func() hipaav1.PlaintextAccess { return t.plaintext("api") }, "5m").Should(Equal(hipaav1.PlaintextClosed))
		// Those who were told to end have half a minute for it.
		Eventually(func() (handshakes float64) {
			for _, pod := range t.podsOf("api") {
				handshakes += metric(&pod, "phi_proxy_inbound_handshakes_total")
			}
			return handshakes
		}, "2m").Should(BeNumerically(">", 0), "they speak mutual TLS now")
		pod := &t.podsOf("api")[0]
		Eventually(func() error {
			_, err := request(listening(pod, 8080).String(), "/caller", nil)
			return err
		}, "2m").ShouldNot(Succeed(), "and nobody comes in without")
		none(during)
		Expect(t.asks("portal", "http://api/caller")).To(HavePrefix("127.0.0.6:"))
	},
		Entry("the called one first, by the operator itself", "adopting-called", false),
		Entry("callers first, by people", "adopting-callers", true),
	)
})
