package proxytest

import (
	"bytes"
	"sync"
)

// Journal is written by a proxy and read by a test.
type Journal struct {
	mu   sync.Mutex
	text bytes.Buffer
}

// Write adds to it.
func (j *Journal) Write(p []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.Write(p)
}

// String is all that was written.
func (j *Journal) String() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.String()
}
