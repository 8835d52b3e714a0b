package guard_test

import (
	"context"
	"os"
	"sync"
	"testing"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"github.com/prometheus/client_golang/prometheus"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/tools/events"
	testclock "k8s.io/utils/clock/testing"
	"k8s.io/utils/ptr"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"
	"sigs.k8s.io/controller-runtime/pkg/envtest"
	"sigs.k8s.io/controller-runtime/pkg/metrics/server"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
	"github.com/hipaa-operator/hipaa-operator/config"
	"github.com/hipaa-operator/hipaa-operator/internal/guard"
	"github.com/hipaa-operator/hipaa-operator/internal/metrics"
)

func TestGuard(t *testing.T) {
	if os.Getenv("KUBEBUILDER_ASSETS") == "" {
		t.Skip("needs a real API server: KUBEBUILDER_ASSETS is not set, make test sets it")
	}
	RegisterFailHandler(Fail)
	SetDefaultEventuallyTimeout(30 * time.Second)
	RunSpecs(t, "Guarding on a real API server")
}

// operatorNamespace is another than in the manifests, which must follow.
const operatorNamespace = "compliance"

var (
	admin  client.Client
	clock  *testclock.FakePassiveClock
	keeper *guard.Guard
	told   *events.FakeRecorder
	writes counter
	// certificate stands for the authority that somebody else puts into webhooks.
	certificate []byte
)

// counter counts what the guard writes.
type counter struct {
	mu sync.Mutex
	n  int
}

func (c *counter) add() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.n++
}

func (c *counter) count() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.n
}

func (c *counter) over(with client.WithWatch) client.Writer {
	return interceptor.NewClient(with, interceptor.Funcs{
		Update: func(ctx context.Context, w client.WithWatch, o client.Object, options ...client.UpdateOption) error {
			c.add()
			return w.Update(ctx, o, options...)
		},
		Apply: func(ctx context.Context, w client.WithWatch, o runtime.ApplyConfiguration, options ...client.ApplyOption) error {
			c.add()
			return w.Apply(ctx, o, options...)
		},
	})
}

var _ = BeforeSuite(func() {
	api := &envtest.Environment{}
	apiConfig, err := api.Start()
	Expect(err).NotTo(HaveOccurred())
	DeferCleanup(func() error { return api.Stop() })
	apiConfig.QPS, apiConfig.Burst = 1000, 1000
	certificate = apiConfig.CAData
	direct, err := client.NewWithWatch(apiConfig, client.Options{Scheme: clientgoscheme.Scheme})
	Expect(err).NotTo(HaveOccurred())
	admin = direct
	Expect(admin.Create(context.Background(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: operatorNamespace}})).To(Succeed())

	mgr, err := ctrl.NewManager(apiConfig, ctrl.Options{Metrics: server.Options{BindAddress: "0"}})
	Expect(err).NotTo(HaveOccurred())
	clock, told = testclock.NewFakePassiveClock(time.Now()), events.NewFakeRecorder(100)
	keeper, err = guard.New(guard.Options{
		Manifests: config.Admission, OperatorNamespace: operatorNamespace,
		Cache: mgr.GetCache(), Live: direct, Writer: writes.over(direct),
		Clock: clock, Events: both{told, mgr.GetEventRecorder("admission-guard")},
		Restored: func(ref guard.Ref) { metrics.GuardRestored(ref.Kind) },
	})
	Expect(err).NotTo(HaveOccurred())
	Expect(keeper.SetupWithManager(mgr)).To(Succeed())
	ctx, cancel := context.WithCancel(context.Background())
	DeferCleanup(cancel)
	go func() {
		defer GinkgoRecover()
		Expect(mgr.Start(ctx)).To(Succeed())
	}()
	Eventually(condition, 20*time.Second).Should(HaveField("Status", metav1.ConditionTrue))
	for range len(told.Events) {
		<-told.Events
	}
})

// both tells two recorders: one that specs read, and the API server.
type both struct{ fake, real events.EventRecorder }

//nolint:revive // the signature is that of an events.EventRecorder
func (b both) Eventf(about, related runtime.Object, kind, reason, action, note string, args ...any) {
	b.fake.Eventf(about, related, kind, reason, action, note, args...)
	b.real.Eventf(about, related, kind, reason, action, note, args...)
}

func condition() metav1.Condition {
	state := keeper.State()
	return state.Condition(clock.Now())
}

// restorations is what the metric of restorations comes to, over all kinds.
func restorations() float64 {
	GinkgoHelper()
	registry := prometheus.NewRegistry()
	registry.MustRegister(metrics.Collectors()...)
	families, err := registry.Gather()
	Expect(err).NotTo(HaveOccurred())
	var total float64
	for _, family := range families {
		if family.GetName() == "hipaa_operator_guard_restorations_total" {
			for _, series := range family.GetMetric() {
				total += series.GetCounter().GetValue()
			}
		}
	}
	return total
}

func validating() *admissionregistrationv1.ValidatingWebhookConfiguration {
	return &admissionregistrationv1.ValidatingWebhookConfiguration{ObjectMeta: metav1.ObjectMeta{Name: "hipaa-operator-validating"}}
}

func mutating() *admissionregistrationv1.MutatingWebhookConfiguration {
	return &admissionregistrationv1.MutatingWebhookConfiguration{ObjectMeta: metav1.ObjectMeta{Name: "hipaa-operator-mutating"}}
}

func profiles() *admissionregistrationv1.ValidatingAdmissionPolicy {
	return &admissionregistrationv1.ValidatingAdmissionPolicy{ObjectMeta: metav1.ObjectMeta{Name: "hipaa-operator-profiles"}}
}

func policy() *admissionregistrationv1.ValidatingAdmissionPolicy {
	return &admissionregistrationv1.ValidatingAdmissionPolicy{ObjectMeta: metav1.ObjectMeta{Name: "hipaa-operator-owned-objects"}}
}

func binding() *admissionregistrationv1.ValidatingAdmissionPolicyBinding {
	return &admissionregistrationv1.ValidatingAdmissionPolicyBinding{ObjectMeta: metav1.ObjectMeta{Name: "hipaa-operator-phi-label"}}
}

// read reads an object again and hands it out.
func read[T client.Object](ctx context.Context, o T) T {
	GinkgoHelper()
	Expect(admin.Get(ctx, client.ObjectKeyFromObject(o), o)).To(Succeed())
	return o
}

// change changes an object as kubectl edit does.
func change[T client.Object](ctx context.Context, o T, how func(T)) {
	GinkgoHelper()
	Eventually(func() error {
		how(read(ctx, o))
		return admin.Update(ctx, o, client.FieldOwner("kubectl-edit"))
	}).Should(Succeed())
}

// atOnce is how long somebody waits who is told, on a machine that does much else, and is
// far from the minute after which the guard looks by itself.
const atOnce = 10 * time.Second

var _ = Describe("The admission configuration", func() {
	AfterEach(func() {
		Eventually(condition).Should(HaveField("Status", metav1.ConditionTrue))
		for range len(told.Events) {
			<-told.Events
		}
	})

	It("was installed, for the operator's own namespace", func(ctx SpecContext) {
		for _, hook := range read(ctx, validating()).Webhooks {
			Expect(hook.ClientConfig.Service.Namespace).To(Equal(operatorNamespace))
		}
		Expect(read(ctx, policy()).Spec.Validations[0].Expression).To(ContainSubstring("system:serviceaccount:compliance:hipaa-operator-manager"))
	})

	It("is left alone while it is as installed, with its certificate authority", func(ctx SpecContext) {
		before := writes.count()
		change(ctx, validating(), func(c *admissionregistrationv1.ValidatingWebhookConfiguration) {
			for i := range c.Webhooks {
				c.Webhooks[i].ClientConfig.CABundle = certificate
			}
			c.Labels["tenant"], c.Annotations = "none", map[string]string{"note": "seen"}
		})
		Consistently(writes.count, "500ms").Should(Equal(before))
	})

	DescribeTable("is put right at once, and says who changed it",
		func(ctx SpecContext, disturb func(context.Context), isRight func(context.Context) bool, want string) {
			change(ctx, validating(), func(c *admissionregistrationv1.ValidatingWebhookConfiguration) {
				for i := range c.Webhooks {
					c.Webhooks[i].ClientConfig.CABundle = certificate
				}
			})
			Expect(isRight(ctx)).To(BeTrue())
			before := restorations()
			disturb(ctx)
			Eventually(func() bool { return isRight(ctx) }, atOnce, 10*time.Millisecond).Should(BeTrue())
			Eventually(told.Events, atOnce).Should(Receive(And(
				HavePrefix("Warning AdmissionRestored "), ContainSubstring(want), HaveSuffix("and has been put back"))))
			Eventually(condition).Should(HaveField("Reason", hipaav1.ReasonAdmissionRestored))
			Expect(restorations()).To(BeNumerically(">", before), "the metric that an alert looks at")
			for _, hook := range read(ctx, validating()).Webhooks {
				Expect(hook.ClientConfig.CABundle).To(Equal(certificate))
			}
			quiet := writes.count()
			Consistently(writes.count, "300ms").Should(Equal(quiet))
		},
		Entry("a failure policy", func(ctx context.Context) {
			change(ctx, validating(), func(c *admissionregistrationv1.ValidatingWebhookConfiguration) {
				c.Webhooks[0].FailurePolicy = ptr.To(admissionregistrationv1.Ignore)
			})
		}, func(ctx context.Context) bool {
			return *read(ctx, validating()).Webhooks[0].FailurePolicy == admissionregistrationv1.Fail
		}, `ValidatingWebhookConfiguration/hipaa-operator-validating was changed (/webhooks/0/failurePolicy) by field manager "kubectl-edit"`),
		Entry("a condition that never matches", func(ctx context.Context) {
			change(ctx, validating(), func(c *admissionregistrationv1.ValidatingWebhookConfiguration) {
				c.Webhooks[0].MatchConditions = append(c.Webhooks[0].MatchConditions,
					admissionregistrationv1.MatchCondition{Name: "never", Expression: "false"})
			})
		}, func(ctx context.Context) bool {
			return len(read(ctx, validating()).Webhooks[0].MatchConditions) == 0
		}, `kubectl-edit`),
		Entry("rules that went", func(ctx context.Context) {
			change(ctx, validating(), func(c *admissionregistrationv1.ValidatingWebhookConfiguration) { c.Webhooks[0].Rules = nil })
		}, func(ctx context.Context) bool { return len(read(ctx, validating()).Webhooks[0].Rules) == 1 }, `/webhooks/0/rules`),
		Entry("a time-out", func(ctx context.Context) {
			change(ctx, validating(), func(c *admissionregistrationv1.ValidatingWebhookConfiguration) {
				c.Webhooks[len(c.Webhooks)-1].TimeoutSeconds = ptr.To[int32](1)
			})
		}, func(ctx context.Context) bool {
			hooks := read(ctx, validating()).Webhooks
			return *hooks[len(hooks)-1].TimeoutSeconds == 2
		}, `timeoutSeconds`),
		Entry("a validation", func(ctx context.Context) {
			change(ctx, policy(), func(p *admissionregistrationv1.ValidatingAdmissionPolicy) { p.Spec.Validations[0].Expression = "true" })
		}, func(ctx context.Context) bool {
			return read(ctx, policy()).Spec.Validations[0].Expression != "true"
		}, `ValidatingAdmissionPolicy/hipaa-operator-owned-objects was changed (/spec/validations/0/expression)`),
		Entry("rules that exclude everything", func(ctx context.Context) {
			change(ctx, policy(), func(p *admissionregistrationv1.ValidatingAdmissionPolicy) {
				p.Spec.MatchConstraints.ExcludeResourceRules = p.Spec.MatchConstraints.ResourceRules
			})
		}, func(ctx context.Context) bool {
			return len(read(ctx, policy()).Spec.MatchConstraints.ExcludeResourceRules) == 0
		}, `/spec/matchConstraints/excludeResourceRules`),
		Entry("what a binding does", func(ctx context.Context) {
			change(ctx, binding(), func(b *admissionregistrationv1.ValidatingAdmissionPolicyBinding) {
				b.Spec.ValidationActions = []admissionregistrationv1.ValidationAction{admissionregistrationv1.Warn}
			})
		}, func(ctx context.Context) bool {
			return len(read(ctx, binding()).Spec.ValidationActions) == 2
		}, `/spec/validationActions`),
		Entry("where a binding looks", func(ctx context.Context) {
			change(ctx, binding(), func(b *admissionregistrationv1.ValidatingAdmissionPolicyBinding) {
				b.Spec.MatchResources = &admissionregistrationv1.MatchResources{
					NamespaceSelector: &metav1.LabelSelector{MatchLabels: map[string]string{"never": "here"}},
				}
			})
		}, func(ctx context.Context) bool { return read(ctx, binding()).Spec.MatchResources == nil }, `/spec/matchResources`),
		Entry("a condition that lets no attempt be told of", func(ctx context.Context) {
			change(ctx, mutating(), func(c *admissionregistrationv1.MutatingWebhookConfiguration) {
				c.Webhooks[len(c.Webhooks)-1].MatchConditions[0].Expression = "false"
			})
		}, func(ctx context.Context) bool {
			hooks := read(ctx, mutating()).Webhooks
			return hooks[len(hooks)-1].MatchConditions[0].Expression != "false"
		}, `MutatingWebhookConfiguration/hipaa-operator-mutating was changed`),
		Entry("the guard of profiles", func(ctx context.Context) {
			change(ctx, profiles(), func(p *admissionregistrationv1.ValidatingAdmissionPolicy) {
				p.Spec.Validations = p.Spec.Validations[:1]
			})
		}, func(ctx context.Context) bool { return len(read(ctx, profiles()).Spec.Validations) == 2 }, `ValidatingAdmissionPolicy/hipaa-operator-profiles was changed`),
		Entry("a policy that was deleted", func(ctx context.Context) {
			Expect(admin.Delete(ctx, policy())).To(Succeed())
		}, func(ctx context.Context) bool {
			return client.IgnoreNotFound(admin.Get(ctx, client.ObjectKeyFromObject(policy()), policy())) == nil &&
				admin.Get(ctx, client.ObjectKeyFromObject(policy()), policy()) == nil
		}, `ValidatingAdmissionPolicy/hipaa-operator-owned-objects was deleted by somebody unknown`),
	)

	It("comes back when all of it is deleted", func(ctx SpecContext) {
		for _, o := range []client.Object{validating(), policy(), binding(),
			&admissionregistrationv1.MutatingWebhookConfiguration{ObjectMeta: metav1.ObjectMeta{Name: "hipaa-operator-mutating"}}} {
			Expect(admin.Delete(ctx, o)).To(Succeed())
			Eventually(func() error { return admin.Get(ctx, client.ObjectKeyFromObject(o), o) }, atOnce, 10*time.Millisecond).Should(Succeed())
		}
	})

	It("tells people where the operator stands, of each object by itself", func(ctx SpecContext) {
		restored := func(what string) func(Gomega) {
			return func(g Gomega) {
				var list eventsv1.EventList
				g.Expect(admin.List(ctx, &list, client.InNamespace(operatorNamespace))).To(Succeed())
				g.Expect(list.Items).To(ContainElement(And(HaveField("Reason", hipaav1.ReasonAdmissionRestored),
					HaveField("Regarding.Name", "hipaa-operator-manager"), HaveField("Note", HavePrefix(what)))))
			}
		}
		for _, o := range []client.Object{binding(), mutating(), profiles()} {
			Expect(admin.Delete(ctx, o)).To(Succeed())
			Eventually(func() error { return admin.Get(ctx, client.ObjectKeyFromObject(o), o) }, atOnce, 10*time.Millisecond).Should(Succeed())
		}
		for _, what := range []string{"ValidatingAdmissionPolicyBinding/hipaa-operator-phi-label was deleted",
			"MutatingWebhookConfiguration/hipaa-operator-mutating was deleted", "ValidatingAdmissionPolicy/hipaa-operator-profiles was deleted"} {
			Eventually(restored(what), 5*time.Second).Should(Succeed())
		}
	})

	pause := func(ctx context.Context, until time.Time) {
		change(ctx, validating(), func(c *admissionregistrationv1.ValidatingWebhookConfiguration) {
			c.Annotations = map[string]string{guard.AnnotationPausedUntil: until.UTC().Format(time.RFC3339)}
			for i := range c.Webhooks {
				c.Webhooks[i].FailurePolicy = ptr.To(admissionregistrationv1.Ignore)
			}
		})
	}
	policies := func(ctx context.Context) []admissionregistrationv1.FailurePolicyType {
		var all []admissionregistrationv1.FailurePolicyType
		for _, hook := range read(ctx, validating()).Webhooks {
			all = append(all, *hook.FailurePolicy)
		}
		return all
	}

	It("does not block during a pause, gives nothing else away, and blocks again when it ends", func(ctx SpecContext) {
		pause(ctx, clock.Now().Add(2*time.Second))
		Eventually(condition).Should(And(HaveField("Reason", hipaav1.ReasonPaused), HaveField("Message", ContainSubstring("written by field manager \"kubectl-edit\""))))
		Consistently(func() []admissionregistrationv1.FailurePolicyType { return policies(ctx) }, "300ms").Should(HaveEach(admissionregistrationv1.Ignore))
		change(ctx, validating(), func(c *admissionregistrationv1.ValidatingWebhookConfiguration) { c.Webhooks[0].Rules = nil })
		Eventually(func() int { return len(read(ctx, validating()).Webhooks[0].Rules) }, time.Second).Should(Equal(1))
		Expect(policies(ctx)).To(HaveEach(admissionregistrationv1.Ignore))
		clock.SetTime(clock.Now().Add(2 * time.Second))
		Eventually(func() []admissionregistrationv1.FailurePolicyType { return policies(ctx) }, 5*time.Second).Should(ContainElement(admissionregistrationv1.Fail))
		Eventually(func() map[string]string { return read(ctx, validating()).Annotations }, time.Second).ShouldNot(HaveKey(guard.AnnotationPausedUntil))
	})

	It("only warns during a pause where a policy holds what the webhooks do, and refuses again when it ends", func(ctx SpecContext) {
		backstop := func() *admissionregistrationv1.ValidatingAdmissionPolicyBinding {
			return &admissionregistrationv1.ValidatingAdmissionPolicyBinding{ObjectMeta: metav1.ObjectMeta{Name: "hipaa-operator-backstop-pods"}}
		}
		weaken := func(b *admissionregistrationv1.ValidatingAdmissionPolicyBinding) {
			b.Annotations = map[string]string{guard.AnnotationPausedUntil: clock.Now().Add(2 * time.Second).UTC().Format(time.RFC3339)}
			b.Spec.ValidationActions = []admissionregistrationv1.ValidationAction{admissionregistrationv1.Warn, admissionregistrationv1.Audit}
		}
		actions := func(b *admissionregistrationv1.ValidatingAdmissionPolicyBinding) func() []admissionregistrationv1.ValidationAction {
			return func() []admissionregistrationv1.ValidationAction { return read(ctx, b).Spec.ValidationActions }
		}
		change(ctx, backstop(), weaken)
		change(ctx, binding(), weaken)
		Eventually(actions(binding()), time.Second).Should(ContainElement(admissionregistrationv1.Deny), "the guards of admission never give way")
		Consistently(actions(backstop()), "300ms").Should(ConsistOf(admissionregistrationv1.Warn, admissionregistrationv1.Audit))
		clock.SetTime(clock.Now().Add(2 * time.Second))
		Eventually(actions(backstop()), 5*time.Second).Should(ConsistOf(admissionregistrationv1.Deny, admissionregistrationv1.Audit))
	})

	It("is not paused for longer than a week", func(ctx SpecContext) {
		pause(ctx, clock.Now().Add(guard.LongestPause+time.Minute))
		Eventually(func() []admissionregistrationv1.FailurePolicyType { return policies(ctx) }, time.Second).Should(ContainElement(admissionregistrationv1.Fail))
	})

	It("stays deleted once the operator is being removed", func(ctx SpecContext) {
		mark := func(value string) {
			patch := client.RawPatch(types.MergePatchType, []byte(`{"metadata":{"annotations":{"hipaa-operator.io/uninstalling":`+value+`}}}`))
			Expect(admin.Patch(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: operatorNamespace}}, patch)).To(Succeed())
		}
		mark(`"true"`)
		Expect(admin.Delete(ctx, policy())).To(Succeed())
		Consistently(func() error { return admin.Get(ctx, client.ObjectKeyFromObject(policy()), policy()) }, "400ms").ShouldNot(Succeed())
		Expect(condition()).To(HaveField("Status", metav1.ConditionFalse), "somebody may only pretend to remove it")
		mark("null")
		weak := policy()
		weak.Spec.MatchConstraints = &admissionregistrationv1.MatchResources{ResourceRules: []admissionregistrationv1.NamedRuleWithOperations{{
			RuleWithOperations: admissionregistrationv1.RuleWithOperations{
				Operations: []admissionregistrationv1.OperationType{admissionregistrationv1.Create},
				Rule:       admissionregistrationv1.Rule{APIGroups: []string{""}, APIVersions: []string{"v1"}, Resources: []string{"pods"}},
			},
		}}}
		weak.Spec.Validations = []admissionregistrationv1.Validation{{Expression: "true"}}
		Expect(admin.Create(ctx, weak)).To(Succeed())
		Eventually(func() string { return read(ctx, policy()).Spec.Validations[0].Expression }, time.Second).ShouldNot(Equal("true"))
	})
})
