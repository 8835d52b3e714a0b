package admission

import (
	"context"
	"errors"

	admissionv1 "k8s.io/api/admission/v1"
	apiequality "k8s.io/apimachinery/pkg/api/equality"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
)

var exceptionKind = hipaav1.GroupVersion.WithKind("ControlException")

// exceptionRequest is a write of a ControlException: of its spec by a requester,
// or of its status by an approver.
type exceptionRequest struct {
	*admission.Request
	exception *hipaav1.ControlException
	// old is nil on CREATE.
	old *hipaav1.ControlException
}

func exceptionOf(req *admission.Request) (*exceptionRequest, error) {
	if err := expect(req, exceptionKind); err != nil {
		return nil, err
	}
	exception, err := decodeNew[hipaav1.ControlException](req)
	if err != nil {
		return nil, err
	}
	x := &exceptionRequest{Request: req, exception: exception}
	if req.Operation == admissionv1.Update {
		x.old, err = decodeOld[hipaav1.ControlException](req)
	}
	return x, err
}

func (x *exceptionRequest) ofStatus() bool { return x.SubResource == "status" && x.old != nil }

// mutateException stamps who requests and who approves.
func (g *Gate) mutateException(ctx context.Context, req admission.Request) (answer, error) {
	x, err := exceptionOf(&req)
	if bad := (senseless{}); errors.As(err, &bad) && expect(&req, exceptionKind) == nil {
		return permitted(), nil // the schema comes after this webhook, and names the field
	}
	if err != nil {
		return answer{}, err
	}
	stamped := x.exception.DeepCopy()
	if x.ofStatus() {
		if err := g.stampApproval(ctx, x, stamped); err != nil {
			return answer{}, err
		}
	} else {
		x.stampRequester(stamped)
	}
	return patched(patch(x.exception, stamped)), nil
}

// validateException checks the stamps, and that the approver may approve. It
// runs after every mutation, so nobody else's webhook can forge them.
func (g *Gate) validateException(ctx context.Context, req admission.Request) (answer, error) {
	x, err := exceptionOf(&req)
	if err != nil {
		return answer{}, err
	}
	if x.ofStatus() {
		return permitted(), g.checkApproval(ctx, x)
	}
	return permitted(), x.checkRequester()
}

// requester is who must stand on record: the writer of the present spec.
func (x *exceptionRequest) requester() string {
	if x.old == nil || !apiequality.Semantic.DeepEqual(x.old.Spec, x.exception.Spec) {
		return x.UserInfo.Username
	}
	return x.old.Annotations[hipaav1.AnnotationRequestedBy]
}

func (x *exceptionRequest) stampRequester(stamped *hipaav1.ControlException) {
	switch requester := x.requester(); requester {
	case stamped.Annotations[hipaav1.AnnotationRequestedBy]:
	case "":
		delete(stamped.Annotations, hipaav1.AnnotationRequestedBy)
	default:
		if stamped.Annotations == nil {
			stamped.Annotations = map[string]string{}
		}
		stamped.Annotations[hipaav1.AnnotationRequestedBy] = requester
	}
}

func (x *exceptionRequest) checkRequester() error {
	if x.exception.Annotations[hipaav1.AnnotationRequestedBy] == x.requester() {
		return nil
	}
	return forbid("%s: annotation %s says who wrote the present spec and is set by hipaa-operator alone; leave it as it is",
		whatOf(x.Request), hipaav1.AnnotationRequestedBy)
}
