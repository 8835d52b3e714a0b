package catalog

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apiextensions-apiserver/pkg/apis/apiextensions"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	structuralschema "k8s.io/apiextensions-apiserver/pkg/apiserver/schema"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/cel/model"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	apiservercel "k8s.io/apiserver/pkg/cel"
	"sigs.k8s.io/yaml"

	"github.com/hipaa-operator/hipaa-operator/internal/control"
	"github.com/hipaa-operator/hipaa-operator/internal/phitest"
	"github.com/hipaa-operator/hipaa-operator/internal/rule"
)

// typeOf is a type as the CRD of its project declares it. The namespaced resources of
// Crossplane have the schema of those of the whole cluster.
func typeOf(t *testing.T, of control.ResourceType) *apiservercel.DeclType {
	t.Helper()
	elder := strings.Replace(of.CRD(), ".m.upbound.io", ".upbound.io", 1)
	text, err := os.ReadFile(filepath.Join("testdata", "crds", elder+".yaml"))
	if err != nil {
		t.Fatalf("%s: no CRD to check the rule against: %v", of, err)
	}
	var crd apiextensionsv1.CustomResourceDefinition
	if err := yaml.UnmarshalStrict(text, &crd); err != nil {
		t.Fatal(err)
	}
	version := crd.Spec.Versions[0]
	if crd.Spec.Names.Kind != of.Kind || elder == of.CRD() && version.Name != of.Version || elder != of.CRD() && of.Version != "v1beta1" {
		t.Errorf("%s: the CRD has kind %s in version %s", of, crd.Spec.Names.Kind, version.Name)
	}
	var internal apiextensions.JSONSchemaProps
	if err := apiextensionsv1.Convert_v1_JSONSchemaProps_To_apiextensions_JSONSchemaProps(version.Schema.OpenAPIV3Schema, &internal, nil); err != nil {
		t.Fatal(err)
	}
	delete(internal.Properties, "status")
	structural, err := structuralschema.NewStructural(&internal)
	if err != nil {
		t.Fatal(err)
	}
	return model.SchemaDeclType(structural, true).MaybeAssignTypeName(of.Kind)
}

// A field that an expression misspells would never be there, and the rule would pass
// everything, or nothing.
func TestExpressionsReadFieldsThatAreThere(t *testing.T) {
	for _, r := range Rules() {
		for _, of := range r.Types() {
			t.Run(r.ID+" "+of.String(), func(t *testing.T) {
				typ := typeOf(t, of)
				if err := r.Typecheck(of, typ); err != nil {
					t.Error(err)
				}
			})
		}
	}
	typo := &rule.Rule{Checks: []rule.Check{{Match: []control.ResourceType{kmsKeys}, Expression: "has(object.spec.enableKeyRotatoin)"}}}
	if err := typo.Typecheck(kmsKeys, typeOf(t, kmsKeys)); err == nil || !strings.Contains(err.Error(), "line 1, column 4: undefined field 'enableKeyRotatoin'") {
		t.Errorf("a misspelt field is found by %v", err)
	}
}

var kmsKeys = control.ResourceType{Group: "kms.services.k8s.aws", Version: "v1alpha1", Resource: "keys", Kind: "Key"}

// Each check is shown at work on both sides: some good resource meets it, and some
// break fails it.
func TestEveryCheckIsMetAndFailed(t *testing.T) {
	for _, r := range Rules() {
		c, err := r.Compile()
		if err != nil {
			t.Fatal(err)
		}
		said := map[string]bool{}
		ask := func(object map[string]any) {
			s := satisfied(c)
			for _, f := range c.Check(s.Of(&unstructured.Unstructured{Object: object})) {
				said[string(f.Verdict)+" "+f.Path+" "+f.Message] = true
			}
		}
		for _, object := range r.Good {
			ask(object)
		}
		for _, object := range r.Breaks {
			ask(object)
		}
		for i := range r.Checks {
			check := &r.Checks[i]
			for _, want := range []string{"Pass " + check.Path + " " + check.Met, "Fail " + check.Path + " " + check.Message} {
				if !said[want] {
					t.Errorf("%s: checks[%d] never says %q", r.ID, i, want)
				}
			}
		}
	}
}

func satisfied(c control.Control) control.Subject {
	s := control.Subject{Profile: &control.Profile{}, Namespace: phitest.Namespace("ehr").Obj(), World: &control.World{}}
	c.Satisfy(&s)
	return s
}

func TestAFileIsAllThatARuleTakes(t *testing.T) {
	text, err := os.ReadFile("rules/key-rotation.yaml")
	if err != nil {
		t.Fatal(err)
	}
	before, data := slices.Clone(registered), slices.Clone(asData)
	defer func() { registered, asData = before, data }()
	added := strings.Replace(string(text), "id: key-rotation", "id: key-renewal", 1)
	asData = append(asData, readRules(fstest.MapFS{"rules/key-renewal.yaml": {Data: []byte(added)}})...)
	i := slices.IndexFunc(All(), func(c control.Control) bool { return c.ID == "key-renewal" })
	if i < 0 {
		t.Fatal("the control of an added file is not there")
	}
	if diff := cmp.Diff(len(data)+1, len(Rules())); diff != "" {
		t.Errorf("rules (-want +got):\n%s", diff)
	}
	for name, files := range map[string]fstest.MapFS{
		"a file of another name":  {"rules/keys.yaml": {Data: text}},
		"an ID that is taken":     {"rules/key-rotation.yaml": {Data: text}},
		"a field that is unknown": {"rules/x-y.yaml": {Data: []byte("id: x-y\nchecked: []\n")}},
		"a broken expression":     {"rules/key-renewal.yaml": {Data: []byte(strings.Replace(added, "== true", "== (true", 1))}},
	} {
		if !panics(func() { readRules(files) }) {
			t.Errorf("%s: a build with it starts", name)
		}
	}
}
