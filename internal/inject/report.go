package inject

import "fmt"

// Warnings say what people might take for done and is not.
func (r *Report) Warnings() []string {
	if len(r.Changed)+len(r.AsWanted)+len(r.Unclaimed) == 0 {
		return []string{"nothing was injected: no template stands in a namespace that holds PHI; add its Namespace and PHIWorkload to the input, " +
			"say with -n where objects without a namespace go, or read what is missing with --from-cluster"}
	}
	var warnings []string
	for _, name := range r.Unclaimed {
		warnings = append(warnings, fmt.Sprintf("%s: nothing was injected, for no PHIWorkload of its namespace selects its pods; add the PHIWorkload to the input", name))
	}
	return warnings
}
