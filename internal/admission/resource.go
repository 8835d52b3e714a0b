package admission

import (
	"context"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"

	"github.com/hipaa-operator/hipaa-operator/internal/control"
)

// validateResource judges resources that declare infrastructure under the rules of every
// workload of the namespace whose PHI they serve.
func (g *Gate) validateResource(ctx context.Context, req admission.Request) (answer, error) {
	ofCluster := req.Namespace == ""
	if ofCluster {
		var err error
		if req.Namespace, err = claimed(&req); err != nil {
			return answer{}, err
		}
		if req.Namespace == "" {
			return permitted(), nil // it serves no namespace whose profiles could tell
		}
	}
	a, err := validate(ctx, g, &req, gvk(&req), judgeForAll[*unstructured.Unstructured])
	a.namespace = req.Namespace
	if ofCluster && apierrors.IsNotFound(err) {
		return permitted(), nil // a namespace that is not there holds no PHI
	}
	return a, err
}

// claimed is the namespace of the claim that a resource of the whole cluster was made
// for. Whoever takes the label away is judged as if it were still there.
func claimed(req *admission.Request) (string, error) {
	object, err := decode[metav1.PartialObjectMetadata](req, &req.Object)
	if err != nil {
		return "", err
	}
	namespace := object.Labels[control.LabelClaimNamespace]
	if namespace != "" || len(req.OldObject.Raw) == 0 {
		return namespace, nil
	}
	old, err := decode[metav1.PartialObjectMetadata](req, &req.OldObject)
	if err != nil {
		return "", err
	}
	return old.Labels[control.LabelClaimNamespace], nil
}
