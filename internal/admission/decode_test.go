package admission

import (
	"bytes"
	"encoding/json"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	kjson "sigs.k8s.io/json"
	"sigs.k8s.io/randfill"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
)

// decoded are the types of all that webhooks decode.
var decoded = []any{
	question{}, connectOptions{}, metav1.PartialObjectMetadata{},
	corev1.Pod{}, corev1.PersistentVolumeClaim{}, corev1.Service{}, corev1.Endpoints{}, corev1.ReplicationController{}, //nolint:staticcheck // deprecated, and still served
	discoveryv1.EndpointSlice{}, networkingv1.NetworkPolicy{},
	appsv1.Deployment{}, appsv1.StatefulSet{}, appsv1.DaemonSet{}, appsv1.ReplicaSet{}, batchv1.Job{}, batchv1.CronJob{},
	hipaav1.ControlException{}, hipaav1.PHIWorkload{},
}

// FuzzDecode asks about any bytes.
func FuzzDecode(f *testing.F) {
	for i, value := range decoded {
		for seed := range int64(4) {
			f.Add(i, randomJSON(f, value, seed))
		}
	}
	for _, body := range []string{
		`null`, `{}`, ` {"metadata":null,"spec":{"containers":null,"volumes":[null,{}]}}`,
		`{"Metadata":{"name":"a"},"METADATA":{"name":"b"}}`, `{"metadata":{"Name":"a"}}`,
		`{"metadata":{"name":"a","name":"b"}}`, `{"metadata":{"labels":{"a":"b","a":"c"}}}`, "{\"metadata\":{\"name\":\"\xff\"}}",
		`{"metadata":{"name":"\ud800"}}`, `{"metadata":{"creationTimestamp":"2026-01-02T03:04:05.678Z","generation":1.0}}`,
		`{"metadata":{"generation":9223372036854775808}}`, `{"metadata":{"generation":"1"}}`,
		`{"spec":{"replicas":1e2,"priority":-1}}`, `{"spec":{"ports":[{"targetPort":"http"},{"targetPort":8080},{"targetPort":1.5}]}}`,
		`{"spec":{"containers":[{"resources":{"limits":{"cpu":0.5,"memory":"1Gi"}}}]}}`, `{"spec":{"containers":"text"}}`,
		`{"request":{"object":null,"options":{"a":[1]},"dryRun":true}}`, `{"request":{"object":{"a":1,"a":2}}}`, `{} {}`, `{"a":}`,
	} {
		for i := range decoded {
			f.Add(i, []byte(body))
		}
	}
	f.Fuzz(func(t *testing.T, which int, body []byte) {
		if which >= 0 && which < len(decoded) {
			assertReadAlike(t, decoded[which], body)
		}
	})
}

// TestEveryValueIsReadAlike puts values of all kinds in the place of each other.
func TestEveryValueIsReadAlike(t *testing.T) {
	others := []string{
		`null`, `true`, `""`, `"1"`, `"http"`, `"2026-01-02T03:04:05Z"`, `"AAEC"`, `"1Gi"`, `0`, `-1`, `1.0`, `1e2`, `0.5`, `4294967296`,
		`9223372036854775808`, `[]`, `[null]`, `["a"]`, `[1]`, `[{}]`, `{}`, `{"a":"b"}`, `{"a":null}`, `{"a":"b","a":"c"}`, "\"\xff\"", `"\ud800"`,
	}
	random := rand.New(rand.NewPCG(1, 2))
	for _, value := range decoded {
		for seed := range int64(12) {
			text := randomJSON(t, value, seed)
			values := valuesOf(t, text)
			for range 60 {
				at := values[random.IntN(len(values))]
				assertReadAlike(t, value, slices.Concat(text[:at.from], []byte(others[random.IntN(len(others))]), text[at.to:]))
			}
		}
	}
}

// span is where in a text a value stands.
type span struct{ from, to int64 }

// valuesOf finds the values of a text, the names of members not among them.
func valuesOf(t *testing.T, text []byte) []span {
	t.Helper()
	var values []span
	var visit func(decoder *jsontext.Decoder, offset int64)
	visit = func(decoder *jsontext.Decoder, offset int64) {
		value, err := decoder.ReadValue()
		if err != nil {
			t.Fatal(err)
		}
		to := offset + decoder.InputOffset()
		from := to - int64(len(value))
		values = append(values, span{from, to})
		kind := value.Kind()
		if kind != '{' && kind != '[' {
			return
		}
		inner := jsontext.NewDecoder(bytes.NewReader(value))
		_, _ = inner.ReadToken() // the brace, which Kind has seen
		for inner.PeekKind() != '}' && inner.PeekKind() != ']' {
			if kind == '{' {
				_, _ = inner.ReadToken() // a name of a value that was read whole
			}
			visit(inner, from)
		}
	}
	visit(jsontext.NewDecoder(bytes.NewReader(text)), 0)
	return values
}

// assertReadAlike wants a text to be read as the API server's own decoder reads
// it, or not at all, and only what no API server writes not to be read.
func assertReadAlike(t *testing.T, value any, text []byte) {
	t.Helper()
	kind := reflect.TypeOf(value)
	got, want := reflect.New(kind).Interface(), reflect.New(kind).Interface()
	err, wantErr := unmarshal(text, got), kjson.UnmarshalCaseSensitivePreserveInts(text, want)
	switch {
	case err == nil && wantErr != nil:
		t.Fatalf("%s was read, which should give %v: %s", kind, wantErr, text)
	case err == nil && !reflect.DeepEqual(got, want):
		t.Fatalf("%s was read differently (-want +got):\n%s\n%s", kind, cmp.Diff(want, got, cmp.Exporter(func(reflect.Type) bool { return true })), text)
	case err != nil && wantErr == nil && jsontext.Value(text).IsValid():
		t.Fatalf("%s was not read: %v: %s", kind, err, text)
	}
}

// randomJSON is an object as an API server writes it.
func randomJSON(t testing.TB, value any, seed int64) []byte {
	t.Helper()
	object := reflect.New(reflect.TypeOf(value)).Interface()
	randfill.NewWithSeed(seed).NilChance(0.3).NumElements(0, 2).MaxDepth(10).Funcs(
		func(q *resource.Quantity, c randfill.Continue) {
			*q = *resource.NewMilliQuantity(c.Int63n(100000), resource.DecimalSI)
		},
		func(m *metav1.FieldsV1, _ randfill.Continue) { m.SetRawBytes([]byte(`{"f:metadata":{}}`)) },
		func(r *runtime.RawExtension, _ randfill.Continue) {
			r.Raw = []byte(`{"kind":"Pod","metadata":{"name":"a"}}`)
		},
		func(s *string, c randfill.Continue) { *s = []string{"", "a", "ü", "<&>", "\"\\\n"}[c.Intn(5)] },
	).Fill(object)
	text, err := json.Marshal(object)
	if err != nil {
		t.Fatalf("encoding %T: %v", object, err)
	}
	if err := unmarshal(text, object); err != nil {
		t.Fatalf("reading what was written of %T: %v", object, err)
	}
	return text
}
