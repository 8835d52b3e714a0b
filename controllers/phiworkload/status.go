package phiworkload

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
	"github.com/hipaa-operator/hipaa-operator/internal/control"
	"github.com/hipaa-operator/hipaa-operator/internal/outcome"
	"github.com/hipaa-operator/hipaa-operator/internal/repair"
)

// Bounds of lists in the status, as in the API.
const (
	maxProfiles = 32
	maxControls = 128
	maxDrift    = 20
	maxText     = 500
	maxListed   = 5
	maxNamed    = 2
)

// statusOf turns what a pass learned into the status. It is pure. A pass that
// failed keeps what an earlier one found, and its conditions say how little that
// is worth; one that is blocked has nothing to say.
func statusOf(s *scope, stepErr error) hipaav1.PHIWorkloadStatus {
	now := metav1.NewTime(s.now.UTC().Truncate(time.Second))
	next := *s.workload.Status.DeepCopy()
	switch {
	case s.progress >= judged:
		next.ObservedGeneration = s.workload.Generation
		next.Profiles = bound(s.effective.Parameters.Names, maxProfiles)
		next.ProfileSummary = summaryOf(s.effective.Parameters.Names)
		next.Mode = s.ruling.StrongestMode()
		next.Stage = s.ruling.Stage
		next.Controls = controlsOf(s, now)
		next.Safeguards = countsOf(next.Controls)
		next.Preview = s.preview
		next.Proxy = proxyOf(s)
	case outcome.IsBlocked(stepErr):
		next.ObservedGeneration = s.workload.Generation
		next.Profiles, next.ProfileSummary, next.Mode, next.Safeguards, next.Preview = nil, "", "", nil, nil
		next.Controls = unjudged(s.workload.Status.Controls, now)
	}
	next.Drift = driftOf(s, now)
	r := report{
		scope: s, status: &next, err: stepErr, failure: outcome.ConditionOf(stepErr),
		conditions: &outcome.Conditions{Previous: s.workload.Status.Conditions, Generation: s.workload.Generation, Now: now},
	}
	r.write()
	next.Conditions = r.conditions.List()
	return next
}

// summaryOf names the first profiles and counts the others: a column of kubectl
// shows one value.
func summaryOf(names []string) string {
	text := strings.Join(bound(names, maxNamed), ",")
	if more := len(names) - maxNamed; more > 0 {
		text += fmt.Sprintf(",+%d", more)
	}
	return text
}

func bound[T any](list []T, size int) []T { return list[:min(len(list), size)] }

// controlsOf has one result for each verdict; what stays the same keeps its
// beginning.
func controlsOf(s *scope, now metav1.Time) []hipaav1.ControlResult {
	since := make(map[string]hipaav1.ControlResult, len(s.workload.Status.Controls))
	for _, p := range s.workload.Status.Controls {
		since[p.ID] = p
	}
	var controls []hipaav1.ControlResult
	stages := stagesOf(s)
	for _, r := range bound(s.results, maxControls) {
		one := hipaav1.ControlResult{
			ID: r.ID, Verdict: r.Verdict, Class: r.Class, Mode: r.Mode, Stage: stages.of(r.ID),
			Message: outcome.Shorten(r.Message, maxText), Warning: outcome.Shorten(r.Warning, maxText), Since: now,
		}
		if r.Idle {
			one.Stage = ""
		}
		if r.Exception != nil {
			one.Exception = &hipaav1.ExceptionReference{Name: r.Exception.Name, Expires: r.Exception.Spec.Expires}
		}
		if before, known := since[r.ID]; known && before.Verdict == r.Verdict {
			one.Since = before.Since
		}
		controls = append(controls, one)
	}
	return controls
}

// unjudged keeps how far each control has come, and nothing else: what has not
// entered Enforce must not do so because a profile was away for a moment.
func unjudged(previous []hipaav1.ControlResult, now metav1.Time) []hipaav1.ControlResult {
	var kept []hipaav1.ControlResult
	for _, p := range previous {
		if p.Stage == "" {
			continue
		}
		one := hipaav1.ControlResult{ID: p.ID, Verdict: hipaav1.VerdictUnknown, Stage: p.Stage, Message: "not judged: nothing says by what", Since: now}
		if p.Verdict == one.Verdict {
			one.Since = p.Since
		}
		kept = append(kept, one)
	}
	return kept
}

func countsOf(controls []hipaav1.ControlResult) *hipaav1.SafeguardCounts {
	n := map[hipaav1.Verdict]int32{}
	for i := range controls {
		n[controls[i].Verdict]++
	}
	met, applicable := n[hipaav1.VerdictPass], int32(0)
	for verdict, count := range n {
		if verdict != hipaav1.VerdictNotApplicable {
			applicable += count
		}
	}
	return &hipaav1.SafeguardCounts{
		Summary:       fmt.Sprintf("%d/%d", met, applicable),
		Met:           ptr.To(met),
		Failing:       ptr.To(n[hipaav1.VerdictFail]),
		Unknown:       ptr.To(n[hipaav1.VerdictUnknown]),
		Excepted:      ptr.To(n[hipaav1.VerdictExcepted]),
		NotApplicable: ptr.To(n[hipaav1.VerdictNotApplicable]),
	}
}

// report writes the conditions.
type report struct {
	*scope
	status     *hipaav1.PHIWorkloadStatus
	err        error
	failure    outcome.Condition
	conditions *outcome.Conditions
}

func (r *report) write() {
	r.ready()
	r.step(observed, part{hipaav1.ConditionProfileBound, r.profileBound}, part{hipaav1.ConditionContinuityKept, r.continuityKept},
		part{hipaav1.ConditionHomeRegionsOnly, r.homeRegionsOnly})
	r.step(judged,
		part{hipaav1.ConditionSelectorUnique, r.selectorUnique},
		part{hipaav1.ConditionFlowsResolved, r.flowsResolved},
		part{hipaav1.ConditionSafeguardsMet, r.safeguardsMet},
		part{hipaav1.ConditionEnforced, r.enforced})
	r.step(repaired, part{hipaav1.ConditionDriftFree, r.driftFree})
	if r.workload.DeletionTimestamp.IsZero() {
		r.step(replaced, part{hipaav1.ConditionPodsProtected, r.podsProtected})
	} else {
		r.released()
	}
}

// part is a condition and what tells it once its step has finished.
type part struct {
	kind string
	tell func() (metav1.ConditionStatus, string, string)
}

// step writes the conditions of one step: what it found, or why it did not
// finish, or that it never began.
func (r *report) step(p progress, parts ...part) {
	for _, one := range parts {
		switch {
		case r.progress >= p:
			status, reason, message := one.tell()
			r.conditions.Set(one.kind, status, reason, message)
		case r.progress == p-1 && r.err != nil:
			r.conditions.Set(one.kind, r.failure.Status, r.failure.Reason, r.failure.Message)
		default:
			r.conditions.NotLookedAt(one.kind, r.failure)
		}
	}
}

func (r *report) ready() {
	switch {
	case r.err != nil:
		r.conditions.Ready(r.failure.Status, r.failure.Reason, r.failure.Message)
	case !r.workload.DeletionTimestamp.IsZero():
		if r.alive > 0 {
			r.conditions.Ready(metav1.ConditionUnknown, hipaav1.ReasonPodsLive, waitsFor(r.alive))
		} else {
			r.conditions.Ready(metav1.ConditionUnknown, hipaav1.ReasonReleased, "nothing is kept for it any more")
		}
	default:
		status, reason, message := r.profileBound()
		if status == metav1.ConditionTrue {
			reason, message = r.inForce()
		}
		r.conditions.Ready(status, reason, message)
	}
}

// inForce sums up the verdicts, and calls nothing in force that is only reported.
func (r *report) inForce() (reason, message string) {
	n := r.status.Safeguards
	switch {
	case r.status.Mode != hipaav1.ModeEnforce:
		return hipaav1.ReasonReportedOnly, counted(n, "met") + fmt.Sprintf("; reported only, for the strongest mode now is %s", r.status.Mode)
	case ptr.Deref(n.Met, 0) == 0:
		return hipaav1.ReasonNothingInForce, counted(n, "in force")
	default:
		return hipaav1.ReasonSafeguardsInForce, counted(n, "in force")
	}
}

// counted is the verdicts in numbers.
func counted(n *hipaav1.SafeguardCounts, what string) string {
	met, applicable, _ := strings.Cut(n.Summary, "/")
	parts := []string{fmt.Sprintf("%s of %s %s", met, applicable, what)}
	for _, rest := range []struct {
		count *int32
		word  string
	}{{n.Failing, "failing"}, {n.Unknown, "unknown"}, {n.Excepted, "excepted"}} {
		if count := ptr.Deref(rest.count, 0); count > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", count, rest.word))
		}
	}
	return strings.Join(parts, ", ")
}

func (r *report) profileBound() (metav1.ConditionStatus, string, string) {
	names := "judged under " + enumerate(r.effective.Parameters.Names)
	switch {
	case len(r.effective.NotFound) > 0:
		return metav1.ConditionFalse, hipaav1.ReasonProfileNotFound, "profileRef or extends names what does not exist: " + enumerate(r.effective.NotFound) + "; " + names
	case len(r.effective.Conflicts) > 0:
		return metav1.ConditionFalse, hipaav1.ReasonProfileConflict, enumerate(r.effective.Conflicts) + "; " + names
	default:
		return metav1.ConditionTrue, hipaav1.ReasonBound, names
	}
}

// continuityKept tells what an outage of the operator does to new pods.
func (r *report) continuityKept() (metav1.ConditionStatus, string, string) {
	care := string(hipaav1.ContinuityPatientCare)
	switch {
	case string(r.workload.Spec.Continuity) != care:
		return metav1.ConditionTrue, hipaav1.ReasonPodsWait, fmt.Sprintf("new pods wait for the operator while it is down, as continuity %s allows", r.workload.Spec.Continuity)
	case r.scene.Namespace.Labels[hipaav1.LabelContinuity] != care:
		return metav1.ConditionFalse, hipaav1.ReasonNamespaceNotPatientCare, fmt.Sprintf("care depends on it, and new pods wait for the operator while it is down: label namespace %q %s: %s and let kubectl hipaa inject write the safeguards into its templates",
			r.workload.Namespace, hipaav1.LabelContinuity, care)
	default:
		return metav1.ConditionTrue, hipaav1.ReasonPodsStart, "webhooks do not keep new pods waiting while the operator is down; what kubectl hipaa inject wrote into their templates protects them"
	}
}

// homeRegionsOnly tells where PHI may be, and of a failover that widens it for a time.
func (r *report) homeRegionsOnly() (metav1.ConditionStatus, string, string) {
	p := &r.effective.Parameters.Residency
	switch further := p.Failover(); {
	case len(further) > 0:
		return metav1.ConditionFalse, hipaav1.ReasonFailoverInForce, fmt.Sprintf("until %s PHI may be in %s too, as residency.failover of %s allows",
			p.FailoverEnds.UTC().Format(time.RFC3339), enumerate(further), enumerate(p.FailoverBy))
	case p.Allowed == nil:
		return metav1.ConditionUnknown, hipaav1.ReasonRegionsOpen, "no profile says in which regions PHI may be; the security team says so under residency.regions of one"
	case len(p.Allowed) == 0:
		return metav1.ConditionTrue, hipaav1.ReasonNoFailover, "the profiles have no region in common"
	default:
		return metav1.ConditionTrue, hipaav1.ReasonNoFailover, "PHI may be in " + enumerate(p.Allowed) + ", and no failover is in force"
	}
}

func (r *report) selectorUnique() (metav1.ConditionStatus, string, string) {
	if len(r.overlaps) > 0 {
		return metav1.ConditionFalse, hipaav1.ReasonSelectorOverlaps, "pods of this workload are selected by " + enumerate(r.overlaps) + " as well; give each pod to one workload"
	}
	return metav1.ConditionTrue, hipaav1.ReasonUnique, "no other workload selects its pods"
}

func (r *report) flowsResolved() (metav1.ConditionStatus, string, string) {
	switch {
	case len(r.unresolved) > 0:
		return metav1.ConditionFalse, hipaav1.ReasonFlowUnresolved, enumerate(r.unresolved)
	case r.subject.World.Lacks(control.AllEvidence &^ control.Infrastructure):
		return metav1.ConditionUnknown, hipaav1.ReasonEvidenceMissing, "what flows refer to could not all be read"
	default:
		return metav1.ConditionTrue, hipaav1.ReasonResolved, "every declared flow leads to pods or addresses, and to port numbers"
	}
}

func (r *report) safeguardsMet() (metav1.ConditionStatus, string, string) {
	with := func(verdict hipaav1.Verdict) []string {
		var ids []string
		for _, c := range r.status.Controls {
			if c.Verdict == verdict {
				ids = append(ids, c.ID)
			}
		}
		return ids
	}
	for _, bad := range []struct {
		verdict hipaav1.Verdict
		status  metav1.ConditionStatus
		reason  string
		word    string
	}{
		{hipaav1.VerdictFail, metav1.ConditionFalse, hipaav1.ReasonSafeguardsFailing, "failing: "},
		{hipaav1.VerdictExcepted, metav1.ConditionFalse, hipaav1.ReasonSafeguardsExcepted, "excepted: "},
		{hipaav1.VerdictUnknown, metav1.ConditionUnknown, hipaav1.ReasonEvidenceMissing, "unknown: "},
	} {
		if ids := with(bad.verdict); len(ids) > 0 {
			return bad.status, bad.reason, bad.word + enumerate(ids)
		}
	}
	if len(r.status.Controls) == 0 {
		return metav1.ConditionUnknown, hipaav1.ReasonEvidenceMissing, "no control is in force"
	}
	return metav1.ConditionTrue, hipaav1.ReasonAllMet, r.status.Safeguards.Summary + " met"
}

func (r *report) enforced() (metav1.ConditionStatus, string, string) {
	switch {
	case len(r.effective.Paused) > 0:
		return metav1.ConditionFalse, hipaav1.ReasonPaused, "paused by " + enumerate(r.effective.Paused) + "; the pause ends by itself"
	case !r.goal.Enforces():
		return metav1.ConditionFalse, hipaav1.ReasonModeNotEnforce, "no control has mode Enforce"
	case r.preview == nil:
		return metav1.ConditionTrue, hipaav1.ReasonEnforced, "mode Enforce takes effect"
	default:
		what := "enforcing"
		if len(r.raised) > 0 {
			what += " " + enumerate(r.raised) + " too"
		}
		return metav1.ConditionFalse, hipaav1.ReasonPreviewNotEmpty, fmt.Sprintf("%s would refuse %d, change %d and cut %d objects: mend them, or let the profile accept preview %s",
			what, len(r.preview.Refuse), len(r.preview.Change), len(r.preview.Cut), r.preview.Digest)
	}
}

func (r *report) driftFree() (metav1.ConditionStatus, string, string) {
	var standing []string
	for _, d := range r.status.Drift {
		if d.State == hipaav1.DriftDetected {
			standing = append(standing, repair.Place(d.Object, d.Path))
		}
	}
	switch {
	case len(standing) > 0:
		return metav1.ConditionFalse, hipaav1.ReasonDrifted, "not corrected: " + enumerate(standing)
	case len(r.status.Drift) > 0:
		last := &r.status.Drift[0]
		reason, what := hipaav1.ReasonCorrected, "last drift "+last.Time.UTC().Format(time.RFC3339)+" on "+last.Object
		if last.State == hipaav1.DriftResolved {
			reason, what = hipaav1.ReasonDriftResolved, what+", "+resolution(last)
		}
		return metav1.ConditionTrue, reason, what
	default:
		return metav1.ConditionTrue, hipaav1.ReasonNoDrift, "nothing has been changed"
	}
}

func (r *report) podsProtected() (metav1.ConditionStatus, string, string) {
	p := r.protection
	switch {
	case len(p.Stays)+len(p.Evicted) > 0:
	case p.Pods == 0 && len(r.barred) > 0:
		return metav1.ConditionFalse, hipaav1.ReasonReplacementWouldBeRefused, barredText(r.barred)
	case p.Pods == 0:
		return metav1.ConditionTrue, hipaav1.ReasonNoPods, "no pod is selected"
	case len(p.Reported) > 0:
		return metav1.ConditionFalse, hipaav1.ReasonReportedOnly, reportedText(p)
	default:
		return metav1.ConditionTrue, hipaav1.ReasonPodsAdmitted, "every pod runs with its safeguards, or needs none now"
	}
	if len(p.Stays) == 0 {
		return metav1.ConditionFalse, hipaav1.ReasonReplacementPending, fmt.Sprintf("%d of %d pods are being replaced", len(p.Evicted), p.Pods)
	}
	// What needs people comes before what time mends.
	first := slices.MinFunc(p.Stays, func(a, b repair.Stay) int { return cmp.Compare(urgency(a.Reason), urgency(b.Reason)) })
	return metav1.ConditionFalse, first.Reason, fmt.Sprintf("%d of %d pods run without their safeguards; pod %q: %s", len(p.Stays)+len(p.Evicted), p.Pods, first.Pod, first.Message)
}

// reportedText tells of pods that lack what nobody enforces on them.
func reportedText(p repair.Protection) string {
	var controls []string
	for _, pod := range p.Reported {
		controls = append(controls, pod.Controls...)
	}
	slices.Sort(controls)
	return fmt.Sprintf("%d of %d pods lack safeguards that are reported only, not enforced now: %s; one of them is pod %q",
		len(p.Reported), p.Pods, enumerate(slices.Compact(controls)), p.Reported[0].Pod)
}

// barredText tells why no pod can come back.
func barredText(barred []hipaav1.PreviewEntry) string {
	first := &barred[0]
	text := fmt.Sprintf("no pod runs, and admission would refuse the next one of %s: %s: %s", first.Object, first.Controls[0], first.Findings[0])
	if more := len(first.Findings) - 1; more > 0 {
		text += fmt.Sprintf(" (+%d more)", more)
	}
	if others := len(barred) - 1; others > 0 {
		text += fmt.Sprintf("; and those of %d more templates", others)
	}
	return text
}

func urgency(reason string) int {
	return slices.Index([]string{
		hipaav1.ReasonReplacementWouldBeRefused, hipaav1.ReasonReplacementNeedsPerson, hipaav1.ReasonReplacementPending,
		hipaav1.ReasonReplacementAwaitsRestart,
	}, reason)
}

// released tells of a workload that is being deleted.
func (r *report) released() {
	if r.alive > 0 {
		r.conditions.Set(hipaav1.ConditionReleased, metav1.ConditionFalse, hipaav1.ReasonPodsLive, waitsFor(r.alive))
		return
	}
	r.conditions.Set(hipaav1.ConditionReleased, metav1.ConditionTrue, hipaav1.ReasonReleased, "no selected pod lives and what was kept for it is gone")
}

func waitsFor(pods int) string {
	return fmt.Sprintf("%d selected pods live; what protects them stays until they are gone", pods)
}

// enumerate lists a few and says how many more there are.
func enumerate(list []string) string {
	text := strings.Join(bound(list, maxListed), ", ")
	if more := len(list) - maxListed; more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	return text
}
