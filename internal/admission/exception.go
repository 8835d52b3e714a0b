package admission

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	admissionv1 "k8s.io/api/admission/v1"
	apiequality "k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
	"github.com/hipaa-operator/hipaa-operator/internal/engine"
	"github.com/hipaa-operator/hipaa-operator/internal/hipaa"
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

// validateException checks that the spec makes sense, the stamps, and that the
// approver may approve. It runs after every mutation, so nobody else's webhook can forge them.
func (g *Gate) validateException(ctx context.Context, req admission.Request) (answer, error) {
	x, err := exceptionOf(&req)
	if err != nil {
		return answer{}, err
	}
	if x.ofStatus() {
		return permitted(), g.checkApproval(ctx, x)
	}
	if err := g.checkSense(ctx, x); err != nil {
		return answer{}, err
	}
	return permitted(), x.checkRequester()
}

func (x *exceptionRequest) writesSpec() bool {
	return x.old == nil || !apiequality.Semantic.DeepEqual(x.old.Spec, x.exception.Spec)
}

// checkSense refuses a spec that can never count. What stands there already is left
// alone: an exception that has ended can be labelled, deleted and applied again as
// it is.
func (g *Gate) checkSense(ctx context.Context, x *exceptionRequest) error {
	if !x.writesSpec() {
		return nil
	}
	what, spec := whatOf(x.Request), &x.exception.Spec
	known, err := g.knows(ctx, x.Namespace, spec.ControlID)
	if err != nil {
		return err
	}
	if !known {
		return forbid("%s: spec.controlID: %q is no control of this version of hipaa-operator, and no profile brings it; write one of: %s",
			what, spec.ControlID, strings.Join(g.Engine.IDs(), ", "))
	}
	if !g.Clock.Now().Before(spec.Expires.Time) {
		return forbid("%s: spec.expires: %s has passed; write an instant that is to come, or leave the exception out",
			what, spec.Expires.UTC().Format(time.RFC3339))
	}
	return g.checkBounds(ctx, x)
}

// checkBounds refuses a spec that the profiles of the namespace do not let count, as
// the engine judges it. What is let in where no profile governs is held against the
// profiles once there are some.
func (g *Gate) checkBounds(ctx context.Context, x *exceptionRequest) error {
	effective, err := g.bounds(ctx, x)
	if err != nil {
		return err
	}
	what, spec, now := whatOf(x.Request), &x.exception.Spec, g.Clock.Now()
	switch effective.Flaw(x.exception, now) {
	case engine.ExceptionBarred:
		return forbid("%s: spec.controlID: %s takes no exception here: spec.exceptions.neverFor of ComplianceProfile %s names it; "+
			"bring the workload in order, or ask those who may change that profile",
			what, spec.ControlID, strings.Join(effective.Barring(spec.ControlID), ", "))
	case engine.ExceptionTooLong:
		return forbid("%s: spec.expires: %s is too far away: spec.exceptions.maximumLength of the profiles allows %s from the creation of an exception; "+
			"write no later than %s, and ask again by another exception if it must go on",
			what, spec.Expires.UTC().Format(time.RFC3339), effective.LongestException(), effective.LatestEnd(x.exception, now).UTC().Format(time.RFC3339))
	case engine.ExceptionUnrecorded:
		return forbid("%s: spec.record: %s stands for an addressable specification (%s), and leaving it out must be documented (45 CFR 164.306(d)(3)); "+
			"write into spec.record.notReasonable why it is not reasonable and appropriate here, and into spec.record.equivalentMeasure what is in its place",
			what, spec.ControlID, hipaa.Join(effective.Addressable(spec.ControlID)))
	}
	return nil
}

// bounds is what the profiles come to for the workload of an exception.
func (g *Gate) bounds(ctx context.Context, x *exceptionRequest) (*engine.Effective, error) {
	h, err := g.open(ctx, x.Namespace)
	if err != nil {
		return nil, err
	}
	if h == nil {
		return g.Engine.Ungoverned(), nil
	}
	effective, err := h.effective(h.workload(x.exception.Spec.WorkloadRef.Name))
	if errors.Is(err, engine.ErrNoProfile) {
		return g.Engine.Ungoverned(), nil
	}
	return effective, err
}

// knows reports whether the catalogue has a control or a profile brings it.
func (g *Gate) knows(ctx context.Context, namespace, id string) (bool, error) {
	if g.Engine.Knows(id) {
		return true, nil
	}
	scene, err := g.Loader.Scene(ctx, namespace)
	if err != nil {
		return false, fmt.Errorf("reading the profiles: %w", err)
	}
	return engine.Brings(scene.Profiles, id), nil
}

// requester is who must stand on record: the writer of the present spec.
func (x *exceptionRequest) requester() string {
	if x.writesSpec() {
		return x.UserInfo.Username
	}
	return x.old.Annotations[hipaav1.AnnotationRequestedBy]
}

func (x *exceptionRequest) stampRequester(stamped *hipaav1.ControlException) {
	stamp(stamped, hipaav1.AnnotationRequestedBy, x.requester())
}

// stamp sets an annotation, or takes it off where there is nothing to say.
func stamp(object metav1.Object, annotation, value string) {
	annotations := object.GetAnnotations()
	switch value {
	case annotations[annotation]:
		return
	case "":
		delete(annotations, annotation)
	default:
		if annotations == nil {
			annotations = map[string]string{}
		}
		annotations[annotation] = value
	}
	object.SetAnnotations(annotations)
}

func (x *exceptionRequest) checkRequester() error {
	if x.exception.Annotations[hipaav1.AnnotationRequestedBy] == x.requester() {
		return nil
	}
	return forbid("%s: annotation %s says who wrote the present spec and is set by hipaa-operator alone; leave it as it is",
		whatOf(x.Request), hipaav1.AnnotationRequestedBy)
}
