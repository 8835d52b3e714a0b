package guard

import (
	"fmt"
	"slices"

	"sigs.k8s.io/controller-runtime/pkg/client"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
)

// unknownWriter stands for whoever deleted an object, or left no trace.
const unknownWriter = "somebody unknown (the API server's audit log tells)"

// lastWriter is the field manager that wrote an object last, other than the
// operator. The user's name is in the API server's audit log alone.
func lastWriter(live client.Object) string {
	who := ""
	latest := live.GetCreationTimestamp()
	for _, entry := range live.GetManagedFields() {
		if slices.Contains(harmlessWriters, entry.Manager) || entry.Subresource != "" || entry.Time == nil {
			continue
		}
		if !entry.Time.Before(&latest) {
			who, latest = entry.Manager, *entry.Time
		}
	}
	if who == "" {
		return unknownWriter
	}
	return fmt.Sprintf("field manager %q", who)
}

// CertificateFieldOwner is the field owner of certificate authorities in webhook
// configurations.
const CertificateFieldOwner = "hipaa-operator-certificates"

// harmlessWriters write what the guard does not own, or are the guard.
var harmlessWriters = []string{hipaav1.FieldOwner, CertificateFieldOwner, "cainjector", "cert-manager-cainjector"}
