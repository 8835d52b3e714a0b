package inject_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	clocktesting "k8s.io/utils/clock/testing"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
	"github.com/hipaa-operator/hipaa-operator/config"
	"github.com/hipaa-operator/hipaa-operator/internal/control/catalog"
	"github.com/hipaa-operator/hipaa-operator/internal/engine"
	"github.com/hipaa-operator/hipaa-operator/internal/inject"
	"github.com/hipaa-operator/hipaa-operator/internal/manifest"
)

const (
	root    = "../.."
	shipped = "hipaa-security-rule"
	// manifests are real applications that others wrote, beside the project.
	manifests = root + "/../shared/manifests"
)

// optingIn is a profile that lets the operator change all that it may.
const optingIn = `apiVersion: hipaa-operator.io/v1alpha1
kind: ComplianceProfile
metadata: {name: all-in}
spec:
  namespaceSelector: {matchLabels: {hipaa-operator.io/phi: "true"}}
  rulesetVersion: "2026.1"
  defaultMode: Enforce
  storage: {emptyDir: Memory}
  transmission: {databaseSettings: Complete}
  residency: {regions: [us-east-2], placement: Required}
---
`

func newInjector(t *testing.T, profiles ...string) *inject.Injector {
	t.Helper()
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{clientgoscheme.AddToScheme, hipaav1.AddToScheme} {
		if err := add(scheme); err != nil {
			t.Fatal(err)
		}
	}
	judge, err := engine.New(catalog.All())
	if err != nil {
		t.Fatal(err)
	}
	named, err := inject.Shipped(config.Profiles, scheme, profiles...)
	if err != nil {
		t.Fatal(err)
	}
	clock := clocktesting.NewFakePassiveClock(time.Date(2026, 11, 2, 12, 0, 0, 0, time.UTC))
	return &inject.Injector{Engine: judge, Scheme: scheme, Clock: clock, Profiles: named, Namespace: "ehr"}
}

func read(t *testing.T, text string) *manifest.Stream {
	t.Helper()
	s, err := manifest.Read("app.yaml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func injected(t *testing.T, i *inject.Injector, s *manifest.Stream) (string, *inject.Report) {
	t.Helper()
	report, err := i.Inject(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	text, err := s.YAML()
	if err != nil {
		t.Fatal(err)
	}
	return string(text), report
}

const workload = `apiVersion: hipaa-operator.io/v1alpha1
kind: PHIWorkload
metadata: {name: api}
spec:
  selector: {matchLabels: {app: api}}
  continuity: PatientCare
  owner: {team: clinical, contacts: [clinical@example.org]}
  dataClasses: [Clinical]
---
`

func TestEachKindGetsWhatAdmissionWouldWrite(t *testing.T) {
	const template = "metadata: {labels: {app: api}}\n%[1]sspec: {containers: [{name: app, image: app}]}\n"
	kind := func(version, kind, before, indent string) string {
		return "apiVersion: " + version + "\nkind: " + kind + "\nmetadata: {name: api}\n" + before + indent + fmt.Sprintf(template, indent)
	}
	for name, manifest := range map[string]string{
		"Deployment":  kind("apps/v1", "Deployment", "spec:\n  template:\n", "    "),
		"StatefulSet": kind("apps/v1", "StatefulSet", "spec:\n  volumeClaimTemplates: [{metadata: {name: data}}]\n  template:\n", "    "),
		"DaemonSet":   kind("apps/v1", "DaemonSet", "spec:\n  template:\n", "    "),
		"ReplicaSet":  kind("apps/v1", "ReplicaSet", "spec:\n  template:\n", "    "),
		"Job":         kind("batch/v1", "Job", "spec:\n  template:\n", "    "),
		"CronJob":     kind("batch/v1", "CronJob", "spec:\n  jobTemplate:\n    spec:\n      template:\n", "        "),
		"Pod":         "apiVersion: v1\nkind: Pod\n" + fmt.Sprintf(template, ""),
	} {
		t.Run(name, func(t *testing.T) {
			text, report := injected(t, newInjector(t, shipped), read(t, workload+manifest))
			labels := `{labels: {app: api, data-class.hipaa-operator.io/Clinical: "true", hipaa-operator.io/criticality: PatientCare, ` +
				`hipaa-operator.io/environment: Production, hipaa-operator.io/owner: clinical, hipaa-operator.io/workload: api}}`
			if want := workload + strings.Replace(manifest, "{labels: {app: api}}", labels, 1); text != want {
				t.Errorf("manifest (-want +got):\n%s", cmp.Diff(want, text))
			}
			if len(report.Changed) != 1 || len(report.Warnings()) != 0 {
				t.Errorf("report %+v, want one change and no warning", report)
			}
		})
	}
}

func TestWhatAProfileOptsInToIsWritten(t *testing.T) {
	const give = `apiVersion: apps/v1
kind: StatefulSet
metadata:
  name: api
spec:
  template:
    metadata:
      labels:
        app: api
    spec:
      containers:
      - name: app
        image: registry.example.org/app:1
        env:
        - name: PGHOST # the primary
          value: db.ehr.svc
      volumes:
      - name: data # a claim takes its place
        emptyDir: {}
      - name: scratch
        emptyDir: {}
  volumeClaimTemplates:
  - metadata:
      name: data
`
	const want = `apiVersion: apps/v1
kind: StatefulSet
metadata:
  name: api
spec:
  template:
    metadata:
      labels:
        app: api
        data-class.hipaa-operator.io/Clinical: "true"
        hipaa-operator.io/criticality: PatientCare
        hipaa-operator.io/environment: Production
        hipaa-operator.io/owner: clinical
        hipaa-operator.io/workload: api
    spec:
      containers:
      - name: app
        image: registry.example.org/app:1
        env:
        - name: PGHOST # the primary
          value: db.ehr.svc
        - name: PGSSLMODE
          value: require
      volumes:
      - name: data # a claim takes its place
        emptyDir: {}
      - name: scratch
        emptyDir: {medium: Memory, sizeLimit: 64Mi}
      affinity:
        nodeAffinity:
          requiredDuringSchedulingIgnoredDuringExecution:
            nodeSelectorTerms:
            - matchExpressions:
              - key: topology.kubernetes.io/region
                operator: In
                values:
                - us-east-2
  volumeClaimTemplates:
  - metadata:
      name: data
`
	got, _ := injected(t, newInjector(t), read(t, optingIn+workload+give))
	if diff := cmp.Diff(optingIn+workload+want, got); diff != "" {
		t.Errorf("manifest (-want +got):\n%s", diff)
	}
}

func TestWhatIsNotConcernedPasses(t *testing.T) {
	deployment := "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: shop, namespace: %s}\nspec: {template: {metadata: {labels: {app: %s}}}}\n"
	phi := "apiVersion: v1\nkind: Namespace\nmetadata: {name: ehr, labels: {hipaa-operator.io/phi: 'true'}}\n---\n"
	for name, tt := range map[string]struct{ give, warning string }{
		"a namespace without PHI":        {"apiVersion: v1\nkind: Namespace\nmetadata: {name: shop}\n---\n" + fmt.Sprintf(deployment, "shop", "api"), "no template stands in a namespace that holds PHI"},
		"a namespace that nobody knows":  {fmt.Sprintf(deployment, "shop", "api"), "no template stands in a namespace that holds PHI"},
		"pods that nobody declares":      {phi + fmt.Sprintf(deployment, "ehr", "other"), "app.yaml, document 2: Deployment/shop: nothing was injected, for no PHIWorkload"},
		"a kind that is not known":       {"apiVersion: example.org/v1\nkind: Rollout\nspec: {template: {}}\n", "no template stands"},
		"what has no kind":               {"image: {tag: v1}\n", "no template stands"},
		"a workload that is declared so": {phi + "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x}\n", "no template stands"},
	} {
		t.Run(name, func(t *testing.T) {
			text, report := injected(t, newInjector(t, shipped), read(t, tt.give))
			if text != tt.give {
				t.Errorf("manifest (-want +got):\n%s", cmp.Diff(tt.give, text))
			}
			if warnings := strings.Join(report.Warnings(), "\n"); !strings.Contains(warnings, tt.warning) {
				t.Errorf("warnings %q, want one with %q", warnings, tt.warning)
			}
		})
	}
}

func TestErrorsNamePlaceAndRemedy(t *testing.T) {
	pod := "apiVersion: v1\nkind: Pod\nmetadata: {name: api, labels: {app: api}}\n"
	for name, tt := range map[string]struct {
		give string
		want []string
	}{
		"no profile":    {workload + pod, []string{"app.yaml, document 2: Pod/api", `namespace "ehr"`, "no ComplianceProfile governs", "--profile"}},
		"a wrong field": {"apiVersion: v1\nkind: Pod\nspec: {containers: 5}\n", []string{"app.yaml, document 1: reading a Pod"}},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := newInjector(t).Inject(t.Context(), read(t, tt.give))
			if err == nil {
				t.Fatal("no error")
			}
			for _, want := range tt.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("error %q does not say %q", err, want)
				}
			}
		})
	}
	if _, err := inject.Shipped(config.Profiles, newInjector(t).Scheme, "hipaa"); err == nil || !strings.Contains(err.Error(), shipped) {
		t.Errorf("error %v does not name the profiles that there are", err)
	}
}

func TestAProfileThatDoesNotEnforceWritesNothing(t *testing.T) {
	give := strings.Replace(optingIn, "Enforce", "Audit", 1) + workload + "apiVersion: v1\nkind: Pod\nmetadata: {name: api, labels: {app: api}}\n"
	if text, report := injected(t, newInjector(t), read(t, give)); text != give || len(report.AsWanted) != 1 {
		t.Errorf("report %+v, manifest (-want +got):\n%s", report, cmp.Diff(give, text))
	}
}

// What is injected is what admission finds nothing to add to: to inject it again
// changes no byte.
func TestInjectingTwiceIsInjectingOnce(t *testing.T) {
	for name, text := range applications(t) {
		for profile, prefix := range map[string]string{shipped: "", "all that a profile can opt in to": optingIn} {
			t.Run(name+" under "+profile, func(t *testing.T) {
				once, first := injected(t, newInjector(t, shipped), read(t, prefix+text))
				twice, second := injected(t, newInjector(t, shipped), read(t, once))
				if len(first.Changed) == 0 || once != twice || len(second.Changed) != 0 {
					t.Errorf("changed %v, then %v (-once +twice):\n%s", first.Changed, second.Changed, cmp.Diff(once, twice))
				}
				if len(second.AsWanted) != len(first.Changed) {
					t.Errorf("%d templates are as wanted, want %d", len(second.AsWanted), len(first.Changed))
				}
			})
		}
	}
}

// applications are the sample and the real applications, each with what a team
// declares of them.
func applications(t *testing.T) map[string]string {
	t.Helper()
	all := map[string]string{"the sample": files(t, root+"/config/samples/*.yaml")}
	if _, err := os.Stat(manifests); err != nil {
		t.Log("the folder shared/manifests is not beside the project: real applications are not tried")
		return all
	}
	declared := func(name, key, value string) string {
		text := strings.Replace(workload, "{name: api}", "{name: "+name+"}", 1)
		return strings.Replace(text, "{app: api}", "{"+key+": "+value+"}", 1)
	}
	all["HAPI FHIR"] = declared("hapi", "app.kubernetes.io/name", "hapi-fhir-jpaserver") + files(t, manifests+"/hapi-fhir/*.yaml")
	openemr := ""
	for name, key := range map[string]string{"openemr": "name", "phpmyadmin": "name", "mysql": "app", "redis": "app", "sentinel": "app", "redisproxy": "app"} {
		openemr += declared(name, key, name)
	}
	all["OpenEMR"] = openemr + files(t, manifests+"/openemr/*.yaml")
	return all
}

func files(t *testing.T, pattern string) string {
	t.Helper()
	names, err := filepath.Glob(pattern)
	if err != nil || len(names) == 0 {
		t.Fatalf("no manifests %s: %v", pattern, err)
	}
	slices.Sort(names)
	var text strings.Builder
	for _, name := range names {
		content, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		text.WriteString("---\n")
		text.Write(content)
		text.WriteString("\n")
	}
	return text.String()
}
