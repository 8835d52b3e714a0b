package phitest

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
)

// WorkloadBuilder builds a PHIWorkload.
type WorkloadBuilder struct{ workload hipaav1.PHIWorkload }

// Workload is a PHIWorkload that selects pods with the label app=name. It has no
// ports and declares no flows.
func Workload(name string) *WorkloadBuilder {
	return &WorkloadBuilder{hipaav1.PHIWorkload{
		ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: DefaultNamespace},
		Spec: hipaav1.PHIWorkloadSpec{
			Selector:    metav1.LabelSelector{MatchLabels: map[string]string{"app": name}},
			Continuity:  hipaav1.ContinuityBusiness,
			Owner:       hipaav1.Owner{Team: Team, Contacts: []string{"clinical-apps@example.org"}},
			DataClasses: []hipaav1.DataClass{hipaav1.DataClassClinical},
			Environment: hipaav1.EnvironmentProduction,
			Role:        hipaav1.RoleService,
		},
	}}
}

// UIDOf is the UID of a workload that Stored has seen.
func UIDOf(workload string) types.UID { return types.UID("uid-of-" + workload) }

// Stored gives it the UID that approvals of its exceptions are about, as if an
// API server had stored it.
func (b *WorkloadBuilder) Stored() *WorkloadBuilder {
	b.workload.UID = UIDOf(b.workload.Name)
	return b
}

// Proxied gives it proxies: those of pods that run under these ServiceAccounts. No policy
// lets anybody past them.
func (b *WorkloadBuilder) Proxied(serviceAccounts ...string) *WorkloadBuilder {
	b.workload.Status.Proxy = &hipaav1.ProxyStatus{
		ConfigurationGeneration: 1, Plaintext: hipaav1.PlaintextClosed, ServiceAccounts: serviceAccounts, IssuerNamespace: "hipaa-operator-system",
	}
	return b
}

// Namespace moves it to another namespace.
func (b *WorkloadBuilder) Namespace(name string) *WorkloadBuilder {
	b.workload.Namespace = name
	return b
}

// Profile names a profile.
func (b *WorkloadBuilder) Profile(name string) *WorkloadBuilder {
	b.workload.Spec.ProfileRef = &hipaav1.ProfileReference{Name: name}
	return b
}

// Selecting replaces the selector by exact labels.
func (b *WorkloadBuilder) Selecting(keysAndValues ...string) *WorkloadBuilder {
	b.workload.Spec.Selector = *Labels(keysAndValues...)
	return b
}

// Selector replaces the selector.
func (b *WorkloadBuilder) Selector(selector metav1.LabelSelector) *WorkloadBuilder {
	b.workload.Spec.Selector = selector
	return b
}

// Continuity sets what an interruption would cost.
func (b *WorkloadBuilder) Continuity(c hipaav1.Continuity) *WorkloadBuilder {
	b.workload.Spec.Continuity = c
	return b
}

// Owner sets the owner's team.
func (b *WorkloadBuilder) Owner(team string) *WorkloadBuilder {
	b.workload.Spec.Owner.Team = team
	return b
}

// DataClasses replaces the data classes.
func (b *WorkloadBuilder) DataClasses(classes ...hipaav1.DataClass) *WorkloadBuilder {
	b.workload.Spec.DataClasses = classes
	return b
}

// Jurisdictions sets whose residents' data it handles.
func (b *WorkloadBuilder) Jurisdictions(codes ...string) *WorkloadBuilder {
	b.workload.Spec.Jurisdictions = codes
	return b
}

// Environment sets whose data it may hold.
func (b *WorkloadBuilder) Environment(e hipaav1.Environment) *WorkloadBuilder {
	b.workload.Spec.Environment = e
	return b
}

// Role sets what it is to others.
func (b *WorkloadBuilder) Role(r hipaav1.Role) *WorkloadBuilder {
	b.workload.Spec.Role = r
	return b
}

// Port adds a port; every port of a PHIWorkload is carried by TCP.
func (b *WorkloadBuilder) Port(name string, number int32) *WorkloadBuilder {
	b.workload.Spec.Ports = append(b.workload.Spec.Ports,
		hipaav1.WorkloadPort{Name: name, Port: number, Protocol: hipaav1.PortProtocolHTTP})
	return b
}

// From adds callers.
func (b *WorkloadBuilder) From(peers ...hipaav1.AccessPeer) *WorkloadBuilder {
	if b.workload.Spec.Access == nil {
		b.workload.Spec.Access = &hipaav1.Access{}
	}
	b.workload.Spec.Access.From = append(b.workload.Spec.Access.From, peers...)
	return b
}

// To adds destinations.
func (b *WorkloadBuilder) To(peers ...hipaav1.EgressPeer) *WorkloadBuilder {
	if b.workload.Spec.Egress == nil {
		b.workload.Spec.Egress = &hipaav1.Egress{}
	}
	b.workload.Spec.Egress.To = append(b.workload.Spec.Egress.To, peers...)
	return b
}

// Session sets what it says of sessions.
func (b *WorkloadBuilder) Session(says hipaav1.WorkloadSession) *WorkloadBuilder {
	b.workload.Spec.Session = &says
	return b
}

// Users has its proxies ask for people of a realm, each of whom is led to one replica.
func (b *WorkloadBuilder) Users(realm string) *WorkloadBuilder {
	b.workload.Spec.Users = &hipaav1.WorkloadUsers{
		Realms:   []string{realm},
		Replicas: &hipaav1.ReplicaSessions{KnowBy: hipaav1.ReplicaKnowledgeSticky, Reason: reason},
	}
	return b
}

// Stage sets status.stage.
func (b *WorkloadBuilder) Stage(s hipaav1.Stage) *WorkloadBuilder {
	b.workload.Status.Stage = s
	return b
}

// Obj returns the object.
func (b *WorkloadBuilder) Obj() *hipaav1.PHIWorkload { return b.workload.DeepCopy() }
