package v1alpha1

import (
	"k8s.io/apimachinery/pkg/api/resource"
)

// StorageGrade is how well a volume is encrypted.
//
// +kubebuilder:validation:Enum=EncryptedProviderKey;EncryptedCustomerKey
type StorageGrade string

// Grades that a profile may state.
const (
	StorageGradeProviderKey StorageGrade = "EncryptedProviderKey"
	StorageGradeCustomerKey StorageGrade = "EncryptedCustomerKey"
)

// KeyHolder is whose key encrypts something.
//
// +kubebuilder:validation:Enum=Provider;Customer
type KeyHolder string

const (
	// KeyHolderProvider takes the provider's default key, and every other.
	KeyHolderProvider KeyHolder = "Provider"
	// KeyHolderCustomer asks for a key that the customer manages.
	KeyHolderCustomer KeyHolder = "Customer"
)

// StorageParameters are the parameters of encryption at rest.
type StorageParameters struct {
	// encryptedClass is the StorageClass that claims without a class get.
	// +optional
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:MinLength=1
	EncryptedClass string `json:"encryptedClass,omitempty"`

	// cloudKeys says whose key must encrypt what is declared outside the cluster, such
	// as databases and buckets. Where several profiles say it Customer counts, and
	// where none does it is Customer.
	// +optional
	CloudKeys KeyHolder `json:"cloudKeys,omitempty"`

	// statements grade classes whose encryption no field shows, such as EFS or
	// disks that the node encrypts.
	// +optional
	// +listType=map
	// +listMapKey=storageClass
	// +kubebuilder:validation:MaxItems=32
	Statements []StorageStatement `json:"statements,omitempty"`

	// nodeDisks states that the nodes' own disks are encrypted, and wiped before
	// they serve something else. Without it, what is on them is Unknown.
	// +optional
	NodeDisks *Statement `json:"nodeDisks,omitempty"`

	// emptyDir says what becomes of emptyDir volumes that name no medium: Memory
	// puts them into the node's memory, which can break an application that writes
	// more than the limit. AsDeclared, the default, leaves them.
	// +optional
	// +default="AsDeclared"
	EmptyDir EmptyDirPlacement `json:"emptyDir,omitempty"`

	// emptyDirSizeLimit is the limit of those put into memory that name none. Where
	// several profiles set one the smallest counts; where none does it is 64Mi.
	// +optional
	// +kubebuilder:validation:XValidation:rule="isQuantity(string(self)) && quantity(string(self)).isGreaterThan(quantity('0'))",message="must be more than 0"
	EmptyDirSizeLimit *resource.Quantity `json:"emptyDirSizeLimit,omitempty"`
}

// EmptyDirPlacement says where emptyDir volumes that name no medium go.
//
// +kubebuilder:validation:Enum=AsDeclared;Memory
type EmptyDirPlacement string

const (
	// EmptyDirAsDeclared leaves them on the node's disk.
	EmptyDirAsDeclared EmptyDirPlacement = "AsDeclared"
	// EmptyDirMemory puts them into the node's memory, with a size limit.
	EmptyDirMemory EmptyDirPlacement = "Memory"
)

// DefaultEmptyDirSizeLimit is the limit of an emptyDir in memory that names none,
// where no profile sets one.
const DefaultEmptyDirSizeLimit = "64Mi"

// StorageStatement says how a StorageClass is encrypted where no field shows it.
// It never outweighs evidence: a class that says it is not encrypted stays so.
type StorageStatement struct {
	// storageClass is the class that the statement is about.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	StorageClass string `json:"storageClass,omitempty"`

	// grade is what the person states.
	// +required
	Grade StorageGrade `json:"grade,omitempty"`

	Statement `json:",inline"`
}
