package phitest

import (
	"time"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
)

// Held says, for WORKLOAD/CONTROL, from when the API server refuses by itself what
// violates the control: "already", or an instant. What it lets be is not in it.
func Held(b *hipaav1.Backstop) map[string]string {
	held := map[string]string{}
	for _, w := range b.Spec.Workloads {
		for id, c := range w.Controls {
			held[w.Name+"/"+id] = "already"
			if c.From != nil {
				held[w.Name+"/"+id] = c.From.UTC().Format(time.RFC3339)
			}
		}
	}
	return held
}
