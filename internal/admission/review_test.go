package admission_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	admissionv1 "k8s.io/api/admission/v1"
	authenticationv1 "k8s.io/api/authentication/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	testclock "k8s.io/utils/clock/testing"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
	"github.com/hipaa-operator/hipaa-operator/internal/admission"
	"github.com/hipaa-operator/hipaa-operator/internal/control"
	"github.com/hipaa-operator/hipaa-operator/internal/control/catalog"
	"github.com/hipaa-operator/hipaa-operator/internal/engine"
	"github.com/hipaa-operator/hipaa-operator/internal/phitest"
	"github.com/hipaa-operator/hipaa-operator/internal/subject"
	"github.com/hipaa-operator/hipaa-operator/internal/witness"
)

// world is what a gate of unit tests sees.
func world() []client.Object {
	return []client.Object{
		phitest.Namespace("ehr").Obj(),
		phitest.Namespace("shop").WithoutPHI().Obj(),
		phitest.Profile("strict").EncryptedClass(phitest.EncryptedClass).Obj(),
		phitest.Workload("patient-api").Stored().Obj(),
		phitest.Class(phitest.EncryptedClass).Obj(),
	}
}

func reader(t testing.TB, objects ...client.Object) client.WithWatch {
	t.Helper()
	s := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{clientgoscheme.AddToScheme, hipaav1.AddToScheme} {
		if err := add(s); err != nil {
			t.Fatalf("building the scheme: %v", err)
		}
	}
	return fake.NewClientBuilder().WithScheme(s).WithObjects(objects...).
		WithIndex(&corev1.Pod{}, subject.ByServiceAccount, subject.ServiceAccountOf).Build()
}

// unitGate judges with these controls in a world.
func unitGate(t testing.TB, controls []control.Control, reads client.Reader) *admission.Gate {
	t.Helper()
	judge, err := engine.New(controls)
	if err != nil {
		t.Fatalf("building the engine: %v", err)
	}
	return &admission.Gate{
		Engine:  judge,
		Loader:  &subject.Loader{Cache: reads, Live: reads},
		Clock:   testclock.NewFakePassiveClock(phitest.Epoch),
		Reviews: rights{},
	}
}

// rights are all that anybody may do, each as "verb resource namespace/name".
type rights []string

// Create answers a SubjectAccessReview.
func (may rights) Create(_ context.Context, object client.Object, _ ...client.CreateOption) error {
	review, ok := object.(*authorizationv1.SubjectAccessReview)
	if !ok {
		return fmt.Errorf("asked to create a %T", object)
	}
	do := review.Spec.ResourceAttributes
	resource := do.Resource
	if do.Subresource != "" {
		resource += "/" + do.Subresource
	}
	if do.Group != "" && do.Group != hipaav1.GroupName {
		resource += "." + do.Group
	}
	review.Status.Allowed = slices.Contains(may, do.Verb+" "+resource+" "+do.Namespace+"/"+do.Name)
	return nil
}

// review asks about an object, as the API server does.
func review(t testing.TB, operation admissionv1.Operation, object, old runtime.Object) *admissionv1.AdmissionReview {
	t.Helper()
	subject, name := object, ""
	if subject == nil {
		subject = old
	}
	kinds, _, err := clientgoscheme.Scheme.ObjectKinds(subject)
	gvk := hipaav1.GroupVersion.WithKind("ControlException")
	if err == nil {
		gvk = kinds[0]
	}
	namespace := ""
	if o, ok := subject.(metav1.Object); ok {
		name, namespace = o.GetName(), o.GetNamespace()
	}
	return &admissionv1.AdmissionReview{
		TypeMeta: metav1.TypeMeta{APIVersion: "admission.k8s.io/v1", Kind: "AdmissionReview"},
		Request: &admissionv1.AdmissionRequest{
			UID:       "0b4c",
			Kind:      metav1.GroupVersionKind{Group: gvk.Group, Version: gvk.Version, Kind: gvk.Kind},
			Operation: operation,
			Name:      name,
			Namespace: namespace,
			UserInfo:  authenticationv1.UserInfo{Username: "tess@example.org"},
			Object:    raw(t, object),
			OldObject: raw(t, old),
		},
	}
}

func raw(t testing.TB, object runtime.Object) runtime.RawExtension {
	t.Helper()
	if object == nil {
		return runtime.RawExtension{}
	}
	text, err := json.Marshal(object)
	if err != nil {
		t.Fatalf("encoding %T: %v", object, err)
	}
	return runtime.RawExtension{Raw: text}
}

// ask sends a body to one webhook and gives its answer.
func ask(t testing.TB, g *admission.Gate, path string, body []byte) *admissionv1.AdmissionResponse {
	t.Helper()
	request := httptest.NewRequest(http.MethodPost, path, bytes.NewReader(body))
	request.Header.Set("Content-Type", "application/json")
	answer := httptest.NewRecorder()
	g.Handlers()[path].ServeHTTP(answer, request)
	var got admissionv1.AdmissionReview
	if err := json.Unmarshal(answer.Body.Bytes(), &got); err != nil || got.Response == nil {
		t.Fatalf("%s answered no review (%v): %.200s", path, err, answer.Body)
	}
	return got.Response
}

func askAbout(t testing.TB, g *admission.Gate, path string, r *admissionv1.AdmissionReview) *admissionv1.AdmissionResponse {
	t.Helper()
	body, err := json.Marshal(r)
	if err != nil {
		t.Fatalf("encoding the review: %v", err)
	}
	return ask(t, g, path, body)
}

func TestEveryRequestIsAnsweredInASentence(t *testing.T) {
	pod := phitest.Pod("patient-api").Obj()
	valid := review(t, admissionv1.Create, pod, nil)
	change := func(how func(*admissionv1.AdmissionRequest)) []byte {
		r := valid.DeepCopy()
		how(r.Request)
		body, err := json.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		return body
	}
	tests := map[string]struct {
		give []byte
		code int32
		want string
	}{
		"no review at all":     {[]byte("{"), http.StatusBadRequest, "no admission review"},
		"a review of tomorrow": {bytes.Replace(change(func(*admissionv1.AdmissionRequest) {}), []byte("admission.k8s.io/v1"), []byte("admission.k8s.io/v7"), 1), http.StatusBadRequest, "not AdmissionReview of admission.k8s.io/v7"},
		"a body without end":   {bytes.Repeat([]byte(" "), 8<<20), http.StatusRequestEntityTooLarge, "has more than 7340032 bytes"},
		"a name that stands twice": {
			bytes.Replace(change(func(*admissionv1.AdmissionRequest) {}), []byte(`"spec":{`), []byte(`"spec":{"hostNetwork":false,"hostNetwork":true,`), 1), http.StatusBadRequest, "no admission review",
		},
		"another kind": {
			change(func(r *admissionv1.AdmissionRequest) { r.Kind.Kind = "Node" }),
			http.StatusBadRequest, "does not judge /v1, Kind=Node: its configuration has been changed",
		},
		"no object": {
			change(func(r *admissionv1.AdmissionRequest) { r.Object.Raw = nil }),
			http.StatusBadRequest, "brings no object",
		},
		"an object of other types": {
			change(func(r *admissionv1.AdmissionRequest) { r.Object.Raw = []byte(`{"spec":{"containers":"secret-text"}}`) }),
			http.StatusBadRequest, "is no /v1, Kind=Pod that this version",
		},
		"an update without the old object": {
			change(func(r *admissionv1.AdmissionRequest) {
				r.Operation = admissionv1.Update
				r.Object.Raw = raw(t, phitest.Pod("patient-api").Unhardened().Obj()).Raw
			}), http.StatusBadRequest, "about UPDATE of /v1, Kind=Pod brings no object",
		},
		"a pod of three megabytes": {
			change(func(r *admissionv1.AdmissionRequest) {
				r.Object.Raw = raw(t, phitest.Pod("patient-api").Label("app", "patient-api").With(func(p *corev1.Pod) {
					p.Annotations = map[string]string{"note": strings.Repeat("x", 3<<20)}
					p.Labels[hipaav1.LabelWorkload] = "patient-api"
				}).Obj()).Raw
			}), http.StatusForbidden, "data-classification",
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got := ask(t, unitGate(t, catalog.All(), reader(t, world()...)), "/validate/pods", test.give)
			if got.Allowed || got.Result.Code != test.code || !strings.Contains(got.Result.Message, test.want) {
				t.Errorf("got %v %+v, want a refusal with %d and %q", got.Allowed, got.Result, test.code, test.want)
			}
			if strings.Contains(got.Result.Message, "secret-text") {
				t.Errorf("the answer quotes the object: %s", got.Result.Message)
			}
		})
	}
}

func TestWhatCannotBeReadIsRefusedUntilItCan(t *testing.T) {
	broken := interceptor.NewClient(reader(t, world()...), interceptor.Funcs{
		List: func(context.Context, client.WithWatch, client.ObjectList, ...client.ListOption) error {
			return errors.New("connection refused")
		},
	})
	for _, path := range []string{"/mutate/pods", "/validate/pods"} {
		got := askAbout(t, unitGate(t, catalog.All(), broken), path, review(t, admissionv1.Create, phitest.Pod("patient-api").Obj(), nil))
		want := &metav1.Status{
			Status: metav1.StatusFailure, Code: http.StatusServiceUnavailable, Reason: metav1.StatusReasonServiceUnavailable,
			Details: &metav1.StatusDetails{RetryAfterSeconds: 1},
			Message: `pod "patient-api" in PHI namespace "ehr" could not be judged: hipaa-operator could not read what it needs; ` +
				`nothing is wrong with the object, try again, and if it stays so look at the log of its manager`,
		}
		if diff := cmp.Diff(want, got.Result); got.Allowed || diff != "" {
			t.Errorf("%s: allowed %v (-want +got):\n%s", path, got.Allowed, diff)
		}
	}
}

func TestABugRefuses(t *testing.T) {
	outcomes := []admission.Outcome{}
	for name, panics := range map[string]func(control.Subject) []control.Finding{
		"of the runtime": func(s control.Subject) []control.Finding {
			return []control.Finding{{Path: s.Pod.Spec.Volumes[7].Name}}
		},
		"of ours": func(s control.Subject) []control.Finding { panic(s.Pod.Labels["app"]) },
	} {
		t.Run(name, func(t *testing.T) {
			g := unitGate(t, []control.Control{{ID: "buggy", Since: 1, Cites: catalog.All()[0].Cites, Judges: control.Pods, Check: panics}}, reader(t, world()...))
			g.Observe = func(o admission.Outcome) { outcomes = append(outcomes, o) }
			got := askAbout(t, g, "/validate/pods", review(t, admissionv1.Create, phitest.Pod("patient-api").Obj(), nil))
			if got.Allowed || got.UID != "0b4c" || got.Result.Code != http.StatusInternalServerError || !strings.Contains(got.Result.Message, "PHI is not admitted unjudged") {
				t.Errorf("got %v %+v", got.Allowed, got.Result)
			}
		})
	}
	want := []admission.Outcome{{Kind: "Pod", Failed: true}, {Kind: "Pod", Failed: true}}
	if diff := cmp.Diff(want, outcomes); diff != "" {
		t.Errorf("outcomes (-want +got):\n%s", diff)
	}
}

func TestMutationIsMinimal(t *testing.T) {
	g := unitGate(t, catalog.All(), reader(t, world()...))
	got := askAbout(t, g, "/mutate/pods", review(t, admissionv1.Create, phitest.Pod("patient-api").Obj(), nil))
	var operations []map[string]any
	if err := json.Unmarshal(got.Patch, &operations); err != nil {
		t.Fatalf("decoding %s: %v", got.Patch, err)
	}
	for _, operation := range operations {
		if path, _ := operation["path"].(string); operation["op"] != "add" || !strings.HasPrefix(path, "/metadata/labels/") {
			t.Errorf("touches more than labels: %v", operation)
		}
	}
	if len(operations) == 0 {
		t.Error("adds nothing")
	}
	for name, pod := range map[string]*corev1.Pod{
		"of no workload":        phitest.Pod("stranger").Obj(),
		"outside PHI":           phitest.Pod("patient-api").Namespace("shop").Obj(),
		"that has it all":       labelled(t, g),
		"that no profile rules": phitest.Pod("patient-api").Obj(),
	} {
		gate := g
		if name == "that no profile rules" {
			gate = unitGate(t, catalog.All(), reader(t, phitest.Namespace("ehr").Obj(), phitest.Workload("patient-api").Obj()))
		}
		if got := askAbout(t, gate, "/mutate/pods", review(t, admissionv1.Create, pod, nil)); !got.Allowed || got.Patch != nil {
			t.Errorf("a pod %s: allowed %v, patch %s", name, got.Allowed, got.Patch)
		}
	}
}

// labelled is a pod with all that mutation adds.
func labelled(t testing.TB, g *admission.Gate) *corev1.Pod {
	t.Helper()
	pod := phitest.Pod("patient-api").Obj()
	got := askAbout(t, g, "/mutate/pods", review(t, admissionv1.Create, pod, nil))
	var operations []struct {
		Path  string `json:"path"`
		Value string `json:"value"`
	}
	if err := json.Unmarshal(got.Patch, &operations); err != nil {
		t.Fatalf("decoding %s: %v", got.Patch, err)
	}
	for _, operation := range operations {
		key := strings.TrimPrefix(operation.Path, "/metadata/labels/")
		pod.Labels[strings.ReplaceAll(key, "~1", "/")] = operation.Value
	}
	return pod
}

func TestOutcomesAreObserved(t *testing.T) {
	g := unitGate(t, catalog.All(), reader(t, world()...))
	var got []string
	g.Observe = func(o admission.Outcome) {
		got = append(got, fmt.Sprintf("%s allowed=%v mutated=%v failed=%v denied=%d", o.Kind, o.Allowed, o.Mutated, o.Failed, len(o.Decision.Denied)))
	}
	good, stranger := labelled(t, g), phitest.Pod("stranger").Obj()
	askAbout(t, g, "/validate/pods", review(t, admissionv1.Create, good, nil))
	refusal := askAbout(t, g, "/validate/pods", review(t, admissionv1.Create, stranger, nil))
	want := []string{
		"Pod allowed=true mutated=true failed=false denied=0",
		"Pod allowed=true mutated=false failed=false denied=0",
		"Pod allowed=false mutated=false failed=false denied=1",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("outcomes (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(map[string]string{"denied": "undeclared-pod"}, refusal.AuditAnnotations); diff != "" {
		t.Errorf("audit annotations (-want +got):\n%s", diff)
	}
}

// memory keeps changes for a test.
type memory struct{ changes []witness.Change }

func (m *memory) Record(_ context.Context, change witness.Change) error {
	m.changes = append(m.changes, change)
	return nil
}

func TestOnlyRealChangesOfWhatMattersAreRemembered(t *testing.T) {
	owned := &networkingv1.NetworkPolicy{ObjectMeta: metav1.ObjectMeta{
		Namespace: "ehr", Name: "hipaa-patient-api", Labels: map[string]string{hipaav1.LabelManagedBy: hipaav1.ManagedByValue},
	}}
	foreign := &networkingv1.NetworkPolicy{ObjectMeta: metav1.ObjectMeta{Namespace: "ehr", Name: "shut"}}
	shut := foreign.DeepCopy()
	shut.Spec.PolicyTypes = []networkingv1.PolicyType{networkingv1.PolicyTypeIngress}
	tests := map[string]struct {
		path string
		give *admissionv1.AdmissionReview
		dry  bool
		want int
	}{
		"an owned policy is changed":            {path: "/validate/policies", give: review(t, admissionv1.Update, owned, owned), want: 1},
		"in a dry run":                          {path: "/validate/policies", give: review(t, admissionv1.Update, owned, owned), dry: true},
		"a foreign policy that opens nothing":   {path: "/validate/policies", give: review(t, admissionv1.Create, shut, nil)},
		"an owned policy is deleted":            {path: "/witness/deletions", give: review(t, admissionv1.Delete, nil, owned), want: 1},
		"a foreign policy is deleted":           {path: "/witness/deletions", give: review(t, admissionv1.Delete, nil, foreign)},
		"a deletion of something else":          {path: "/witness/deletions", give: review(t, admissionv1.Delete, nil, phitest.Pod("x").Obj())},
		"a deletion that makes no sense at all": {path: "/witness/deletions", give: review(t, admissionv1.Delete, shut, nil)},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			kept := &memory{}
			g := unitGate(t, catalog.All(), reader(t, world()...))
			g.Changes = kept
			test.give.Request.DryRun = ptr.To(test.dry)
			if got := askAbout(t, g, test.path, test.give); !got.Allowed {
				t.Errorf("refused: %v", got.Result)
			}
			if len(kept.changes) != test.want {
				t.Errorf("remembers %v, want %d", kept.changes, test.want)
			}
		})
	}
}

func TestAnApprovalIsRefusedBySentence(t *testing.T) {
	person := authenticationv1.UserInfo{Username: "anna@example.org"}
	stamp := func(x *hipaav1.ControlException) *hipaav1.ControlException {
		digest, err := x.Spec.Digest()
		if err != nil {
			t.Fatal(err)
		}
		x.Status.Approval = &hipaav1.Approval{
			Decision: hipaav1.DecisionApproved, Approver: "anna@example.org",
			Time: ptr.To(phitest.After(time.Second)), SpecDigest: digest,
			Generation: x.Generation, WorkloadUID: string(phitest.UIDOf(x.Spec.WorkloadRef.Name)),
		}
		return x
	}
	with := func(x *hipaav1.ControlException, change func(*hipaav1.Approval)) *hipaav1.ControlException {
		change(x.Status.Approval)
		return x
	}
	asked := func(by string) *hipaav1.ControlException {
		x := phitest.Exception("legacy", "patient-api", "any").Obj()
		if by != "" {
			x.Annotations = map[string]string{hipaav1.AnnotationRequestedBy: by}
		}
		return x
	}
	about := func(workload string) *hipaav1.ControlException {
		x := asked("rob")
		x.Spec.WorkloadRef.Name = workload
		return x
	}
	tests := map[string]struct {
		user   authenticationv1.UserInfo
		give   *hipaav1.ControlException
		old    *hipaav1.ControlException
		want   string
		rights rights
	}{
		"a ServiceAccount": {user: authenticationv1.UserInfo{Username: "system:serviceaccount:a:b"}, give: stamp(asked("rob")), old: asked("rob"), want: "is a ServiceAccount"},
		"a component":      {user: authenticationv1.UserInfo{Username: "system:kube-scheduler"}, give: stamp(asked("rob")), old: asked("rob"), want: "is a component of the cluster"},
		"nobody":           {give: stamp(asked("rob")), old: asked("rob"), want: "names no user"},
		"a member of the group": {
			user: authenticationv1.UserInfo{Username: "anna@example.org", Groups: []string{"system:masters"}},
			give: stamp(asked("rob")), old: asked("rob"), want: "system:masters",
		},
		"a client certificate": {user: authenticationv1.UserInfo{Username: "anna@example.org", Extra: map[string]authenticationv1.ExtraValue{
			"authentication.kubernetes.io/credential-id": {"X509SHA256=00ff"},
		}}, give: stamp(asked("rob")), old: asked("rob"), want: "client certificate"},
		"the requester":              {user: person, give: stamp(asked("anna@example.org")), old: asked("anna@example.org"), want: "wrote its present spec"},
		"no requester on record":     {user: person, give: stamp(asked("")), old: asked(""), want: "nobody is on record"},
		"a user without the verb":    {user: person, give: stamp(asked("rob")), old: asked("rob"), want: `takes the verb "approve"`},
		"the approval of other text": {user: person, give: stamp(phitest.Exception("legacy", "patient-api", "other").Obj()), old: asked("rob"), want: "about another content"},
		"the approval of no text": {user: person, give: with(stamp(asked("rob")), func(a *hipaav1.Approval) { a.SpecDigest = "" }), old: asked("rob"),
			want: "put the value of status.specDigest into status.approval.specDigest; `kubectl describe controlexception legacy -n ehr` shows it"},
		"another's name": {user: person, give: with(stamp(asked("rob")), func(a *hipaav1.Approval) { a.Approver = "boss" }), old: asked("rob"),
			want: "send only decision and specDigest"},
		"an instant of last week": {
			user: person, give: with(stamp(asked("rob")), func(a *hipaav1.Approval) { a.Time = ptr.To(phitest.After(-7 * 24 * time.Hour)) }), old: asked("rob"),
			want: "send only decision and specDigest",
		},
		"another workload": {user: person, give: with(stamp(asked("rob")), func(a *hipaav1.Approval) { a.WorkloadUID = "another" }), old: asked("rob"),
			want: "send only decision and specDigest"},
		"another generation": {user: person, give: with(stamp(asked("rob")), func(a *hipaav1.Approval) { a.Generation++ }), old: asked("rob"),
			want: "send only decision and specDigest"},
		"a workload that does not exist": {user: person, give: stamp(about("nothing")), old: about("nothing"), want: `PHIWorkload "nothing" does not exist`},
		"one who impersonates the requester": {
			user: person, give: stamp(asked("rob")), old: asked("rob"), rights: rights{"approve controlexceptions ehr/legacy", "impersonate users /rob"},
			want: `"anna@example.org" may act as its requester "rob" (verb "impersonate" on users), so that one person could play both parts`,
		},
		"one who impersonates the requester, constrained": {
			user: person, give: stamp(asked("rob")), old: asked("rob"), rights: rights{"approve controlexceptions ehr/legacy", "impersonate:user-info users.authentication.k8s.io /rob"},
			want: `(verb "impersonate:user-info" on users.authentication.k8s.io)`,
		},
		"one who impersonates the ServiceAccount": {
			user: person, give: stamp(asked("system:serviceaccount:a:b")), old: asked("system:serviceaccount:a:b"),
			rights: rights{"approve controlexceptions ehr/legacy", "impersonate serviceaccounts a/b"},
			want:   `(verb "impersonate" on serviceaccounts in namespace a)`,
		},
		"one who impersonates the ServiceAccount, constrained": {
			user: person, give: stamp(asked("system:serviceaccount:a:b")), old: asked("system:serviceaccount:a:b"),
			rights: rights{"approve controlexceptions ehr/legacy", "impersonate:serviceaccount serviceaccounts.authentication.k8s.io a/b"},
			want:   `(verb "impersonate:serviceaccount" on serviceaccounts.authentication.k8s.io in namespace a)`,
		},
		"one who makes its tokens": {
			user: person, give: stamp(asked("system:serviceaccount:a:b")), old: asked("system:serviceaccount:a:b"),
			rights: rights{"approve controlexceptions ehr/legacy", "create serviceaccounts/token a/b"},
			want:   `(verb "create" on serviceaccounts/token in namespace a)`,
		},
		"nothing, of what a person asked": {
			user: person, give: stamp(asked("rob")), old: asked("rob"),
			rights: rights{"approve controlexceptions ehr/legacy", "impersonate users /somebody-else", "impersonate serviceaccounts a/b"},
		},
		"nothing, of what a pipeline asked": {
			user: person, give: stamp(asked("system:serviceaccount:a:b")), old: asked("system:serviceaccount:a:b"),
			rights: rights{"approve controlexceptions ehr/legacy", "create serviceaccounts/token other/b"},
		},
		"no change at all": {user: person, give: asked("rob"), old: asked("rob")},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			r := review(t, admissionv1.Update, test.give, test.old)
			r.Request.SubResource, r.Request.UserInfo = "status", test.user
			g := unitGate(t, catalog.All(), reader(t, world()...))
			g.Reviews = test.rights
			got := askAbout(t, g, "/validate/exceptions", r)
			if test.want == "" {
				if !got.Allowed {
					t.Errorf("refused: %v", got.Result)
				}
				return
			}
			if got.Allowed || got.Result.Code != http.StatusForbidden || !strings.Contains(got.Result.Message, test.want) {
				t.Errorf("got %v %+v, want a refusal with %q", got.Allowed, got.Result, test.want)
			}
		})
	}
}
