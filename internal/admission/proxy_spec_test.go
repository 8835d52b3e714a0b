package admission_test

import (
	"maps"
	"slices"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/hipaa-operator/hipaa-operator/internal/control"
	"github.com/hipaa-operator/hipaa-operator/internal/control/catalog"
	"github.com/hipaa-operator/hipaa-operator/internal/control/controltest"
	"github.com/hipaa-operator/hipaa-operator/internal/injection"
	"github.com/hipaa-operator/hipaa-operator/internal/phitest"
)

// The operator of these specs has a proxy to give: whatever violates a control that goes
// by it is refused.
var _ = Describe("A violation by the way past the proxy", func() {
	for _, c := range catalog.All() {
		for _, name := range slices.Sorted(maps.Keys(c.Breaks)) {
			violation := c.Breaks[name]
			if !c.Needs.Has(control.Proxies) || violation.Reported {
				continue
			}
			It("of "+c.ID+" is refused: "+name, func(ctx SpecContext) {
				ns := namespace(ctx, "enforce")
				s := controltest.Baseline(violation.Kind)
				controltest.Satisfy(catalog.All(), &s)
				violation.Apply(&s)
				workload := s.Workload.DeepCopy()
				workload.Namespace, workload.Spec.Egress, workload.Spec.Users = ns, nil, nil
				Expect(admin.Create(ctx, workload)).To(Succeed())
				Expect(admin.Create(ctx, phitest.Claim("data").Namespace(ns).Obj())).To(Succeed())
				var object client.Object = s.Service
				if s.Pod != nil {
					object = s.Pod
				}
				object.SetNamespace(ns)
				Expect(as("tess@example.org").Create(ctx, object)).To(MatchError(ContainSubstring("\n  " + c.ID + " ")))
			})
		}
	}
})

var _ = Describe("A pod of a PHI workload", func() {
	const uid = "--workload-uid="
	It("gets its proxy, before everything else, and Services find it by the names of its ports", func(ctx SpecContext) {
		ns := namespace(ctx, "enforce")
		workload := phitest.Workload("api").Namespace(ns).Port("http", 8080).Obj()
		Expect(admin.Create(ctx, workload)).To(Succeed())
		pod := phitest.Pod("api").Of(workload).Namespace(ns).Listens("http", 8080).With(func(p *corev1.Pod) {
			wait := *p.Spec.Containers[0].DeepCopy()
			wait.Name, wait.Ports = "wait-for-database", nil
			p.Spec.InitContainers = []corev1.Container{wait}
		}).Obj()
		Expect(as("tess@example.org").Create(ctx, pod)).To(Succeed())
		Expect(pod.Spec.InitContainers).To(HaveLen(2))
		proxy := pod.Spec.InitContainers[0]
		Expect(proxy.Name).To(Equal(injection.Name))
		Expect(proxy.Args).To(ContainElement(uid + string(workload.UID)))
		Expect(proxy.Ports).To(ConsistOf(And(HaveField("Name", "http"), HaveField("ContainerPort", BeEquivalentTo(18080)))))
		Expect(pod.Spec.Containers[0].Ports).To(ConsistOf(And(HaveField("Name", ""), HaveField("ContainerPort", BeEquivalentTo(8080)))))
		Expect(pod.Annotations).To(HaveKey(injection.AnnotationRoots))
	})

	It("keeps it: nobody gives it another image, or other roots", func(ctx SpecContext) {
		ns := namespace(ctx, "enforce")
		workload := phitest.Workload("api").Namespace(ns).Port("http", 8080).Obj()
		Expect(admin.Create(ctx, workload)).To(Succeed())
		pod := phitest.Pod("api").Of(workload).Namespace(ns).Listens("http", 8080).Obj()
		Expect(admin.Create(ctx, pod)).To(Succeed())
		tenant := as("tess@example.org")
		swapped := pod.DeepCopy()
		swapped.Spec.InitContainers[0].Image = "registry.example.org/app:1.0.0"
		Expect(tenant.Update(ctx, swapped)).To(MatchError(ContainSubstring("spec.initContainers[0].image is not what the operator gives the proxy")))
		trusting := pod.DeepCopy()
		trusting.Annotations[injection.AnnotationRoots] = "mine"
		Expect(tenant.Update(ctx, trusting)).To(MatchError(ContainSubstring("are set at its admission")))
	})

	It("is told where it is wrong in its template, whatever admission puts before", func(ctx SpecContext) {
		ns := namespace(ctx, "enforce")
		Expect(admin.Create(ctx, phitest.Workload("api").Namespace(ns).Port("http", 8080).Obj())).To(Succeed())
		deployment := phitest.Deployment("api", 1).Namespace(ns).Pod(func(p *phitest.PodBuilder) {
			p.Listens("http", 8080).With(func(p *corev1.Pod) {
				bad := *p.Spec.Containers[0].DeepCopy()
				bad.Name, bad.Ports, bad.SecurityContext = "wait-for-database", nil, nil
				p.Spec.InitContainers = []corev1.Container{bad}
			})
		}).Obj()
		Expect(as("tess@example.org").Create(ctx, deployment)).To(MatchError(ContainSubstring("spec.template.spec.initContainers[0].securityContext")))
	})
})

var _ = Describe("What the operator may write of ConfigMaps", func() {
	It("is what configures proxies, and its own book", func(ctx SpecContext) {
		ns := namespace(ctx, "enforce")
		named := func(namespace, name string) *corev1.ConfigMap {
			return &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}}
		}
		refused := MatchError(ContainSubstring("writes the ConfigMaps of proxies and of phi-egress and its own book of changes, and not"))
		operator := as(manager, "system:masters") // whatever its rights
		Expect(operator.Create(ctx, named(ns, "hipaa-api-proxy"), client.DryRunAll)).To(Succeed())
		Expect(operator.Create(ctx, named(operatorNamespace, "phi-egress"), client.DryRunAll)).To(Succeed())
		Expect(operator.Create(ctx, named(ns, "phi-egress"), client.DryRunAll)).To(refused)
		Expect(operator.Create(ctx, named(ns, "settings"), client.DryRunAll)).To(refused)
		Expect(operator.Create(ctx, named(metav1.NamespaceSystem, "aws-auth"), client.DryRunAll)).To(refused)
		Expect(operator.Create(ctx, named(operatorNamespace, "hipaa-operator-bundle"), client.DryRunAll)).To(refused)
	})
})
