package install

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/fluxcd/cli-utils/pkg/kstatus/status"
	"github.com/google/go-cmp/cmp"
	lua "github.com/yuin/gopher-lua"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/yaml"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
)

// argoHealth is what Argo CD would show.
type argoHealth struct{ Status, Message string }

// health runs health.lua as Argo CD does: the object as the global obj, the
// libraries that it opens and no others.
func health(t *testing.T, object map[string]any) argoHealth {
	t.Helper()
	state := lua.NewState(lua.Options{SkipOpenLibs: true})
	defer state.Close()
	for _, library := range []struct {
		name string
		open lua.LGFunction
	}{
		{lua.LoadLibName, lua.OpenPackage}, {lua.BaseLibName, lua.OpenBase}, {lua.TabLibName, lua.OpenTable}, {lua.StringLibName, lua.OpenString}, {lua.MathLibName, lua.OpenMath},
	} {
		if err := state.CallByParam(lua.P{Fn: state.NewFunction(library.open), Protect: true}, lua.LString(library.name)); err != nil {
			t.Fatalf("opening a library: %v", err)
		}
	}
	state.SetGlobal("obj", luaValue(state, object))
	script, err := os.ReadFile(filepath.Join(root, "config/argocd/health.lua"))
	if err != nil {
		t.Fatalf("reading the script: %v", err)
	}
	if err := state.DoString(string(script)); err != nil {
		t.Fatalf("running the script: %v", err)
	}
	answer, ok := state.Get(-1).(*lua.LTable)
	if !ok {
		t.Fatalf("the script answers %s", state.Get(-1).Type())
	}
	return argoHealth{Status: answer.RawGetString("status").String(), Message: answer.RawGetString("message").String()}
}

func luaValue(state *lua.LState, value any) lua.LValue {
	switch v := value.(type) {
	case map[string]any:
		table := state.NewTable()
		for key, item := range v {
			table.RawSetString(key, luaValue(state, item))
		}
		return table
	case []any:
		table := state.NewTable()
		for _, item := range v {
			table.Append(luaValue(state, item))
		}
		return table
	case string:
		return lua.LString(v)
	case bool:
		return lua.LBool(v)
	case int64:
		return lua.LNumber(v)
	case float64:
		return lua.LNumber(v)
	default:
		return lua.LNil
	}
}

func TestArgoCDShowsWhatKstatusSays(t *testing.T) {
	condition := func(name string, holds metav1.ConditionStatus, reason, message string) metav1.Condition {
		return metav1.Condition{Type: name, Status: holds, Reason: reason, Message: message, LastTransitionTime: metav1.Unix(1, 0)}
	}
	deleted := metav1.Unix(2, 0)
	tests := map[string]struct {
		give hipaav1.PHIWorkload
		want argoHealth
	}{
		"nobody has looked at it": {
			want: argoHealth{"Progressing", "Waiting for the operator to look at it"},
		},
		"its latest change waits": {
			give: hipaav1.PHIWorkload{
				ObjectMeta: metav1.ObjectMeta{Generation: 2},
				Status: hipaav1.PHIWorkloadStatus{ObservedGeneration: 1, Conditions: []metav1.Condition{
					condition(hipaav1.ConditionReady, metav1.ConditionTrue, hipaav1.ReasonSafeguardsInForce, "31 of 34 in force"),
				}},
			},
			want: argoHealth{"Progressing", "Waiting for the operator to look at the latest change"},
		},
		"it is judged, though not every safeguard is met": {
			give: hipaav1.PHIWorkload{
				ObjectMeta: metav1.ObjectMeta{Generation: 2},
				Status: hipaav1.PHIWorkloadStatus{ObservedGeneration: 2, Conditions: []metav1.Condition{
					condition(hipaav1.ConditionReady, metav1.ConditionTrue, hipaav1.ReasonSafeguardsInForce, "31 of 34 in force, 1 failing, 2 unknown"),
					condition(hipaav1.ConditionSafeguardsMet, metav1.ConditionFalse, hipaav1.ReasonSafeguardsFailing, "1 fails"),
				}},
			},
			want: argoHealth{"Healthy", "31 of 34 in force, 1 failing, 2 unknown"},
		},
		"its profile is paused": {
			give: hipaav1.PHIWorkload{Status: hipaav1.PHIWorkloadStatus{Conditions: []metav1.Condition{
				condition(hipaav1.ConditionReady, metav1.ConditionTrue, hipaav1.ReasonSafeguardsInForce, "in force"),
				condition(hipaav1.ConditionNotPaused, metav1.ConditionFalse, hipaav1.ReasonPaused, "until noon"),
			}}},
			want: argoHealth{"Healthy", "in force; paused: until noon"},
		},
		"the operator goes on by itself": {
			give: hipaav1.PHIWorkload{Status: hipaav1.PHIWorkloadStatus{Conditions: []metav1.Condition{
				condition(hipaav1.ConditionReady, metav1.ConditionUnknown, hipaav1.ReasonProgressing, "applying policies"),
				condition(hipaav1.ConditionReconciling, metav1.ConditionTrue, hipaav1.ReasonProgressing, "applying policies"),
			}}},
			want: argoHealth{"Progressing", "applying policies"},
		},
		"only a person can help": {
			give: hipaav1.PHIWorkload{Status: hipaav1.PHIWorkloadStatus{Conditions: []metav1.Condition{
				condition(hipaav1.ConditionReady, metav1.ConditionFalse, hipaav1.ReasonNoProfile, "no profile governs namespace ehr"),
				condition(hipaav1.ConditionStalled, metav1.ConditionTrue, hipaav1.ReasonNoProfile, "no profile governs namespace ehr"),
			}}},
			want: argoHealth{"Degraded", "no profile governs namespace ehr"},
		},
		"it waits for its last pod": {
			give: hipaav1.PHIWorkload{
				ObjectMeta: metav1.ObjectMeta{DeletionTimestamp: &deleted, Finalizers: []string{hipaav1.FinalizerRelease}},
				Status: hipaav1.PHIWorkloadStatus{Conditions: []metav1.Condition{
					condition(hipaav1.ConditionReady, metav1.ConditionTrue, hipaav1.ReasonSafeguardsInForce, "in force"),
				}},
			},
			want: argoHealth{"Progressing", "Being deleted: it is released once its last pod has gone"},
		},
		"it is not ready and nobody says why": {
			give: hipaav1.PHIWorkload{Status: hipaav1.PHIWorkloadStatus{Conditions: []metav1.Condition{
				condition(hipaav1.ConditionReady, metav1.ConditionFalse, hipaav1.ReasonInternalError, ""),
			}}},
			want: argoHealth{"Progressing", hipaav1.ReasonInternalError},
		},
		"it has conditions and no verdict": {
			give: hipaav1.PHIWorkload{Status: hipaav1.PHIWorkloadStatus{Conditions: []metav1.Condition{
				condition(hipaav1.ConditionProfileBound, metav1.ConditionTrue, hipaav1.ReasonBound, ""),
			}}},
			want: argoHealth{"Progressing", "Waiting for the operator to judge it"},
		},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			object, err := runtime.DefaultUnstructuredConverter.ToUnstructured(&tc.give)
			if err != nil {
				t.Fatalf("converting the object: %v", err)
			}
			if diff := cmp.Diff(tc.want, health(t, object)); diff != "" {
				t.Errorf("Argo CD shows (-want +got):\n%s", diff)
			}
			if len(tc.give.Status.Conditions) < 2 && tc.give.DeletionTimestamp == nil {
				return // kstatus takes what has no conditions of its own for Current
			}
			computed, err := status.Compute(&unstructured.Unstructured{Object: object})
			if err != nil {
				t.Fatalf("computing kstatus: %v", err)
			}
			agreed := map[status.Status]string{
				status.CurrentStatus: "Healthy", status.InProgressStatus: "Progressing", status.FailedStatus: "Degraded", status.TerminatingStatus: "Progressing",
			}
			if agreed[computed.Status] != tc.want.Status {
				t.Errorf("kstatus says %s, Argo CD %s", computed.Status, tc.want.Status)
			}
		})
	}
}

// argocdCM is the ConfigMap of an installation of Argo CD that takes the component in.
func argocdCM(t *testing.T) map[string]string {
	t.Helper()
	component, install := t.TempDir(), t.TempDir()
	files, err := filepath.Glob(filepath.Join(root, "config/argocd/*"))
	if err != nil {
		t.Fatalf("finding the component: %v", err)
	}
	for _, file := range files {
		write(t, filepath.Join(component, filepath.Base(file)), read(t, file))
	}
	write(t, filepath.Join(install, "kustomization.yaml"), "resources: [cm.yaml]\ncomponents: ["+relative(t, install, component)+"]\n")
	write(t, filepath.Join(install, "cm.yaml"), "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: argocd-cm, namespace: argocd}\ndata: {url: kept}\n")
	out, err := tool("kustomize", "build", install)
	if err != nil {
		t.Fatal(err)
	}
	objects := decode(t, out)
	if len(objects) != 1 {
		t.Fatalf("the component makes %d objects, want argocd-cm alone", len(objects))
	}
	data, _, err := unstructured.NestedStringMap(objects[0].Object, "data")
	if err != nil {
		t.Fatalf("reading the ConfigMap: %v", err)
	}
	return data
}

// The Backstop reports nothing: it is there or not.
func TestArgoCDIsToldOfEveryKindThatReports(t *testing.T) {
	data := argocdCM(t)
	var told, want []string
	for _, name := range slices.Sorted(maps.Keys(data)) {
		if kind, found := strings.CutPrefix(name, "resource.customizations.health.hipaa-operator.io_"); found {
			told = append(told, kind)
		}
	}
	for kind, form := range scheme(t).KnownTypes(hipaav1.GroupVersion) {
		if _, reports := form.FieldByName("Status"); reports {
			want = append(want, kind)
		}
	}
	slices.Sort(want)
	if diff := cmp.Diff(want, told); diff != "" {
		t.Errorf("Argo CD is told of (-API +ConfigMap):\n%s", diff)
	}
	if data["url"] != "kept" {
		t.Error("the component drops what stood in argocd-cm")
	}
}

func TestArgoCDIgnoresWhatOthersFillIn(t *testing.T) {
	ignoring := 0
	for name, value := range argocdCM(t) {
		if !strings.Contains(name, "ignoreDifferences") {
			continue
		}
		ignoring++
		var ignored struct {
			JQPathExpressions []string `json:"jqPathExpressions"`
		}
		if err := yaml.UnmarshalStrict([]byte(value), &ignored); err != nil || len(ignored.JQPathExpressions) == 0 {
			t.Errorf("%s ignores nothing: %v", name, err)
		}
	}
	if ignoring != 2 {
		t.Errorf("Argo CD is told what to ignore of %d kinds, want both webhook configurations", ignoring)
	}
}

func write(t *testing.T, file, content string) {
	t.Helper()
	if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
		t.Fatalf("writing a file: %v", err)
	}
}

func relative(t *testing.T, from, to string) string {
	t.Helper()
	path, err := filepath.Rel(from, to)
	if err != nil {
		t.Fatalf("finding the way to a folder: %v", err)
	}
	return path
}
