package catalog

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
	"github.com/hipaa-operator/hipaa-operator/internal/control"
	"github.com/hipaa-operator/hipaa-operator/internal/phitest"
)

func TestAgreementsCoverWhatFlows(t *testing.T) {
	const day = 24 * time.Hour
	none := []string(nil)
	tests := map[string]struct {
		vendor  *hipaav1.Vendor
		regions []string
		want    []string
		soon    bool
		until   time.Duration
	}{
		"in force for long": {
			vendor: phitest.Vendor("eprescribe").Obj(), regions: none,
			want:  []string{`Pass spec.egress.to[1].vendor is "eprescribe", whose agreement is in force until 2027-03-02`},
			until: 305 * day,
		},
		"about to end": {
			vendor: phitest.Vendor("eprescribe").Expires(phitest.After(10 * day)).Obj(), regions: none,
			want: []string{`Pass spec.egress.to[1].vendor is "eprescribe", whose agreement is in force until 2026-03-12`},
			soon: true, until: 3 * day,
		},
		"at its very end": {
			vendor: phitest.Vendor("eprescribe").Expires(phitest.After(0)).Obj(), regions: none,
			want: []string{`Fail spec.egress.to[1].vendor is "eprescribe", whose agreement ended on 2026-03-02`},
		},
		"about to begin": {
			vendor: func() *hipaav1.Vendor {
				v := phitest.Vendor("eprescribe").Obj()
				v.Spec.Agreement.Signed = phitest.After(day)
				return v
			}(), regions: none,
			want:  []string{`Fail spec.egress.to[1].vendor is "eprescribe", whose agreement counts from 2026-03-03T09:00:00Z`},
			until: day,
		},
		"each class that it does not receive, and each region where nothing may be": {
			vendor:  phitest.Vendor("eprescribe").Receives(hipaav1.DataClassBilling).Regions("us-east-1", "elsewhere-1").Obj(),
			regions: []string{"us-east-1"},
			want: []string{
				`Fail spec.egress.to[1].vendor is "eprescribe", which may not receive Clinical, a class of data that this workload handles`,
				`Fail spec.egress.to[1].vendor is "eprescribe", which may not receive Genetic, a class of data that this workload handles`,
				`Fail spec.egress.to[1].vendor is "eprescribe", which keeps data in elsewhere-1, where the profile does not allow it`,
			},
		},
		"regions do not matter where no profile names any": {
			vendor: phitest.Vendor("eprescribe").Regions().Obj(), regions: none,
			want:  []string{`Pass spec.egress.to[1].vendor is "eprescribe", whose agreement is in force until 2027-03-02`},
			until: 305 * day,
		},
		"where profiles have no region in common no vendor is right": {
			vendor: phitest.Vendor("eprescribe").Regions("us-east-1").Obj(), regions: []string{},
			want: []string{`Fail spec.egress.to[1].vendor is "eprescribe", which keeps data in us-east-1, where the profile does not allow it`},
		},
		"subprocessors of which nothing is known": {
			vendor: phitest.Vendor("eprescribe").Passes("hosting", "annex B").Passes("mail", "").Obj(), regions: none,
			want: []string{`Unknown spec.egress.to[1].vendor is "eprescribe", which passes data on to its subprocessor 1 under no agreement that is known`},
		},
		"a vendor of another name": {
			vendor: phitest.Vendor("other").Obj(), regions: none,
			want: []string{`Fail spec.egress.to[1].vendor is "eprescribe", which no Vendor declares`},
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			w := phitest.Workload("api").DataClasses(hipaav1.DataClassClinical, hipaav1.DataClassGenetic).
				To(phitest.ToKubernetesAPI(), phitest.ToVendor("eprescribe")).Obj()
			profile := &control.Profile{}
			profile.Residency.Allowed = tt.regions
			var got []string
			var last control.Finding
			for _, f := range checkAgreements(control.Subject{
				Profile: profile, Workload: w, Now: phitest.Epoch, World: &control.World{Vendors: map[string]*hipaav1.Vendor{tt.vendor.Name: tt.vendor}},
			}) {
				got, last = append(got, string(f.Verdict)+" "+f.Path+" "+f.Message), f
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("findings (-want +got):\n%s", diff)
			}
			if last.Soon != tt.soon || tt.until > 0 && !last.Until.Equal(phitest.Epoch.Add(tt.until)) {
				t.Errorf("it warns: %t, and holds until %s", last.Soon, last.Until)
			}
		})
	}
}
