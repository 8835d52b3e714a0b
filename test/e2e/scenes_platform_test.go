package e2e_test

import (
	"crypto/tls"
	"os"
	"path/filepath"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/intstr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
	"github.com/hipaa-operator/hipaa-operator/internal/phitest"
)

// scene stages a break and says what becomes of it.
type scene = struct {
	stage   func(namespace string) *hipaav1.PHIWorkload
	verdict hipaav1.Verdict
	says    string
}

// platformScenes stage what stands under PHI: nodes, and what other systems report.
var platformScenes = map[string]scene{
	"a kubelet that nobody supports any more": {
		onNode(func(i *corev1.NodeSystemInfo) { i.KubeletVersion = "v1.30.14" }), hipaav1.VerdictFail, "is v1.30.14, whose support ended",
	},
	"an operating system that nobody supports any more": {
		onNode(func(i *corev1.NodeSystemInfo) { i.OSImage = "Ubuntu 20.04.6 LTS" }), hipaav1.VerdictFail, "is Ubuntu 20.04.6 LTS, whose support ended",
	},
	"a container runtime that nobody supports any more": {
		onNode(func(i *corev1.NodeSystemInfo) { i.ContainerRuntimeVersion = "containerd://1.6.39" }), hipaav1.VerdictFail, "is containerd://1.6.39, whose support ended",
	},
	"an operating system that the table does not know": {
		onNode(func(i *corev1.NodeSystemInfo) { i.OSImage = "Homegrown Linux 7" }), hipaav1.VerdictUnknown, "is Homegrown Linux 7, which the operator's table",
	},
	"a node that reports no version of its kubelet": {
		onNode(func(i *corev1.NodeSystemInfo) { i.KubeletVersion = "" }), hipaav1.VerdictUnknown, "status.nodeInfo.kubeletVersion is not reported",
	},
	"a certificate that has ended": {
		reporting("certificates.cert-manager.io", certificateWith(map[string]any{"notAfter": "2025-12-01T00:00:00Z"})), hipaav1.VerdictFail, "is 2025-12-01, which has passed",
	},
	"a certificate that was never issued": {
		reporting("certificates.cert-manager.io", certificateWith(nil)), hipaav1.VerdictUnknown, "cert-manager has not issued it",
	},
	"an image with an old critical hole":             {scanned(0, "2025-06-01T00:00:00Z"), hipaav1.VerdictFail, "CVE-2025-0001 is public since 2025-06-01: longer than 30 days"},
	"an image with a critical hole that has no date": {scanned(0, ""), hipaav1.VerdictUnknown, "CVE-2025-0001 is critical, and the report does not say since when"},
	"an image that was scanned long ago":             {scanned(60), hipaav1.VerdictUnknown, "older than 7 days"},
	"an image that nobody scanned": {
		func(namespace string) *hipaav1.PHIWorkload {
			workload := phitest.Workload("api").Namespace(namespace).Obj()
			return later(namespace, workload, phitest.Pod("api-0").Of(workload).Obj())
		}, hipaav1.VerdictUnknown, "of which no VulnerabilityReport tells",
	},
	"a Velero schedule into a place without a key": {
		veleroBrings(map[string]any{"region": "us-east-1"}), hipaav1.VerdictFail, "BackupStorageLocation/offsite spec.config names no key of your own",
	},
	"a Velero schedule into a place that is not there": {
		veleroBrings(nil), hipaav1.VerdictUnknown, "BackupStorageLocation/offsite is not there, and a Schedule or Backup of Velero names it",
	},
	"a Velero backup that nobody scheduled, into a place without a key": {
		func(namespace string) *hipaav1.PHIWorkload {
			serve("backups.velero.io")
			return veleroHolds(namespace, map[string]any{}, "Backup", map[string]any{"includedNamespaces": []any{namespace}, "storageLocation": "offsite"})
		}, hipaav1.VerdictFail, "BackupStorageLocation/offsite spec.config names no key of your own",
	},
	"a snapshot of a volume without a key": {
		snapshotted("ebs.csi.aws.com", nil), hipaav1.VerdictFail, "VolumeSnapshot/web spec.source is a copy of claim data, which is not encrypted",
	},
	"a snapshot that Longhorn takes to a backup target": {
		snapshotted("driver.longhorn.io", map[string]any{"type": "bak"}), hipaav1.VerdictUnknown, "which takes the copy to a backup target that shows no key",
	},
	"a scheduled backup of a database that says not where to": {
		reporting("scheduledbackups.postgresql.cnpg.io", custom("postgresql.cnpg.io/v1", "ScheduledBackup", fields{
			"cluster": fields{"name": "orders"}, "schedule": "0 0 3 * * *",
		})), hipaav1.VerdictUnknown, "ScheduledBackup/web spec.cluster names a Cluster that says nothing of where its backups go",
	},
	"production that reads the remote secret of a test workload": {
		readingAlike, hipaav1.VerdictFail, "-test/database of environment Test reads, and this one is of Production",
	},
	"a load balancer that accepts TLS 1.0 when it is dialled": {
		answering(speaking(tls.VersionTLS10, tls.VersionTLS10)), hipaav1.VerdictFail, "spec.ports[0] accepted TLS 1.0 when it was dialled on ",
	},
	"a load balancer that shows a certificate which has ended": {
		ended, hipaav1.VerdictFail, "Service/edge spec.ports[0] shows a certificate whose end is 2025-12-01, which has passed",
	},
	"a load balancer that answers plaintext when it is dialled": {
		answering(nil), hipaav1.VerdictFail, "spec.ports[0] answered plaintext with status 200 when it was dialled on ",
	},
	// This control plane has no encryption configuration; internal/canary tries those that have.
	"API servers that store Secrets in the clear": {closed, hipaav1.VerdictFail, "API servers store Secrets in the clear (identity)"},
	"no backup that can be seen":                  {closed, hipaav1.VerdictUnknown, "no backup of the namespace is declared"},
	"a Secret that no external manager makes":     {takingSecret(nil), hipaav1.VerdictUnknown, "Secret/eprescribe is made by no ExternalSecret"},
	"a Secret that an ExternalSecret did not make yet": {
		takingSecret(externalSecret("Owner", "False")), hipaav1.VerdictUnknown, "is named by ExternalSecret/eprescribe, which is not Ready",
	},
	"a Secret to which an ExternalSecret only adds": {
		takingSecret(externalSecret("Merge", "True")), hipaav1.VerdictUnknown, "which may add to one that somebody else made",
	},
	"a service of a cloud without a list": {
		func(namespace string) *hipaav1.PHIWorkload {
			serve("storagebuckets.storage.cnrm.cloud.google.com")
			return later(namespace, phitest.Workload("api").Namespace(namespace).Obj(),
				custom("storage.cnrm.cloud.google.com/v1beta1", "StorageBucket", fields{"location": "us-east1"}))
		}, hipaav1.VerdictUnknown, `StorageBucket/web: apiVersion is of "storage" of Google Cloud, and the operator has no list`,
	},
	"a type of a service that nobody reads": {
		func(namespace string) *hipaav1.PHIWorkload {
			serve("gadgets.newcomer.services.k8s.aws")
			return closed(namespace)
		}, hipaav1.VerdictUnknown, "the cluster serves gadgets.newcomer.services.k8s.aws, which the operator does not read",
	},
	"no resource of a cloud that can be seen": {closed, hipaav1.VerdictUnknown, "no resource of the namespace tells which services of a cloud it uses"},
	"no certificate that can be seen":         {closed, hipaav1.VerdictUnknown, "no certificate of the workload can be seen"},
	"an Ingress with a certificate that came otherwise": {
		func(namespace string) *hipaav1.PHIWorkload {
			service := phitest.Service("api").Port("http", 80, intstr.FromString("http")).Obj()
			workload := phitest.Workload("api").Namespace(namespace).Obj()
			service.Spec.Selector = workload.Spec.Selector.MatchLabels
			return later(namespace, workload, service, phitest.Ingress("web", "a.example.org", service.Name).Obj())
		}, hipaav1.VerdictUnknown, `Ingress/web spec.tls[0] names Secret "web-tls", which no Certificate`,
	},
}

// sceneOf finds the scene of a break.
func sceneOf(name string) (scene, bool) {
	if found, known := scenes[name]; known {
		return found, true
	}
	if found, known := gatewayScenes[name]; known {
		return found, true
	}
	if found, known := vendorScenes[name]; known {
		return found, true
	}
	found, known := platformScenes[name]
	return found, known
}

// onNode is a workload whose pod was on a node before people declared the namespace.
func onNode(change func(*corev1.NodeSystemInfo)) func(string) *hipaav1.PHIWorkload {
	return func(namespace string) *hipaav1.PHIWorkload {
		GinkgoHelper()
		node := phitest.Node(namespace).Runs(change).Obj()
		reports := node.Status
		Expect(admin.Create(ctx, node)).To(Succeed())
		DeferCleanup(func() { Expect(client.IgnoreNotFound(admin.Delete(ctx, node))).To(Succeed()) })
		before := node.DeepCopy()
		node.Status.NodeInfo = reports.NodeInfo
		Expect(admin.Status().Patch(ctx, node, client.MergeFrom(before))).To(Succeed())
		workload := phitest.Workload("api").Namespace(namespace).Obj()
		running := phitest.Pod("api-0").Of(workload).Obj()
		running.Spec.NodeName = node.Name
		return later(namespace, workload, running)
	}
}

// reporting is a workload in whose namespace another system reports. The CRD goes with
// the spec.
func reporting(crd string, report *unstructured.Unstructured) func(string) *hipaav1.PHIWorkload {
	return func(namespace string) *hipaav1.PHIWorkload {
		GinkgoHelper()
		serve(crd)
		workload := closed(namespace)
		made := fresh(report.DeepCopy(), namespace)
		status, reported := made.Object["status"]
		Eventually(func() error { return admin.Create(ctx, made) }).Should(Succeed())
		if reported {
			before := made.DeepCopy()
			made.Object["status"] = status
			Expect(admin.Status().Patch(ctx, made, client.MergeFrom(before))).To(Succeed())
		}
		return workload
	}
}

// serve creates a CRD for the time of a spec.
func serve(crd string) {
	GinkgoHelper()
	text, err := os.ReadFile(filepath.Join(root, "internal", "control", "catalog", "testdata", "crds", crd+".yaml"))
	Expect(err).NotTo(HaveOccurred())
	definition := &unstructured.Unstructured{}
	Expect(yaml.Unmarshal(text, &definition.Object)).To(Succeed())
	Eventually(func() error { return admin.Create(ctx, definition) }).Should(Succeed(), "the one of the spec before has to go first")
	DeferCleanup(func() { Expect(admin.Delete(ctx, definition)).To(Succeed()) })
}

// scanned is a workload with a pod whose image was scanned some days ago, and since when
// its one critical hole is public; a scan without an age has no time.
func scanned(daysAgo int, published ...string) func(string) *hipaav1.PHIWorkload {
	return func(namespace string) *hipaav1.PHIWorkload {
		GinkgoHelper()
		serve("vulnerabilityreports.aquasecurity.github.io")
		workload := phitest.Workload("api").Namespace(namespace).Obj()
		running := phitest.Pod("api-0").Of(workload).Obj()
		running.Spec.Containers[0].Image = "registry.example.org/scanned:1.0.0"
		holes := []any{}
		for _, since := range published {
			holes = append(holes, map[string]any{
				"severity": "CRITICAL", "vulnerabilityID": "CVE-2025-0001", "publishedDate": since, "lastModifiedDate": since,
				"fixedVersion": "", "installedVersion": "1", "resource": "lib", "title": "",
			})
		}
		at := time.Now().AddDate(0, 0, -daysAgo).UTC().Format(time.RFC3339)
		return later(namespace, workload, running, &unstructured.Unstructured{Object: map[string]any{
			"apiVersion": "aquasecurity.github.io/v1alpha1", "kind": "VulnerabilityReport", "metadata": map[string]any{"name": "api"},
			"report": map[string]any{
				"artifact": map[string]any{"repository": "scanned", "tag": "1.0.0"}, "registry": map[string]any{"server": "registry.example.org"},
				"os": map[string]any{"family": "debian", "name": "13"}, "scanner": map[string]any{"name": "Trivy", "vendor": "Aqua Security", "version": "0"},
				"summary":         map[string]any{"criticalCount": int64(len(holes)), "highCount": int64(0), "lowCount": int64(0), "mediumCount": int64(0), "unknownCount": int64(0)},
				"updateTimestamp": at, "vulnerabilities": holes,
			},
		}})
	}
}

// veleroBrings is a workload whose namespace Velero backs up, from a namespace of its
// own, into a place of AWS; nil is none.
func veleroBrings(config map[string]any) func(string) *hipaav1.PHIWorkload {
	return func(namespace string) *hipaav1.PHIWorkload {
		serve("schedules.velero.io")
		return veleroHolds(namespace, config, "Schedule", map[string]any{
			"schedule": "0 3 * * *", "template": map[string]any{"includedNamespaces": []any{namespace}, "storageLocation": "offsite"},
		})
	}
}

// veleroHolds is a workload in whose favour Velero has an object in a namespace of its
// own, and a place of AWS; nil is none.
func veleroHolds(namespace string, config map[string]any, kind string, spec map[string]any) *hipaav1.PHIWorkload {
	GinkgoHelper()
	serve("backupstoragelocations.velero.io")
	velero := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace + "-velero"}}
	Expect(admin.Create(ctx, velero)).To(Succeed())
	DeferCleanup(func() { Expect(admin.Delete(ctx, velero)).To(Succeed()) })
	of := func(kind, name string, spec map[string]any) {
		Eventually(func() error {
			return admin.Create(ctx, &unstructured.Unstructured{Object: map[string]any{
				"apiVersion": "velero.io/v1", "kind": kind, "metadata": map[string]any{"namespace": velero.Name, "name": name}, "spec": spec,
			}})
		}).Should(Succeed())
	}
	workload := closed(namespace)
	of(kind, "nightly", spec)
	if config != nil {
		of("BackupStorageLocation", "offsite", map[string]any{"provider": "aws", "objectStorage": map[string]any{"bucket": "backups"}, "config": config})
	}
	return workload
}

// snapshotted is a workload whose pod mounts a claim that nothing encrypts, and a
// snapshot of it.
func snapshotted(driver string, parameters map[string]any) func(string) *hipaav1.PHIWorkload {
	return func(namespace string) *hipaav1.PHIWorkload {
		GinkgoHelper()
		serve("volumesnapshots.snapshot.storage.k8s.io")
		serve("volumesnapshotclasses.snapshot.storage.k8s.io")
		class := &unstructured.Unstructured{Object: map[string]any{
			"apiVersion": "snapshot.storage.k8s.io/v1", "kind": "VolumeSnapshotClass", "metadata": map[string]any{"name": namespace},
			"driver": driver, "deletionPolicy": "Delete",
		}}
		if parameters != nil {
			class.Object["parameters"] = parameters
		}
		Eventually(func() error { return admin.Create(ctx, class) }).Should(Succeed())
		plain := phitest.Class(namespace).Obj()
		plain.Parameters = map[string]string{"encrypted": "false"}
		Expect(admin.Create(ctx, plain)).To(Succeed())
		DeferCleanup(func() { Expect(admin.Delete(ctx, plain)).To(Succeed()) })
		claim := phitest.Claim("data").Obj()
		claim.Spec.StorageClassName = &plain.Name
		workload := phitest.Workload("api").Namespace(namespace).Obj()
		return later(namespace, workload, claim, phitest.Pod("api-0").Of(workload).Mounts("data", claim.Name).Obj(), custom("snapshot.storage.k8s.io/v1", "VolumeSnapshot", fields{
			"volumeSnapshotClassName": namespace, "source": fields{"persistentVolumeClaimName": claim.Name},
		}))
	}
}

func certificateWith(status map[string]any) *unstructured.Unstructured {
	c := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "cert-manager.io/v1", "kind": "Certificate", "metadata": map[string]any{"name": "web"},
		"spec": map[string]any{"secretName": "web-tls", "issuerRef": map[string]any{"name": "ca"}, "dnsNames": []any{"a.example.org"}},
	}}
	if status != nil {
		c.Object["status"] = status
	}
	return c
}

// later is a workload in a namespace that held some objects before people declared it.
func later(namespace string, workload *hipaav1.PHIWorkload, before ...client.Object) *hipaav1.PHIWorkload {
	GinkgoHelper()
	undeclared := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}}
	Expect(admin.Create(ctx, undeclared)).To(Succeed())
	DeferCleanup(func() { Expect(admin.Delete(ctx, undeclared)).To(Succeed()) })
	for _, object := range before {
		Eventually(func() error { return admin.Create(ctx, fresh(object, namespace)) }).Should(Succeed())
	}
	declared := client.RawPatch("application/merge-patch+json", []byte(`{"metadata":{"labels":{"`+hipaav1.LabelPHI+`":"true"}}}`))
	Expect(admin.Patch(ctx, undeclared, declared)).To(Succeed())
	Eventually(func() error { return admin.Create(ctx, workload) }).Should(Succeed())
	return workload
}
