package admission

import (
	"context"

	admissionv1 "k8s.io/api/admission/v1"
	networkingv1 "k8s.io/api/networking/v1"
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
	if gvk(&req) == workloadKind || hipaav1.IsOwned(object) || g.opened(ctx, &req) {
		g.remember(ctx, &req, object.Name)
	}
	return permitted(), nil
}

// opened reports whether a policy of somebody else, which is being deleted, opened
// what nobody declared: drift control has told of it, and will miss it. Others are
// not remembered, else whoever deletes enough of them would make the book forget.
func (g *Gate) opened(ctx context.Context, req *admission.Request) bool {
	policy, err := decodeOld[networkingv1.NetworkPolicy](req)
	if err != nil {
		return false
	}
	h, err := g.open(ctx, req.Namespace)
	if err != nil || h == nil {
		return false
	}
	d, err := judgePolicy(ctx, h, policy)
	return err == nil && found(d)
}
