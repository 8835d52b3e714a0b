package e2e_test

import (
	"os"
	"path/filepath"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
	"github.com/hipaa-operator/hipaa-operator/internal/phitest"
)

// The manager finds types and reads resources with the rights of its own manifests.
var _ = Describe("Infrastructure that is declared in the cluster", Serial, func() {
	It("is Unknown, judged once its CRD comes, and refused where it lacks a safeguard", func() {
		namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "infrastructure"}}
		Expect(admin.Create(ctx, namespace)).To(Succeed())
		DeferCleanup(func() { deleteNamespace(namespace.Name) })
		declared := client.RawPatch("application/merge-patch+json", []byte(`{"metadata":{"labels":{"`+hipaav1.LabelPHI+`":"true"}}}`))
		Expect(admin.Patch(ctx, namespace, declared)).To(Succeed())
		workload := phitest.Workload("api").Namespace(namespace.Name).Obj()
		Eventually(func() error { return admin.Create(ctx, workload) }).Should(Succeed())
		said := func() string {
			w := &hipaav1.PHIWorkload{}
			if err := admin.Get(ctx, client.ObjectKeyFromObject(workload), w); err != nil {
				return err.Error()
			}
			for _, c := range w.Status.Controls {
				if c.ID == "key-rotation" {
					return string(c.Verdict) + ": " + c.Message
				}
			}
			return ""
		}
		Eventually(said).Should(And(HavePrefix("Unknown: "), ContainSubstring("managed outside this cluster")))

		text, err := os.ReadFile(filepath.Join(root, "internal", "control", "catalog", "testdata", "crds", "keys.kms.services.k8s.aws.yaml"))
		Expect(err).NotTo(HaveOccurred())
		crd := &unstructured.Unstructured{}
		Expect(yaml.Unmarshal(text, &crd.Object)).To(Succeed())
		Expect(admin.Create(ctx, crd)).To(Succeed())
		DeferCleanup(func() { Expect(client.IgnoreNotFound(admin.Delete(ctx, crd))).To(Succeed()) })
		key := func(rotated bool) *unstructured.Unstructured {
			return &unstructured.Unstructured{Object: map[string]any{
				"apiVersion": "kms.services.k8s.aws/v1alpha1", "kind": "Key",
				"metadata": map[string]any{"generateName": "key-", "namespace": namespace.Name}, "spec": map[string]any{"enableKeyRotation": rotated},
			}}
		}
		Eventually(func() error { return admin.Create(ctx, key(true)) }).Should(Succeed())
		Eventually(said).Should(HavePrefix("Pass: spec.enableKeyRotation is true"))
		Expect(admin.Create(ctx, key(false))).To(MatchError(ContainSubstring("\n  key-rotation ")))
		Expect(admin.Delete(ctx, crd)).To(Succeed())
		Eventually(said).Should(And(HavePrefix("Unknown: "), ContainSubstring("managed outside this cluster")))
	})
})
