package agreement_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
	"github.com/hipaa-operator/hipaa-operator/internal/agreement"
	"github.com/hipaa-operator/hipaa-operator/internal/phitest"
)

func TestCallsGetOutAsPeopleDecided(t *testing.T) {
	ended, year := phitest.After(0), phitest.Vendor("x").Obj().Spec.Agreement.Expires
	vendor := func(change func(*hipaav1.Vendor)) *hipaav1.Vendor {
		v := phitest.Vendor("eprescribe").Obj()
		change(v)
		return v
	}
	closing := func(v *hipaav1.Vendor) {
		v.Spec.OnEnd, v.Spec.Continuity = hipaav1.OnEndClose, hipaav1.ContinuityBusiness
	}
	decided := func(v *hipaav1.Vendor, first, second string) {
		digest, err := v.Spec.Agreement.Fingerprint()
		if err != nil {
			t.Fatal(err)
		}
		v.Status.Closure = &hipaav1.VendorClosure{
			Proposal: &hipaav1.ClosureWord{Person: first, AgreementDigest: digest},
			Approval: &hipaav1.ClosureWord{Person: second, AgreementDigest: digest},
		}
	}
	tests := map[string]struct {
		give *hipaav1.Vendor
		want agreement.Calls
	}{
		"in force": {vendor(func(*hipaav1.Vendor) {}), agreement.Calls{Open: true, Reason: hipaav1.ReasonInForce}},
		"in force, to be closed at the end": {
			vendor(closing), agreement.Calls{Open: true, Until: year.Time, Reason: hipaav1.ReasonInForce},
		},
		"past the end nobody is cut off by itself": {
			vendor(func(v *hipaav1.Vendor) { v.Spec.Agreement.Expires = ended }), agreement.Calls{Open: true, Reason: hipaav1.ReasonPastEnd},
		},
		"past the end they are closed where that was chosen": {
			vendor(func(v *hipaav1.Vendor) { closing(v); v.Spec.Agreement.Expires = ended }), agreement.Calls{Reason: hipaav1.ReasonClosedAtEnd},
		},
		"patients are spared, whatever was chosen": {
			vendor(func(v *hipaav1.Vendor) {
				v.Spec.OnEnd, v.Spec.Continuity = hipaav1.OnEndClose, hipaav1.ContinuityPatientCare
				v.Spec.Agreement.Expires = ended
			}), agreement.Calls{Open: true, Reason: hipaav1.ReasonPastEnd},
		},
		"who says nothing of patients spares them": {
			vendor(func(v *hipaav1.Vendor) { v.Spec.OnEnd = hipaav1.OnEndClose }), agreement.Calls{Open: true, Reason: hipaav1.ReasonInForce},
		},
		"what ended and never counted lets nobody out": {
			vendor(func(v *hipaav1.Vendor) { v.Spec.Agreement.Expires, v.Spec.Agreement.Clauses = ended, nil }),
			agreement.Calls{Reason: hipaav1.ReasonClausesMissing},
		},
		"no agreement": {vendor(func(v *hipaav1.Vendor) { v.Spec.Agreement = nil }), agreement.Calls{Reason: hipaav1.ReasonNoAgreement}},
		"one that begins tomorrow": {
			vendor(func(v *hipaav1.Vendor) { v.Spec.Agreement.Signed = phitest.After(24 * time.Hour) }),
			agreement.Calls{Reason: hipaav1.ReasonNotYetEffective},
		},
		"two people": {vendor(func(v *hipaav1.Vendor) { decided(v, "ana", "ben") }), agreement.Calls{Reason: hipaav1.ReasonClosedByPeople}},
		"one person twice": {
			vendor(func(v *hipaav1.Vendor) { decided(v, "ana", "ana") }), agreement.Calls{Open: true, Reason: hipaav1.ReasonInForce},
		},
		"one person": {
			vendor(func(v *hipaav1.Vendor) { decided(v, "ana", "ben"); v.Status.Closure.Approval = nil }),
			agreement.Calls{Open: true, Reason: hipaav1.ReasonInForce},
		},
		"two people about an agreement that was before": {
			vendor(func(v *hipaav1.Vendor) { decided(v, "ana", "ben"); v.Spec.Agreement.Document = "BAA-18" }),
			agreement.Calls{Open: true, Reason: hipaav1.ReasonInForce},
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got := agreement.CallsTo(tt.give, phitest.Epoch)
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("calls (-want +got):\n%s", diff)
			}
			if got.Open == (got.Why() != "") {
				t.Errorf("calls that are open (%t) are explained by %q", got.Open, got.Why())
			}
		})
	}
}
