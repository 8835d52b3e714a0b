package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"sigs.k8s.io/yaml"
)

// apiPage documents every kind from its CRD, which controller-gen makes from the
// Go types.
func apiPage(root string) ([]page, error) {
	files, err := filepath.Glob(filepath.Join(root, "config", "crd", "bases", "*.yaml"))
	if err != nil {
		return nil, fmt.Errorf("listing the CRDs: %w", err)
	}
	slices.Sort(files)
	var text strings.Builder
	text.WriteString("# API reference\n\n" + notice + "Group `hipaa-operator.io`, version `v1alpha1`.\n")
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			return nil, fmt.Errorf("reading a CRD: %w", err)
		}
		var crd apiextensionsv1.CustomResourceDefinition
		if err := yaml.UnmarshalStrict(content, &crd); err != nil {
			return nil, fmt.Errorf("decoding %s: %w", filepath.Base(file), err)
		}
		writeKind(&text, &crd)
	}
	return []page{{"reference/api.md", text.String()}}, nil
}

func writeKind(text *strings.Builder, crd *apiextensionsv1.CustomResourceDefinition) {
	schema := crd.Spec.Versions[0].Schema.OpenAPIV3Schema
	fmt.Fprintf(text, "\n## %s\n\n%s\n\n", crd.Spec.Names.Kind, oneLine(schema.Description))
	fmt.Fprintf(text, "Scope: %s. `kubectl get %s`", crd.Spec.Scope, crd.Spec.Names.Plural)
	if len(crd.Spec.Names.ShortNames) > 0 {
		fmt.Fprintf(text, " (short: `%s`)", strings.Join(crd.Spec.Names.ShortNames, "`, `"))
	}
	text.WriteString(".\n\n| field | type | meaning |\n|---|---|---|\n")
	for _, top := range []string{"spec", "status"} {
		if property, ok := schema.Properties[top]; ok {
			writeField(text, top, &property, slices.Contains(schema.Required, top))
		}
	}
}

// opaque are fields whose inside other projects document.
var opaque = []string{"conditions", "selector", "podSelector", "namespaceSelector"}

func writeField(text *strings.Builder, path string, p *apiextensionsv1.JSONSchemaProps, required bool) {
	fmt.Fprintf(text, "| `%s` | %s | %s |\n", path, typeOf(p, required), meaning(p))
	name := strings.TrimSuffix(path[strings.LastIndex(path, ".")+1:], "[]")
	if slices.Contains(opaque, name) {
		return
	}
	inside, prefix := p, path
	if p.Items != nil && p.Items.Schema != nil {
		inside, prefix = p.Items.Schema, path+"[]"
	}
	for _, child := range slices.Sorted(keys(inside.Properties)) {
		property := inside.Properties[child]
		writeField(text, prefix+"."+child, &property, slices.Contains(inside.Required, child))
	}
}

func keys[V any](m map[string]V) func(func(string) bool) {
	return func(yield func(string) bool) {
		for k := range m {
			if !yield(k) {
				return
			}
		}
	}
}

func typeOf(p *apiextensionsv1.JSONSchemaProps, required bool) string {
	t := p.Type
	switch {
	case p.XIntOrString:
		t = "integer or string"
	case p.Type == "array" && p.Items != nil && p.Items.Schema != nil:
		t = "list of " + p.Items.Schema.Type
	case p.Format != "" && p.Type == "string":
		t = p.Format
	}
	if required {
		t += ", required"
	}
	return t
}

func meaning(p *apiextensionsv1.JSONSchemaProps) string {
	parts := []string{oneLine(p.Description)}
	enum := p.Enum
	if p.Items != nil && p.Items.Schema != nil && len(enum) == 0 {
		enum = p.Items.Schema.Enum
	}
	if len(enum) > 0 {
		values := make([]string, len(enum))
		for i, v := range enum {
			values[i] = "`" + strings.Trim(string(v.Raw), `"`) + "`"
		}
		parts = append(parts, "One of "+strings.Join(values, ", ")+".")
	}
	if p.Default != nil {
		parts = append(parts, "Default `"+strings.Trim(string(p.Default.Raw), `"`)+"`.")
	}
	if p.MaxItems != nil {
		parts = append(parts, fmt.Sprintf("At most %d.", *p.MaxItems))
	}
	for _, rule := range p.XValidations {
		parts = append(parts, "Refused if it "+strings.TrimSuffix(rule.Message, ".")+".")
	}
	return strings.ReplaceAll(strings.Join(parts, " "), "|", "\\|")
}

func oneLine(text string) string {
	return strings.Join(strings.Fields(text), " ")
}
