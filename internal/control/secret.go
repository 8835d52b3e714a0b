package control

import (
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Secret is what a Secret says of itself. It never holds what the Secret holds: nobody
// who judges one has that.
type Secret struct {
	metav1.ObjectMeta `json:"metadata"`
	// Type says what the Secret is for; empty is Opaque.
	Type corev1.SecretType `json:"type"`
}

// IsLastingToken reports whether the cluster puts a token of a ServiceAccount into the
// Secret. Such a token never ends.
func (s *Secret) IsLastingToken() bool { return s.Type == corev1.SecretTypeServiceAccountToken }
