package catalog

import (
	"fmt"

	corev1 "k8s.io/api/core/v1"

	"github.com/hipaa-operator/hipaa-operator/internal/control"
)

// What is said of a Secret that asks for a token, and what to do instead.
const (
	tokenSays   = "is kubernetes.io/service-account-token, for which the cluster makes a token that never ends"
	tokenRemedy = "mount a projected token, which is bound to its pod and renewed, or ask for one that ends by kubectl create token"
)

// tokenKept judges a Secret by its type: what it is filled with comes later, from the
// cluster itself.
func tokenKept(secret *control.Secret) []control.Finding {
	if !secret.IsLastingToken() {
		return nil
	}
	return []control.Finding{control.Failed("type", tokenSays).But(tokenRemedy)}
}

var tokenBackstop = &control.Backstop{
	Faults: []control.Fault{{
		Of:   control.Secrets,
		When: fmt.Sprintf("object.?type.orValue('') == '%s'", corev1.SecretTypeServiceAccountToken),
		Says: "type " + tokenSays,
		But:  tokenRemedy,
	}},
	Less: "what pods and ConfigMaps give away",
}

func askForToken(s *control.Subject) {
	s.Secret.Type = corev1.SecretTypeServiceAccountToken
	s.Secret.Annotations = map[string]string{corev1.ServiceAccountNameKey: s.Workload.Name}
}
