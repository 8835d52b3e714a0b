package issuer

import (
	"context"
	"crypto/x509"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	clocktesting "k8s.io/utils/clock/testing"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/hipaa-operator/hipaa-operator/internal/enrol"
	"github.com/hipaa-operator/hipaa-operator/internal/pki"
)

// secret is the Secret with the roots as it stands.
func secret(ctx context.Context) *corev1.Secret {
	GinkgoHelper()
	found := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: operatorNamespace, Name: SecretName}}
	Expect(admin.Get(ctx, client.ObjectKeyFromObject(found), found)).To(Succeed())
	return found
}

// authority is a replica without a server.
func authority(clock *clocktesting.FakeClock, plan pki.Plan) *Authority {
	GinkgoHelper()
	c, err := newClient(asAccount("hipaa-operator-issuer"))
	Expect(err).NotTo(HaveOccurred())
	return &Authority{Client: c, Namespace: operatorNamespace, TrustDomain: domain, Names: []string{"issuer.op.svc"}, Plan: plan, Clock: clock}
}

// leaf has a replica sign.
func leaf(a *Authority) ([]*x509.Certificate, pki.Bundle) {
	GinkgoHelper()
	key, _, err := pki.NewRequest()
	Expect(err).NotTo(HaveOccurred())
	id, err := pki.WorkloadID(domain, "ehr", "api")
	Expect(err).NotTo(HaveOccurred())
	chain, bundle, err := a.Sign(id, key.Public())
	Expect(err).NotTo(HaveOccurred())
	return chain, bundle
}

func verify(chain []*x509.Certificate, bundle pki.Bundle, now time.Time) error {
	_, err := pki.Verify(chain, bundle, pki.Acceptance{At: now, Usage: x509.ExtKeyUsageServerAuth})
	return err
}

var _ = Describe("Two replicas", func() {
	var clock *clocktesting.FakeClock

	BeforeEach(func(ctx SpecContext) {
		begin(ctx)
		clock = clocktesting.NewFakeClock(start)
	})

	It("make one root when they start at once, and certify under it both", func(ctx SpecContext) {
		one, two := authority(clock, pki.DefaultPlan()), authority(clock, pki.DefaultPlan())
		ended := make(chan error, 2)
		for _, a := range []*Authority{one, two} {
			go func() {
				defer GinkgoRecover()
				ended <- a.Refresh(ctx)
			}()
		}
		first, second := <-ended, <-ended
		By("trying again, where one was slower")
		Expect(first == nil || second == nil).To(BeTrue(), "%v, %v", first, second)
		Expect(one.Refresh(ctx)).To(Succeed())
		Expect(two.Refresh(ctx)).To(Succeed())
		roots := published(ctx)
		Expect(roots).To(HaveLen(1))
		for _, a := range []*Authority{one, two} {
			chain, bundle := leaf(a)
			Expect(verify(chain, roots, clock.Now())).To(Succeed())
			Expect(bundle.Equal(roots)).To(BeTrue())
		}
		Expect(one.by.Certificate.Equal(two.by.Certificate)).To(BeFalse(), "the intermediate of each stays with it")
	})

	It("write nothing while nothing is due", func(ctx SpecContext) {
		a := authority(clock, pki.DefaultPlan())
		Expect(a.Refresh(ctx)).To(Succeed())
		before := secret(ctx).ResourceVersion
		clock.Step(24 * time.Hour)
		Expect(a.Refresh(ctx)).To(Succeed())
		Expect(authority(clock, pki.DefaultPlan()).Refresh(ctx)).To(Succeed())
		Expect(secret(ctx).ResourceVersion).To(Equal(before))
	})

	It("rotate intermediates and roots so that every leaf verifies with every bundle that is in use", func(ctx SpecContext) {
		const hour = time.Hour
		plan := pki.Plan{Root: 60 * hour, Intermediate: 8 * hour, Leaf: 4 * hour, Renewal: 20 * hour, Distribution: 6 * hour, Grace: hour}
		Expect(plan.Check()).To(Succeed())
		one, two := authority(clock, plan), authority(clock, plan)
		type held struct {
			at     time.Time
			bundle pki.Bundle
		}
		var bundles []held
		var chains [][]*x509.Certificate
		intermediates, roots := map[string]bool{}, map[string]bool{}
		for range 150 {
			now := clock.Now()
			for _, a := range []*Authority{one, two} {
				// Who was slower reads what the other wrote.
				if err := a.Refresh(ctx); err != nil {
					Expect(a.Refresh(ctx)).To(Succeed())
				}
				chain, bundle := leaf(a)
				chains = append(chains, chain)
				bundles = append(bundles, held{now, bundle})
				intermediates[chain[1].SerialNumber.String()] = true
				roots[a.under.SerialNumber.String()] = true
			}
			bundles = append(bundles, held{now, published(ctx)})
			for _, b := range bundles {
				for _, chain := range chains {
					if !now.After(chain[0].NotAfter) && now.Sub(b.at) <= plan.Distribution {
						Expect(verify(chain, b.bundle, now)).To(Succeed(), "at %s", now)
					}
				}
			}
			for len(bundles) > 0 && now.Sub(bundles[0].at) > plan.Distribution {
				bundles = bundles[1:]
			}
			chains = chains[max(0, len(chains)-20):]
			clock.Step(hour)
		}
		Expect(len(roots)).To(BeNumerically(">=", 3))
		Expect(len(intermediates)).To(BeNumerically(">", 50))
		Expect(len(published(ctx))).To(BeNumerically("<=", 2))
	})

	It("put back roots that the Secret has lost, because workloads trust no others", func(ctx SpecContext) {
		a := authority(clock, pki.DefaultPlan())
		Expect(a.Refresh(ctx)).To(Succeed())
		roots := published(ctx)
		lost := secret(ctx)
		lost.Data = nil
		Expect(admin.Update(ctx, lost)).To(Succeed())
		Expect(a.Refresh(ctx)).To(Succeed())
		Expect(published(ctx).Equal(roots)).To(BeTrue())
		By("reading them in a replica that starts now")
		other := authority(clock, pki.DefaultPlan())
		Expect(other.Refresh(ctx)).To(Succeed())
		chain, _ := leaf(other)
		Expect(verify(chain, roots, clock.Now())).To(Succeed())
	})

	It("make no new root where the Secret cannot be read, and sign on with what they have", func(ctx SpecContext) {
		a := authority(clock, pki.DefaultPlan())
		Expect(a.Refresh(ctx)).To(Succeed())
		roots := published(ctx)
		torn := secret(ctx)
		torn.Data[rootsKey] = torn.Data[rootsKey][:100]
		Expect(admin.Update(ctx, torn)).To(Succeed())
		Expect(a.Refresh(ctx)).To(MatchError(ContainSubstring("is not what the issuer wrote")))
		chain, _ := leaf(a)
		Expect(verify(chain, roots, clock.Now())).To(Succeed())
		Expect(a.Ready()).To(Succeed())
		fresh := authority(clock, pki.DefaultPlan())
		Expect(fresh.Refresh(ctx)).NotTo(Succeed())
		Expect(fresh.Ready()).To(MatchError(errNoAuthority))
		Expect(secret(ctx).Data[rootsKey]).To(HaveLen(100))
		By("saying so once the intermediate has ended")
		clock.Step(8 * 24 * time.Hour)
		Expect(a.Ready()).To(MatchError(ContainSubstring("the intermediate has ended")))
	})

	It("take on a root that people bring: at once where it is the first, after its distribution otherwise", func(ctx SpecContext) {
		bring := func() pki.Authority {
			root, err := pki.NewRoot(domain, clock.Now(), 1000*24*time.Hour, "issuer.op.svc")
			Expect(err).NotTo(HaveOccurred())
			key, err := root.KeyPEM()
			Expect(err).NotTo(HaveOccurred())
			found := secret(ctx)
			if found.Data == nil {
				found.Data = map[string][]byte{}
			}
			found.Data["tls.crt"], found.Data["tls.key"] = pki.Bundle{root.Certificate}.PEM(), key
			Expect(admin.Update(ctx, found)).To(Succeed())
			return root
		}
		first := bring()
		a := authority(clock, pki.DefaultPlan())
		Expect(a.Refresh(ctx)).To(Succeed())
		Expect(a.under.Equal(first.Certificate)).To(BeTrue())
		Expect(published(ctx)).To(HaveLen(1))

		second := bring()
		Expect(a.Refresh(ctx)).To(Succeed())
		Expect(published(ctx)).To(HaveLen(2))
		Expect(a.under.Equal(first.Certificate)).To(BeTrue())
		clock.Step(7 * 24 * time.Hour)
		Expect(a.Refresh(ctx)).To(Succeed())
		Expect(a.under.Equal(second.Certificate)).To(BeTrue())
		clock.Step(10 * 24 * time.Hour)
		Expect(a.Refresh(ctx)).To(Succeed())
		Expect(published(ctx).Equal(pki.Bundle{second.Certificate})).To(BeTrue())
	})

	It("wait for people where the first root that they brought is no good", func(ctx SpecContext) {
		found := secret(ctx)
		found.Data = map[string][]byte{"tls.crt": []byte("a"), "tls.key": []byte("b")}
		Expect(admin.Update(ctx, found)).To(Succeed())
		a := authority(clock, pki.DefaultPlan())
		Expect(a.Refresh(ctx)).To(MatchError(ContainSubstring("taking on the root in tls.crt")))
		Expect(a.Ready()).To(MatchError(errNoAuthority))
		Expect(secret(ctx).Data).NotTo(HaveKey(rootsKey))
	})

	It("put the bundle right that somebody changed", func(ctx SpecContext) {
		a := authority(clock, pki.DefaultPlan())
		Expect(a.Refresh(ctx)).To(Succeed())
		roots := published(ctx)
		changed := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: operatorNamespace, Name: enrol.BundleName}}
		stranger, err := pki.NewRoot(domain, start, time.Hour)
		Expect(err).NotTo(HaveOccurred())
		Expect(admin.Get(ctx, client.ObjectKeyFromObject(changed), changed)).To(Succeed())
		changed.Data[enrol.BundleKey] = string(pki.Bundle{stranger.Certificate}.PEM())
		Expect(admin.Update(ctx, changed)).To(Succeed())
		Expect(a.Refresh(ctx)).To(Succeed())
		Expect(published(ctx).Equal(roots)).To(BeTrue())
	})
})
