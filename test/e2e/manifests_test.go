package e2e_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/controller-runtime/pkg/client"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
	"github.com/hipaa-operator/hipaa-operator/internal/phitest"
)

// manifests are real applications that others wrote, beside the project.
const manifests = root + "/../shared/manifests"

var _ = Describe("Real applications", Ordered, func() {
	BeforeAll(func() {
		if _, err := os.Stat(manifests); err != nil {
			Skip("the folder shared/manifests is not beside the project: real applications are not tried")
		}
	})

	It("judges HAPI FHIR: what can be met is met, the rest is Unknown", func() {
		namespace := phiNamespace("hapi")
		disks := phitest.Profile("hapi-disks").Selecting(corev1.LabelMetadataName, namespace).
			NodeDisksStated(metav1.NewTime(time.Now().Add(time.Hour))).SecretsReviewed(metav1.NewTime(time.Now().Add(time.Hour))).Obj()
		Expect(admin.Create(ctx, disks)).To(Succeed())
		DeferCleanup(func() { Expect(admin.Delete(ctx, disks)).To(Succeed()) })
		workload := phitest.Workload("hapi").Namespace(namespace).
			Selecting("app.kubernetes.io/name", "hapi-fhir-jpaserver", "app.kubernetes.io/instance", "hapi").
			From(phitest.FromGateway("ingress-nginx")).Obj()
		Expect(admin.Create(ctx, workload)).To(Succeed())
		chart := filepath.Join(manifests, "hapi-fhir", "rendered.yaml")
		Expect(applyFiles(namespace, chart)).To(Equal(map[string][]string{
			"Deployment/hapi-hapi-fhir-jpaserver":         {"database-tls", "unique-service-identity"},
			"Ingress/hapi-hapi-fhir-jpaserver":            {"https-redirect"},
			"Pod/hapi-hapi-fhir-jpaserver-test-endpoints": {"unique-service-identity"},
		}), "the chart is well hardened, but for what its values leave out")
		By("giving it values for a ServiceAccount, TLS to its database and TLS for its host")
		own := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "hapi"}}
		Expect(admin.Create(ctx, own)).To(Succeed())
		Expect(apply(namespace, []string{chart}, withValues)).To(BeEmpty())

		By("its Deployment runs, and its helm-test pod, which the selector matches, is admitted as one of its pods")
		Eventually(func(g Gomega) {
			var pods corev1.PodList
			g.Expect(admin.List(ctx, &pods, client.InNamespace(namespace), client.MatchingLabels{hipaav1.LabelWorkload: "hapi"})).To(Succeed())
			g.Expect(pods.Items).To(HaveLen(2))
		}).Should(Succeed())
		Eventually(func() map[string]hipaav1.Verdict { return verdicts(workload) }).Should(And(
			HaveKeyWithValue("pod-hardening", hipaav1.VerdictPass),
			HaveKeyWithValue("data-classification", hipaav1.VerdictPass),
			HaveKeyWithValue("volume-encryption", hipaav1.VerdictNotApplicable),
			HaveKeyWithValue("ephemeral-storage", hipaav1.VerdictPass),
			HaveKeyWithValue("unique-service-identity", hipaav1.VerdictPass),
			HaveKeyWithValue("no-public-exposure", hipaav1.VerdictPass),
			HaveKeyWithValue("assigned-responsibility", hipaav1.VerdictFail), // the shipped profile can name nobody
			HaveKeyWithValue("network-isolation", hipaav1.VerdictUnknown),
			HaveKeyWithValue("environment-separation", hipaav1.VerdictPass),
			HaveKeyWithValue("jurisdiction-tagging", hipaav1.VerdictFail), // its PHIWorkload states none
			HaveKeyWithValue("data-residency", hipaav1.VerdictUnknown),    // nor does the shipped profile name regions
			HaveKeyWithValue("intrusion-detection", hipaav1.VerdictFail),  // and nothing watches the test cluster's nodes
		))
	})

	It("judges OpenEMR: each refusal has its control", func() {
		namespace := phiNamespace("openemr")
		for name, labels := range map[string][]string{
			"openemr": {"name", "openemr"}, "phpmyadmin": {"name", "phpmyadmin"}, "mysql": {"app", "mysql"},
			"redis": {"app", "redis"}, "sentinel": {"app", "sentinel"}, "redisproxy": {"app", "redisproxy"},
		} {
			Expect(admin.Create(ctx, phitest.Workload(name).Namespace(namespace).Selecting(labels...).Obj())).To(Succeed())
		}
		files, err := filepath.Glob(filepath.Join(manifests, "openemr", "*.yaml"))
		Expect(err).NotTo(HaveOccurred())
		Expect(files).NotTo(BeEmpty())
		Expect(applyFiles(namespace, files...)).To(Equal(map[string][]string{
			"ConfigMap/mysql-configmap": {"no-embedded-credentials"},
			"ConfigMap/pipy-config":     {"database-tls", "no-embedded-credentials"}, // a proxy, which asks its Redis for no TLS
			"ConfigMap/redis-acl":       {"no-embedded-credentials"},
			"ConfigMap/redis-config":    {"no-embedded-credentials"},
			"Deployment/openemr":        {"no-embedded-credentials", "pod-hardening", "unique-service-identity"},
			"Deployment/phpmyadmin":     {"pod-hardening", "unique-service-identity"},
			"Deployment/redisproxy":     {"pod-hardening", "unique-service-identity"},
			"StatefulSet/mysql-sts":     {"pod-hardening", "unique-service-identity"},
			"StatefulSet/redis":         {"database-tls", "pod-hardening", "unique-service-identity"},
			"StatefulSet/sentinel":      {"database-tls", "no-embedded-credentials", "pod-hardening", "unique-service-identity"},
			"Service/openemr":           {"no-public-exposure"}, // a load balancer for callers that nobody declares
			"Service/phpmyadmin":        {"no-public-exposure"}, // the database's console on a port of every node
		}))

		By("its claims, written without a class, got the profile's encrypted one")
		var claims corev1.PersistentVolumeClaimList
		Expect(admin.List(ctx, &claims, client.InNamespace(namespace))).To(Succeed())
		Expect(claims.Items).NotTo(BeEmpty())
		for _, claim := range claims.Items {
			Expect(claim.Spec.StorageClassName).To(HaveValue(Equal("hipaa-encrypted")), "claim %s", claim.Name)
		}
	})
})

// applyFiles creates every object of some manifests in a namespace, and returns
// the controls that refused, by object. Objects of kinds that the cluster does
// not have (cert-manager's) are left out, as kubectl would.
func applyFiles(namespace string, files ...string) map[string][]string {
	GinkgoHelper()
	return apply(namespace, files, func(*unstructured.Unstructured) {})
}

func apply(namespace string, files []string, change func(*unstructured.Unstructured)) map[string][]string {
	GinkgoHelper()
	refusals := map[string][]string{}
	for _, file := range files {
		content, err := os.ReadFile(file)
		Expect(err).NotTo(HaveOccurred())
		for _, object := range documents(content) {
			object.SetNamespace(namespace)
			unstructured.RemoveNestedField(object.Object, "status")
			change(object)
			err := admin.Create(ctx, object)
			if err == nil || isNoMatch(err) || apierrors.IsAlreadyExists(err) {
				continue
			}
			refusals[object.GetKind()+"/"+object.GetName()] = controlsIn(err)
		}
	}
	return refusals
}

// withValues is what further values of the chart of HAPI FHIR come to.
func withValues(object *unstructured.Unstructured) {
	GinkgoHelper()
	switch object.GetKind() {
	case "Ingress":
		tls := []any{map[string]any{"hosts": []any{"fhir.example.org"}, "secretName": "fhir-tls"}}
		Expect(unstructured.SetNestedSlice(object.Object, tls, "spec", "tls")).To(Succeed())
		Expect(unstructured.SetNestedField(object.Object, "nginx", "spec", "ingressClassName")).To(Succeed())
	case "Deployment":
		withSettings(object.Object, "spec", "template", "spec")
	case "Pod":
		withSettings(object.Object, "spec")
	}
}

// withSettings has a pod run under the ServiceAccount hapi, and every container ask
// its database for TLS.
func withSettings(object map[string]any, path ...string) {
	GinkgoHelper()
	spec, found, err := unstructured.NestedMap(object, path...)
	Expect(err).NotTo(HaveOccurred())
	Expect(found).To(BeTrue())
	spec["serviceAccountName"] = "hapi"
	for _, list := range []string{"initContainers", "containers"} {
		containers, _, err := unstructured.NestedSlice(spec, list)
		Expect(err).NotTo(HaveOccurred())
		for _, container := range containers {
			askForTLS(container)
		}
		Expect(unstructured.SetNestedSlice(spec, containers, list)).To(Succeed())
	}
	Expect(unstructured.SetNestedMap(object, spec, path...)).To(Succeed())
}

func askForTLS(container any) {
	GinkgoHelper()
	c, is := container.(map[string]any)
	Expect(is).To(BeTrue())
	settings, _, err := unstructured.NestedSlice(c, "env")
	Expect(err).NotTo(HaveOccurred())
	for _, setting := range settings {
		if s, is := setting.(map[string]any); is && s["name"] == "SPRING_DATASOURCE_URL" {
			s["value"] = fmt.Sprint(s["value"], "&sslmode=require")
		}
	}
	settings = append(settings, map[string]any{"name": "PGSSLMODE", "value": "require"})
	Expect(unstructured.SetNestedSlice(c, settings, "env")).To(Succeed())
}

func documents(content []byte) []*unstructured.Unstructured {
	GinkgoHelper()
	reader := utilyaml.NewYAMLOrJSONDecoder(bytes.NewReader(content), 4096)
	var all []*unstructured.Unstructured
	for {
		object := &unstructured.Unstructured{}
		err := reader.Decode(object)
		if errors.Is(err, io.EOF) {
			return all
		}
		Expect(err).NotTo(HaveOccurred())
		if len(object.Object) > 0 {
			all = append(all, object)
		}
	}
}

func isNoMatch(err error) bool {
	return strings.Contains(err.Error(), "no matches for kind") || strings.Contains(err.Error(), "could not find the requested resource")
}

// controlsIn names the controls that a denial lists.
func controlsIn(err error) []string {
	var controls []string
	for line := range strings.SplitSeq(err.Error(), "\n") {
		id, rest, found := strings.Cut(strings.TrimSpace(line), " ")
		if found && strings.HasPrefix(strings.TrimSpace(rest), "45 CFR") && !slices.Contains(controls, id) {
			controls = append(controls, id)
		}
	}
	if len(controls) == 0 {
		return []string{err.Error()}
	}
	return controls
}

func verdicts(workload *hipaav1.PHIWorkload) map[string]hipaav1.Verdict {
	live := &hipaav1.PHIWorkload{}
	if err := admin.Get(ctx, client.ObjectKeyFromObject(workload), live); err != nil {
		return nil
	}
	found := map[string]hipaav1.Verdict{}
	for _, result := range live.Status.Controls {
		found[result.ID] = result.Verdict
	}
	return found
}
