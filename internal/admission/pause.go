package admission

import (
	"context"
	"errors"
	"time"

	admissionv1 "k8s.io/api/admission/v1"
	apiequality "k8s.io/apimachinery/pkg/api/equality"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
)

var profileKind = hipaav1.GroupVersion.WithKind("ComplianceProfile")

// pauseRequest is a write of a ComplianceProfile that may change its pause.
type pauseRequest struct {
	*admission.Request
	profile *hipaav1.ComplianceProfile
	// old is nil on CREATE.
	old *hipaav1.ComplianceProfile
}

func pauseOf(req *admission.Request) (*pauseRequest, error) {
	if err := expect(req, profileKind); err != nil {
		return nil, err
	}
	profile, err := decodeNew[hipaav1.ComplianceProfile](req)
	if err != nil {
		return nil, err
	}
	x := &pauseRequest{Request: req, profile: profile}
	if req.Operation == admissionv1.Update {
		x.old, err = decodeOld[hipaav1.ComplianceProfile](req)
	}
	return x, err
}

// writesPause reports whether the request says anything new of a pause.
func (x *pauseRequest) writesPause() bool {
	return x.profile.Spec.Pause != nil && (x.old == nil || !apiequality.Semantic.DeepEqual(x.old.Spec.Pause, x.profile.Spec.Pause))
}

// by is who must stand on record: the writer of the present pause, and nobody
// where there is none.
func (x *pauseRequest) by() string {
	switch {
	case x.writesPause():
		return x.UserInfo.Username
	case x.profile.Spec.Pause == nil || x.old == nil:
		return ""
	default:
		return x.old.Annotations[hipaav1.AnnotationPausedBy]
	}
}

// mutatePause stamps who pauses.
func (g *Gate) mutatePause(_ context.Context, req admission.Request) (answer, error) {
	x, err := pauseOf(&req)
	if bad := (senseless{}); errors.As(err, &bad) && expect(&req, profileKind) == nil {
		return permitted(), nil // the schema comes after this webhook, and names the field
	}
	if err != nil {
		return answer{}, err
	}
	stamped := x.profile.DeepCopy()
	stamp(stamped, hipaav1.AnnotationPausedBy, x.by())
	return patched(patch(x.profile, stamped)), nil
}

// validatePause checks the stamp, and that the pause ends soon enough.
func (g *Gate) validatePause(_ context.Context, req admission.Request) (answer, error) {
	x, err := pauseOf(&req)
	if err != nil {
		return answer{}, err
	}
	what := whatOf(x.Request)
	if latest := g.Clock.Now().Add(hipaav1.LongestPause); x.writesPause() && x.profile.Spec.Pause.Until.After(latest) {
		return answer{}, forbid("%s: spec.pause.until: a pause lasts seven days at most; write no later than %s, and write it again before it ends if it must go on",
			what, latest.UTC().Format(time.RFC3339))
	}
	if x.profile.Annotations[hipaav1.AnnotationPausedBy] != x.by() {
		return answer{}, forbid("%s: annotation %s says who wrote the present pause and is set by hipaa-operator alone; leave it as it is",
			what, hipaav1.AnnotationPausedBy)
	}
	return permitted(), nil
}
