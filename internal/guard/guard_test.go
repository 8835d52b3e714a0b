package guard

import (
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/hipaa-operator/hipaa-operator/config"
	"github.com/hipaa-operator/hipaa-operator/internal/phitest"
)

func TestManifestsAreReadForTheOperatorsNamespace(t *testing.T) {
	all, err := readManifests(config.Admission, "compliance", "")
	if err != nil {
		t.Fatal(err)
	}
	kinds := map[string]int{}
	for ref := range all {
		kinds[ref.Kind]++
	}
	want := map[string]int{
		"MutatingWebhookConfiguration": 1, "ValidatingWebhookConfiguration": 1,
		"ValidatingAdmissionPolicy": 20, "ValidatingAdmissionPolicyBinding": 20,
	}
	if diff := cmp.Diff(want, kinds); diff != "" {
		t.Errorf("kinds (-want +got):\n%s", diff)
	}
	for ref, manifest := range all {
		text, err := manifest.tree.MarshalJSON()
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(text), namespaceInManifests) {
			t.Errorf("%s names the namespace of the manifests still", ref)
		}
	}
}

func TestManifestsThatAreNotAdmissionConfigurationAreRefused(t *testing.T) {
	for name, text := range map[string]string{
		"another kind":     "apiVersion: v1\nkind: Pod\nmetadata: {name: x}\n",
		"no YAML":          "a: [",
		"an unknown field": "apiVersion: admissionregistration.k8s.io/v1\nkind: ValidatingAdmissionPolicy\nmetadata: {name: x}\nspec: {failurePolice: Fail}\n",
	} {
		if _, err := readManifests(fstest.MapFS{"x.yaml": {Data: []byte(text)}}, "compliance", ""); err == nil {
			t.Errorf("%s: want an error", name)
		}
	}
	if _, err := readManifests(config.Admission, "not a namespace", ""); err == nil {
		t.Error("want an error for a namespace that is none")
	}
}

func TestAPauseIsBounded(t *testing.T) {
	now := phitest.Epoch
	tests := map[string]struct {
		give string
		want bool
	}{
		"none":                 {"", false},
		"no instant":           {"tomorrow", false},
		"past":                 {now.Format(time.RFC3339), false},
		"an hour":              {now.Add(time.Hour).Format(time.RFC3339), true},
		"a week":               {now.Add(LongestPause).Format(time.RFC3339), true},
		"a week and a second":  {now.Add(LongestPause + time.Second).Format(time.RFC3339), false},
		"in another time zone": {now.Add(time.Hour).In(time.FixedZone("", 3600)).Format(time.RFC3339), true},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			live := &admissionregistrationv1.ValidatingWebhookConfiguration{ObjectMeta: metav1.ObjectMeta{
				Annotations: map[string]string{AnnotationPausedUntil: test.give},
			}}
			if got := !pausedUntil(live, now).IsZero(); got != test.want {
				t.Errorf("paused: got %v, want %v", got, test.want)
			}
		})
	}
}

func TestTheConditionSaysTheWorstFirst(t *testing.T) {
	now := phitest.Epoch
	ref := Ref{Kind: "ValidatingAdmissionPolicy", Name: "x"}
	restored := &Restoration{Ref: ref, Changed: []string{"/spec/a", "/spec/b", "/spec/c", "/spec/d"}, Who: `field manager "kubectl"`, At: now.Add(-time.Hour)}
	tests := map[string]struct {
		give State
		want string
	}{
		"all is well":       {State{}, "True AsInstalled webhook configurations and admission policies are as installed"},
		"not looked yet":    {State{Unseen: []Ref{ref}}, "Unknown Progressing ValidatingAdmissionPolicy/x was not looked at yet"},
		"wrong":             {State{Wrong: []Ref{ref}, PausedUntil: now.Add(time.Hour)}, "False InternalError ValidatingAdmissionPolicy/x is not as installed and could not be put back yet"},
		"paused":            {State{PausedUntil: now.Add(time.Hour), PausedBy: `field manager "kubectl"`, Last: restored}, `False Paused webhooks do not block while the operator cannot answer, until 2026-03-02T10:00:00Z, written by field manager "kubectl"`},
		"restored":          {State{Last: restored}, `True AdmissionRestored ValidatingAdmissionPolicy/x was changed (/spec/a, /spec/b, /spec/c and 1 more) by field manager "kubectl" at 2026-03-02T08:00:00Z and has been put back`},
		"restored long ago": {State{Last: &Restoration{At: now.Add(-25 * time.Hour)}}, "True AsInstalled webhook configurations and admission policies are as installed"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			c := test.give.Condition(now)
			if got := string(c.Status) + " " + c.Reason + " " + c.Message; got != test.want {
				t.Errorf("got  %s\nwant %s", got, test.want)
			}
		})
	}
}

func TestTheLastWriterIsNotTheOperator(t *testing.T) {
	entry := func(manager string, after time.Duration) metav1.ManagedFieldsEntry {
		at := phitest.After(after)
		return metav1.ManagedFieldsEntry{Manager: manager, Time: &at}
	}
	tests := map[string]struct {
		give []metav1.ManagedFieldsEntry
		want string
	}{
		"nobody":                  {nil, unknownWriter},
		"only we":                 {[]metav1.ManagedFieldsEntry{entry("hipaa-operator", 1), entry(CertificateFieldOwner, 2)}, unknownWriter},
		"the later of two":        {[]metav1.ManagedFieldsEntry{entry("helm", 2*time.Second), entry("kubectl", time.Second)}, `field manager "helm"`},
		"somebody before we came": {[]metav1.ManagedFieldsEntry{entry("kubectl", time.Second), entry("hipaa-operator", time.Hour)}, `field manager "kubectl"`},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			live := &admissionregistrationv1.ValidatingWebhookConfiguration{}
			live.ManagedFields = test.give
			if got := lastWriter(live); got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}
