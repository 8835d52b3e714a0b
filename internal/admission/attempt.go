package admission

import (
	"context"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"

	"github.com/hipaa-operator/hipaa-operator/internal/witness"
)

// Attempts tells people of changes that policies refuse; a witness.Attempts is one.
type Attempts interface {
	Refused(attempt witness.Attempt)
}

// witnessAttempt tells of a change that a policy is about to refuse. The policies come
// after the webhooks that mutate, and what they refuse no other webhook hears of: so the
// API server is told by conditions to ask here about nothing else. It permits
// everything. Names stand in the stored object: deleting a whole collection asks about
// each without naming it, and a request about a namespace is said to be in it.
func (g *Gate) witnessAttempt(_ context.Context, req admission.Request) (answer, error) {
	if g.Attempts == nil || ptr.Deref(req.DryRun, false) {
		return permitted(), nil
	}
	attempt := witness.Attempt{Kind: req.Kind.Kind, Namespace: req.Namespace, Operation: string(req.Operation), User: req.UserInfo.Username}
	if len(req.OldObject.Raw) > 0 {
		stored, err := decodeOld[metav1.PartialObjectMetadata](&req)
		if err != nil {
			return permitted(), nil //nolint:nilerr // nothing to name, and attempts are in nobody's way
		}
		attempt.Namespace, attempt.Name = stored.Namespace, stored.Name
	}
	g.Attempts.Refused(attempt)
	return permitted(), nil
}
