package admission

import (
	"fmt"
	"slices"
	"strings"

	authenticationv1 "k8s.io/api/authentication/v1"
)

// Marks that the API server's authenticators leave on users.
const (
	systemUsers          = "system:"
	serviceAccountUsers  = "system:serviceaccount:"
	unlimitedGroup       = "system:masters"
	credentialID         = "authentication.kubernetes.io/credential-id"
	clientCertificateIDs = "X509SHA256"
)

// notAPerson says why a user is nobody whose approval counts. Empty means that
// the user is a person whom an identity provider vouches for, as far as the
// request tells.
func notAPerson(user *authenticationv1.UserInfo) string {
	switch {
	case user.Username == "":
		return "the request names no user"
	case strings.HasPrefix(user.Username, serviceAccountUsers):
		return fmt.Sprintf("%q is a ServiceAccount", user.Username)
	case strings.HasPrefix(user.Username, systemUsers):
		return fmt.Sprintf("%q is a component of the cluster", user.Username)
	case slices.Contains(user.Groups, unlimitedGroup):
		return fmt.Sprintf("%q is in group %s, whose members nothing limits", user.Username, unlimitedGroup)
	}
	for _, id := range user.Extra[credentialID] {
		if strings.HasPrefix(id, clientCertificateIDs) {
			return fmt.Sprintf("%q signed in with a client certificate, which no identity provider can withdraw", user.Username)
		}
	}
	return ""
}
