package admission

import (
	"context"
	"fmt"
	"time"

	authorizationv1 "k8s.io/api/authorization/v1"
	apiequality "k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
)

// verbApprove is what an approver must be allowed on controlexceptions. No role
// that aggregates into admin or edit carries it.
const verbApprove = "approve"

// stampTolerance is how far the stamped instant may lie from that of the check:
// another replica may have stamped it.
const stampTolerance = 2 * time.Minute

func (x *exceptionRequest) decides() bool {
	return !apiequality.Semantic.DeepEqual(x.old.Status.Approval, x.exception.Status.Approval)
}

// stampApproval fills in what the approver does not say: who, when, and on what
// content. The content is the stored one, never what the status request carries.
// An approver who states a digest keeps it, so that a spec that changed meanwhile
// is not approved unread.
func (g *Gate) stampApproval(x *exceptionRequest, stamped *hipaav1.ControlException) error {
	approval := stamped.Status.Approval
	if !x.decides() || approval == nil {
		return nil
	}
	digest, err := x.old.Spec.Digest()
	if err != nil {
		return err
	}
	approval.Approver = x.UserInfo.Username
	now := metav1.NewTime(g.Clock.Now().Truncate(time.Second))
	approval.Time = &now
	if approval.SpecDigest == "" || x.old.Status.Approval != nil && approval.SpecDigest == x.old.Status.Approval.SpecDigest {
		approval.SpecDigest = digest
	}
	return nil
}

// checkApproval holds every change of an approval to the rules, its removal too:
// a decision is undone by those who may decide.
func (g *Gate) checkApproval(ctx context.Context, x *exceptionRequest) error {
	if !x.decides() {
		return nil
	}
	what := whatOf(x.Request)
	if why := notAPerson(&x.UserInfo); why != "" {
		return forbid("%s: an exception is decided by a person who signed in through the identity provider: %s", what, why)
	}
	requester := x.old.Annotations[hipaav1.AnnotationRequestedBy]
	switch requester {
	case "":
		return forbid("%s: nobody is on record as its requester, so nobody can be told apart from the requester; create it again", what)
	case x.UserInfo.Username:
		return forbid("%s: %q wrote its present spec and cannot decide on it; somebody else must", what, requester)
	}
	if approval := x.exception.Status.Approval; approval != nil {
		if err := g.checkStamp(x, approval); err != nil {
			return err
		}
	}
	allowed, err := g.mayApprove(ctx, x)
	if err != nil {
		return err
	}
	if !allowed {
		return forbid("%s: %q may not decide: it takes the verb %q on controlexceptions.%s in namespace %q, which a security officer grants",
			what, x.UserInfo.Username, verbApprove, hipaav1.GroupName, x.Namespace)
	}
	return nil
}

func (g *Gate) checkStamp(x *exceptionRequest, approval *hipaav1.Approval) error {
	what := whatOf(x.Request)
	digest, err := x.old.Spec.Digest()
	if err != nil {
		return err
	}
	if approval.SpecDigest != digest {
		return forbid("%s: the decision is about another content than the stored one (%s); read it again and decide on that", what, digest)
	}
	stamped := approval.Approver == x.UserInfo.Username && approval.Time != nil &&
		g.Clock.Since(approval.Time.Time).Abs() <= stampTolerance
	if !stamped {
		return forbid("%s: approver and time of a decision are set by hipaa-operator alone; send only status.approval.decision", what)
	}
	return nil
}

func (g *Gate) mayApprove(ctx context.Context, x *exceptionRequest) (bool, error) {
	user := &x.UserInfo
	extra := make(map[string]authorizationv1.ExtraValue, len(user.Extra))
	for key, values := range user.Extra {
		extra[key] = authorizationv1.ExtraValue(values)
	}
	review := &authorizationv1.SubjectAccessReview{Spec: authorizationv1.SubjectAccessReviewSpec{
		User:   user.Username,
		Groups: user.Groups,
		UID:    user.UID,
		Extra:  extra,
		ResourceAttributes: &authorizationv1.ResourceAttributes{
			Namespace: x.Namespace,
			Name:      x.Name,
			Verb:      verbApprove,
			Group:     hipaav1.GroupName,
			Version:   hipaav1.GroupVersion.Version,
			Resource:  "controlexceptions",
		},
	}}
	if err := g.Reviews.Create(ctx, review); err != nil {
		return false, fmt.Errorf("asking whether the user may approve: %w", err)
	}
	return review.Status.Allowed && !review.Status.Denied, nil
}
