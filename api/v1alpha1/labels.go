package v1alpha1

// Labels and annotations that carry meaning for the operator.
const (
	// LabelPHI declares a PHI namespace when its value is "true". People write
	// it, in Git; nobody removes it without the verb "release" on
	// complianceprofiles.
	LabelPHI = "hipaa-operator.io/phi"

	// LabelPHIValue is the only value that LabelPHI may have.
	LabelPHIValue = "true"

	// LabelContinuity, on a PHI namespace, with the value PatientCare, lets pods start
	// while the operator is down: its webhooks do not block there, and what stands in
	// their templates protects them. People write it, in Git; to set it takes the verb
	// "release" on complianceprofiles.
	LabelContinuity = "hipaa-operator.io/continuity"

	// LabelWorkload names the PHIWorkload that an owned object or an admitted
	// pod belongs to.
	LabelWorkload = "hipaa-operator.io/workload"

	// LabelManagedBy is set to ManagedByValue on every object that the operator
	// owns and that nobody else may edit.
	LabelManagedBy = "app.kubernetes.io/managed-by"

	// ManagedByValue is the value of LabelManagedBy.
	ManagedByValue = "hipaa-operator"

	// AnnotationRequestedBy is stamped by admission on a ControlException: who
	// wrote its present spec. An approver must be somebody else.
	AnnotationRequestedBy = "hipaa-operator.io/requested-by"

	// AnnotationPausedBy is stamped by admission on a ComplianceProfile: who wrote
	// its present pause.
	AnnotationPausedBy = "hipaa-operator.io/paused-by"

	// AnnotationRolePurpose, on a Role or on a RoleBinding to a ClusterRole, says in
	// a sentence what its rights are for. People write it and the three that follow.
	AnnotationRolePurpose = "hipaa-operator.io/role-purpose"

	// AnnotationRoleDataClasses lists the data classes that its holders may reach,
	// separated by commas, or is RoleDataClassesNone.
	AnnotationRoleDataClasses = "hipaa-operator.io/role-data-classes"

	// RoleDataClassesNone says that a role reaches no PHI.
	RoleDataClassesNone = "None"

	// AnnotationRoleResources lists the resources that its holders may reach,
	// separated by commas, as rules of RBAC name them.
	AnnotationRoleResources = "hipaa-operator.io/role-resources"

	// AnnotationRoleOperations lists what its holders may do with them, separated by
	// commas, as the verbs of RBAC.
	AnnotationRoleOperations = "hipaa-operator.io/role-operations"

	// FinalizerRelease keeps a PHIWorkload until the last pod it selects has gone.
	FinalizerRelease = "hipaa-operator.io/release"

	// FieldOwner is the one server-side apply field owner of the operator.
	FieldOwner = "hipaa-operator"
)

// Default label keys of the tagging parameters.
const (
	DefaultOwnerKey        = "hipaa-operator.io/owner"
	DefaultCriticalityKey  = "hipaa-operator.io/criticality"
	DefaultEnvironmentKey  = "hipaa-operator.io/environment"
	DefaultDataClassPrefix = "data-class.hipaa-operator.io"

	DefaultJurisdictionPrefix = "jurisdiction.hipaa-operator.io"
)
