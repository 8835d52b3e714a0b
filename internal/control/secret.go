package control

import (
	"slices"
	"strings"

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

// SecretOffers are the annotations by which the reflector of emberstack, the replicator
// of mittwald and the config-syncer of AppsCode are told that a Secret may be copied, or
// is to be, into other namespaces.
func SecretOffers() []string {
	return []string{
		"kubed.appscode.com/sync", "kubed.appscode.com/sync-contexts",
		"reflector.v1.k8s.emberstack.com/reflection-allowed", "reflector.v1.k8s.emberstack.com/reflection-auto-enabled",
		"replicator.v1.mittwald.de/replicate-to", "replicator.v1.mittwald.de/replicate-to-matching", "replicator.v1.mittwald.de/replication-allowed",
	}
}

// SecretSources are the annotations by which they are told whose copy a Secret is to be,
// as namespace/name.
func SecretSources() []string {
	return []string{"reflector.v1.k8s.emberstack.com/reflects", "replicator.v1.mittwald.de/replicate-from"}
}

// Offered is the first annotation by which a Secret is offered to other namespaces; empty
// where there is none.
func (s *Secret) Offered() string {
	offers := SecretOffers()
	i := slices.IndexFunc(offers, func(key string) bool {
		value, there := s.Annotations[key]
		return there && value != "false"
	})
	if i < 0 {
		return ""
	}
	return offers[i]
}

// CopiedFrom is the first annotation that makes a Secret the copy of one of another
// namespace, and that namespace; empty where there is none.
func (s *Secret) CopiedFrom() (annotation, namespace string) {
	for _, key := range SecretSources() {
		if namespace, _, qualified := strings.Cut(s.Annotations[key], "/"); qualified && namespace != s.Namespace {
			return key, namespace
		}
	}
	return "", ""
}
