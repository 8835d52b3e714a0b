package engine_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
	"github.com/hipaa-operator/hipaa-operator/internal/phitest"
)

func TestAdministratorsAreThoseWhomEveryProfileNames(t *testing.T) {
	e := newEngine(t, pair()...)
	ops := hipaav1.AccessSubject{Kind: hipaav1.AccessSubjectGroup, Name: "ops"}
	argo := hipaav1.AccessSubject{Kind: hipaav1.AccessSubjectServiceAccount, Namespace: "argocd", Name: "controller"}
	profiles := []*hipaav1.ComplianceProfile{
		phitest.Profile("a").Administrators(ops, argo).Obj(), phitest.Profile("b").Administrators(ops).Obj(), phitest.Profile("silent").Obj(),
	}
	effective, err := e.Resolve(profiles, phitest.Namespace("ehr").Obj(), nil, phitest.Epoch)
	if err != nil {
		t.Fatalf("resolving: %v", err)
	}
	if diff := cmp.Diff([][]hipaav1.AccessSubject{{ops, argo}, {ops}}, effective.Parameters.Access.Administrators); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestTheFirstIdentityProviderByNameCounts(t *testing.T) {
	e := newEngine(t, pair()...)
	expired, stated := phitest.Profile("a").IdentityProvider("oidc:", phitest.After(0)).Obj(), phitest.Profile("b").IdentityProvider("sso:", phitest.After(time.Hour)).Obj()
	expired.Spec.Access.IdentityProvider.GroupsPrefix = ""
	effective, err := e.Resolve([]*hipaav1.ComplianceProfile{stated, expired}, phitest.Namespace("ehr").Obj(), nil, phitest.Epoch)
	if err != nil {
		t.Fatalf("resolving: %v", err)
	}
	want := hipaav1.IdentityProvider{UsernamePrefix: "oidc:", GroupsPrefix: "sso:", MFA: stated.Spec.Access.IdentityProvider.MFA}
	if diff := cmp.Diff(want, effective.Parameters.Access.Provider); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	conflict := []string{"access.identityProvider.usernamePrefix differs between profiles; the first by name counts"}
	if diff := cmp.Diff(conflict, effective.Conflicts); diff != "" {
		t.Errorf("conflicts (-want +got):\n%s", diff)
	}
}

func TestAReviewOfSecretsCountsUntilItsEnd(t *testing.T) {
	e := newEngine(t, pair()...)
	ended, stands := phitest.Profile("a").SecretsReviewed(phitest.After(0)).Obj(), phitest.Profile("b").SecretsReviewed(phitest.After(time.Hour)).Obj()
	tests := map[string]struct {
		give []*hipaav1.ComplianceProfile
		want *hipaav1.Statement
	}{
		"it has ended":    {[]*hipaav1.ComplianceProfile{ended}, nil},
		"another one has": {[]*hipaav1.ComplianceProfile{ended, stands}, stands.Spec.Access.SecretsReviewed},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			effective, err := e.Resolve(tc.give, phitest.Namespace("ehr").Obj(), nil, phitest.Epoch)
			if err != nil {
				t.Fatalf("resolving: %v", err)
			}
			if diff := cmp.Diff(tc.want, effective.Parameters.Access.SecretsReviewed); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}
