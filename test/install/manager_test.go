package install

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	psapi "k8s.io/pod-security-admission/api"
	"k8s.io/pod-security-admission/policy"
	"sigs.k8s.io/yaml"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
)

// deployment is the one Deployment of config/default.
func deployment(t *testing.T) *appsv1.Deployment {
	t.Helper()
	found := all[*appsv1.Deployment](t, "default")
	if len(found) != 1 || found[0].Name != manager || found[0].Namespace != namespace {
		t.Fatalf("config/default has %d Deployments, want %s/%s alone", len(found), namespace, manager)
	}
	return found[0]
}

func TestEveryPodIsFitForPodSecurityRestricted(t *testing.T) {
	evaluator, err := policy.NewEvaluator(policy.DefaultChecks(), nil)
	if err != nil {
		t.Fatalf("making the evaluator: %v", err)
	}
	restricted := psapi.LevelVersion{Level: psapi.LevelRestricted, Version: psapi.LatestVersion()}
	for _, folder := range []string{"default", "samples"} {
		templates := podTemplates(t, folder)
		if len(templates) == 0 {
			t.Errorf("config/%s has no pod templates", folder)
		}
		for name, template := range templates {
			result := policy.AggregateCheckResults(evaluator.EvaluatePod(restricted, &template.ObjectMeta, &template.Spec))
			if !result.Allowed {
				t.Errorf("config/%s: %s is not restricted: %s", folder, name, result.ForbiddenDetail())
			}
			for _, container := range append(slices.Clone(template.Spec.InitContainers), template.Spec.Containers...) {
				if c := container.SecurityContext; c == nil || c.ReadOnlyRootFilesystem == nil || !*c.ReadOnlyRootFilesystem {
					t.Errorf("config/%s: %s: container %s can write its root file system", folder, name, container.Name)
				}
				if len(container.Resources.Requests) == 0 || container.Resources.Limits.Memory().IsZero() {
					t.Errorf("config/%s: %s: container %s has no requests or no limit of memory", folder, name, container.Name)
				}
			}
		}
	}
}

func podTemplates(t *testing.T, folder string) map[string]corev1.PodTemplateSpec {
	t.Helper()
	found := map[string]corev1.PodTemplateSpec{}
	for _, object := range all[runtime.Object](t, folder) {
		switch o := object.(type) {
		case *appsv1.Deployment:
			found["Deployment "+o.Name] = o.Spec.Template
		case *appsv1.StatefulSet:
			found["StatefulSet "+o.Name] = o.Spec.Template
		case *appsv1.DaemonSet:
			found["DaemonSet "+o.Name] = o.Spec.Template
		case *batchv1.Job:
			found["Job "+o.Name] = o.Spec.Template
		case *batchv1.CronJob:
			found["CronJob "+o.Name] = o.Spec.JobTemplate.Spec.Template
		}
	}
	return found
}

func TestTheImageIsPinnedByTheKustomization(t *testing.T) {
	source, err := os.ReadFile(filepath.Join(root, "config/default/kustomization.yaml"))
	if err != nil {
		t.Fatalf("reading the kustomization: %v", err)
	}
	var kustomization struct {
		Images []struct{ Name, NewTag, Digest string } `json:"images"`
	}
	if err := yaml.Unmarshal(source, &kustomization); err != nil {
		t.Fatalf("decoding the kustomization: %v", err)
	}
	pinned := map[string]string{}
	for _, image := range kustomization.Images {
		pinned[image.Name] = image.NewTag
	}
	version := regexp.MustCompile(`^v\d+\.\d+\.\d+(-[0-9a-z.]+)?$`)
	for name, template := range podTemplates(t, "default") {
		for _, container := range append(slices.Clone(template.Spec.InitContainers), template.Spec.Containers...) {
			image, tag, _ := strings.Cut(container.Image, ":")
			if tag == "" || pinned[image] != tag || !version.MatchString(tag) {
				t.Errorf("%s: image %q is not pinned to a version by the kustomization, which has %v", name, container.Image, pinned)
			}
		}
	}
}

func TestTheManagerOutlivesANode(t *testing.T) {
	d := deployment(t)
	spec := d.Spec.Template.Spec
	if d.Spec.Replicas == nil || *d.Spec.Replicas < 2 {
		t.Error("it has fewer than two replicas")
	}
	if spec.PriorityClassName != "system-cluster-critical" {
		t.Errorf("its priority is %q", spec.PriorityClassName)
	}
	spread := slices.ContainsFunc(spec.TopologySpreadConstraints, func(constraint corev1.TopologySpreadConstraint) bool {
		return constraint.TopologyKey == corev1.LabelHostname && selects(t, constraint.LabelSelector, d.Spec.Template.Labels)
	})
	if !spread {
		t.Error("its replicas are not spread over nodes")
	}
	covered := slices.ContainsFunc(all[*policyv1.PodDisruptionBudget](t, "default"), func(budget *policyv1.PodDisruptionBudget) bool {
		return selects(t, budget.Spec.Selector, d.Spec.Template.Labels)
	})
	if !covered {
		t.Error("no PodDisruptionBudget covers it")
	}
}

func TestTheManagerSaysWhetherItServesAndLeavesInGoodTime(t *testing.T) {
	spec := deployment(t).Spec.Template.Spec
	container := spec.Containers[0]
	for path, probe := range map[string]*corev1.Probe{"/healthz": container.LivenessProbe, "/readyz": container.ReadinessProbe} {
		if probe == nil || probe.HTTPGet == nil || probe.HTTPGet.Path != path {
			t.Errorf("no probe asks %s", path)
		}
	}
	if container.Lifecycle == nil || container.Lifecycle.PreStop == nil || container.Lifecycle.PreStop.Sleep == nil {
		t.Fatal("it leaves before the Service has forgotten it")
	}
	if spec.TerminationGracePeriodSeconds == nil || *spec.TerminationGracePeriodSeconds <= container.Lifecycle.PreStop.Sleep.Seconds+30 {
		t.Error("it has no time left to finish what it answers")
	}
}

func selects(t *testing.T, selector *metav1.LabelSelector, of map[string]string) bool {
	t.Helper()
	parsed, err := metav1.LabelSelectorAsSelector(selector)
	if err != nil {
		t.Fatalf("reading a selector: %v", err)
	}
	return !parsed.Empty() && parsed.Matches(labels.Set(of))
}

// ports are the ports on which the manager listens, by name.
func ports(d *appsv1.Deployment) map[string]int32 {
	listening := map[string]int32{}
	for _, port := range d.Spec.Template.Spec.Containers[0].Ports {
		listening[port.Name] = port.ContainerPort
	}
	return listening
}

func TestServicesLeadToPortsThatTheManagerOpens(t *testing.T) {
	d := deployment(t)
	listening := ports(d)
	services := all[*corev1.Service](t, "default")
	if len(services) < 2 {
		t.Fatalf("config/default has %d Services, want those of webhooks and metrics", len(services))
	}
	for _, service := range services {
		if service.Namespace != namespace || !labels.SelectorFromSet(service.Spec.Selector).Matches(labels.Set(d.Spec.Template.Labels)) {
			t.Errorf("Service %s/%s does not select the manager", service.Namespace, service.Name)
		}
		for _, port := range service.Spec.Ports {
			named := listening[port.TargetPort.StrVal] != 0
			numbered := port.TargetPort.IntVal != 0 && slices.Contains(values(listening), port.TargetPort.IntVal)
			if !named && !numbered {
				t.Errorf("Service %s leads to port %s, which the manager does not open: %v", service.Name, port.TargetPort.String(), listening)
			}
		}
	}
}

func values(of map[string]int32) []int32 {
	var found []int32
	for _, value := range of {
		found = append(found, value)
	}
	return found
}

func TestTheNetworkPolicyOpensEveryPortThatIsCalledFromOutside(t *testing.T) {
	d := deployment(t)
	open := map[int32]bool{}
	for _, p := range all[*networkingv1.NetworkPolicy](t, "default") {
		if !selects(t, &p.Spec.PodSelector, d.Spec.Template.Labels) {
			t.Errorf("NetworkPolicy %s selects no pod of the manager", p.Name)
		}
		if len(p.Spec.PolicyTypes) != 2 {
			t.Errorf("NetworkPolicy %s leaves one direction open", p.Name)
		}
		for _, rule := range p.Spec.Ingress {
			for _, port := range rule.Ports {
				open[port.Port.IntVal] = true
			}
		}
	}
	for name, want := range map[string]bool{"webhook": true, "metrics": true, "health": false} {
		if port := ports(d)[name]; port == 0 || open[port] != want {
			t.Errorf("port %s (%d): open to others %t, want %t", name, port, open[port], want)
		}
	}
}

func TestWebhooksCallAServiceThatIsInstalled(t *testing.T) {
	ports := map[string]int32{}
	for _, service := range all[*corev1.Service](t, "default") {
		for _, port := range service.Spec.Ports {
			ports[service.Namespace+"/"+service.Name] = port.Port
		}
	}
	called := 0
	check := func(name string, client admissionregistrationv1.WebhookClientConfig) {
		called++
		if client.Service == nil || client.Service.Path == nil {
			t.Errorf("webhook %s calls no Service", name)
			return
		}
		port := int32(443)
		if client.Service.Port != nil {
			port = *client.Service.Port
		}
		if key := client.Service.Namespace + "/" + client.Service.Name; ports[key] != port {
			t.Errorf("webhook %s calls %s on port %d, which is not installed", name, key, port)
		}
		if len(client.CABundle) > 0 {
			t.Errorf("webhook %s brings a certificate that somebody else writes", name)
		}
	}
	for _, configuration := range all[*admissionregistrationv1.ValidatingWebhookConfiguration](t, "default") {
		for i := range configuration.Webhooks {
			check(configuration.Webhooks[i].Name, configuration.Webhooks[i].ClientConfig)
		}
	}
	for _, configuration := range all[*admissionregistrationv1.MutatingWebhookConfiguration](t, "default") {
		for i := range configuration.Webhooks {
			check(configuration.Webhooks[i].Name, configuration.Webhooks[i].ClientConfig)
		}
	}
	if called == 0 {
		t.Error("config/default has no webhooks")
	}
}

func TestTheCertificateIsMountedWhereTheManagerReadsIt(t *testing.T) {
	d := deployment(t)
	secrets := map[string]*corev1.Secret{}
	for _, secret := range all[*corev1.Secret](t, "default") {
		secrets[secret.Name] = secret
		if len(secret.Data)+len(secret.StringData) > 0 {
			t.Errorf("Secret %s stands in Git with data", secret.Name)
		}
	}
	for _, volume := range d.Spec.Template.Spec.Volumes {
		if volume.Secret == nil {
			continue
		}
		if secrets[volume.Secret.SecretName] == nil || volume.Secret.Optional == nil || !*volume.Secret.Optional {
			t.Errorf("volume %s: Secret %q is not installed, or pods wait for it", volume.Name, volume.Secret.SecretName)
		}
		mounted := slices.ContainsFunc(d.Spec.Template.Spec.Containers[0].VolumeMounts, func(mount corev1.VolumeMount) bool {
			return mount.Name == volume.Name && mount.MountPath == "/tmp/k8s-webhook-server/serving-certs" && mount.ReadOnly
		})
		if !mounted {
			t.Errorf("volume %s is not mounted where the manager reads its certificate", volume.Name)
		}
		delete(secrets, volume.Secret.SecretName)
	}
	delete(secrets, "hipaa-operator-encryption-canary") // it is written, and nobody reads it
	for name := range secrets {
		t.Errorf("Secret %s is installed and nobody mounts it", name)
	}
}

func TestNothingOfTheInstallationIsTakenForPHI(t *testing.T) {
	for _, object := range build(t, "default") {
		of := object.GetLabels()
		if of[hipaav1.LabelManagedBy] == hipaav1.ManagedByValue {
			t.Errorf("%s carries the label of objects that only the manager may change", describe(object))
		}
		if _, phi := of[hipaav1.LabelPHI]; phi {
			t.Errorf("%s is declared to hold PHI", describe(object))
		}
		if of["app.kubernetes.io/name"] != "hipaa-operator" && !strings.HasSuffix(object.GetName(), hipaav1.GroupName) && object.GetName() != manager {
			t.Errorf("%s does not say whose it is", describe(object))
		}
	}
}

func TestTheNamespaceHoldsItsPodsToRestricted(t *testing.T) {
	namespaces := all[*corev1.Namespace](t, "default")
	if len(namespaces) != 1 || namespaces[0].Name != namespace {
		t.Fatalf("config/default has %d namespaces, want %s", len(namespaces), namespace)
	}
	for _, mode := range []string{"enforce", "audit", "warn"} {
		if got := namespaces[0].Labels["pod-security.kubernetes.io/"+mode]; got != "restricted" {
			t.Errorf("Pod Security %s is %q, want restricted", mode, got)
		}
	}
	for _, object := range build(t, "default") {
		if ns := object.GetNamespace(); ns != "" && ns != namespace {
			t.Errorf("%s is outside %s", describe(object), namespace)
		}
	}
}
