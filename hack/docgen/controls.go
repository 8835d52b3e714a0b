package main

import (
	"fmt"
	"strings"

	"github.com/hipaa-operator/hipaa-operator/internal/control"
	"github.com/hipaa-operator/hipaa-operator/internal/control/catalog"
	"github.com/hipaa-operator/hipaa-operator/internal/hipaa"
)

// controlPages are one page for each control, and their index.
func controlPages(string) ([]page, error) {
	controls := catalog.All()
	var index strings.Builder
	index.WriteString("# Controls\n\n" + notice)
	index.WriteString("| control | what it asks for | 45 CFR | since |\n|---|---|---|---|\n")
	pages := make([]page, 0, len(controls)+1)
	for i := range controls {
		c := &controls[i]
		fmt.Fprintf(&index, "| [%s](%s.md) | %s | %s | %s |\n", c.ID, c.ID, c.Title, strings.TrimPrefix(hipaa.Join(c.Cites), "45 CFR "), c.Since)
		pages = append(pages, page{"controls/" + c.ID + ".md", control.DocPage(*c)})
	}
	return append(pages, page{"controls/README.md", index.String()}), nil
}
