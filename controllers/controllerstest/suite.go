package controllerstest

import (
	"cmp"
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"github.com/onsi/ginkgo/v2"
	"github.com/onsi/gomega"
	eventsv1 "k8s.io/api/events/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"
	ctrllog "sigs.k8s.io/controller-runtime/pkg/log"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
	"github.com/hipaa-operator/hipaa-operator/controllers"
	"github.com/hipaa-operator/hipaa-operator/internal/control"
	"github.com/hipaa-operator/hipaa-operator/internal/engine"
	"github.com/hipaa-operator/hipaa-operator/internal/phitest"
	"github.com/hipaa-operator/hipaa-operator/internal/rule"
)

// How long specs wait, and how often they look.
const (
	Patience = 30 * time.Second
	Interval = 20 * time.Millisecond
	// Awhile is how long something is watched that must not happen.
	Awhile = 1500 * time.Millisecond
)

// RunSuite runs the specs of a controller, or skips them where there is no API
// server.
func RunSuite(t *testing.T, about string) {
	t.Helper()
	if os.Getenv("KUBEBUILDER_ASSETS") == "" {
		t.Skip("needs a real API server: KUBEBUILDER_ASSETS is not set, make test sets it")
	}
	gomega.RegisterFailHandler(ginkgo.Fail)
	ginkgo.RunSpecs(t, about+" on a real API server")
}

// StartSuite starts an API server and Kubernetes' own controllers of the given
// names, until the suite ends.
func StartSuite(kubernetes ...string) *Cluster {
	ginkgo.GinkgoHelper()
	ctrllog.SetLogger(logr.Discard())
	c, err := Start(filepath.Join("..", ".."))
	gomega.Expect(err).NotTo(gomega.HaveOccurred())
	ginkgo.DeferCleanup(func() error {
		if c.operator == nil {
			return c.Stop()
		}
		return errors.Join(c.operator.Stop(), c.Stop())
	})
	if len(kubernetes) > 0 {
		manager, err := c.RunControllerManager(kubernetes...)
		gomega.Expect(err).NotTo(gomega.HaveOccurred())
		ginkgo.DeferCleanup(manager.Stop)
	}
	return c
}

// StartOperator starts an operator with these controls, until the suite ends. A
// spec that stops it starts another one.
func (c *Cluster) StartOperator(catalog []control.Control, d controllers.Dependencies) *Operator {
	ginkgo.GinkgoHelper()
	var err error
	d.Engine, err = engine.New(catalog)
	gomega.Expect(err).NotTo(gomega.HaveOccurred())
	d.Engine = d.Engine.Accepting(rule.Customs(d.Engine.ResourceTypes()))
	d.Clock = clock.RealClock{}
	c.operator, err = c.Run(d)
	gomega.Expect(err).NotTo(gomega.HaveOccurred())
	return c.operator
}

// Create creates an object.
func Create[T client.Object](ctx context.Context, c *Cluster, object T) T {
	ginkgo.GinkgoHelper()
	gomega.Expect(c.Admin.Create(ctx, object)).To(gomega.Succeed())
	return object
}

// Update reads an object, changes it and writes it under the name kubectl-edit.
func Update[T client.Object](ctx context.Context, c *Cluster, object T, change func(T)) {
	ginkgo.GinkgoHelper()
	gomega.Eventually(func() error {
		if err := c.Admin.Get(ctx, client.ObjectKeyFromObject(object), object); err != nil {
			return err
		}
		change(object)
		return c.Admin.Update(ctx, object, client.FieldOwner("kubectl-edit"))
	}, Patience, Interval).Should(gomega.Succeed())
}

// UpdateProfile changes a profile, and waits until the operator's cache holds the
// change: what a spec does next is judged by it, not by the profile of before.
func UpdateProfile(ctx context.Context, c *Cluster, profile *hipaav1.ComplianceProfile, change func(*hipaav1.ComplianceProfile)) {
	ginkgo.GinkgoHelper()
	Update(ctx, c, profile, change)
	gomega.Eventually(func() (int64, error) {
		err := c.Admin.Get(ctx, client.ObjectKeyFromObject(profile), profile)
		return profile.Status.ObservedGeneration, err
	}, Patience, Interval).Should(gomega.Equal(profile.Generation))
}

// Condition reads an object and tells status and reason of a condition in one
// line; none where it is not there, or speaks of an older generation.
func (c *Cluster) Condition(ctx context.Context, object client.Object, kind string) func() string {
	return func() string {
		if err := c.Admin.Get(ctx, client.ObjectKeyFromObject(object), object); err != nil {
			return err.Error()
		}
		conditions, observed := phitest.ConditionsOf(object)
		found := meta.FindStatusCondition(conditions, kind)
		if found == nil || observed != object.GetGeneration() && found.Status != metav1.ConditionUnknown {
			return "none"
		}
		return string(found.Status) + " " + found.Reason
	}
}

// Events lists the reasons of events about an object, sorted.
func (c *Cluster) Events(ctx context.Context, object client.Object) func() []string {
	return func() []string {
		namespace := cmp.Or(object.GetNamespace(), metav1.NamespaceDefault)
		var list eventsv1.EventList
		if err := c.Admin.List(ctx, &list, client.InNamespace(namespace)); err != nil {
			return []string{err.Error()}
		}
		var reasons []string
		for i := range list.Items {
			if list.Items[i].Regarding.UID == object.GetUID() {
				reasons = append(reasons, list.Items[i].Reason)
			}
		}
		slices.Sort(reasons)
		return reasons
	}
}

// Approve decides about an exception as admission would have stamped it.
func (c *Cluster) Approve(ctx context.Context, x *hipaav1.ControlException) {
	ginkgo.GinkgoHelper()
	gomega.Eventually(func() error {
		if err := c.Admin.Get(ctx, client.ObjectKeyFromObject(x), x); err != nil {
			return err
		}
		digest, err := x.Spec.Digest()
		if err != nil {
			return err
		}
		w := &hipaav1.PHIWorkload{}
		if err := c.Admin.Get(ctx, client.ObjectKey{Namespace: x.Namespace, Name: x.Spec.WorkloadRef.Name}, w); err != nil {
			return err
		}
		now := metav1.Now()
		x.Status.Approval = &hipaav1.Approval{
			Decision: hipaav1.DecisionApproved, Approver: "officer@example.org", Time: &now, SpecDigest: digest, Generation: x.Generation, WorkloadUID: string(w.UID),
		}
		return c.Admin.Status().Update(ctx, x, client.FieldOwner("officer"))
	}, Patience, Interval).Should(gomega.Succeed())
}

// Age waits until what is created from now on is younger than an object, by the
// API server's whole seconds.
func Age(object client.Object) {
	ginkgo.GinkgoHelper()
	now := clock.RealClock{}
	gomega.Eventually(func() time.Duration { return now.Since(object.GetCreationTimestamp().Time) }, Patience, Interval).
		Should(gomega.BeNumerically(">", time.Second))
}
