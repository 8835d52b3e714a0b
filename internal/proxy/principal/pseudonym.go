package principal

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash"
	"io"
	"os"
	"strconv"
	"sync"
)

// Pseudonym stands for a user or a session. Without the key nobody finds out for which.
type Pseudonym [sha256.Size]byte

// String is the pseudonym for records and stores.
func (p Pseudonym) String() string { return hex.EncodeToString(p[:]) }

// Keyring makes pseudonyms.
type Keyring struct{ hashes sync.Pool }

// Bounds of the key.
const (
	minKey = 32
	maxKey = 4096
)

// NewKey is a key that nobody else has.
func NewKey() []byte {
	key := make([]byte, minKey)
	_, _ = rand.Read(key) // it never fails
	return key
}

// ReadKeyring has the key of a file.
func ReadKeyring(name string) (*Keyring, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, fmt.Errorf("reading the key of sessions: %w", err)
	}
	defer f.Close()
	key, err := io.ReadAll(io.LimitReader(f, maxKey+1))
	if err != nil {
		return nil, fmt.Errorf("reading the key of sessions: %w", err)
	}
	if len(key) < minKey || len(key) > maxKey {
		return nil, fmt.Errorf("reading the key of sessions: it has not %d to %d bytes", minKey, maxKey)
	}
	return NewKeyring(key), nil
}

// NewKeyring has this key.
func NewKeyring(key []byte) *Keyring {
	return &Keyring{hashes: sync.Pool{New: func() any { return hmac.New(sha256.New, key) }}}
}

// Of is the pseudonym of several parts. Which is which cannot be confused, because each
// begins with its length; use says what the pseudonym is for.
func (k *Keyring) Of(use string, parts ...[]byte) Pseudonym {
	h := k.hashes.Get().(hash.Hash) //nolint:errcheck // the pool holds nothing else
	defer k.hashes.Put(h)
	h.Reset()
	var p Pseudonym
	buffer := append(p[:0:0], use...)
	for _, part := range parts {
		buffer = append(buffer, 0)
		buffer = strconv.AppendInt(buffer, int64(len(part)), 10)
		buffer = append(buffer, 0)
		buffer = append(buffer, part...)
	}
	_, _ = h.Write(buffer) // a hash takes everything
	h.Sum(p[:0])
	return p
}
