package repair

import (
	"maps"
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
	// desired is what was in place, as JSON; empty means that it was only tried.
	desired string
	// at is when that was seen last.
	at time.Time
}

func (m *memory) saw(key memoryKey, desired string, at time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.objects == nil {
		m.objects = map[memoryKey]remembered{}
	}
	m.objects[key] = remembered{desired: desired, at: at}
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
	return m.objects[key].desired != ""
}

// before is what was in place; nil if that is not known.
func (m *memory) before(key memoryKey) *unstructured.Unstructured {
	m.mu.Lock()
	text := m.objects[key].desired
	m.mu.Unlock()
	if text == "" {
		return nil
	}
	object := &unstructured.Unstructured{}
	if err := object.UnmarshalJSON([]byte(text)); err != nil {
		return nil // it was encoded here; what cannot be read tells nothing
	}
	return object
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

func (m *memory) forget(key memoryKey) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.objects, key)
}

// forgetNamespace drops what was in a namespace that has gone.
func (m *memory) forgetNamespace(namespace string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	maps.DeleteFunc(m.objects, func(key memoryKey, _ remembered) bool { return key.Namespace == namespace })
}
