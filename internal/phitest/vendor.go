package phitest

import (
	"slices"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
)

// VendorBuilder builds a Vendor.
type VendorBuilder struct{ vendor hipaav1.Vendor }

// Vendor gets every class of data in the region of tests, under Agreement.
func Vendor(name string) *VendorBuilder {
	return &VendorBuilder{hipaav1.Vendor{
		ObjectMeta: metav1.ObjectMeta{Name: name, Generation: 1},
		Spec: hipaav1.VendorSpec{
			Description: reason,
			Owner:       hipaav1.Owner{Team: "privacy", Contacts: []string{"privacy@example.org"}},
			Hosts:       []hipaav1.VendorHost{{Name: "api." + name + ".example", Port: 443}},
			Receives:    slices.Clone(hipaav1.AllDataClasses),
			Regions:     []string{Region},
			Agreement:   Agreement(),
		},
	}}
}

// Receives sets the classes of data that it gets.
func (b *VendorBuilder) Receives(classes ...hipaav1.DataClass) *VendorBuilder {
	b.vendor.Spec.Receives = classes
	return b
}

// Regions sets where it keeps them; none is not stated.
func (b *VendorBuilder) Regions(regions ...string) *VendorBuilder {
	b.vendor.Spec.Regions = regions
	return b
}

// Agreed sets its agreement; nil is none.
func (b *VendorBuilder) Agreed(a *hipaav1.Agreement) *VendorBuilder {
	b.vendor.Spec.Agreement = a
	return b
}

// Expires sets the end of its agreement.
func (b *VendorBuilder) Expires(at metav1.Time) *VendorBuilder {
	b.vendor.Spec.Agreement.Expires = at
	return b
}

// Passes adds a subprocessor; an empty agreement is one that is not known.
func (b *VendorBuilder) Passes(name, agreement string) *VendorBuilder {
	to := hipaav1.Subprocessor{Name: name, Agreement: agreement}
	b.vendor.Spec.Agreement.Subprocessors = append(b.vendor.Spec.Agreement.Subprocessors, to)
	return b
}

// Obj is the Vendor.
func (b *VendorBuilder) Obj() *hipaav1.Vendor { return b.vendor.DeepCopy() }

// Agreement is one with every clause, in force for a year from Epoch.
func Agreement() *hipaav1.Agreement {
	return &hipaav1.Agreement{
		Document:  "BAA-17",
		Digest:    "sha256:" + strings.Repeat("0", 64),
		Signed:    After(-30 * 24 * time.Hour),
		Effective: After(-29 * 24 * time.Hour),
		Expires:   After(365 * 24 * time.Hour),
		Clauses:   slices.Clone(hipaav1.AllAgreementClauses),
	}
}
