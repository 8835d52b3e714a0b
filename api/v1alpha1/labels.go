package v1alpha1

// Labels and annotations that carry meaning for the operator.
const (
	// LabelPHI declares a PHI namespace when its value is "true". People write
	// it, in Git; nobody removes it without the verb "release" on
	// complianceprofiles.
	LabelPHI = "hipaa-operator.io/phi"

	// LabelPHIValue is the only value that LabelPHI may have.
	LabelPHIValue = "true"

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
