package main

import (
	_ "embed"
	"fmt"
	"strings"

	"sigs.k8s.io/yaml"

	"github.com/hipaa-operator/hipaa-operator/internal/control/catalog"
)

//go:embed aws_conformance_pack.yaml
var conformancePack []byte

// packRule is one rule of the pack.
type packRule struct {
	Rule string `json:"rule"`
	// Never says why admission cannot answer it.
	Never string `json:"never,omitempty"`
}

// coveragePage says of each rule of AWS's conformance pack which control answers it when
// the resource is declared, before AWS has built anything. A rule that answers what is
// not in the pack, or what cannot be answered, is an error.
func coveragePage(string) ([]page, error) {
	var pack []packRule
	if err := yaml.UnmarshalStrict(conformancePack, &pack); err != nil {
		return nil, fmt.Errorf("reading the conformance pack: %w", err)
	}
	answers := map[string][]string{}
	for _, r := range catalog.Rules() {
		for _, answered := range r.Answers {
			answers[answered] = append(answers[answered], fmt.Sprintf("[%s](../controls/%s.md)", r.ID, r.ID))
		}
	}
	var rows strings.Builder
	answered, never := 0, 0
	for _, p := range pack {
		by := strings.Join(answers[p.Rule], ", ")
		delete(answers, p.Rule)
		switch {
		case by != "" && p.Never != "":
			return nil, fmt.Errorf("writing the coverage: %s is answered by %s, and cannot be", p.Rule, by)
		case by != "":
			answered++
		case p.Never != "":
			never++
			by = "never: " + p.Never
		default:
			by = "not yet"
		}
		fmt.Fprintf(&rows, "| `%s` | %s |\n", p.Rule, by)
	}
	for unknown := range answers {
		return nil, fmt.Errorf("writing the coverage: %s is no rule of the pack", unknown)
	}
	var text strings.Builder
	text.WriteString("# AWS Config's rules for HIPAA, answered before anything is built\n\n" + notice)
	fmt.Fprintf(&text, "AWS's conformance pack \"Operational Best Practices for HIPAA Security\" finds faults in what is already there. "+
		"Of its %d rules, admission answers %d where the resource is declared in the cluster, with AWS Controllers for Kubernetes or Crossplane; "+
		"%d can never be answered there; the others wait for a rule. What is managed outside the cluster is Unknown here: keep AWS Config for it.\n\n", len(pack), answered, never)
	text.WriteString("| rule of the pack | answered by |\n|---|---|\n" + rows.String())
	return []page{{"reference/aws-conformance-pack.md", text.String()}}, nil
}
