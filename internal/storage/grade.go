package storage

// Grade says how data at rest is encrypted. Grades are ordered: a greater one is the stronger safeguard, so a profile
// that asks for an encrypted volume compares with >= ProviderKey.
type Grade uint8

const (
	// Unknown: the evidence is missing, unreadable or does not count. The zero value, so that silence is never a pass.
	Unknown Grade = iota
	// NotEncrypted: the evidence says that nobody asked for encryption, or that somebody declined it.
	NotEncrypted
	// ProviderKey: encrypted, and no key of the customer's is on record: the storage provider or system chose it.
	ProviderKey
	// CustomerKey: encrypted with a key that the customer names or holds, and that is not the provider's default key.
	CustomerKey
)

var gradeNames = [...]string{"Unknown", "NotEncrypted", "EncryptedProviderKey", "EncryptedCustomerKey"}

// String returns the name that reports and conditions use, for example EncryptedCustomerKey.
func (g Grade) String() string {
	if int(g) < len(gradeNames) {
		return gradeNames[g]
	}
	return gradeNames[Unknown]
}

// Encrypted reports whether data with this grade is encrypted at rest, whoever holds the key.
func (g Grade) Encrypted() bool { return g == ProviderKey || g == CustomerKey }
