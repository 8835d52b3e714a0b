package guard

import (
	"fmt"
	"slices"
	"strings"

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
	return manager(who)
}

// writerOf is the field manager that owns an annotation.
func writerOf(live client.Object, annotation string) string {
	for _, entry := range live.GetManagedFields() {
		if entry.FieldsV1 != nil && strings.Contains(entry.FieldsV1.GetRawString(), `"f:`+annotation+`"`) {
			return manager(entry.Manager)
		}
	}
	return unknownWriter
}

// manager tells what is known of whoever writes: the name of the client, not of
// the user.
func manager(name string) string { return fmt.Sprintf("field manager %q", name) }

// CertificateFieldOwner is the field owner of certificate authorities in webhook
// configurations.
const CertificateFieldOwner = "hipaa-operator-certificates"

// harmlessWriters write what the guard does not own, or are the guard.
var harmlessWriters = []string{hipaav1.FieldOwner, CertificateFieldOwner, "cainjector", "cert-manager-cainjector"}
