package catalog

import (
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
	"github.com/hipaa-operator/hipaa-operator/internal/control"
)

// satisfyUsers does, in tests, what the security team and the workload's team do for
// people to be asked for.
func satisfyUsers(s *control.Subject) {
	if w := s.Workload; w != nil && w.Spec.Users == nil {
		w.Spec.Users = &hipaav1.WorkloadUsers{
			Realms:   []string{"staff"},
			Replicas: &hipaav1.ReplicaSessions{KnowBy: hipaav1.ReplicaKnowledgeSticky, Reason: "the gateway keeps a cookie"},
		}
		if w.Status.Proxy != nil {
			w.Status.Proxy.Users = hipaav1.UserAskingEachReplica
		}
	}
	s.Profile.Users = control.UserParameters{
		Realms: map[string]hipaav1.Realm{"staff": {
			Name: "staff", Issuer: "https://idp.example.org/realms/staff", Audiences: []string{"patient-api"},
			Lockout: &hipaav1.Statement{StatedBy: "identity team", Reason: "brute force detection is on in the realm", Expires: metav1.Date(2027, time.June, 30, 0, 0, 0, 0, time.UTC)},
		}},
		OpenPaths:  [][]string{{"/static/*"}},
		BreakGlass: &hipaav1.BreakGlassParameters{Roles: []string{"clinician"}},
	}
}
