package vendor

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

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
	}{
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
			s, err := judge(tt.give, []hipaav1.VendorCaller{{Namespace: "ehr", Name: "api", Continuity: hipaav1.ContinuityPatientCare}}, phitest.Epoch)
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
