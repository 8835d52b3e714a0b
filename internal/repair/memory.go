package repair

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// memory is what this process knows to have been in place. It only helps to tell
// a departure from a first appearance: what is lost with the process is asked of
// field managers and of the status.
type memory struct {
	mu      sync.Mutex
	objects map[memoryKey]remembered
}

type remembered struct {
	// digest is what was in place; empty means that it was only tried.
	digest string
	// at is when that was seen last.
	at time.Time
}

func (m *memory) saw(key memoryKey, digest string, at time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.objects == nil {
		m.objects = map[memoryKey]remembered{}
	}
	m.objects[key] = remembered{digest: digest, at: at}
}

// try notes an attempt to make an object that this process has not seen.
func (m *memory) try(key memoryKey) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.objects == nil {
		m.objects = map[memoryKey]remembered{}
	}
	if _, known := m.objects[key]; !known {
		m.objects[key] = remembered{}
	}
}

func (m *memory) knows(key memoryKey) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.objects[key].digest != ""
}

func (m *memory) lastSeen(key memoryKey) time.Time {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.objects[key].at
}

func (m *memory) tried(key memoryKey) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	_, tried := m.objects[key]
	return tried
}

// is reports whether this content was in place.
func (m *memory) is(key memoryKey, digest string) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.objects[key].digest == digest
}

func (m *memory) forget(key memoryKey) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.objects, key)
}

func digestOf(object *unstructured.Unstructured) (string, error) {
	encoded, err := object.MarshalJSON()
	if err != nil {
		return "", fmt.Errorf("encoding: %w", err)
	}
	sum := sha256.Sum256(encoded)
	return hex.EncodeToString(sum[:]), nil
}
