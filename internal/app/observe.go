package app

import (
	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
	"github.com/hipaa-operator/hipaa-operator/internal/admission"
	"github.com/hipaa-operator/hipaa-operator/internal/metrics"
)

// observe turns what admission answered into metrics.
func observe(o admission.Outcome) {
	metrics.Admitted(o.Kind, admissionResult(o), o.Took)
	for _, v := range o.Decision.Denied {
		metrics.AdmissionFinding(v.ControlID, string(hipaav1.ModeEnforce))
	}
	for _, v := range o.Decision.Warned {
		metrics.AdmissionFinding(v.ControlID, string(hipaav1.ModeWarn))
	}
	for _, v := range o.Decision.Audited {
		metrics.AdmissionFinding(v.ControlID, string(hipaav1.ModeAudit))
	}
}

func admissionResult(o admission.Outcome) metrics.AdmissionResult {
	switch {
	case o.Failed:
		return metrics.AdmissionError
	case !o.Allowed:
		return metrics.AdmissionDenied
	case len(o.Decision.Warned) > 0:
		return metrics.AdmissionWarned
	case o.Mutated:
		return metrics.AdmissionMutated
	default:
		return metrics.AdmissionAllowed
	}
}
