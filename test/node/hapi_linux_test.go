package node_test

import (
	"io/fs"
	"net"
	"os"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
	"github.com/hipaa-operator/hipaa-operator/internal/phitest"
)

// hapiManifest is what the chart of the FHIR server renders to. Others wrote it; it lies beside the project.
const hapiManifest = "../../../shared/manifests/hapi-fhir/rendered.yaml"

var _ = Describe("The FHIR server of others, as its chart installs it", func() {
	It("waits for its database behind the proxy, is asked its own probes, and is called by the names of its ports", func() {
		deployment, service := readHapi()
		t := foundTown(namespaceEHR)
		t.add(1, postgres(t.namespace, "postgres", "fhir"), 5432, 5432, phitest.FromWorkload(deployment.Name))
		server := &corev1.Pod{ObjectMeta: deployment.Spec.Template.ObjectMeta, Spec: deployment.Spec.Template.Spec}
		server.Namespace, service.Namespace = t.namespace, t.namespace
		w := phitest.Workload(deployment.Name).Namespace(t.namespace).Port("http", 8080).Obj()
		w.Spec.Selector = *deployment.Spec.Selector
		w.Spec.Access = &hipaav1.Access{From: []hipaav1.AccessPeer{phitest.FromWorkload("portal")}}
		t.parts = append(t.parts, &part{PHIWorkload: w, pod: server, service: service, replicas: 1})
		caller := t.application("portal", "-listen", "3000")
		caller.Spec.Containers[0].Ports[0].ContainerPort = 3000
		t.add(1, caller, 3000, 80)
		t.calls("portal", w.Name)
		t.calls(w.Name, "postgres")
		t.declare()
		Expect(admin.Create(ctx, &corev1.Secret{
			ObjectMeta: metav1.ObjectMeta{Namespace: t.namespace, Name: "hapi-db"}, StringData: map[string]string{"postgresql-password": password},
		})).To(Succeed())

		By("starting the server before its database")
		const waiting = "Waiting for DB fhir@postgres.ehr.svc:5432 to be up"
		for _, p := range t.parts[1:] {
			Expect(admin.Create(ctx, p.deployment())).To(Succeed())
		}
		waits := func() (string, error) {
			return kubectl("logs", "-n", t.namespace, "deployment/"+w.Name, "-c", "wait-for-db-to-be-ready")
		}
		Eventually(waits).Should(ContainSubstring(waiting), t.troubles)
		Expect(admin.Create(ctx, t.parts[0].deployment())).To(Succeed())
		t.settle()
		Expect(waits()).To(ContainSubstring("accepting connections"))

		pod := t.podsLike(deployment.Spec.Selector.MatchLabels)[0]
		for _, status := range append(pod.Status.InitContainerStatuses, pod.Status.ContainerStatuses...) {
			Expect(status.RestartCount).To(BeZero(), status.Name)
		}
		Expect(t.asks("portal", "http://"+service.Name+":8080/caller")).To(HavePrefix("127.0.0.6:"))
		By("leaving the port alone that is not declared, and closing the one that is to who has no certificate")
		Expect(request(net.JoinHostPort(service.Spec.ClusterIP, "8081"), "/caller", nil)).NotTo(BeEmpty())
		said, err := request(net.JoinHostPort(service.Spec.ClusterIP, "8080"), "/caller", nil)
		Expect(err).To(HaveOccurred(), said)
	})
})

// namespaceEHR is the one that the manifests' names lead to.
func namespaceEHR() string {
	GinkgoHelper()
	n := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "ehr", Labels: map[string]string{
		hipaav1.LabelPHI: hipaav1.LabelPHIValue, governed: proxied,
	}}}
	Expect(admin.Create(ctx, n)).To(Succeed())
	DeferCleanup(func() { Expect(admin.Delete(ctx, n)).To(Succeed()) })
	return n.Name
}

// readHapi reads the Deployment and its Service. Their images cannot be had: what stands in for them
// binds the same ports and answers the same probes, sooner than a Java virtual machine would.
func readHapi() (*appsv1.Deployment, *corev1.Service) {
	GinkgoHelper()
	text, err := os.ReadFile(hapiManifest)
	if os.IsNotExist(err) {
		Skip("the folder shared/manifests is not beside the project: " + fs.ErrNotExist.Error())
	}
	Expect(err).NotTo(HaveOccurred())
	var deployment *appsv1.Deployment
	var service *corev1.Service
	for document := range strings.SplitSeq(string(text), "\n---\n") {
		object, _, err := clientgoscheme.Codecs.UniversalDeserializer().Decode([]byte(document), nil, nil)
		Expect(err).NotTo(HaveOccurred())
		switch object := object.(type) {
		case *appsv1.Deployment:
			deployment = object
		case *corev1.Service:
			service = object
		}
	}
	waits, server := &deployment.Spec.Template.Spec.InitContainers[0], &deployment.Spec.Template.Spec.Containers[0]
	waits.Image, waits.ImagePullPolicy = postgresImage, corev1.PullNever
	waits.Args[0] = strings.ReplaceAll(waits.Args[0], "sleep 15", "sleep 1")
	server.Image, server.ImagePullPolicy, server.Args = recordsImage, corev1.PullNever, []string{"-listen", "8080,8081"}
	for _, probe := range []*corev1.Probe{server.StartupProbe, server.LivenessProbe, server.ReadinessProbe} {
		probe.InitialDelaySeconds, probe.PeriodSeconds = 1, 1
	}
	return deployment, service
}
