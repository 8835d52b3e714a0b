package admission

import (
	"context"

	admissionv1 "k8s.io/api/admission/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
)

var workloadKind = hipaav1.GroupVersion.WithKind("PHIWorkload")

// witnessDeletion remembers who deleted what drift control will miss. It permits
// every deletion. The name stands in the object: deleting a whole collection
// asks about each without naming it.
func (g *Gate) witnessDeletion(ctx context.Context, req admission.Request) (answer, error) {
	if err := expect(&req, policyKind, workloadKind); err != nil || req.Operation != admissionv1.Delete {
		return permitted(), nil //nolint:nilerr // nothing to remember, and deletions are never in the way
	}
	object, err := decodeOld[metav1.PartialObjectMetadata](&req)
	if err != nil {
		return permitted(), nil //nolint:nilerr // as above
	}
	if gvk(&req) == workloadKind || hipaav1.IsOwned(object) {
		g.remember(ctx, &req, object.Name)
	}
	return permitted(), nil
}
