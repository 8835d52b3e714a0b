package admission

import (
	"context"
	"fmt"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	apiequality "k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

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

// stampApproval fills in what the approver does not say: who, when, of which
// generation, and for which workload. What was read only the approver can say.
func (g *Gate) stampApproval(ctx context.Context, x *exceptionRequest, stamped *hipaav1.ControlException) error {
	approval := stamped.Status.Approval
	if !x.decides() || approval == nil {
		return nil
	}
	workload, err := g.workloadOf(ctx, x)
	if err != nil {
		return err
	}
	approval.Approver = x.UserInfo.Username
	now := metav1.NewTime(g.Clock.Now().Truncate(time.Second))
	approval.Time = &now
	approval.Generation = x.old.Generation
	approval.WorkloadUID = string(workload)
	return nil
}

// workloadOf is the UID of the workload that the stored exception is about, read
// live; empty where there is none.
func (g *Gate) workloadOf(ctx context.Context, x *exceptionRequest) (types.UID, error) {
	w := &hipaav1.PHIWorkload{}
	err := g.Loader.Live.Get(ctx, types.NamespacedName{Namespace: x.Namespace, Name: x.old.Spec.WorkloadRef.Name}, w)
	if err != nil && !apierrors.IsNotFound(err) {
		return "", fmt.Errorf("reading the workload of an exception: %w", err)
	}
	return w.UID, nil
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
		if err := g.checkStamp(ctx, x, approval); err != nil {
			return err
		}
	}
	allowed, err := g.may(ctx, &x.UserInfo, authorizationv1.ResourceAttributes{
		Namespace: x.Namespace, Name: x.Name, Verb: verbApprove,
		Group: hipaav1.GroupName, Version: hipaav1.GroupVersion.Version, Resource: "controlexceptions",
	})
	if err != nil {
		return err
	}
	if !allowed {
		return forbid("%s: %q may not decide: it takes the verb %q on controlexceptions.%s in namespace %q, which a security officer grants",
			what, x.UserInfo.Username, verbApprove, hipaav1.GroupName, x.Namespace)
	}
	return g.checkTwoPeople(ctx, x, requester)
}

// checkStamp checks what a decision says it is about, and by whom.
func (g *Gate) checkStamp(ctx context.Context, x *exceptionRequest, approval *hipaav1.Approval) error {
	what := whatOf(x.Request)
	digest, err := x.old.Spec.Digest()
	if err != nil {
		return err
	}
	switch approval.SpecDigest {
	case digest:
	case "":
		return forbid("%s: a decision says what was read: put the value of status.specDigest into status.approval.specDigest; "+
			"`kubectl describe controlexception %s -n %s` shows it beside the content", what, x.Name, x.Namespace)
	default:
		return forbid("%s: the decision is about another content than the stored one; read it again and decide on that: "+
			"`kubectl describe controlexception %s -n %s` shows its status.specDigest", what, x.Name, x.Namespace)
	}
	workload, err := g.workloadOf(ctx, x)
	if err != nil {
		return err
	}
	if workload == "" {
		return forbid("%s: PHIWorkload %q does not exist in this namespace, and a decision is about one workload, not about a name: declare it first",
			what, x.old.Spec.WorkloadRef.Name)
	}
	stamped := approval.Approver == x.UserInfo.Username && approval.WorkloadUID == string(workload) && approval.Generation == x.old.Generation &&
		approval.Time != nil && g.Clock.Since(approval.Time.Time).Abs() <= stampTolerance
	if !stamped {
		return forbid("%s: approver, time, generation and workloadUID of a decision are set by hipaa-operator alone; send only decision and specDigest in status.approval", what)
	}
	return nil
}

// may asks the API server what a user may do.
func (g *Gate) may(ctx context.Context, user *authenticationv1.UserInfo, do authorizationv1.ResourceAttributes) (bool, error) {
	extra := make(map[string]authorizationv1.ExtraValue, len(user.Extra))
	for key, values := range user.Extra {
		extra[key] = authorizationv1.ExtraValue(values)
	}
	review := &authorizationv1.SubjectAccessReview{Spec: authorizationv1.SubjectAccessReviewSpec{
		User: user.Username, Groups: user.Groups, UID: user.UID, Extra: extra, ResourceAttributes: &do,
	}}
	if err := g.Reviews.Create(ctx, review); err != nil {
		return false, fmt.Errorf("asking what the user may do: %w", err)
	}
	return review.Status.Allowed && !review.Status.Denied, nil
}
