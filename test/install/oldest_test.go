package install

import (
	"fmt"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/google/cel-go/cel"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apimachinery/pkg/util/version"
	"k8s.io/apiserver/pkg/cel/environment"
	"sigs.k8s.io/yaml"
)

// oldest is the oldest minor version of Kubernetes that the chart admits.
func oldest(t *testing.T) uint {
	t.Helper()
	var meta struct {
		KubeVersion string `json:"kubeVersion"`
	}
	if err := yaml.Unmarshal([]byte(read(t, filepath.Join(root, chart, "Chart.yaml"))), &meta); err != nil {
		t.Fatalf("reading Chart.yaml: %v", err)
	}
	match := regexp.MustCompile(`^>=1\.(\d+)\.0-0$`).FindStringSubmatch(meta.KubeVersion)
	if match == nil {
		t.Fatalf("kubeVersion %q names no oldest version", meta.KubeVersion)
	}
	minor, err := strconv.ParseUint(match[1], 10, 8)
	if err != nil {
		t.Fatalf("reading kubeVersion: %v", err)
	}
	return uint(minor)
}

// Since 1.32 the API server tells by the user's extra that a client certificate
// was shown. Before, an approval by one cannot be told from that of a person.
func TestTheOldestKubernetesTellsClientCertificatesApart(t *testing.T) {
	minor := oldest(t)
	if minor < 32 {
		t.Errorf("Kubernetes 1.%d marks no user who signed in with a client certificate", minor)
	}
	want := fmt.Sprintf("What you need: Kubernetes 1.%d or newer", minor)
	if !strings.HasPrefix(read(t, filepath.Join(root, "docs", "install.md")), "# Installing hipaa-operator\n\n"+want) {
		t.Errorf("docs/install.md does not begin with %q", want)
	}
}

// An API server takes new expressions only if its predecessor understands them,
// so that it can be rolled back.
func TestExpressionsAreUnderstoodByTheOldestKubernetes(t *testing.T) {
	minor := oldest(t)
	env, err := environment.MustBaseEnvSet(version.MajorMinor(1, minor-1)).Env(environment.NewExpressions)
	if err != nil {
		t.Fatalf("making the environment: %v", err)
	}
	var variables []cel.EnvOption
	for _, name := range []string{"self", "oldSelf", "object", "oldObject", "request", "namespaceObject", "params", "authorizer", "variables"} {
		variables = append(variables, cel.Variable(name, cel.DynType))
	}
	if env, err = env.Extend(variables...); err != nil {
		t.Fatalf("declaring variables: %v", err)
	}
	found := expressions(t)
	if len(found) < 20 {
		t.Fatalf("found %d expressions only", len(found))
	}
	for where, expression := range found {
		if _, issues := env.Compile(expression); issues.Err() != nil {
			t.Errorf("Kubernetes 1.%d does not understand %s: %v", minor, where, issues.Err())
		}
	}
}

// expressions are all that config/default has API servers evaluate, by where they
// stand.
func expressions(t *testing.T) map[string]string {
	t.Helper()
	found := map[string]string{}
	for _, crd := range all[*apiextensionsv1.CustomResourceDefinition](t, "default") {
		for _, v := range crd.Spec.Versions {
			rulesOf(crd.Name, v.Schema.OpenAPIV3Schema, found)
		}
	}
	for _, p := range all[*admissionregistrationv1.ValidatingAdmissionPolicy](t, "default") {
		for i, v := range p.Spec.Variables {
			found[fmt.Sprintf("%s variable %d", p.Name, i)] = v.Expression
		}
		for i, v := range p.Spec.Validations {
			found[fmt.Sprintf("%s validation %d", p.Name, i)] = v.Expression
			if v.MessageExpression != "" {
				found[fmt.Sprintf("%s message %d", p.Name, i)] = v.MessageExpression
			}
		}
		conditionsOf(p.Name, p.Spec.MatchConditions, found)
	}
	for _, c := range all[*admissionregistrationv1.ValidatingWebhookConfiguration](t, "default") {
		for i := range c.Webhooks {
			conditionsOf(c.Name+" "+c.Webhooks[i].Name, c.Webhooks[i].MatchConditions, found)
		}
	}
	for _, c := range all[*admissionregistrationv1.MutatingWebhookConfiguration](t, "default") {
		for i := range c.Webhooks {
			conditionsOf(c.Name+" "+c.Webhooks[i].Name, c.Webhooks[i].MatchConditions, found)
		}
	}
	return found
}

func conditionsOf(name string, conditions []admissionregistrationv1.MatchCondition, into map[string]string) {
	for _, condition := range conditions {
		into[name+" "+condition.Name] = condition.Expression
	}
}

// rulesOf finds the rules of a schema and of all that is below it.
func rulesOf(path string, schema *apiextensionsv1.JSONSchemaProps, into map[string]string) {
	for i, rule := range schema.XValidations {
		into[fmt.Sprintf("%s rule %d", path, i)] = rule.Rule
		if rule.MessageExpression != "" {
			into[fmt.Sprintf("%s message %d", path, i)] = rule.MessageExpression
		}
	}
	for name := range schema.Properties {
		property := schema.Properties[name]
		rulesOf(path+"."+name, &property, into)
	}
	if schema.Items != nil && schema.Items.Schema != nil {
		rulesOf(path+"[]", schema.Items.Schema, into)
	}
	if schema.AdditionalProperties != nil && schema.AdditionalProperties.Schema != nil {
		rulesOf(path+"{}", schema.AdditionalProperties.Schema, into)
	}
}
