package control

import (
	"strings"
	"time"
)

// InTheClear is the provider of EncryptionConfiguration that encrypts nothing, and
// stands for an API server that has none.
const InTheClear = "identity"

// SecretStorage is how API servers stored a Secret that the operator wrote in order to
// see it.
type SecretStorage struct {
	// Providers are those under which the servers that showed it stored it, by the names
	// of EncryptionConfiguration, sorted. One server may show several, while it takes a
	// new configuration.
	Providers []string
	// Servers is how many API servers there are.
	Servers int
	// Problem says why it is not known of all of them; empty if it is.
	Problem string
	// At is when it was asked.
	At time.Time
}

// Under names the providers as people read them.
func (s *SecretStorage) Under() string { return strings.Join(s.Providers, ", ") }
