package backstop_test

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
	"github.com/hipaa-operator/hipaa-operator/controllers"
	"github.com/hipaa-operator/hipaa-operator/controllers/controllerstest"
	"github.com/hipaa-operator/hipaa-operator/internal/backstop"
	"github.com/hipaa-operator/hipaa-operator/internal/control"
	"github.com/hipaa-operator/hipaa-operator/internal/control/catalog"
	"github.com/hipaa-operator/hipaa-operator/internal/control/controltest"
	"github.com/hipaa-operator/hipaa-operator/internal/phitest"
)

func TestController(t *testing.T) { controllerstest.RunSuite(t, "The backstop") }

const (
	patience = controllerstest.Patience
	interval = controllerstest.Interval
	awhile   = controllerstest.Awhile
)

var (
	cluster  *controllerstest.Cluster
	operator *controllerstest.Operator
	count    atomic.Int64
)

// The operator runs without its webhooks: whatever is refused here the API server
// refuses by itself.
var _ = BeforeSuite(func(ctx context.Context) {
	cluster = controllerstest.StartSuite()
	for _, p := range backstop.Policies(catalog.All()) {
		controllerstest.Create[client.Object](ctx, cluster, p.Policy)
		controllerstest.Create[client.Object](ctx, cluster, p.Binding)
	}
	By("waiting until the API server goes by the policy")
	nobodys := controllerstest.Create(ctx, cluster, phitest.Namespace("nobodys").Obj())
	Eventually(attempt(ctx, phitest.Pod("bare").Namespace(nobodys.Name).Obj()), patience, interval).Should(MatchError(ContainSubstring(backstop.PodPolicy)))
	operator = cluster.StartOperator(catalog.All(), controllers.Dependencies{ProxyImages: phitest.ProxyImages()})
})

// attempt creates a pod by dry run.
func attempt(ctx context.Context, pod *corev1.Pod) func() error {
	return func() error { return cluster.Admin.Create(ctx, pod.DeepCopy(), client.DryRunAll) }
}

// place is a PHI namespace under a profile of its own, with a workload.
type place struct {
	name     string
	profile  *hipaav1.ComplianceProfile
	workload *hipaav1.PHIWorkload
}

func newPlace(ctx context.Context, changes ...func(*phitest.ProfileBuilder) *phitest.ProfileBuilder) *place {
	GinkgoHelper()
	p := &place{name: fmt.Sprintf("ehr-%d", count.Add(1))}
	builder := phitest.Profile(p.name).Selecting("place", p.name)
	for _, change := range changes {
		builder = change(builder)
	}
	p.profile = controllerstest.Create(ctx, cluster, builder.Obj())
	DeferCleanup(func(ctx context.Context) { _ = cluster.Admin.Delete(ctx, p.profile) })
	controllerstest.Create(ctx, cluster, phitest.Namespace(p.name).Label("place", p.name).Obj())
	p.workload = controllerstest.Create(ctx, cluster, phitest.Workload("api").Namespace(p.name).Jurisdictions("US-IL").Obj())
	Eventually(p.reflected(ctx), patience, interval).Should(BeTrue())
	return p
}

// written is a pod as people write it, and admitted the same as admission makes it.
func (p *place) written(name string) *corev1.Pod {
	return phitest.Pod(name).Namespace(p.name).Of(p.workload).Obj()
}

func (p *place) admitted(name string) *corev1.Pod {
	s := control.Subject{Profile: &control.Profile{Tagging: control.DefaultTagging()}, Workload: p.workload, World: &control.World{}}.Of(p.written(name))
	controltest.Admit(catalog.All(), &s)
	return s.Pod
}

// reflected reports whether the parameters were made with the workload.
func (p *place) reflected(ctx context.Context) func() bool {
	return func() bool {
		live := p.parameters()
		return cluster.Admin.Get(ctx, client.ObjectKeyFromObject(live), live) == nil && len(live.Spec.Workloads) > 0
	}
}

func (p *place) parameters() *hipaav1.Backstop {
	return &hipaav1.Backstop{ObjectMeta: metav1.ObjectMeta{Namespace: p.name, Name: hipaav1.BackstopName}}
}

// held is what the parameters hold, or why there are none.
func (p *place) held(ctx context.Context) func() map[string]string {
	return func() map[string]string {
		live := p.parameters()
		if err := cluster.Admin.Get(ctx, client.ObjectKeyFromObject(live), live); err != nil {
			return map[string]string{"error": err.Error()}
		}
		return phitest.Held(live)
	}
}

func refusal(words ...string) OmegaMatcher {
	all := make([]OmegaMatcher, len(words))
	for i, word := range words {
		all[i] = MatchError(ContainSubstring(word))
	}
	return And(all...)
}
