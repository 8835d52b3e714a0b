package engine

import (
	"fmt"
	"strings"
	"text/tabwriter"
)

// Denial is what a refused person reads: every reason at once, each with its
// remedy, sorted by control.
func Denial(what string, d Decision) string {
	var text strings.Builder
	lacking := map[string]bool{}
	for _, v := range d.Denied {
		lacking[v.ControlID] = true
	}
	noun := "safeguards"
	if len(lacking) == 1 {
		noun = "safeguard"
	}
	fmt.Fprintf(&text, "%s lacks %d required %s\n", what, len(lacking), noun)
	columns := tabwriter.NewWriter(&text, 0, 0, 2, ' ', 0)
	for _, v := range d.Denied {
		// Writing into a strings.Builder cannot fail.
		_, _ = fmt.Fprintf(columns, "  %s\t%s: %s\n", v.ControlID, v.Cites, v.Sentence())
	}
	_ = columns.Flush()
	if lacking[undeclaredPod] {
		return strings.TrimSuffix(text.String(), "\n")
	}
	text.WriteString("  To ask for an exception: create a ControlException for the workload and have somebody else approve it.")
	return text.String()
}

// Warnings are the lines that kubectl prints with "Warning:".
func Warnings(d Decision) []string {
	lines := make([]string, 0, len(d.Warned))
	for _, v := range d.Warned {
		line := fmt.Sprintf("%s (%s): %s", v.ControlID, v.Cites, v.Sentence())
		if v.ExceptedBy != "" {
			line += " [covered by ControlException " + v.ExceptedBy + "]"
		}
		lines = append(lines, line)
	}
	return lines
}
