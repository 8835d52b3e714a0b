package v1alpha1

// AccessParameters are the parameters of who may do what in PHI namespaces.
//
// +kubebuilder:validation:MinProperties=1
type AccessParameters struct {
	// administrators may hold rights over the whole cluster that nobody can list, such
	// as those of cluster-admin: the cluster's administrators, and what deploys
	// everything. Whoever else holds them is a finding in every PHI namespace. Where
	// several profiles name administrators, those that all of them name count.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=64
	// +kubebuilder:validation:MinItems=1
	Administrators []AccessSubject `json:"administrators,omitempty"`
}

// AccessSubject is a subject of RBAC, as bindings name it.
//
// +kubebuilder:validation:XValidation:rule="(self.kind == 'ServiceAccount') == has(self.__namespace__)",message="a ServiceAccount has a namespace, and nothing else has"
type AccessSubject struct {
	// kind of the subject.
	// +required
	Kind AccessSubjectKind `json:"kind,omitempty"`

	// namespace of a ServiceAccount.
	// +optional
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:MinLength=1
	Namespace string `json:"namespace,omitempty"`

	// name as bindings have it, with the prefix of the identity provider.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Name string `json:"name,omitempty"`
}

// AccessSubjectKind is a kind of subject of RBAC.
//
// +kubebuilder:validation:Enum=User;Group;ServiceAccount
type AccessSubjectKind string

// Kinds of subjects.
const (
	AccessSubjectUser           AccessSubjectKind = "User"
	AccessSubjectGroup          AccessSubjectKind = "Group"
	AccessSubjectServiceAccount AccessSubjectKind = "ServiceAccount"
)
