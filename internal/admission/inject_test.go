package admission_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	admissionv1 "k8s.io/api/admission/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	testclock "k8s.io/utils/clock/testing"
	"sigs.k8s.io/controller-runtime/pkg/client"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
	"github.com/hipaa-operator/hipaa-operator/internal/admission"
	"github.com/hipaa-operator/hipaa-operator/internal/control/catalog"
	"github.com/hipaa-operator/hipaa-operator/internal/inject"
	streams "github.com/hipaa-operator/hipaa-operator/internal/manifest"
	"github.com/hipaa-operator/hipaa-operator/internal/phitest"
	"github.com/hipaa-operator/hipaa-operator/internal/podtemplate"
	"github.com/hipaa-operator/hipaa-operator/internal/subject"
)

// The sample, and real applications that others wrote, beside the project.
const (
	sample       = "../../config/samples/*.yaml"
	applications = "../../../shared/manifests/"
)

// What is injected is all that admission would write: for the pods of injected
// templates the webhook has no patch, and for those of bare ones it has.
func TestTheWebhookAddsNothingToWhatWasInjected(t *testing.T) {
	selectors := map[string]map[string]string{
		sample:                            {},
		applications + "hapi-fhir/*.yaml": {"hapi": "app.kubernetes.io/name=hapi-fhir-jpaserver"},
		applications + "openemr/*.yaml":   {"openemr": "name=openemr", "phpmyadmin": "name=phpmyadmin", "mysql": "app=mysql", "redis": "app=redis", "sentinel": "app=sentinel", "redisproxy": "app=redisproxy"},
	}
	for pattern, declared := range selectors {
		t.Run(filepath.Base(filepath.Dir(pattern)), func(t *testing.T) {
			if _, err := os.Stat(filepath.Dir(pattern)); err != nil {
				t.Skip("the folder shared/manifests is not beside the project: real applications are not tried")
			}
			around := []client.Object{allIn(), phitest.Namespace("ehr").Obj()}
			for name, selector := range declared {
				key, value, _ := strings.Cut(selector, "=")
				around = append(around, phitest.Workload(name).Selecting(key, value).Obj())
			}
			stream := applicationOf(t, pattern)
			bare := decoded(t, stream)
			gate := unitGate(t, catalog.All(), filesOf(t, append(bare, around...)...))
			injector := &inject.Injector{
				Engine: gate.Engine, Scheme: kinds(t), Clock: testclock.NewFakePassiveClock(phitest.Epoch), Namespace: "ehr",
				Cluster: filesOf(t, around...),
			}
			if _, err := injector.Inject(t.Context(), stream); err != nil {
				t.Fatal(err)
			}
			injected, pods := decoded(t, rewritten(t, stream)), 0
			for i := range bare {
				pod, makes := podOf(injected[i])
				if !makes {
					continue
				}
				pods++
				if answer := mutation(t, gate, pod); len(answer) > 0 {
					t.Errorf("admission adds to %T %s: %s", injected[i], injected[i].GetName(), answer)
				}
				before, _ := podOf(bare[i])
				if answer := mutation(t, gate, before); len(answer) == 0 {
					t.Errorf("admission adds nothing to %T %s before it is injected: what does this test compare?", bare[i], bare[i].GetName())
				}
			}
			if pods == 0 {
				t.Error("there are no pods")
			}
		})
	}
}

// allIn opts in to everything that the operator may change.
func allIn() *hipaav1.ComplianceProfile {
	p := phitest.Profile("all-in").Obj()
	p.Spec.Storage = &hipaav1.StorageParameters{EmptyDir: hipaav1.EmptyDirMemory}
	p.Spec.Transmission = &hipaav1.TransmissionParameters{DatabaseSettings: hipaav1.DatabaseSettingsComplete}
	p.Spec.Residency = &hipaav1.ResidencyParameters{Regions: []string{"us-east-2"}, Placement: hipaav1.PlacementRequired}
	return p
}

// kinds are those of Kubernetes and of this project.
func kinds(t *testing.T) *runtime.Scheme { return reader(t).Scheme() }

func filesOf(t *testing.T, objects ...client.Object) *subject.Files {
	t.Helper()
	files, err := subject.FromFiles(kinds(t), objects)
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func applicationOf(t *testing.T, pattern string) *streams.Stream {
	t.Helper()
	names, err := filepath.Glob(pattern)
	if err != nil || len(names) == 0 {
		t.Fatalf("no manifests %s: %v", pattern, err)
	}
	var text strings.Builder
	for _, name := range names {
		content, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		text.WriteString("---\n" + string(content) + "\n")
	}
	return streamOf(t, text.String())
}

func streamOf(t *testing.T, text string) *streams.Stream {
	t.Helper()
	stream, err := streams.Read("application", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return stream
}

func rewritten(t *testing.T, stream *streams.Stream) *streams.Stream {
	t.Helper()
	text, err := stream.YAML()
	if err != nil {
		t.Fatal(err)
	}
	return streamOf(t, string(text))
}

// decoded are the objects of known kinds, in namespace ehr where they have one.
func decoded(t *testing.T, stream *streams.Stream) []client.Object {
	t.Helper()
	decoder := serializer.NewCodecFactory(kinds(t)).UniversalDeserializer()
	var objects []client.Object
	for _, o := range stream.Objects() {
		object, _, err := decoder.Decode(o.JSON, nil, nil)
		if runtime.IsNotRegisteredError(err) {
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		if is, ok := object.(client.Object); ok && o.Kind != "Namespace" {
			is.SetNamespace("ehr")
			objects = append(objects, is)
		}
	}
	return objects
}

func podOf(object client.Object) (*corev1.Pod, bool) {
	if pod, is := object.(*corev1.Pod); is {
		return pod, true
	}
	template, makes := podtemplate.Of(object)
	if !makes {
		return nil, false
	}
	return template.Pod(), true
}

// mutation is the patch for a new pod.
func mutation(t *testing.T, gate *admission.Gate, pod *corev1.Pod) string {
	t.Helper()
	answer := askAbout(t, gate, "/mutate/pods", review(t, admissionv1.Create, pod, nil))
	if !answer.Allowed {
		t.Fatalf("%s: %s", pod.GenerateName, answer.Result.Message)
	}
	return string(answer.Patch)
}
