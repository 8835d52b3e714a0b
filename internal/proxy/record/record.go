// Package record writes down what happened to people's sessions. Its promise: a line a
// happening, at once or counted as lost; never a token, a payload or a record of a
// patient, and users by pseudonym unless the configuration shows them.
package record

import (
	"encoding/json"
	"io"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// Kind is what happened.
type Kind string

// What happens.
const (
	// Logoff is a session that reached its limit.
	Logoff Kind = "logoff"
	// Anonymous is a request without a user where one is needed, or with a token that
	// counts for nothing.
	Anonymous Kind = "anonymous-refused"
	// Factors is a user who proved too little, or too long ago.
	Factors Kind = "authentication-insufficient"
	// Locked is a user who is locked after too many failures.
	Locked Kind = "user-locked"
	// Shared is a user on more devices at once than one person has.
	Shared Kind = "credential-shared"
	// Emergency is access that an emergency opened, EmergencyRefused one that it did not.
	Emergency        Kind = "emergency"
	EmergencyRefused Kind = "emergency-refused"
)

// Event is one line.
type Event struct {
	Time time.Time `json:"time"`
	Kind Kind      `json:"kind"`
	// Workload is namespace/name, Port and Route those of the configuration, Peer the
	// SPIFFE id of who called.
	Workload string `json:"workload"`
	Port     string `json:"port,omitempty"`
	Route    string `json:"route,omitempty"`
	Peer     string `json:"peer,omitempty"`
	// User and Session are pseudonyms, Subject the user's name where it is shown.
	User    string `json:"user,omitempty"`
	Subject string `json:"subject,omitempty"`
	Session string `json:"session,omitempty"`
	// Devices is on how many devices the user is at least.
	Devices int `json:"devices,omitempty"`
	// Outcome is a reason of the metrics.
	Outcome string `json:"outcome,omitempty"`
	// Purpose, Reason, Until and Credential are those of an emergency; Credential is the
	// pseudonym of one that was handed out beforehand.
	Purpose    string     `json:"purpose,omitempty"`
	Reason     string     `json:"reason,omitempty"`
	Until      *time.Time `json:"until,omitempty"`
	Credential string     `json:"credential,omitempty"`
	// Doubt says what could not be checked.
	Doubt string `json:"doubt,omitempty"`
	// Left is how many of this kind were left out before this one.
	Left int `json:"leftOut,omitempty"`
}

// Recorder takes events.
type Recorder interface{ Record(e *Event) }

// Writer writes events as lines of JSON. What anybody can cause is written some times a
// second; what is left out is counted in the next line of its kind.
type Writer struct {
	to   io.Writer
	lost func()

	mu     sync.Mutex
	limits map[Kind]*rate.Limiter
	left   map[Kind]int
}

// often is how many lines a second anonymous callers may cause, and how many at once.
const (
	often = 10
	burst = 100
)

// NewWriter writes to a writer, and tells lost of each line that could not be written.
func NewWriter(to io.Writer, lost func()) *Writer {
	return &Writer{
		to: to, lost: lost, left: map[Kind]int{},
		limits: map[Kind]*rate.Limiter{Anonymous: rate.NewLimiter(often, burst), Factors: rate.NewLimiter(often, burst), EmergencyRefused: rate.NewLimiter(often, burst)},
	}
}

// Record writes a line before it returns.
func (w *Writer) Record(e *Event) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if limit := w.limits[e.Kind]; limit != nil && !limit.AllowN(e.Time, 1) {
		w.left[e.Kind]++
		return
	}
	line := *e
	line.Time = line.Time.UTC()
	line.Left = w.left[e.Kind]
	text, err := json.Marshal(&line)
	if err == nil {
		_, err = w.to.Write(append(text, '\n'))
	}
	if err != nil {
		w.lost()
		return
	}
	delete(w.left, e.Kind)
}
