package storage

// Limits of the texts in a Verdict, in bytes. Parameters are written by people: their length is not to be trusted.
const (
	// EvidenceLimit bounds Verdict.Evidence.
	EvidenceLimit = 200
	// WhyLimit bounds Verdict.Why.
	WhyLimit = 320
)

// Verdict is the grade of one volume with the evidence it rests on. Evidence and Why hold printable ASCII only.
type Verdict struct {
	// Grade says how the data is encrypted.
	Grade Grade
	// Source names the object that decided.
	Source Source
	// Evidence names driver, parameter and value, for example "ebs.csi.aws.com kmsKeyId arn:aws:kms:...:key/7f3".
	// It holds key ids and names of Secrets, never a key: a value without the form of a key id is not repeated.
	// Empty where no driver was reached.
	Evidence string
	// Why says what decides, for Unknown and NotEncrypted always, and for ProviderKey where a stronger claim was read
	// and did not count. Empty otherwise.
	Why string
	// Remedy says what a person can do about Unknown and NotEncrypted. Empty otherwise.
	Remedy string
}
