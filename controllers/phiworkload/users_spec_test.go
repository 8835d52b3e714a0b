package phiworkload_test

import (
	"context"
	"slices"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
	"github.com/hipaa-operator/hipaa-operator/internal/injection"
	"github.com/hipaa-operator/hipaa-operator/internal/phitest"
	"github.com/hipaa-operator/hipaa-operator/internal/proxy/config"
)

var _ = Describe("What proxies ask of people", func() {
	var p place
	BeforeEach(func(ctx context.Context) {
		p = newPlace(ctx, base().DNSAt("10.96.0.10/32", 53).Users("staff", metav1.NewTime(time.Now().Add(time.Hour))).With(func(spec *hipaav1.ComplianceProfileSpec) {
			spec.Controls = slices.DeleteFunc(spec.Controls, func(c hipaav1.ControlSetting) bool { return c.ID == "mutual-tls" })
		}))
		create(ctx, p.workload("portal").To(phitest.ToWorkload("api")).Obj())
		create(ctx, p.workload("api").Port("http", 8080).From(phitest.FromWorkload("portal")).Users("staff").Obj())
	})
	users := func(ctx context.Context) func() *config.Users {
		return func() *config.Users {
			stands := &corev1.ConfigMap{}
			if cluster.Admin.Get(ctx, p.key("hipaa-api-proxy"), stands) != nil {
				return nil
			}
			c, err := config.Parse([]byte(stands.Data[injection.FileConfiguration]))
			Expect(err).NotTo(HaveOccurred())
			return c.Users
		}
	}
	asks := func(ctx context.Context) func() hipaav1.UserAsking {
		return func() hipaav1.UserAsking {
			if proxy := p.status(ctx, "api").Proxy; proxy != nil {
				return proxy.Users
			}
			return ""
		}
	}
	realm := func(name string) func(*hipaav1.ComplianceProfile) {
		return func(profile *hipaav1.ComplianceProfile) { profile.Spec.Users.Realms[0].Name = name }
	}

	It("is sealed as the workload declares it, and the status tells", func(ctx context.Context) {
		Eventually(users(ctx), patience, interval).ShouldNot(BeNil())
		Expect(users(ctx)().Issuers).To(ConsistOf(HaveField("URL", "https://idp.example.org/realms/staff")))
		Expect(users(ctx)().Routes).To(ConsistOf(HaveField("MultiFactor", true)))
		Expect(users(ctx)().Refusals.Session.Control).To(Equal("automatic-logoff"))
		Eventually(asks(ctx), patience, interval).Should(Equal(hipaav1.UserAskingEachReplica))
		p.calm(ctx, "api")
		p.lawful(ctx, "api")
	})

	It("stays where no profile knows the users any more, and says why", func(ctx context.Context) {
		Eventually(asks(ctx), patience, interval).Should(Equal(hipaav1.UserAskingEachReplica))
		p.changeProfile(ctx, realm("elsewhere"))
		says := func() string {
			condition := meta.FindStatusCondition(p.status(ctx, "api").Conditions, hipaav1.ConditionFlowsResolved)
			if condition == nil {
				return ""
			}
			return condition.Message
		}
		const nobodyKnows = "names no realm and no gateway that the profile lets tell who the users are"
		Eventually(says, patience, interval).Should(ContainSubstring(nobodyKnows))
		Expect(users(ctx)().Issuers).To(HaveLen(1), "nobody is let in for it")
		Expect(asks(ctx)()).To(Equal(hipaav1.UserAskingEachReplica))
		p.changeProfile(ctx, realm("staff"))
		Eventually(says, patience, interval).ShouldNot(ContainSubstring(nobodyKnows))
	})
})
