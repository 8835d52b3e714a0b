package engine

import hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"

// rank orders what can be ordered by strictness, the loosest first. A value
// that a rank does not list is looser than all.
func rank[T comparable](value T, order ...T) int {
	for i, known := range order {
		if known == value {
			return i + 1
		}
	}
	return 0
}

func strictest[T comparable](a, b T, order ...T) T {
	if rank(b, order...) > rank(a, order...) {
		return b
	}
	return a
}

func stronger(a, b hipaav1.Mode) hipaav1.Mode {
	return strictest(a, b, hipaav1.ModeOff, hipaav1.ModeAudit, hipaav1.ModeWarn, hipaav1.ModeEnforce)
}

func stricterUndeclared(a, b hipaav1.UndeclaredPods) hipaav1.UndeclaredPods {
	return strictest(a, b, hipaav1.UndeclaredPodsAllow, hipaav1.UndeclaredPodsWarn, hipaav1.UndeclaredPodsDeny)
}

func stricterGrade(a, b hipaav1.StorageGrade) hipaav1.StorageGrade {
	return strictest(a, b, hipaav1.StorageGradeProviderKey, hipaav1.StorageGradeCustomerKey)
}

// weaker orders evidence classes: what people say is weaker than what was seen,
// so that a roll-up never hides an attestation behind an observation.
func weaker(a, b hipaav1.EvidenceClass) hipaav1.EvidenceClass {
	return strictest(a, b, hipaav1.EvidenceTested, hipaav1.EvidenceObserved, hipaav1.EvidenceImported, hipaav1.EvidenceAttested)
}
