package e2e_test

import (
	"fmt"
	"slices"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	gomegatypes "github.com/onsi/gomega/types"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
	"github.com/hipaa-operator/hipaa-operator/internal/backstop"
	"github.com/hipaa-operator/hipaa-operator/internal/control/catalog"
	"github.com/hipaa-operator/hipaa-operator/internal/phitest"
)

// bypassed is a namespace in which nothing ever runs, so that nothing is previewed.
const bypassed = "bypassed"

// bypass does something while the operator is held, and its webhooks and the backstop
// are gone, and waits until they are back.
func bypass(do func()) {
	GinkgoHelper()
	anybodys := phitest.Pod("anybodys").Namespace(bypassed).Obj()
	Expect(client.IgnoreAlreadyExists(admin.Create(ctx, phitest.Namespace(bypassed).Obj()))).To(Succeed())
	Eventually(func(g Gomega) {
		inForce := &hipaav1.Backstop{ObjectMeta: metav1.ObjectMeta{Namespace: bypassed, Name: hipaav1.BackstopName}}
		g.Expect(admin.Get(ctx, client.ObjectKeyFromObject(inForce), inForce)).To(Succeed())
		g.Expect(inForce.Spec.UndeclaredPods).To(Equal(&hipaav1.BackstopInstant{}))
	}).Should(Succeed(), "the backstop refuses what nobody declares")
	Expect(operator.Pause()).To(Succeed())
	resumed := false
	defer func() {
		if !resumed {
			_ = operator.Resume()
		}
	}()
	Expect(admin.DeleteAllOf(ctx, &admissionregistrationv1.ValidatingWebhookConfiguration{})).To(Succeed())
	Expect(admin.DeleteAllOf(ctx, &admissionregistrationv1.MutatingWebhookConfiguration{})).To(Succeed())
	// The one about pods goes last: once the API server has forgotten it, it has the others.
	for _, p := range slices.Backward(backstop.Policies(catalog.All())) {
		Expect(admin.Delete(ctx, p.Binding)).To(Succeed())
	}
	Eventually(func() error { return admin.Create(ctx, anybodys.DeepCopy(), client.DryRunAll) }).Should(
		Succeed(), "the API server has forgotten webhooks and backstop")
	do()
	Expect(operator.Resume()).To(Succeed())
	resumed = true
	Eventually(webhooksServe).Should(Succeed())
}

// webhooksServe asks whether both configurations are there with their CA.
func webhooksServe(g Gomega) {
	validating := &admissionregistrationv1.ValidatingWebhookConfiguration{}
	g.Expect(admin.Get(ctx, client.ObjectKey{Name: "hipaa-operator-validating"}, validating)).To(Succeed())
	for _, w := range validating.Webhooks {
		g.Expect(w.ClientConfig.CABundle).NotTo(BeEmpty())
	}
	for _, p := range backstop.Policies(catalog.All()) {
		g.Expect(admin.Get(ctx, client.ObjectKeyFromObject(p.Binding), p.Binding)).To(Succeed())
	}
	mutating := &admissionregistrationv1.MutatingWebhookConfiguration{}
	g.Expect(admin.Get(ctx, client.ObjectKey{Name: "hipaa-operator-mutating"}, mutating)).To(Succeed())
	for _, w := range mutating.Webhooks {
		g.Expect(w.ClientConfig.CABundle).NotTo(BeEmpty())
	}
}

// eventsSince lists events of a namespace as "reason object: note".
func eventsSince(namespace string, start time.Time) func() []string {
	return func() []string {
		var events eventsv1.EventList
		if err := admin.List(ctx, &events, client.InNamespace(namespace)); err != nil {
			return nil
		}
		var since []string
		for _, e := range events.Items {
			latest := e.EventTime.Time
			if e.Series != nil {
				latest = e.Series.LastObservedTime.Time
			}
			if !latest.Before(start.Truncate(time.Second)) {
				since = append(since, fmt.Sprintf("%s %s/%s: %s", e.Reason, e.Regarding.Kind, e.Regarding.Name, e.Note))
			}
		}
		return since
	}
}

// event matches a line of eventsSince.
func event(reason string, words ...string) gomegatypes.GomegaMatcher {
	all := []gomegatypes.GomegaMatcher{HavePrefix(reason + " ")}
	for _, word := range words {
		all = append(all, ContainSubstring(word))
	}
	return And(all...)
}

func conditionOf(workload *hipaav1.PHIWorkload, conditionType string) func() *metav1.Condition {
	return func() *metav1.Condition {
		live := &hipaav1.PHIWorkload{}
		if err := admin.Get(ctx, client.ObjectKeyFromObject(workload), live); err != nil {
			return nil
		}
		return meta.FindStatusCondition(live.Status.Conditions, conditionType)
	}
}

func podsOf(namespace, key, value string) func() []corev1.Pod {
	return func() []corev1.Pod {
		var pods corev1.PodList
		if err := admin.List(ctx, &pods, client.InNamespace(namespace), client.MatchingLabels{key: value}); err != nil {
			return nil
		}
		var living []corev1.Pod
		for _, p := range pods.Items {
			if p.DeletionTimestamp.IsZero() {
				living = append(living, p)
			}
		}
		return living
	}
}
