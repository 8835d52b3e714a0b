package injection

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/apimachinery/pkg/util/yaml"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	podsecurity "k8s.io/pod-security-admission/api"
	"k8s.io/pod-security-admission/policy"
	sigsyaml "sigs.k8s.io/yaml"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
	"github.com/hipaa-operator/hipaa-operator/internal/control"
	"github.com/hipaa-operator/hipaa-operator/internal/control/controltest"
	"github.com/hipaa-operator/hipaa-operator/internal/phitest"
	"github.com/hipaa-operator/hipaa-operator/internal/podtemplate"
	"github.com/hipaa-operator/hipaa-operator/internal/proxy/config"
)

// manifests are real applications that others wrote, beside the project.
const manifests = "../../../shared/manifests"

// realApplication is what a folder of manifests brings, and what its team would declare.
type realApplication struct {
	workloads []*hipaav1.PHIWorkload
	pods      map[string][]*corev1.Pod
	services  []*corev1.Service
}

// hapi is the FHIR server, and a database that its chart leaves to others.
func hapi(t testing.TB) *realApplication {
	t.Helper()
	a := &realApplication{pods: map[string][]*corev1.Pod{}}
	a.read(t, "hapi-fhir")
	database := phitest.Workload("postgres").Port("postgres", 5432).Obj()
	database.Spec.Ports[0].Protocol = hipaav1.PortProtocolTCP
	a.workloads = []*hipaav1.PHIWorkload{
		phitest.Workload("hapi-hapi-fhir-jpaserver").Port("http", 8080).
			Selecting("app.kubernetes.io/name", "hapi-fhir-jpaserver").
			From(phitest.FromGateway("ingress-nginx")).To(phitest.ToWorkload("postgres")).Obj(),
		database,
	}
	a.pods["postgres"] = []*corev1.Pod{phitest.Pod("postgres").Listens("postgres", 5432).Obj()}
	service := phitest.Service("postgres").Obj()
	service.Spec.Ports = []corev1.ServicePort{{Port: 5432, Protocol: corev1.ProtocolTCP, TargetPort: intstr.FromString("postgres")}}
	a.services = append(a.services, service)
	return a
}

// openemr is a front end in PHP before a database that replicates.
func openemr(t testing.TB) *realApplication {
	t.Helper()
	a := &realApplication{pods: map[string][]*corev1.Pod{}}
	a.read(t, "openemr")
	mysql := phitest.Workload("mysql-sts").Selecting("app", "mysql").Port("mysql", 3306).
		From(phitest.FromWorkload("openemr"), phitest.FromWorkload("mysql-sts")).To(phitest.ToWorkload("mysql-sts")).Obj()
	mysql.Spec.Ports[0].Protocol = hipaav1.PortProtocolTCP
	a.workloads = []*hipaav1.PHIWorkload{
		phitest.Workload("openemr").Selecting("name", "openemr").Port("http", 80).
			From(phitest.FromGateway("ingress-nginx")).To(phitest.ToWorkload("mysql-sts"), phitest.ToService("", "redisproxy")).Obj(),
		mysql,
	}
	return a
}

func (a *realApplication) read(t testing.TB, folder string) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(manifests, folder, "*.yaml"))
	if err != nil || len(files) == 0 {
		t.Skip("the folder shared/manifests is not beside the project: real applications are not read")
	}
	for _, file := range files {
		text, err := os.Open(file)
		if err != nil {
			t.Fatal(err)
		}
		defer text.Close()
		decoder := yaml.NewYAMLOrJSONDecoder(text, 4096)
		for {
			var raw runtime.RawExtension
			if err := decoder.Decode(&raw); errors.Is(err, io.EOF) {
				break
			} else if err != nil {
				t.Fatal(err)
			}
			a.take(raw.Raw)
		}
	}
}

// take keeps pods and Services; of what is no kind of Kubernetes' own nobody asks.
func (a *realApplication) take(text []byte) {
	object, _, err := clientgoscheme.Codecs.UniversalDeserializer().Decode(text, nil, nil)
	if err != nil {
		return
	}
	if service, is := object.(*corev1.Service); is {
		service.Namespace = phitest.DefaultNamespace
		a.services = append(a.services, service)
	}
	if template, makes := podtemplate.Of(object); makes {
		pod := template.Pod()
		pod.Namespace = phitest.DefaultNamespace
		_, name, _ := strings.Cut(template.String(), "/")
		a.pods[name] = []*corev1.Pod{pod}
	}
	if pod, is := object.(*corev1.Pod); is {
		pod.Namespace = phitest.DefaultNamespace
		a.pods[pod.Name] = []*corev1.Pod{pod}
	}
}

// subject is one of the workloads in its world.
func (a *realApplication) subject(w *hipaav1.PHIWorkload) *control.Subject {
	s := &control.Subject{
		Profile: &control.Profile{Network: control.NetworkParameters{Gateways: map[string]hipaav1.Gateway{
			"ingress-nginx": {Name: "ingress-nginx", Namespace: "ingress-nginx", PodSelector: phitest.Labels("app", "ingress-nginx")},
		}}},
		Namespace: phitest.Namespace(w.Namespace).Obj(), Workload: w,
		World: &control.World{
			Workloads: map[types.NamespacedName]*hipaav1.PHIWorkload{}, Services: map[types.NamespacedName]*corev1.Service{},
			Resolvers: []control.Resolver{{Namespace: "kube-system", Pods: phitest.Labels("k8s-app", "kube-dns")}},
		},
	}
	for _, other := range a.workloads {
		s.World.Workloads[keyOf(other)] = other
	}
	for _, service := range a.services {
		s.World.Services[types.NamespacedName{Namespace: service.Namespace, Name: service.Name}] = service
	}
	return s
}

func keyOf(w *hipaav1.PHIWorkload) types.NamespacedName {
	return types.NamespacedName{Namespace: w.Namespace, Name: w.Name}
}

func (a *realApplication) settings(w *hipaav1.PHIWorkload) Settings {
	with := settings()
	with.Parties = map[types.NamespacedName]control.Party{}
	for _, pod := range a.pods[w.Name] {
		with.Pods = append(with.Pods, applied(planFor(w), pod))
	}
	for _, other := range a.workloads {
		party := control.Party{Services: a.services}
		for _, pod := range a.pods[other.Name] {
			party.Pods = append(party.Pods, applied(planFor(other), pod))
		}
		with.Parties[keyOf(other)] = party
	}
	return with
}

// What becomes of real applications is a text that a reader holds against their
// manifests, line by line.
func TestRealApplications(t *testing.T) {
	for name, read := range map[string]func(testing.TB) *realApplication{"hapi-fhir": hapi, "openemr": openemr} {
		t.Run(name, func(t *testing.T) {
			a := read(t)
			var text strings.Builder
			for _, w := range a.workloads {
				a.describe(t, &text, w)
			}
			controltest.Golden(t, filepath.Join("testdata", name+".txt"), text.String())
		})
	}
}

func (a *realApplication) describe(t *testing.T, text *strings.Builder, w *hipaav1.PHIWorkload) {
	t.Helper()
	w.UID = phitest.UIDOf(w.Name)
	for _, other := range a.workloads {
		other.Status.Proxy = phitest.Workload(other.Name).Proxied().Obj().Status.Proxy
	}
	c, closed, err := Configuration(a.subject(w), a.settings(w))
	if err != nil {
		t.Fatal(err)
	}
	configuration, err := Encode(c)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := config.Parse(configuration); err != nil {
		t.Errorf("the proxy refuses the configuration: %v", err)
	}
	plan := planFor(w)
	pod := expectSettled(t, plan, a.pods[w.Name][0])
	written, err := sigsyaml.Marshal(pod)
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprintf(text, "# %s: the pod\n%s\n# %s: what is found in it\n", w.Name, written, w.Name)
	for _, f := range plan.Check(pod) {
		fmt.Fprintf(text, "%s %s; %s\n", f.Path, f.Message, f.Remedy)
	}
	for _, service := range a.services {
		if !selects(service, pod) {
			continue
		}
		for _, f := range plan.CheckService(service, []*corev1.Pod{pod}) {
			fmt.Fprintf(text, "Service %s: %s %s; %s\n", service.Name, f.Path, f.Message, f.Remedy)
		}
	}
	fmt.Fprintf(text, "\n# %s: config.json\n%s\n# %s: what stays closed\n%s\n", w.Name, configuration, w.Name, strings.Join(append(closed, ""), "\n"))
}

// A pod that satisfies Pod Security restricted still does with the proxy.
func TestThePodStaysRestricted(t *testing.T) {
	evaluator, err := policy.NewEvaluator(policy.DefaultChecks(), nil)
	if err != nil {
		t.Fatal(err)
	}
	level := podsecurity.LevelVersion{Level: podsecurity.LevelRestricted, Version: podsecurity.LatestVersion()}
	pods := []*corev1.Pod{apiPod().Obj(), apiPod().Sidecar("helper").Obj()}
	pods = append(pods, hapi(t).pods["hapi-hapi-fhir-jpaserver"]...)
	withoutUser := planFor(api().Obj())
	withoutUser.User = nil
	for _, plan := range []*Plan{planFor(api().Obj()), withoutUser} {
		for _, pod := range pods {
			pod = applied(plan, pod)
			for _, result := range evaluator.EvaluatePod(level, &pod.ObjectMeta, &pod.Spec) {
				if !result.Allowed {
					t.Errorf("%s%s: %s: %s", pod.Name, pod.GenerateName, result.ForbiddenReason, result.ForbiddenDetail)
				}
			}
		}
	}
}
