package rule

import (
	"errors"
	"fmt"
	"maps"
	"strings"
	"sync"

	"github.com/google/cel-go/cel"
	"k8s.io/apimachinery/pkg/util/version"
	apiservercel "k8s.io/apiserver/pkg/cel"
	"k8s.io/apiserver/pkg/cel/environment"

	"github.com/hipaa-operator/hipaa-operator/internal/control"
)

// What an expression may name.
const (
	objectVariable    = "object"
	namespaceVariable = "namespaceObject" // as the API server's own policies call it
	profileVariable   = "profile"
)

// environments is the API server's own environment: its functions, its checks and its
// limit on what one evaluation may cost.
var environments = sync.OnceValues(func() (*environment.EnvSet, error) {
	return environment.MustBaseEnvSet(environment.DefaultCompatibilityVersion()).Extend(knowing(apiservercel.DynType))
})

// knowing declares the variables, with what is known of the object's type.
func knowing(object *apiservercel.DeclType) environment.VersionedOptions {
	text, labels := apiservercel.StringType, apiservercel.NewMapType(apiservercel.StringType, apiservercel.StringType, -1)
	record := func(name string, fields map[string]*apiservercel.DeclType) *apiservercel.DeclType {
		declared := make(map[string]*apiservercel.DeclField, len(fields))
		for field, typ := range fields {
			declared[field] = apiservercel.NewDeclField(field, typ, true, nil, nil)
		}
		return apiservercel.NewObjectType(name, declared)
	}
	storage := record("hipaa.Storage", map[string]*apiservercel.DeclType{"cloudKeys": text})
	profile := record("hipaa.Profile", map[string]*apiservercel.DeclType{"storage": storage})
	metadata := record("hipaa.Metadata", map[string]*apiservercel.DeclType{"name": text, "labels": labels})
	namespace := record("hipaa.Namespace", map[string]*apiservercel.DeclType{"metadata": metadata})
	types := []*apiservercel.DeclType{profile, namespace}
	if object.IsObject() {
		types = append(types, object)
	}
	return environment.VersionedOptions{
		IntroducedVersion: version.MajorMinor(1, 0),
		EnvOptions: []cel.EnvOption{
			cel.Variable(objectVariable, object.CelType()),
			cel.Variable(namespaceVariable, namespace.CelType()),
			cel.Variable(profileVariable, profile.CelType()),
		},
		DeclTypes: types,
	}
}

// vocabulary are the values behind the variables.
func vocabulary(s *control.Subject) map[string]any {
	declared := maps.Clone(s.Resource.Object)
	delete(declared, "status") // what is declared is judged, at admission and live alike
	return map[string]any{
		objectVariable:    declared,
		namespaceVariable: map[string]any{"metadata": map[string]any{"name": s.Namespace.Name, "labels": s.Namespace.Labels}},
		profileVariable:   map[string]any{"storage": map[string]any{"cloudKeys": string(s.Profile.Storage.KeysInCloud())}},
	}
}

// compile checks an expression's types and makes it ready to run. What is wrong is told
// with line and column.
func compile(env *cel.Env, text string) (cel.Program, error) {
	ast, issues := env.Compile(text)
	if issues.Err() != nil {
		var all []string
		for _, e := range issues.Errors() {
			all = append(all, fmt.Sprintf("line %d, column %d: %s", e.Location.Line(), max(e.Location.Column(), 0)+1, e.Message))
		}
		return nil, errors.New(strings.Join(all, "; "))
	}
	if !ast.OutputType().IsExactType(cel.BoolType) {
		return nil, fmt.Errorf("line 1, column 1: is %s, and has to be bool; compare what may be of any type with == true", ast.OutputType())
	}
	program, err := env.Program(ast)
	if err != nil {
		return nil, fmt.Errorf("preparing an expression: %w", err)
	}
	return program, nil
}

// errNoBool is an evaluation that came to an end without an answer.
var errNoBool = errors.New("the expression gave no answer")

// holds evaluates an expression. An error never quotes the object.
func holds(program cel.Program, variables map[string]any) (bool, error) {
	value, _, err := program.Eval(variables)
	if err != nil {
		return false, errNoBool
	}
	is, ok := value.Value().(bool)
	if !ok {
		return false, errNoBool
	}
	return is, nil
}
