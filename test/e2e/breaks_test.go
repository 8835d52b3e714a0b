package e2e_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/util/retry"
	"sigs.k8s.io/controller-runtime/pkg/client"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
	"github.com/hipaa-operator/hipaa-operator/internal/control"
	"github.com/hipaa-operator/hipaa-operator/internal/control/catalog"
	"github.com/hipaa-operator/hipaa-operator/internal/control/controltest"
	"github.com/hipaa-operator/hipaa-operator/internal/phitest"
)

// Every way in which a control can be violated is tried on the real API server:
// it refuses the object, and names the control.
var _ = Describe("A violation", func() {
	for _, c := range catalog.All() {
		for i, name := range slices.Sorted(maps.Keys(c.Breaks)) {
			violation := c.Breaks[name]
			if violation.Kind == control.Resources && !violation.Reported {
				continue // the specs of internal/admission try all of these in one namespace
			}
			if c.Needs.Has(control.Vendors) && !violation.Reported {
				continue // vendors are the whole cluster's, and those of breaks would meet: the specs of internal/admission try one after the other
			}
			if c.Needs.Has(control.Proxies) && !violation.Reported {
				continue // the operator here has no proxy to give; that of internal/admission has
			}
			namespace := fmt.Sprintf("break-%s-%d", c.ID, i)
			if !violation.Reported {
				It("of "+c.ID+" is refused: "+name, func() {
					s := stage(c.ID, violation, namespace)
					Expect(s.attempt()).To(MatchError(ContainSubstring("\n  " + c.ID + " ")))
				})
				continue
			}
			if why, never := unstaged[name]; never {
				It("of "+c.ID+" cannot be staged: "+name, func() { Skip(why) })
				continue
			}
			It("of "+c.ID+" is reported: "+name, func() {
				scene, set := sceneOf(name)
				if !set {
					scene.verdict = hipaav1.VerdictFail
				}
				if scene.stage == nil {
					scene.stage = func(namespace string) *hipaav1.PHIWorkload { return stage(c.ID, violation, namespace).workload }
				}
				workload := scene.stage(namespace)
				Eventually(func() hipaav1.ControlResult { return resultOf(workload, c.ID) }).Should(And(
					HaveField("Verdict", scene.verdict), HaveField("Message", ContainSubstring(scene.says))))
			})
		}
	}
})

// resultOf is what the status says of one control.
func resultOf(workload *hipaav1.PHIWorkload, controlID string) hipaav1.ControlResult {
	live := &hipaav1.PHIWorkload{}
	if err := admin.Get(ctx, client.ObjectKeyFromObject(workload), live); err != nil {
		return hipaav1.ControlResult{Message: err.Error()}
	}
	for _, result := range live.Status.Controls {
		if result.ID == controlID {
			return result
		}
	}
	return hipaav1.ControlResult{}
}

var _ = Describe("The network of a workload", func() {
	isolation := func(workload *hipaav1.PHIWorkload) func() hipaav1.ControlResult {
		return func() hipaav1.ControlResult { return resultOf(workload, "network-isolation") }
	}

	It("is as good as what people state of it, until that has expired", func() {
		namespace := phiNamespace("stated")
		resolving(namespace, func(b *phitest.ProfileBuilder) *phitest.ProfileBuilder {
			return b.IsolationStated(metav1.NewTime(time.Now().Add(time.Hour)))
		})
		workload := phitest.Workload("api").Namespace(namespace).Obj()
		Expect(admin.Create(ctx, workload)).To(Succeed())
		Eventually(isolation(workload)).Should(And(HaveField("Verdict", hipaav1.VerdictPass), HaveField("Class", hipaav1.EvidenceAttested)))
		end := ends(namespace, `{"spec":{"network":{"enforcement":{"expires":%q}}}}`)
		Eventually(isolation(workload)).Should(And(HaveField("Verdict", hipaav1.VerdictUnknown), HaveField("Message", ContainSubstring("nothing has shown"))))
		Expect(time.Now()).To(BeTemporally(">=", end.Truncate(time.Second)))
	})

	It("is closed again after somebody opened it while the operator was stopped, and people hear of it", Serial, func() {
		workload := closed("opened")
		Eventually(isolation(workload)).Should(HaveField("Verdict", hipaav1.VerdictUnknown), "it has been judged")
		start := time.Now()
		operator.Stop()
		deny := &networkingv1.NetworkPolicy{ObjectMeta: metav1.ObjectMeta{Namespace: workload.Namespace, Name: "hipaa-default-deny"}}
		deleted := admin.Delete(ctx, deny)
		Expect(operator.Start(ctx)).To(Succeed())
		Expect(deleted).To(Succeed())
		Eventually(owned(workload.Namespace, deny.Name)).Should(Succeed())
		Eventually(eventsSince(workload.Namespace, start)).Should(ContainElements(
			event(hipaav1.EventDriftDetected, deny.Name), event(hipaav1.EventDriftCorrected, deny.Name)))
		Eventually(isolation(workload)).Should(HaveField("Verdict", hipaav1.VerdictUnknown), func() string { return "closed, and no proof: " + isolation(workload)().Message })
	})
})

// staged is a broken subject whose surroundings exist in the cluster.
type staged struct {
	control.Subject
	workload *hipaav1.PHIWorkload
}

// stage makes the surroundings of a broken subject. What the operator would
// refuse there is made before people declare the namespace to hold PHI.
func stage(controlID string, b control.Break, namespace string) staged {
	GinkgoHelper()
	if needs, has := stated[controlID]; has {
		resolving(namespace, needs)
	}
	s := controltest.Baseline(b.Kind)
	if !slices.Contains(aboutPeople, controlID) {
		s.Workload.Spec.Users = nil // the shipped profile names no identity provider
	}
	baseline := len(s.World.Pods)
	s.Workload.Spec.Egress.To = slices.DeleteFunc(s.Workload.Spec.Egress.To, func(to hipaav1.EgressPeer) bool { return to.Vendor != nil })
	b.Apply(&s)
	undeclared := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}}
	Expect(admin.Create(ctx, undeclared)).To(Succeed())
	// Nobody waits for the end of these many namespaces; other specs show that
	// one comes.
	DeferCleanup(func() { Expect(admin.Delete(ctx, undeclared)).To(Succeed()) })
	supply(s.World, namespace)
	declareElsewhere(s.World.Environments)
	for _, pod := range s.World.Pods[baseline:] {
		run(fresh(runnable(pod.DeepCopy()), namespace))
	}
	switch {
	case b.Reported && s.Pod != nil:
		run(fresh(s.Pod.DeepCopy(), namespace))
	case b.Reported && s.Claim != nil:
		Expect(admin.Create(ctx, fresh(s.Claim.DeepCopy(), namespace))).To(Succeed())
		run(fresh(phitest.Pod("keeper").Of(s.Workload).Mounts("data", s.Claim.Name).Obj(), namespace))
	}
	declared := client.RawPatch("application/merge-patch+json", []byte(`{"metadata":{"labels":{"`+hipaav1.LabelPHI+`":"true"}}}`))
	Expect(admin.Patch(ctx, undeclared, declared)).To(Succeed())
	result := staged{Subject: s}
	for _, workload := range s.World.Workloads {
		if workload.Namespace != s.Namespace.Name {
			continue
		}
		created := fresh(workload.DeepCopy(), namespace)
		if workload.Name == controltest.WorkloadName && b.Kind == control.Workloads && !b.Reported {
			result.workload = created // whose declaration is the attempt
			return result
		}
		// The API server's policies learn of the namespace's label after it has answered.
		Eventually(func() error { return admin.Create(ctx, created) }).Should(Succeed())
		if workload.Name == controltest.WorkloadName {
			result.workload = created
		}
	}
	Expect(result.workload).NotTo(BeNil())
	if !ranBefore(&s, b, baseline) {
		Eventually(owned(namespace, "hipaa-"+controltest.WorkloadName)).Should(Succeed())
	}
	return result
}

// supply makes the storage of a subject's world.
func supply(w *control.World, namespace string) {
	GinkgoHelper()
	for _, class := range w.Classes {
		Expect(client.IgnoreAlreadyExists(admin.Create(ctx, fresh(class.DeepCopy(), "")))).To(Succeed())
	}
	for _, volume := range w.Volumes {
		Expect(client.IgnoreAlreadyExists(admin.Create(ctx, fresh(volume.DeepCopy(), "")))).To(Succeed())
	}
	for _, claim := range w.Claims {
		Expect(admin.Create(ctx, fresh(claim.DeepCopy(), namespace))).To(Succeed())
	}
	for _, claim := range w.Origins {
		Expect(admin.Create(ctx, fresh(claim.DeepCopy(), namespace))).To(Succeed())
	}
}

// declareElsewhere makes other PHI namespaces with a workload of each of their
// environments, and waits until the operator knows of them.
func declareElsewhere(environments map[string][]hipaav1.Environment) {
	GinkgoHelper()
	for namespace, stated := range environments {
		phiNamespace(namespace)
		for _, environment := range stated {
			workload := phitest.Workload(strings.ToLower(string(environment))).Namespace(namespace).Environment(environment).Obj()
			Eventually(func() error { return admin.Create(ctx, workload) }).Should(Succeed())
			Eventually(owned(namespace, "hipaa-"+workload.Name)).Should(Succeed())
		}
	}
}

// ranBefore reports whether pods were there before the workload: where a second began
// between the two it is previewed, and owns nothing yet.
func ranBefore(s *control.Subject, b control.Break, baseline int) bool {
	return b.Reported && (s.Pod != nil || s.Claim != nil || len(s.World.Pods) > baseline)
}

// run creates a pod in a namespace that may be so new that it has no
// ServiceAccount yet.
func run(pod *corev1.Pod) {
	GinkgoHelper()
	Eventually(func() error { return admin.Create(ctx, pod) }).Should(Succeed())
}

// attempt does what the break is about: it creates the object under judgement,
// puts containers into it while it runs, or reaches into a pod.
func (s *staged) attempt() error {
	GinkgoHelper()
	if s.Kind() == control.Workloads {
		// The operator learns of the namespace's label after the API server has answered, and
		// so do the policies inside the API server.
		Eventually(func() error { return admin.Create(ctx, s.workload.DeepCopy(), client.DryRunAll) }).Should(
			And(HaveOccurred(), Not(MatchError(ContainSubstring("is not declared to hold PHI")))))
		return admin.Create(ctx, s.workload)
	}
	namespace := s.workload.Namespace
	switch {
	case s.Connection != nil:
		run(fresh(s.World.Pods[0].DeepCopy(), namespace))
		Expect(admin.Create(ctx, fresh(s.World.Exposing[0].DeepCopy(), namespace))).To(Succeed())
		return reach(config, s.Connection.Way, namespace, s.Connection.Name)
	case s.Pod != nil && len(s.Pod.Spec.EphemeralContainers) > 0:
		pod, added := fresh(s.Pod.DeepCopy(), namespace), s.Pod.Spec.EphemeralContainers
		pod.Spec.EphemeralContainers = nil
		run(pod)
		return debug(admin, pod, added...)
	default:
		return admin.Create(ctx, s.under())
	}
}

// reach sends the CONNECT request of a way into a pod, or through a Service, with
// a query of keys and values.
func reach(as *rest.Config, way control.Way, namespace, name string, query ...string) error {
	GinkgoHelper()
	path, known := map[control.Way][2]string{
		control.Exec: {"pods", "exec"}, control.Attach: {"pods", "attach"}, control.PortForward: {"pods", "portforward"},
		control.PodProxy: {"pods", "proxy"}, control.ServiceProxy: {"services", "proxy"},
	}[way]
	Expect(known).To(BeTrue(), "no path is known for %s", way)
	typed, err := kubernetes.NewForConfig(as)
	Expect(err).NotTo(HaveOccurred())
	request := typed.CoreV1().RESTClient().Post().Namespace(namespace).Resource(path[0]).Name(name).SubResource(path[1])
	for pair := range slices.Chunk(query, 2) {
		request.Param(pair[0], pair[1])
	}
	return request.Do(ctx).Error()
}

// debug puts containers into a running pod, as kubectl debug does, again where the
// pod's status has moved meanwhile.
func debug(as client.Client, pod *corev1.Pod, added ...corev1.EphemeralContainer) error {
	GinkgoHelper()
	return retry.RetryOnConflict(retry.DefaultBackoff, func() error {
		changed := &corev1.Pod{}
		Expect(admin.Get(ctx, client.ObjectKeyFromObject(pod), changed)).To(Succeed())
		changed.Spec.EphemeralContainers = append(changed.Spec.EphemeralContainers, added...)
		return as.SubResource("ephemeralcontainers").Update(ctx, changed)
	})
}

// under is the object under judgement, in the namespace.
func (s *staged) under() client.Object {
	GinkgoHelper()
	namespace := s.workload.Namespace
	switch s.Kind() {
	case control.Pods:
		return fresh(s.Pod, namespace)
	case control.Claims:
		return fresh(s.Claim, namespace)
	case control.Services:
		return fresh(s.Service, namespace)
	case control.Policies:
		return fresh(s.Policy, namespace)
	case control.Slices:
		return fresh(s.Slice, namespace)
	case control.Ingresses:
		return fresh(s.Ingress, namespace)
	case control.Roles:
		return fresh(s.Role, namespace)
	case control.Bindings:
		return fresh(s.Binding, namespace)
	case control.ConfigMaps:
		return fresh(s.ConfigMap, namespace)
	case control.Secrets:
		return fresh(&corev1.Secret{ObjectMeta: s.Secret.ObjectMeta, Type: s.Secret.Type}, namespace)
	default:
		Fail("the break judges no object")
		return nil
	}
}

// fresh is an object that the API server has not seen, in another namespace.
func fresh[T client.Object](object T, namespace string) T {
	object.SetUID("")
	object.SetResourceVersion("")
	object.SetCreationTimestamp(metav1.Time{})
	object.SetManagedFields(nil)
	object.SetNamespace(namespace)
	return object
}

// runnable gives a pod that only shows what it breaks a container.
func runnable(pod *corev1.Pod) *corev1.Pod {
	if len(pod.Spec.Containers) == 0 {
		pod.Spec.Containers = []corev1.Container{{Name: "app", Image: "registry.example.org/app:1"}}
	}
	return pod
}
