// Command rulegen writes what controls make of the manifests. Its promise: the
// webhooks ask about every type that a rule matches, the manager may read it, and the
// API server holds what CEL can say of a control, without anybody copying a list.
package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/hipaa-operator/hipaa-operator/internal/control"
	"github.com/hipaa-operator/hipaa-operator/internal/control/catalog"
)

func main() {
	if err := generate("."); err != nil {
		fmt.Fprintln(os.Stderr, "rulegen:", err)
		os.Exit(1)
	}
}

func generate(root string) error {
	if err := writeWebhooks(filepath.Join(root, "config", "webhook", "validating.yaml")); err != nil {
		return err
	}
	if err := writeBackstop(root, catalog.All()); err != nil {
		return err
	}
	read := byVersion(control.UniqueTypes(append(types(), reports()...)))
	return writeMarkers(filepath.Join(root, "internal", "subject", "zz_generated.resources.go"), read)
}

// reports lists the types in which other systems report to some control.
func reports() []control.ResourceType {
	var all []control.ResourceType
	for _, c := range catalog.All() {
		for _, t := range c.Reports {
			all = append(all, t.ResourceType)
		}
	}
	return control.UniqueTypes(all)
}

// types lists the types of every control.
func types() []control.ResourceType {
	var all []control.ResourceType
	for _, c := range catalog.All() {
		all = append(all, c.Resources...)
	}
	return control.UniqueTypes(all)
}

// families lists those of every control.
func families() []control.Family {
	var all []control.Family
	for _, c := range catalog.All() {
		all = append(all, c.Families...)
	}
	return control.UniqueFamilies(all)
}

// served are the resources of a group in one version.
type served struct {
	group, version string
	resources      []string
}

// byVersion puts together what one rule of a manifest can name without naming more.
func byVersion(types []control.ResourceType) []served {
	var list []served
	for _, t := range types {
		i := slices.IndexFunc(list, func(s served) bool { return s.group == t.Group && s.version == t.Version })
		if i < 0 {
			list = append(list, served{group: t.Group, version: t.Version})
			i = len(list) - 1
		}
		list[i].resources = append(list[i].resources, t.Resource)
	}
	return list
}

// The lines between which a list of a webhook stands. The first says which.
const (
	begin = "  # By hack/rulegen, "
	end   = "  # End.\n"
)

func writeWebhooks(file string) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return fmt.Errorf("reading the webhooks: %w", err)
	}
	var out strings.Builder
	rest := string(text)
	for {
		before, after, more := strings.Cut(rest, begin)
		out.WriteString(before)
		if !more {
			break
		}
		what, inside, _ := strings.Cut(after, ".\n")
		_, rest, more = strings.Cut(inside, end)
		if !more {
			return errors.New("writing the webhooks: the end of a list is missing")
		}
		list, err := listed(what)
		if err != nil {
			return err
		}
		out.WriteString(begin + what + ".\n" + list + end)
	}
	if err := os.WriteFile(file, []byte(out.String()), 0o600); err != nil {
		return fmt.Errorf("writing the webhooks: %w", err)
	}
	return nil
}

// listed writes one list.
func listed(what string) (string, error) {
	switch kind, scope, _ := strings.Cut(what, " "); kind {
	case "scope":
		return typeRules(scope), nil
	case "families":
		return familyRules(scope), nil
	case "conditions":
		return familyConditions(), nil
	default:
		return "", fmt.Errorf("writing the webhooks: no list is called %q", what)
	}
}

func typeRules(scope string) string {
	var out strings.Builder
	for _, s := range byVersion(types()) {
		fmt.Fprintf(&out, "  - {apiGroups: [%s], apiVersions: [%s], resources: [%s], operations: [CREATE, UPDATE], scope: %s}\n",
			s.group, s.version, strings.Join(s.resources, ", "), scope)
	}
	return out.String()
}

// versions are what projects call versions before v1. One that serves a type as v1 as
// well is asked about it all the same: the API server matches equivalent requests.
const versions = "v1alpha1, v1alpha2, v1alpha3, v1beta1, v1beta2, v1beta3, v1beta4"

func familyRules(scope string) string {
	var groups []string
	for _, f := range families() {
		groups = append(groups, f.Groups...)
	}
	return fmt.Sprintf("  - {apiGroups: [\"*\"], apiVersions: [%s], resources: [\"*\"], operations: [CREATE, UPDATE], scope: %s}\n", versions, scope) +
		fmt.Sprintf("  - {apiGroups: [%s], apiVersions: [\"*\"], resources: [\"*\"], operations: [CREATE, UPDATE], scope: %s}\n", strings.Join(groups, ", "), scope)
}

// familyConditions let through what is of a family and is not asked about by its type.
func familyConditions() string {
	var ends, others, asked []string
	for _, f := range families() {
		ends = append(ends, "'"+f.Suffix+"'")
		for _, end := range f.Except {
			others = append(others, "'"+end+"'")
		}
	}
	for _, t := range types() {
		if control.FamilyOf(families(), t.Group) != nil {
			asked = append(asked, "'"+t.String()+"'")
		}
	}
	return fmt.Sprintf("  - name: of-a-family\n    expression: >-\n      [%s].exists(e, request.resource.group.endsWith(e))\n", strings.Join(ends, ", ")) +
		fmt.Sprintf("  - name: of-no-exception\n    expression: >-\n      ![%s].exists(e, ('.' + request.resource.group).endsWith(e))\n", strings.Join(others, ", ")) +
		fmt.Sprintf("  - name: not-asked-by-type\n    expression: >-\n      !(request.resource.resource + '.' + request.resource.group + '/' + request.resource.version in [\n      %s])\n", strings.Join(asked, ",\n      "))
}

// writeMarkers writes the markers from which controller-gen makes the manager's role.
func writeMarkers(file string, list []served) error {
	var text strings.Builder
	text.WriteString("// Code generated by hack/rulegen. DO NOT EDIT.\n\npackage subject\n\n// What rules match and others report may be read, and nothing more.\n//\n")
	for _, s := range list {
		fmt.Fprintf(&text, "// +kubebuilder:rbac:groups=%s,resources=%s,verbs=get;list;watch\n", s.group, strings.Join(s.resources, ";"))
	}
	for _, f := range families() {
		if len(f.Read) > 0 {
			fmt.Fprintf(&text, "// +kubebuilder:rbac:groups=%s,resources=*,verbs=list;watch\n", strings.Join(f.Read, f.Suffix+";")+f.Suffix)
		}
	}
	if err := os.WriteFile(file, []byte(text.String()), 0o600); err != nil {
		return fmt.Errorf("writing the markers: %w", err)
	}
	return nil
}
