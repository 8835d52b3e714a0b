package issuer

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	clocktesting "k8s.io/utils/clock/testing"

	"github.com/hipaa-operator/hipaa-operator/internal/bundle"
	"github.com/hipaa-operator/hipaa-operator/internal/enrol"
	"github.com/hipaa-operator/hipaa-operator/internal/pki"
	"github.com/hipaa-operator/hipaa-operator/internal/seal"
	"github.com/hipaa-operator/hipaa-operator/internal/sealing"
)

// desk is the manager as far as it seals: with the rights of its ServiceAccount, the
// token of its pod, and the roots that the issuer has published.
type desk struct {
	*enrol.Enrolment
	published *bundle.Published
	sealer    *sealing.Sealer
	// issuer is where it asks.
	issuer atomic.Pointer[string]
}

// Bundle is what is published.
func (d *desk) Bundle() pki.Bundle {
	roots, err := d.published.Roots()
	Expect(err).NotTo(HaveOccurred())
	return roots
}

// Ready is that of the certificate, where there are roots.
func (d *desk) Ready() error {
	if _, err := d.published.Roots(); err != nil {
		return err
	}
	return d.Enrolment.Ready()
}

func newDesk(ctx context.Context, clock *clocktesting.FakeClock) *desk {
	GinkgoHelper()
	d := &desk{}
	var err error
	d.published, err = bundle.Watch(ctx, asAccount(managerAccount), operatorNamespace, func() { d.Renew() })
	Expect(err).NotTo(HaveOccurred())
	token := filepath.Join(GinkgoT().TempDir(), "token")
	Expect(os.WriteFile(token, []byte(podIn(ctx, operatorNamespace, managerAccount).token(ctx)), 0o600)).To(Succeed())
	d.Enrolment, err = enrol.New(enrol.Options{
		URL:       fmt.Sprintf("https://%s.%s.svc", enrol.ServiceName, operatorNamespace),
		TokenFile: token, Roots: d.published.Roots, Clock: clock, Jitter: func() float64 { return 0.5 },
		Dial: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, network, *d.issuer.Load())
		},
	})
	Expect(err).NotTo(HaveOccurred())
	d.sealer, err = sealing.New(d, domain, clock)
	Expect(err).NotTo(HaveOccurred())
	return d
}

// run keeps it going until the spec ends.
func (d *desk) run(ctx context.Context) {
	running, cancel := context.WithCancel(context.WithoutCancel(ctx))
	watched, enrolled := make(chan error, 1), make(chan struct{})
	go func() { watched <- d.published.Start(running) }()
	go func() {
		defer close(enrolled)
		d.Run(running)
	}()
	DeferCleanup(func() {
		cancel()
		Eventually(watched).Should(Receive(BeNil()))
		Eventually(enrolled).Should(BeClosed())
	})
}

var _ = Describe("The manager as signer of configurations", func() {
	const uid = "0d9b7a52-6a1c-4a52-9f1b-1f0a7c9c1e55"

	It("enrols, seals, seals anew before its certificate ends, and goes on without and after the issuer", func(ctx SpecContext) {
		begin(ctx)
		clock := clocktesting.NewFakeClock(start)
		d := newDesk(ctx, clock)
		nowhere := freeAddress()
		d.issuer.Store(&nowhere)
		d.run(ctx)
		text := "one"
		stands := sealing.Draft{Workload: uid, Write: func(generation int64) ([]byte, error) { return fmt.Appendf(nil, "%s %d", text, generation), nil }}
		// sealAll is what the reconciler does: it takes the answer for what stands.
		sealAll := func() error {
			got, err := d.sealer.Seal(stands)
			if err == nil {
				stands.Known, stands.Payload, stands.Seal = got.Generation, got.Payload, got.Seal
			}
			return err
		}
		// opened is what a proxy says.
		opened := func() seal.Opened {
			GinkgoHelper()
			signer, err := pki.ConfigurationSigner(domain)
			Expect(err).NotTo(HaveOccurred())
			got, err := seal.Open(stands.Payload, stands.Seal, seal.Expectation{
				Statement: seal.Statement{Kind: seal.ProxyConfiguration, Workload: uid, Generation: stands.Known},
				Roots:     published(ctx), Signer: signer, At: clock.Now(),
			})
			Expect(err).NotTo(HaveOccurred())
			return got
		}

		By("saying why it cannot, before there is an issuer")
		Eventually(d.Ready).Should(MatchError(ContainSubstring("there is no ConfigMap hipaa-operator-bundle")))
		Expect(sealAll()).To(MatchError(sealing.ErrNoCertificate))

		By("enrolling as soon as there are roots")
		r, stop := startStoppable(ctx, clock, pki.DefaultPlan())
		d.issuer.Store(&r.address)
		Eventually(func() error {
			clock.Step(time.Second)
			return sealAll()
		}).Should(Succeed())
		Expect(d.ID().String()).To(Equal("spiffe://cluster.local/signer/configuration"))
		first := opened()
		Expect(first.Generation).To(BeEquivalentTo(1))
		Expect(first.SignedUntil).To(BeTemporally("~", clock.Now().Add(7*24*time.Hour), time.Hour))

		By("sealing anew in the second half, without another generation")
		Eventually(func() time.Time {
			clock.Step(time.Hour)
			return d.Certificate().Leaf.NotAfter
		}).Should(BeTemporally(">", first.SignedUntil))
		Expect(clock.Now()).To(BeTemporally("<", first.SignedUntil))
		Expect(sealAll()).To(Succeed())
		second := opened()
		Expect(second.Generation).To(BeEquivalentTo(1))
		Expect(second.SignedUntil).To(BeTemporally(">", first.SignedUntil))

		By("going on while the issuer is down, until the certificate has ended")
		stop()
		text = "two"
		clock.Step(24 * time.Hour)
		Expect(sealAll()).To(Succeed())
		Expect(opened().Generation).To(BeEquivalentTo(2))
		clock.Step(7 * 24 * time.Hour)
		text = "three"
		Eventually(sealAll).Should(MatchError(ContainSubstring("there is no certificate to seal by: it ended at")))
		Expect(stands.Known).To(BeEquivalentTo(2))

		By("coming back with the issuer, under the root that it had")
		r, _ = startStoppable(ctx, clock, pki.DefaultPlan())
		d.issuer.Store(&r.address)
		Eventually(func() error {
			clock.Step(time.Minute)
			return sealAll()
		}).Should(Succeed())
		Expect(opened().Generation).To(BeEquivalentTo(3))
		Expect(published(ctx)).To(HaveLen(1))
	})

	It("takes what is published for the roots, and says what is wrong with it", func(ctx SpecContext) {
		begin(ctx)
		changed := make(chan struct{}, 10)
		p, err := bundle.Watch(ctx, asAccount(managerAccount), operatorNamespace, func() { changed <- struct{}{} })
		Expect(err).NotTo(HaveOccurred())
		_, err = p.Roots()
		Expect(err).To(MatchError("ConfigMap hipaa-operator-bundle has not been read yet"))
		running, cancel := context.WithCancel(context.WithoutCancel(ctx))
		ended := make(chan error, 1)
		go func() { ended <- p.Start(running) }()
		DeferCleanup(func() {
			cancel()
			Eventually(ended).Should(Receive(BeNil()))
		})
		why := func() error {
			_, err := p.Roots()
			return err
		}
		Eventually(why).Should(MatchError(ContainSubstring("there is no ConfigMap hipaa-operator-bundle")))

		root, err := pki.NewRoot(domain, start, time.Hour)
		Expect(err).NotTo(HaveOccurred())
		roots := pki.Bundle{root.Certificate}
		other := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: operatorNamespace, Name: "hipaa-operator-another"}, Data: map[string]string{enrol.BundleKey: "x"}}
		Expect(admin.Create(ctx, other)).To(Succeed())
		DeferCleanup(func() { Expect(admin.Delete(context.WithoutCancel(ctx), other)).To(Succeed()) })
		found := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: operatorNamespace, Name: enrol.BundleName}, Data: map[string]string{enrol.BundleKey: "torn"}}
		Expect(admin.Create(ctx, found)).To(Succeed())
		Eventually(changed).Should(Receive())
		Expect(why()).To(MatchError("reading ConfigMap hipaa-operator-bundle: reading a bundle: it holds something else than certificates in PEM"))
		found.Data[enrol.BundleKey] = string(roots.PEM())
		Expect(admin.Update(ctx, found)).To(Succeed())
		Eventually(changed).Should(Receive())
		Expect(p.Roots()).To(Equal(roots))

		By("and keeps what was good, whatever somebody makes of it")
		found.Data["note"] = "touched, with the same roots"
		Expect(admin.Update(ctx, found)).To(Succeed())
		found.Data[enrol.BundleKey] = "torn"
		Expect(admin.Update(ctx, found)).To(Succeed())
		Consistently(p.Roots, "500ms").Should(Equal(roots))
		Expect(admin.Delete(ctx, found)).To(Succeed())
		Consistently(p.Roots, "500ms").Should(Equal(roots))
		// None of it is news.
		Expect(changed).To(BeEmpty())
	})
})
