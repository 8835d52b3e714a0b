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

	// identityProvider tells how people who come by way of an identity provider are
	// told from those who do not, such as holders of client certificates.
	// +optional
	IdentityProvider *IdentityProvider `json:"identityProvider,omitempty"`

	// secretSource is where the Secrets that pods take credentials from must come from.
	// Where several profiles set it the strictest counts; where none does it is Any.
	// +optional
	SecretSource SecretSource `json:"secretSource,omitempty"`

	// secretsReviewed states that somebody has looked through the Secrets that were there
	// before admission judged them, which the operator does not read: that none holds a
	// token which never ends, and that none is a copy of one of another environment.
	// +optional
	SecretsReviewed *Statement `json:"secretsReviewed,omitempty"`
}

// SecretSource is where Secrets come from.
//
// +kubebuilder:validation:Enum=Any;External
type SecretSource string

const (
	// SecretSourceAny asks nothing: people may write Secrets.
	SecretSourceAny SecretSource = "Any"
	// SecretSourceExternal asks for a manager outside the cluster that hands them out,
	// keeps a record of who got them, and can take them back.
	SecretSourceExternal SecretSource = "External"
)

// IdentityProvider is what the API server is told of an identity provider. Where
// several profiles differ, the first by name counts.
//
// +kubebuilder:validation:MinProperties=1
// +kubebuilder:validation:XValidation:rule="!has(self.usernamePrefix) || !self.usernamePrefix.startsWith('system:')",fieldPath=".usernamePrefix",message="is Kubernetes' own"
// +kubebuilder:validation:XValidation:rule="!has(self.groupsPrefix) || !self.groupsPrefix.startsWith('system:')",fieldPath=".groupsPrefix",message="is Kubernetes' own"
type IdentityProvider struct {
	// usernamePrefix is what the API server puts before the names of users, such as
	// "oidc:". Without it, where a user of a binding comes from is Unknown.
	// +optional
	// +kubebuilder:validation:MaxLength=128
	// +kubebuilder:validation:MinLength=1
	UsernamePrefix string `json:"usernamePrefix,omitempty"`

	// groupsPrefix is what the API server puts before the names of groups, such as
	// "oidc:". Without it, where a group of a binding comes from is Unknown.
	// +optional
	// +kubebuilder:validation:MaxLength=128
	// +kubebuilder:validation:MinLength=1
	GroupsPrefix string `json:"groupsPrefix,omitempty"`

	// mfa states that the identity provider asks everybody for a second factor, and
	// that nobody works with a client certificate of the group system:masters.
	// +optional
	MFA *Statement `json:"mfa,omitempty"`
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
