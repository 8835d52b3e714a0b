package engine_test

import (
	"cmp"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/types"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
	"github.com/hipaa-operator/hipaa-operator/internal/control"
	"github.com/hipaa-operator/hipaa-operator/internal/engine"
	"github.com/hipaa-operator/hipaa-operator/internal/phitest"
)

func TestAnExceptionCountsFromItsApprovalToItsExactEnd(t *testing.T) {
	end := phitest.After(time.Hour)
	request := func() *phitest.ExceptionBuilder { return phitest.Exception("x", "api", first).Expires(end) }
	unstamped := request().ApprovedBy("lead").Obj()
	unstamped.Status.Approval.Approver = ""
	undigested := request().ApprovedBy("lead").Obj()
	undigested.Status.Approval.SpecDigest = ""
	unbound := request().ApprovedBy("lead").Obj()
	unbound.Status.Approval.WorkloadUID = ""
	ungenerated := request().ApprovedBy("lead").Obj()
	ungenerated.Status.Approval.Generation = 0
	changedBack := request().ApprovedBy("lead").Obj()
	changedBack.Generation += 2
	api := phitest.UIDOf("api")
	for name, tc := range map[string]struct {
		give     *hipaav1.ControlException
		workload types.UID // api, if empty
		none     bool
		after    time.Duration
		want     engine.ExceptionState
	}{
		"nobody has decided": {give: request().Obj(), want: engine.ExceptionPending},
		"approved":           {give: request().ApprovedBy("lead").Obj(), want: engine.ExceptionInForce},
		"denied":             {give: request().DeniedBy("lead").Obj(), want: engine.ExceptionDenied},
		"approved, and no admission has stamped by whom":  {give: unstamped, want: engine.ExceptionPending},
		"approved, and no admission has stamped what":     {give: undigested, want: engine.ExceptionPending},
		"approved, and no admission has stamped for whom": {give: unbound, want: engine.ExceptionPending},
		"approved, and no admission has stamped when":     {give: ungenerated, want: engine.ExceptionPending},
		"approved before its text changed and came back":  {give: changedBack, want: engine.ExceptionVoid},
		"the same where there is no workload":             {give: unbound, none: true, want: engine.ExceptionPending},
		"approved for an earlier workload of the name":    {give: request().ApprovedBy("lead").Obj(), workload: "another", want: engine.ExceptionVoid},
		"denied for an earlier workload of the name":      {give: request().DeniedBy("lead").Obj(), workload: "another", want: engine.ExceptionVoid},
		"approved for a workload that is gone":            {give: request().ApprovedBy("lead").Obj(), none: true, want: engine.ExceptionVoid},
		"approved before its text changed":                {give: request().ApprovedBy("lead").Because("something else altogether").Obj(), want: engine.ExceptionVoid},
		"denied before its text changed":                  {give: request().DeniedBy("lead").Because("something else altogether").Obj(), want: engine.ExceptionVoid},
		"approved before its end was moved":               {give: request().ApprovedBy("lead").Expires(phitest.After(2 * time.Hour)).Obj(), want: engine.ExceptionVoid},
		"a nanosecond before its end":                     {give: request().ApprovedBy("lead").Obj(), after: time.Hour - 1, want: engine.ExceptionInForce},
		"at its end":                                      {give: request().ApprovedBy("lead").Obj(), after: time.Hour, want: engine.ExceptionExpired},
		"after its end, decided or not":                   {give: request().Obj(), after: 2 * time.Hour, want: engine.ExceptionExpired},
	} {
		t.Run(name, func(t *testing.T) {
			workload := cmp.Or(tc.workload, api)
			if tc.none {
				workload = ""
			}
			if got := engine.StateOf(tc.give, workload, phitest.Epoch.Add(tc.after)); got != tc.want {
				t.Errorf("StateOf() = %s, want %s", got, tc.want)
			}
		})
	}
}

func TestAnExceptionHasExcusedWhatItCountedFor(t *testing.T) {
	end := phitest.After(time.Hour)
	request := func() *phitest.ExceptionBuilder { return phitest.Exception("x", "api", first).Expires(end) }
	late := request().ApprovedBy("lead").Obj()
	late.Status.Approval.Time = &end
	for name, tc := range map[string]struct {
		give  *hipaav1.ControlException
		of    types.UID
		since time.Duration
		want  bool
	}{
		"another workload by the same name": {give: request().ApprovedBy("lead").Obj(), of: "another"},
		"what began before it was approved": {give: request().ApprovedBy("lead").Obj(), since: -time.Hour, want: true},
		"what began while it counted":       {give: request().ApprovedBy("lead").Obj(), since: time.Minute, want: true},
		"what began at its end":             {give: request().ApprovedBy("lead").Obj(), since: time.Hour},
		"nobody has decided":                {give: request().Obj()},
		"denied":                            {give: request().DeniedBy("lead").Obj()},
		"approved before its text changed":  {give: request().ApprovedBy("lead").Because("something else altogether").Obj()},
		"approved when it had ended":        {give: late},
	} {
		t.Run(name, func(t *testing.T) {
			if got := engine.HasExcused(tc.give, cmp.Or(tc.of, phitest.UIDOf("api")), phitest.Epoch.Add(tc.since)); got != tc.want {
				t.Errorf("HasExcused() = %v, want %v", got, tc.want)
			}
		})
	}
}

func TestAnExceptionCoversItsControlAndWorkloadOnly(t *testing.T) {
	e := newEngine(t, finding(first, control.Pods, control.Failed("spec", "is wrong")))
	effective := resolve(t, e, phitest.Profile("a"))
	approved := func(name, workload, id string) *phitest.ExceptionBuilder {
		return phitest.Exception(name, workload, id).ApprovedBy("lead")
	}
	for name, tc := range map[string]struct {
		give     []*phitest.ExceptionBuilder
		workload *hipaav1.PHIWorkload
		want     string
	}{
		"its own":                         {give: []*phitest.ExceptionBuilder{approved("x", "api", first)}, workload: phitest.Workload("api").Stored().Obj(), want: "x"},
		"another control":                 {give: []*phitest.ExceptionBuilder{approved("x", "api", second)}, workload: phitest.Workload("api").Stored().Obj()},
		"another workload":                {give: []*phitest.ExceptionBuilder{approved("x", "db", first)}, workload: phitest.Workload("api").Stored().Obj()},
		"the same name elsewhere":         {give: []*phitest.ExceptionBuilder{phitest.Exception("x", "api", first).Namespace("lab").ApprovedBy("lead")}, workload: phitest.Workload("api").Stored().Obj()},
		"an earlier workload of the name": {give: []*phitest.ExceptionBuilder{approved("x", "api", first)}, workload: phitest.Workload("api").Obj()},
		"what no workload claims":         {give: []*phitest.ExceptionBuilder{approved("x", "api", first)}},
		"of two, the one that ends last": {
			give: []*phitest.ExceptionBuilder{
				approved("short", "api", first),
				phitest.Exception("long", "api", first).Expires(phitest.After(72 * time.Hour)).ApprovedBy("lead"),
				phitest.Exception("longest", "api", first).Expires(phitest.After(99 * time.Hour)),
			},
			workload: phitest.Workload("api").Stored().Obj(), want: "long",
		},
	} {
		t.Run(name, func(t *testing.T) {
			var exceptions []*hipaav1.ControlException
			for _, b := range tc.give {
				exceptions = append(exceptions, b.Obj())
			}
			s := podSubject(effective, phitest.Pod("api").Obj())
			s.Workload = tc.workload
			d := e.Admit(s, engine.Ruling{Effective: effective, Exceptions: exceptions, Now: phitest.Epoch})
			switch {
			case tc.want == "" && len(d.Denied) != 1:
				t.Errorf("decision = %+v, want a refusal", d)
			case tc.want != "" && (len(d.Denied) > 0 || len(d.Warned) != 1 || d.Warned[0].ExceptedBy != tc.want):
				t.Errorf("decision = %+v, want a warning that names %q", d, tc.want)
			}
		})
	}
}
