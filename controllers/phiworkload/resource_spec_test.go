package phiworkload_test

import (
	"context"
	"os"
	"path/filepath"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
	"github.com/hipaa-operator/hipaa-operator/internal/control"
	"github.com/hipaa-operator/hipaa-operator/internal/phitest"
)

// definition is the CRD of a type that rules match.
func definition(name string) *unstructured.Unstructured {
	GinkgoHelper()
	text, err := os.ReadFile(filepath.Join("..", "..", "internal", "control", "catalog", "testdata", "crds", name+".yaml"))
	Expect(err).NotTo(HaveOccurred())
	crd := &unstructured.Unstructured{}
	Expect(yaml.Unmarshal(text, &crd.Object)).To(Succeed())
	return crd
}

// gone deletes an object and waits until it has gone.
func gone(ctx context.Context, object client.Object) {
	GinkgoHelper()
	Expect(client.IgnoreNotFound(cluster.Admin.Delete(ctx, object))).To(Succeed())
	Eventually(func() bool {
		return apierrors.IsNotFound(cluster.Admin.Get(ctx, client.ObjectKeyFromObject(object), object))
	}, patience, interval).Should(BeTrue())
}

var _ = Describe("A type of resource that comes and goes with its CRD", Serial, func() {
	verdict := func(ctx context.Context, p place, id string) func() string {
		return func() string {
			w := &hipaav1.PHIWorkload{}
			if err := cluster.Admin.Get(ctx, p.key("api"), w); err != nil {
				return err.Error()
			}
			for _, c := range w.Status.Controls {
				if c.ID == id {
					return string(c.Verdict) + ": " + c.Message
				}
			}
			return ""
		}
	}
	rotation := func(ctx context.Context, p place) func() string { return verdict(ctx, p, "key-rotation") }
	key := func(version, namespace, claimedBy string, spec map[string]any) *unstructured.Unstructured {
		u := &unstructured.Unstructured{Object: map[string]any{
			"apiVersion": version, "kind": "Key", "metadata": map[string]any{"generateName": "key-", "namespace": namespace}, "spec": spec,
		}}
		if claimedBy != "" {
			u.SetLabels(map[string]string{control.LabelClaimNamespace: claimedBy})
		}
		return u
	}
	const ack, crossplane = "kms.services.k8s.aws/v1alpha1", "kms.aws.upbound.io/v1beta1"
	unknown := HavePrefix("Unknown: PHIWorkload/api: no resource of the namespace declares what this control judges, and the infrastructure may be managed outside this cluster")

	It("is Unknown, then found without a restart, and Unknown again", func(ctx context.Context) {
		p := newPlace(ctx, phitest.Profile("").Mode(hipaav1.ModeAudit))
		other := newPlace(ctx, phitest.Profile("").Mode(hipaav1.ModeAudit))
		create(ctx, p.workload("api").Obj())
		create(ctx, other.workload("api").Obj())
		Eventually(rotation(ctx, p), patience, interval).Should(unknown)

		By("a CRD alone, which says nothing of what there is elsewhere")
		crd := definition("keys.kms.services.k8s.aws")
		create(ctx, crd)
		DeferCleanup(func(ctx context.Context) { gone(ctx, definition("keys.kms.services.k8s.aws")) })
		Consistently(rotation(ctx, p), awhile, interval).Should(HavePrefix("Unknown: "))
		Eventually(rotation(ctx, p), patience, interval).Should(unknown)

		By("a key that is not rotated")
		bad := key(ack, p.name, "", map[string]any{})
		Eventually(func() error { return cluster.Admin.Create(ctx, bad) }, patience, interval).Should(Succeed())
		Eventually(rotation(ctx, p), patience, interval).Should(HavePrefix("Fail: Key/" + bad.GetName() + ": spec.enableKeyRotation is not true"))

		By("one that is, and the other gone")
		create(ctx, key(ack, p.name, "", map[string]any{"enableKeyRotation": true}))
		gone(ctx, bad)
		Eventually(rotation(ctx, p), patience, interval).Should(HavePrefix("Pass: spec.enableKeyRotation is true"))
		Expect(rotation(ctx, other)()).To(unknown, "another namespace's key proves nothing here")

		By("the CRD gone")
		gone(ctx, crd)
		Eventually(rotation(ctx, p), patience, interval).Should(unknown)
	})

	It("is told by its group alone where no rule knows it, or is known to be served and not read", func(ctx context.Context) {
		stated := hipaav1.Statement{StatedBy: "Dana Reyes", Reason: "compared with the page", Expires: metav1.NewTime(time.Now().Add(time.Hour))}
		p := newPlace(ctx, phitest.Profile("").Mode(hipaav1.ModeAudit).CloudServices(hipaav1.CloudServiceParameters{
			ListCompared: &hipaav1.ListComparison{ComparedOn: metav1.NewTime(time.Now().Add(-time.Hour)), Statement: stated},
		}))
		create(ctx, p.workload("api").Obj())
		services := verdict(ctx, p, "eligible-services")
		nothing := HavePrefix("Unknown: PHIWorkload/api: no resource of the namespace tells which services of a cloud it uses")
		Eventually(services, patience, interval).Should(nothing)

		By("a service that is not on the list")
		const runner, newcomer = "services.apprunner.aws.m.upbound.io", "gadgets.newcomer.services.k8s.aws"
		create(ctx, definition(runner))
		DeferCleanup(func(ctx context.Context) { gone(ctx, definition(runner)) })
		used := &unstructured.Unstructured{Object: map[string]any{
			"apiVersion": "apprunner.aws.m.upbound.io/v1beta1", "kind": "Service", "metadata": map[string]any{"name": "intake", "namespace": p.name},
			"spec": map[string]any{"forProvider": map[string]any{"region": "us-east-1"}},
		}}
		Eventually(func() error { return cluster.Admin.Create(ctx, used) }, patience, interval).Should(Succeed())
		Eventually(services, patience, interval).Should(HavePrefix(`Fail: Service/intake: apiVersion is of AWS App Runner ("apprunner"), which is not on AWS's list`))
		gone(ctx, used)
		Eventually(services, patience, interval).Should(nothing)

		By("a type of a service that came after the list, of which nobody knows whether there are any")
		create(ctx, definition(newcomer))
		DeferCleanup(func(ctx context.Context) { gone(ctx, definition(newcomer)) })
		Eventually(services, patience, interval).Should(HavePrefix("Unknown: PHIWorkload/api: the cluster serves " + newcomer + ", which the operator does not read"))
		gone(ctx, definition(newcomer))
		Eventually(services, patience, interval).Should(nothing)
	})

	It("is judged by controls that a profile brings, until an exception covers them", func(ctx context.Context) {
		const custom = "custom-described-keys"
		p := newPlace(ctx, base().Mode(hipaav1.ModeAudit).Brings(hipaav1.CustomControl{
			ID: custom, Cites: []string{"164.312(b)"}, Remedy: "say what the key is for",
			Checks: []hipaav1.CustomCheck{{
				Match:      []hipaav1.MatchedType{{Group: "kms.services.k8s.aws", Version: "v1alpha1", Resource: "keys", Kind: "Key"}},
				Expression: "has(object.spec.description)", Path: "spec.description", Message: "is missing", Met: "is there",
			}},
		}))
		create(ctx, p.workload("api").Obj())
		create(ctx, definition("keys.kms.services.k8s.aws"))
		DeferCleanup(func(ctx context.Context) { gone(ctx, definition("keys.kms.services.k8s.aws")) })
		bad := key(ack, p.name, "", map[string]any{"enableKeyRotation": true})
		Eventually(func() error { return cluster.Admin.Create(ctx, bad) }, patience, interval).Should(Succeed())
		Eventually(verdict(ctx, p, custom), patience, interval).Should(Equal("Fail: Key/" + bad.GetName() + ": spec.description is missing; say what the key is for"))

		approve(ctx, create(ctx, phitest.Exception("undescribed", "api", custom).Namespace(p.name).Expires(metav1.NewTime(time.Now().Add(time.Hour))).Obj()))
		Eventually(verdict(ctx, p, custom), patience, interval).Should(HavePrefix("Excepted: "))

		By("the profile without it")
		p.changeProfile(ctx, func(profile *hipaav1.ComplianceProfile) { profile.Spec.CustomControls = nil })
		Eventually(verdict(ctx, p, custom), patience, interval).Should(BeEmpty())
	})

	It("counts for the namespace of its claim where it is of the whole cluster", func(ctx context.Context) {
		p := newPlace(ctx, phitest.Profile("").Mode(hipaav1.ModeAudit))
		create(ctx, p.workload("api").Obj())
		create(ctx, definition("keys.kms.aws.upbound.io"))
		DeferCleanup(func(ctx context.Context) { gone(ctx, definition("keys.kms.aws.upbound.io")) })
		good := map[string]any{"forProvider": map[string]any{"region": "us-east-1", "enableKeyRotation": true}}
		nobodys := key(crossplane, "", "", good)
		nobodys.SetLabels(map[string]string{hipaav1.LabelPHI: "true"})
		Eventually(func() error { return cluster.Admin.Create(ctx, nobodys) }, patience, interval).Should(Succeed())

		By("a good one that says it holds PHI, and not whose, which proves nothing for anybody")
		Consistently(rotation(ctx, p), awhile, interval).Should(HavePrefix("Unknown: "))
		create(ctx, key(crossplane, "", p.name, good))
		Eventually(rotation(ctx, p), patience, interval).Should(HavePrefix("Pass: "))

		By("the same one spoilt, which fails everybody")
		Expect(unstructured.SetNestedField(nobodys.Object, false, "spec", "forProvider", "enableKeyRotation")).To(Succeed())
		Expect(cluster.Admin.Update(ctx, nobodys)).To(Succeed())
		Eventually(rotation(ctx, p), patience, interval).Should(HavePrefix("Fail: Key/" + nobodys.GetName()))

		By("another's claim")
		gone(ctx, nobodys)
		create(ctx, key(crossplane, "", "somewhere-else", map[string]any{"forProvider": map[string]any{"region": "us-east-1"}}))
		Eventually(rotation(ctx, p), patience, interval).Should(HavePrefix("Pass: "))
	})
})
