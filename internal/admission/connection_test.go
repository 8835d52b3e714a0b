package admission

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/go-logr/logr"
	"github.com/go-logr/logr/funcr"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	admissionv1 "k8s.io/api/admission/v1"
	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	testclock "k8s.io/utils/clock/testing"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
	"github.com/hipaa-operator/hipaa-operator/internal/control/catalog"
	"github.com/hipaa-operator/hipaa-operator/internal/engine"
	"github.com/hipaa-operator/hipaa-operator/internal/phitest"
	"github.com/hipaa-operator/hipaa-operator/internal/subject"
)

// clinic is a namespace with two workloads. Nobody may reach into db; somebody
// granted what reaches into api.
func clinic(mode hipaav1.Mode) []client.Object {
	api, db := phitest.Workload("api").Stored().Obj(), phitest.Workload("db").Stored().Obj()
	closed := phitest.Policy("closed").Obj()
	closed.Labels = map[string]string{hipaav1.LabelManagedBy: hipaav1.ManagedByValue}
	return []client.Object{
		phitest.Namespace("ehr").Obj(), phitest.Namespace("shop").WithoutPHI().Obj(), phitest.Profile("strict").Mode(mode).Obj(), api, db,
		phitest.Pod("api-0").Of(api).Label("tier", "back").Debugged("tools").Obj(),
		phitest.Pod("db-0").Of(db).Label("tier", "back").Obj(),
		phitest.Pod("nobodys").Obj(), closed,
		phitest.Service("api").Selecting("app", "api").Obj(),
		phitest.Service("back").Selecting("tier", "back").Obj(),
		phitest.Service("narrow").Selecting("app", "api", "tier", "back").Obj(),
		phitest.Exception("change-4711", "api", "privileged-access").ApprovedBy("lead@example.org").Obj(),
	}
}

func clinicGate(t *testing.T, objects []client.Object) *Gate {
	t.Helper()
	s := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{clientgoscheme.AddToScheme, hipaav1.AddToScheme} {
		if err := add(s); err != nil {
			t.Fatalf("building the scheme: %v", err)
		}
	}
	judge, err := engine.New(catalog.All())
	if err != nil {
		t.Fatalf("building the engine: %v", err)
	}
	reader := fake.NewClientBuilder().WithScheme(s).WithObjects(objects...).Build()
	return &Gate{
		Engine: judge,
		Loader: &subject.Loader{Cache: reader, Live: reader},
		Clock:  testclock.NewFakePassiveClock(phitest.Epoch),
	}
}

// connecting is a request as the API server sends it.
func connecting(t *testing.T, name string, options runtime.Object) admission.Request {
	t.Helper()
	kinds, _, err := clientgoscheme.Scheme.ObjectKinds(options)
	if err != nil {
		t.Fatalf("finding the kind: %v", err)
	}
	text, err := json.Marshal(options)
	if err != nil {
		t.Fatalf("encoding the options: %v", err)
	}
	return admission.Request{AdmissionRequest: admissionv1.AdmissionRequest{
		Kind:      metav1.GroupVersionKind{Version: kinds[0].Version, Kind: kinds[0].Kind},
		Operation: admissionv1.Connect, Namespace: "ehr", Name: name,
		UserInfo: authenticationv1.UserInfo{Username: "tess@example.org"},
		Object:   runtime.RawExtension{Raw: text},
	}}
}

// heard is a context whose log lines are kept.
func heard() (context.Context, *[]string) {
	lines := &[]string{}
	sink := funcr.New(func(prefix, args string) { *lines = append(*lines, prefix+" "+args) }, funcr.Options{})
	return logr.NewContext(context.Background(), sink), lines
}

const secretText = "patient 4711"

func TestConnectionsAreJudgedUnderEveryWorkloadTheyLeadTo(t *testing.T) {
	exec := &corev1.PodExecOptions{Command: []string{"psql", "-c", secretText}, Container: "app", Stdin: true}
	for name, tc := range map[string]struct {
		target  string
		options runtime.Object
		// want is how the refusal begins and what it says; none is an admission.
		begins, says string
	}{
		"exec with a grant":          {target: "api-0", options: exec},
		"attach with a grant":        {target: "api-0", options: &corev1.PodAttachOptions{}},
		"port-forward with a grant":  {target: "api-0", options: &corev1.PodPortForwardOptions{}},
		"a pod's proxy with a grant": {target: "https:api-0:8443", options: &corev1.PodProxyOptions{Path: secretText}},
		"a Service with a grant":     {target: "api:http", options: &corev1.ServiceProxyOptions{Path: secretText}},
		"exec without one":           {"db-0", exec, `exec into pod "db-0" in PHI namespace "ehr" lacks 1 safeguard (privileged-access)`, "of PHIWorkload db, which takes a grant"},
		"a pod's proxy without one":  {"db-0:5432", &corev1.PodProxyOptions{}, `proxy to pod "db-0" in PHI`, "of PHIWorkload db, which"},
		"a narrower Service":         {target: "narrow", options: &corev1.ServiceProxyOptions{}},
		"a Service over the pods of two, one of them without a grant": {
			"http:back:80", &corev1.ServiceProxyOptions{Path: secretText}, `proxy to service "back" in PHI`, "of PHIWorkload db, which",
		},
		"a pod that nobody declared": {"nobodys", exec, `exec into pod "nobodys" in PHI`, "no PHIWorkload claims what it leads to; check the name"},
		"a pod that is not there":    {"gone", exec, `exec into pod "gone" in PHI`, "no PHIWorkload claims what it leads to"},
		"a Service that is not there": {
			"gone", &corev1.ServiceProxyOptions{}, `proxy to service "gone" in PHI`, "no PHIWorkload claims what it leads to",
		},
		"a name that is none": {"a:b:c:d", &corev1.PodProxyOptions{}, `proxy to pod "a:b:c:d" in PHI`, "no PHIWorkload claims"},
	} {
		t.Run(name, func(t *testing.T) {
			g := clinicGate(t, clinic(hipaav1.ModeEnforce))
			ctx, _ := heard()
			got := g.answering(g.validateConnection).Handle(ctx, connecting(t, tc.target, tc.options))
			if got.Allowed != (tc.begins == "") {
				t.Fatalf("allowed %t: %v", got.Allowed, got.Result)
			}
			if got.Allowed {
				want := map[string]string{"warned": "privileged-access", "exceptions": "change-4711"}
				if diff := cmp.Diff(want, got.AuditAnnotations); diff != "" || len(got.Warnings) != 1 {
					t.Errorf("audit annotations (-want +got):\n%s\nwarnings: %q", diff, got.Warnings)
				}
				return
			}
			text := got.Result.Message
			if got.Result.Code != http.StatusForbidden || !strings.HasPrefix(text, tc.begins) || !strings.Contains(text, tc.says) || strings.Contains(text, secretText) {
				t.Errorf("refused with %d: %s", got.Result.Code, text)
			}
			if got.AuditAnnotations["denied"] != "privileged-access" {
				t.Errorf("audit annotations: %v", got.AuditAnnotations)
			}
		})
	}
}

func TestEveryUseIsOnRecordAndNothingOfWhatWasSaid(t *testing.T) {
	const line = `access "level"=0 "msg"="Admitted connection to PHI" `
	for name, tc := range map[string]struct {
		mode    hipaav1.Mode
		target  string
		options runtime.Object
		want    []string
	}{
		"under a grant": {
			hipaav1.ModeEnforce, "api-0", &corev1.PodExecOptions{Container: "app", Command: []string{secretText}},
			[]string{line + `"way"="Exec" "target"={"name"="api-0" "namespace"="ehr"} "container"="app" "user"="tess@example.org" "exceptions"="change-4711"`},
		},
		"in an ephemeral container": {
			hipaav1.ModeEnforce, "api-0", &corev1.PodAttachOptions{Container: "tools"},
			[]string{line + `"way"="Attach" "target"={"name"="api-0" "namespace"="ehr"} "container"="tools" "user"="tess@example.org" "exceptions"="change-4711"`},
		},
		"in a container that is none": {
			hipaav1.ModeEnforce, "api-0", &corev1.PodExecOptions{Container: secretText},
			[]string{line + `"way"="Exec" "target"={"name"="api-0" "namespace"="ehr"} "container"="" "user"="tess@example.org" "exceptions"="change-4711"`},
		},
		"where it is only warned of": {
			hipaav1.ModeWarn, "http:back:80", &corev1.ServiceProxyOptions{Path: secretText},
			[]string{line + `"way"="ServiceProxy" "target"={"name"="back" "namespace"="ehr"} "container"="" "user"="tess@example.org" "exceptions"="change-4711"`},
		},
		"where it is only recorded": {
			hipaav1.ModeAudit, "db-0", &corev1.PodPortForwardOptions{Ports: []int32{5432}},
			[]string{line + `"way"="PortForward" "target"={"name"="db-0" "namespace"="ehr"} "container"="" "user"="tess@example.org" "exceptions"=""`},
		},
		"of what is not there is no use": {hipaav1.ModeWarn, secretText, &corev1.PodExecOptions{}, nil},
		"that was refused is no use":     {hipaav1.ModeEnforce, "db-0", &corev1.PodExecOptions{}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			ctx, lines := heard()
			g := clinicGate(t, clinic(tc.mode))
			g.answering(g.validateConnection).Handle(ctx, connecting(t, tc.target, tc.options))
			if diff := cmp.Diff(tc.want, *lines, cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("log (-want +got):\n%s", diff)
			}
		})
	}
}

func TestSenselessConnectionsAreRefused(t *testing.T) {
	for name, tc := range map[string]struct {
		change func(*admission.Request)
		want   string
	}{
		"another operation": {func(r *admission.Request) { r.Operation = admissionv1.Create }, "does not judge /v1, Kind=PodExecOptions"},
		"another kind":      {func(r *admission.Request) { r.Kind.Kind = "NodeProxyOptions" }, "does not judge /v1, Kind=NodeProxyOptions"},
		"no options":        {func(r *admission.Request) { r.Object.Raw = nil }, "brings no object"},
		"options of another form": {
			func(r *admission.Request) { r.Object.Raw = []byte(`{"container":{"name":"` + secretText + `"}}`) }, "is no /v1, Kind=PodExecOptions that this version",
		},
	} {
		t.Run(name, func(t *testing.T) {
			g := clinicGate(t, clinic(hipaav1.ModeEnforce))
			req := connecting(t, "api-0", &corev1.PodExecOptions{})
			tc.change(&req)
			ctx, _ := heard()
			got := g.answering(g.validateConnection).Handle(ctx, req)
			if got.Allowed || got.Result.Code != http.StatusBadRequest || !strings.Contains(got.Result.Message, tc.want) || strings.Contains(got.Result.Message, secretText) {
				t.Errorf("got %v %+v, want a refusal with %q", got.Allowed, got.Result, tc.want)
			}
		})
	}
	ungoverned := slices.Delete(clinic(hipaav1.ModeEnforce), 2, 3)
	ctx, _ := heard()
	g := clinicGate(t, ungoverned)
	got := g.answering(g.validateConnection).Handle(ctx, connecting(t, "api-0", &corev1.PodExecOptions{}))
	if want := `exec into pod "api-0" in PHI namespace "ehr" cannot be judged and is refused: no ComplianceProfile governs`; got.Allowed || !strings.HasPrefix(got.Result.Message, want) {
		t.Errorf("where no profile governs: %v %+v", got.Allowed, got.Result)
	}
	elsewhere := connecting(t, "api-0", &corev1.PodExecOptions{})
	elsewhere.Namespace = "shop"
	if got := g.answering(g.validateConnection).Handle(ctx, elsewhere); !got.Allowed || got.AuditAnnotations != nil {
		t.Errorf("outside PHI: %v %+v", got.Allowed, got.Result)
	}
}
