package engine

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
)

// Denial is what a refused person reads: every reason at once, each with its
// remedy, sorted by control. The first line names the controls: of what a
// controller was refused, events may show no more.
func Denial(what string, d Decision) string {
	var text strings.Builder
	lacking := make([]string, len(d.Denied))
	for i := range d.Denied {
		lacking[i] = d.Denied[i].ControlID
	}
	slices.Sort(lacking)
	lacking = slices.Compact(lacking)
	noun := "safeguards"
	if len(lacking) == 1 {
		noun = "safeguard"
	}
	fmt.Fprintf(&text, "%s lacks %d %s (%s)\n", what, len(lacking), noun, strings.Join(lacking, ", "))
	columns := tabwriter.NewWriter(&text, 0, 0, 2, ' ', 0)
	for _, v := range d.Denied {
		// Writing into a strings.Builder cannot fail.
		_, _ = fmt.Fprintf(columns, "  %s\t%s: %s\n", v.ControlID, v.Cites, v.Sentence())
	}
	_ = columns.Flush()
	text.WriteString(wayOut(d.Workloads, lacking))
	return strings.TrimSuffix(text.String(), "\n")
}

// wayOut says what an exception has to name. Where the namespace's own rules refuse
// there is none that could help: one is about a workload.
func wayOut(workloads, controls []string) string {
	if len(workloads) == 0 || slices.Contains(workloads, "") {
		return ""
	}
	quoted := make([]string, len(workloads))
	for i, name := range workloads {
		quoted[i] = strconv.Quote(name)
	}
	about := "workload " + quoted[0]
	if len(quoted) > 1 {
		about = "each of the workloads " + strings.Join(quoted, ", ")
	}
	which := "control " + controls[0]
	if len(controls) > 1 {
		which = "one of: " + strings.Join(controls, ", ")
	}
	return fmt.Sprintf("  To ask for an exception: a ControlException for %s and %s; somebody else approves it.", about, which)
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
