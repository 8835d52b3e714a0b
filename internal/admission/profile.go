package admission

import (
	"context"
	"strings"

	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
)

// validateProfile refuses a profile that brings a control which cannot be judged as it
// is written, all faults at once with line and column, or that leaves an addressable
// specification out without the record that the law asks for.
func (g *Gate) validateProfile(_ context.Context, req admission.Request) (answer, error) {
	if err := expect(&req, profileKind); err != nil {
		return answer{}, err
	}
	profile, err := decodeNew[hipaav1.ComplianceProfile](&req)
	if err != nil {
		return answer{}, err
	}
	if faults := g.Engine.Faults(profile); len(faults) > 0 {
		return answer{}, forbid("%s brings controls that cannot be judged\n  %s", whatOf(&req), strings.Join(faults, "\n  "))
	}
	if missing := g.Engine.Unrecorded(profile); len(missing) > 0 {
		return answer{}, forbid("%s sets controls to Off without the record that the law asks for\n  %s", whatOf(&req), strings.Join(missing, "\n  "))
	}
	return permitted(), nil
}
