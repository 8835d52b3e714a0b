package admission

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"runtime/debug"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"

	"github.com/hipaa-operator/hipaa-operator/internal/engine"
	"github.com/hipaa-operator/hipaa-operator/internal/uses"
)

// answerer answers one kind of request. An error means that there is no
// judgement, and the request is refused.
type answerer func(ctx context.Context, req admission.Request) (answer, error)

// answer is what the API server is told, and what led to it.
type answer struct {
	admission.Response
	decision engine.Decision
	// namespace is that of the exceptions, where the request is about the whole cluster.
	namespace string
}

// answering turns an answerer into a handler that always answers.
func (g *Gate) answering(ask answerer) admission.Handler {
	return admission.HandlerFunc(func(ctx context.Context, req admission.Request) (response admission.Response) {
		began := g.Clock.Now()
		outcome := Outcome{Kind: req.Kind.Kind, Failed: true}
		defer func() {
			if panicked := recover(); panicked != nil {
				logPanic(ctx, panicked)
				response = refused(http.StatusInternalServerError, metav1.StatusReasonInternalError, bugText(req))
			}
			if g.Observe != nil {
				outcome.Allowed, outcome.Mutated = response.Allowed, len(response.Patches) > 0
				outcome.Took = g.Clock.Since(began)
				g.Observe(outcome)
			}
		}()
		a, err := ask(ctx, req)
		if err != nil {
			response = unjudged(ctx, req, err)
			outcome.Failed = response.Result.Code != http.StatusForbidden
			return response
		}
		outcome.Failed, outcome.Decision = false, a.decision
		g.count(&req, &a)
		return a.Response
	})
}

// count counts each exception but for which the request would have been refused or
// warned of, unless nothing comes of it: it is refused all the same, or a dry run.
func (g *Gate) count(req *admission.Request, a *answer) {
	if g.Uses == nil || !a.Allowed || ptr.Deref(req.DryRun, false) {
		return
	}
	counted := map[string]bool{}
	for _, v := range a.decision.Warned {
		if v.ExceptedBy == "" || counted[v.ExceptedBy] {
			continue
		}
		counted[v.ExceptedBy] = true
		g.Uses.Used(uses.Use{
			Exception: types.NamespacedName{Namespace: cmp.Or(req.Namespace, a.namespace), Name: v.ExceptedBy},
			Control:   v.ControlID, At: g.Clock.Now(),
		})
	}
}

// logPanic names the bug and not the object: what a panic carries may be a
// piece of it, unless the runtime wrote it.
func logPanic(ctx context.Context, panicked any) {
	what := fmt.Sprintf("%T", panicked)
	if bug, ok := panicked.(interface{ RuntimeError() }); ok {
		what = fmt.Sprint(bug)
	}
	log.FromContext(ctx).Error(nil, "Recovered from a panic", "panic", what, "stack", string(debug.Stack()))
}

func bugText(req admission.Request) string {
	return whatOf(&req) + " was not judged because of a bug in hipaa-operator, and PHI is not admitted unjudged; " +
		"the log of its manager holds the details: please report them"
}

// senseless is a request that no webhook of ours should ever get.
type senseless struct{ message string }

func (e senseless) Error() string { return e.message }

// forbidden is an answer that the engine has no part in.
type forbidden struct{ message string }

func (e forbidden) Error() string { return e.message }

func forbid(format string, args ...any) error {
	return forbidden{fmt.Sprintf(format, args...)}
}

// unjudged answers a request for which there is no judgement. Clients try again
// by themselves where only time is needed.
func unjudged(ctx context.Context, req admission.Request, err error) admission.Response {
	if no := (forbidden{}); errors.As(err, &no) {
		return refused(http.StatusForbidden, metav1.StatusReasonForbidden, no.message)
	}
	if bad := (senseless{}); errors.As(err, &bad) {
		return refused(http.StatusBadRequest, metav1.StatusReasonBadRequest, bad.message)
	}
	if errors.Is(err, engine.ErrNoProfile) {
		return refused(http.StatusForbidden, metav1.StatusReasonForbidden, whatOf(&req)+
			" cannot be judged and is refused: no ComplianceProfile governs the namespace; "+
			"the security team applies one whose spec.namespaceSelector selects it")
	}
	log.FromContext(ctx).Error(err, "Reading what admission needs")
	response := refused(http.StatusServiceUnavailable, metav1.StatusReasonServiceUnavailable, whatOf(&req)+
		" could not be judged: hipaa-operator could not read what it needs; nothing is wrong with the object, "+
		"try again, and if it stays so look at the log of its manager")
	response.Result.Details = &metav1.StatusDetails{RetryAfterSeconds: 1}
	return response
}

// whatOf names the object of a request as people do.
func whatOf(req *admission.Request) string {
	name := req.Name
	if name == "" {
		name = "(generated name)"
	}
	what := fmt.Sprintf("%s %q", strings.ToLower(req.Kind.Kind), name)
	if c := connectionOf(req); c != nil {
		what = c.String()
	}
	if req.Namespace != "" {
		what += fmt.Sprintf(" in PHI namespace %q", req.Namespace)
	}
	return what
}

func refused(code int32, reason metav1.StatusReason, message string) admission.Response {
	var r admission.Response
	r.Result = &metav1.Status{Status: metav1.StatusFailure, Code: code, Reason: reason, Message: message}
	return r
}

func permitted() answer {
	var a answer
	a.Allowed = true
	return a
}

// decided turns a decision of the engine into an answer.
func decided(what string, d engine.Decision) answer {
	a := permitted()
	if len(d.Denied) > 0 {
		a.Response = refused(http.StatusForbidden, metav1.StatusReasonForbidden, engine.Denial(what, d))
	}
	a.Warnings = engine.Warnings(d)
	a.AuditAnnotations = annotations(d)
	a.decision = d
	return a
}

// annotations put the controls into the API server's own audit log, where the
// user, the object and the instant already stand.
func annotations(d engine.Decision) map[string]string {
	var found map[string]string
	for key, violations := range map[string][]engine.Violation{"denied": d.Denied, "warned": d.Warned, "audited": d.Audited} {
		if len(violations) == 0 {
			continue
		}
		if found == nil {
			found = map[string]string{}
		}
		found[key] = controlsOf(violations)
	}
	if exceptions := exceptionsOf(d); len(exceptions) > 0 {
		found["exceptions"] = strings.Join(exceptions, ",")
	}
	return found
}

// exceptionsOf names the exceptions that let something in, sorted.
func exceptionsOf(d engine.Decision) []string {
	var names []string
	for _, v := range d.Warned {
		if v.ExceptedBy != "" {
			names = append(names, v.ExceptedBy)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

func controlsOf(violations []engine.Violation) string {
	ids := make([]string, len(violations))
	for i, v := range violations {
		ids[i] = v.ControlID
	}
	slices.Sort(ids)
	return strings.Join(slices.Compact(ids), ",")
}
