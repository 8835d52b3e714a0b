package vendor

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
	"github.com/hipaa-operator/hipaa-operator/internal/phitest"
)

const day = 24 * time.Hour

func TestStatusSaysHowTheAgreementStands(t *testing.T) {
	tests := map[string]struct {
		give *hipaav1.Vendor
		want []string
		// next is how long until it says something else; zero is never.
		next time.Duration
		// ungated says that phi-egress is not there.
		ungated bool
	}{
		"without phi-egress": {
			give:    phitest.Vendor("eprescribe").Obj(),
			ungated: true,
			want: []string{
				"Ready=True InForce: in force until 2027-03-02T09:00:00Z",
				"AgreementInForce=True InForce: in force until 2027-03-02T09:00:00Z",
				"CallsOpen=Unknown EgressMissing: phi-egress, which decides what calls leave, is not installed or not configured yet: " +
					"install the operator with its proxies, as docs/vendors.md says; named by 1 PHIWorkload",
			},
			next: 305 * day,
		},
		"past its end": {
			give: phitest.Vendor("eprescribe").Expires(phitest.After(-day)).Obj(),
			want: []string{
				"Ready=False Expired: ended at 2026-03-01T09:00:00Z: new flows are refused and those there are fail; conclude another one, and declare it under spec.agreement",
				"Stalled=True Expired: ended at 2026-03-01T09:00:00Z: new flows are refused and those there are fail; conclude another one, and declare it under spec.agreement",
				"AgreementInForce=False Expired: ended at 2026-03-01T09:00:00Z: new flows are refused and those there are fail; conclude another one, and declare it under spec.agreement",
				"CallsOpen=True PastEnd: calls go on past the end of the agreement, which was at 2026-03-01T09:00:00Z: conclude another one, " +
					"or let two people close them by status.closure, as docs/vendors.md says; named by 1 PHIWorkload",
			},
		},
		"in force": {
			give: phitest.Vendor("eprescribe").Obj(),
			want: []string{
				"Ready=True InForce: in force until 2027-03-02T09:00:00Z",
				"AgreementInForce=True InForce: in force until 2027-03-02T09:00:00Z",
				"CallsOpen=True InForce: phi-egress lets out the calls of workloads that name it; named by 1 PHIWorkload",
			},
			next: 305 * day,
		},
		"in its last days": {
			give: phitest.Vendor("eprescribe").Expires(phitest.After(5 * day)).Obj(),
			want: []string{
				"Ready=True InForce: in force until 2026-03-07T09:00:00Z",
				"AgreementInForce=True InForce: in force until 2026-03-07T09:00:00Z",
				"Expiring=True AgreementEnding: ends at 2026-03-07T09:00:00Z, within 7 days",
				"CallsOpen=True InForce: phi-egress lets out the calls of workloads that name it; named by 1 PHIWorkload",
			},
			next: 5 * day,
		},
		"not begun": {
			give: func() *hipaav1.Vendor {
				v := phitest.Vendor("eprescribe").Obj()
				v.Spec.Agreement.Effective = phitest.After(day)
				return v
			}(),
			want: []string{
				"Ready=False NotYetEffective: counts from 2026-03-03T09:00:00Z: until then no workload may call this vendor",
				"Stalled=True NotYetEffective: counts from 2026-03-03T09:00:00Z: until then no workload may call this vendor",
				"AgreementInForce=False NotYetEffective: counts from 2026-03-03T09:00:00Z: until then no workload may call this vendor",
				"CallsOpen=False NotYetEffective: phi-egress lets no call out: its agreement does not count yet; named by 1 PHIWorkload",
			},
			next: day,
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			s, err := judge(tt.give, []hipaav1.VendorCaller{{Namespace: "ehr", Name: "api", Continuity: hipaav1.ContinuityPatientCare}}, tt.ungated, phitest.Epoch)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, c := range statusOf(s).Conditions {
				got = append(got, c.Type+"="+string(c.Status)+" "+c.Reason+": "+c.Message)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("conditions (-want +got):\n%s", diff)
			}
			if got := s.recheckAfter(); got != tt.next {
				t.Errorf("it is looked at again after %s, want %s", got, tt.next)
			}
		})
	}
}

func TestAStartOfTheOperatorChangesNoCondition(t *testing.T) {
	open := metav1.Condition{Type: hipaav1.ConditionCallsOpen, Status: metav1.ConditionTrue, Reason: hipaav1.ReasonInForce}
	missing := metav1.Condition{Type: hipaav1.ConditionCallsOpen, Status: metav1.ConditionUnknown, Reason: hipaav1.ReasonEgressMissing}
	for name, tt := range map[string]struct {
		before           []metav1.Condition
		installed, known bool
		want             bool
	}{
		"new, nobody has looked":                    {want: true},
		"open before, nobody has looked":            {before: []metav1.Condition{open}},
		"unknown before, nobody has looked":         {before: []metav1.Condition{missing}, want: true},
		"open before, and phi-egress is gone":       {before: []metav1.Condition{open}, known: true, want: true},
		"unknown before, and phi-egress has come":   {before: []metav1.Condition{missing}, known: true, installed: true},
		"open before, and phi-egress is still here": {before: []metav1.Condition{open}, known: true, installed: true},
	} {
		t.Run(name, func(t *testing.T) {
			r := &Reconciler{Installed: func() (bool, bool) { return tt.installed, tt.known }}
			v := phitest.Vendor("eprescribe").Obj()
			v.Status.Conditions = tt.before
			if got := r.ungated(v); got != tt.want {
				t.Errorf("ungated is %t, want %t", got, tt.want)
			}
		})
	}
}
