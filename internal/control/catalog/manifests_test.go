package catalog

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/controller-runtime/pkg/client"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
	"github.com/hipaa-operator/hipaa-operator/internal/control"
	"github.com/hipaa-operator/hipaa-operator/internal/control/controltest"
	"github.com/hipaa-operator/hipaa-operator/internal/phitest"
	"github.com/hipaa-operator/hipaa-operator/internal/podtemplate"
)

// manifests are real applications that others wrote, beside the project.
const manifests = "../../../../shared/manifests"

// settingsControls are those that judge what applications are told.
var settingsControls = []string{"automatic-logoff", "database-tls", "no-embedded-credentials", "no-plaintext-email"}

// What is found in real applications is a text that a reader holds against their
// manifests, line by line.
func TestRealApplications(t *testing.T) {
	if _, err := os.Stat(manifests); err != nil {
		t.Skip("the folder shared/manifests is not beside the project: real applications are not read")
	}
	for _, application := range []string{"hapi-fhir", "openemr"} {
		t.Run(application, func(t *testing.T) {
			controltest.Golden(t, filepath.Join("testdata", "manifests", application+".txt"), findingsIn(t, filepath.Join(manifests, application)))
		})
	}
}

// workloadOf is what a team would declare of these applications: what is not
// listed here is a service behind a gateway.
func workloadOf(name string) *hipaav1.PHIWorkload {
	w := phitest.Workload(name)
	switch name {
	case "mysql-sts", "redis", "sentinel":
		w.Role(hipaav1.RoleDataStore)
	case "redisproxy":
		w.From(phitest.FromWorkload("openemr"))
	case "hapi-hapi-fhir-jpaserver-test-endpoints":
		w.Role(hipaav1.RoleJob)
	default:
		w.From(phitest.FromGateway("ingress-nginx"))
	}
	return w.Obj()
}

// findingsIn judges the pods and ConfigMaps of a folder.
func findingsIn(t *testing.T, folder string) string {
	t.Helper()
	objects := readObjects(t, folder)
	s := controltest.Baseline(control.Workloads)
	for _, object := range objects {
		if m, is := object.(*corev1.ConfigMap); is {
			s.World.ConfigMaps[m.Name] = m
		}
	}
	var text strings.Builder
	for _, object := range objects {
		kind := strings.TrimPrefix(fmt.Sprintf("%T", object), "*v1.")
		under := s.Of(object)
		if pod := podIn(object); pod != nil {
			under = s.Of(pod)
		} else if under.Kind() != control.ConfigMaps {
			continue
		}
		under.Workload = workloadOf(object.GetName())
		fmt.Fprintf(&text, "# %s/%s\n", kind, object.GetName())
		for _, id := range settingsControls {
			for _, sentence := range sentences(controlOf(id).Check(under)) {
				fmt.Fprintf(&text, "%s: %s\n", id, sentence)
			}
		}
		text.WriteString("\n")
	}
	return text.String()
}

// podIn is the pod that an object is or makes.
func podIn(object runtime.Object) *corev1.Pod {
	if pod, is := object.(*corev1.Pod); is {
		return pod
	}
	template, makes := podtemplate.Of(object)
	if !makes {
		return nil
	}
	return template.Pod()
}

// readObjects reads manifests in the order of their files. Kinds that Kubernetes does
// not have itself are left out.
func readObjects(t *testing.T, folder string) []client.Object {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(folder, "*.yaml"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no manifests in %s: %v", folder, err)
	}
	var objects []client.Object
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for document := range strings.SplitSeq(string(content), "\n---\n") {
			object, _, err := clientgoscheme.Codecs.UniversalDeserializer().Decode([]byte(document), nil, nil)
			if runtime.IsNotRegisteredError(err) {
				continue
			}
			if err != nil {
				t.Fatalf("%s: %v", file, err)
			}
			if is, ok := object.(client.Object); ok {
				objects = append(objects, is)
			}
		}
	}
	return objects
}
