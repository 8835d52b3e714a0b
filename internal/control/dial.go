package control

import (
	"time"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
)

// Endpoint is one question to an address by which callers from outside the cluster are
// let in, as the status of an Ingress or of a Service of type LoadBalancer states it.
type Endpoint struct {
	// Ask is what is asked.
	Ask Ask
	// Address is an IP address, or a name that resolves to some.
	Address string
	Port    int32
	// Host is the name that a caller asks for there; empty where none is declared.
	Host string
}

// Ask is what an endpoint is asked.
type Ask int

// The questions.
const (
	// AskTLS is whether TLS below 1.2 is refused where 1.2 or later is spoken.
	AskTLS Ask = iota
	// AskPlaintext is what is answered to a request without TLS.
	AskPlaintext
)

// String is the question in a word.
func (a Ask) String() string {
	if a == AskPlaintext {
		return "plaintext"
	}
	return "tls"
}

// Dialled is what one endpoint answered.
type Dialled struct {
	// At is when.
	At     time.Time
	Answer Answer
	// Version is the version of TLS below 1.2 that was accepted, as on the wire.
	Version uint16
	// Status is the status of an answer in plaintext.
	Status int
	// NotAfter is the end of the certificate that was shown; zero is none.
	NotAfter time.Time
}

// Answer is what dialling an endpoint came to.
type Answer int

// The answers. Those to AskTLS are OldRefused and OldAccepted, those to AskPlaintext all
// that follow them; Unclear may be either's.
const (
	// Unclear is missing evidence: nobody could be reached, or what was said settles
	// nothing.
	Unclear Answer = iota
	// OldRefused says that TLS 1.2 or later was spoken, and older ones refused.
	OldRefused
	// OldAccepted says that a version below 1.2 was accepted.
	OldAccepted
	// Closed says that nobody listens.
	Closed
	// Turned says that the caller was sent to the same host by TLS.
	Turned
	// Rejected says that the answer was status 400, or none in HTTP: as one who speaks
	// TLS on this port answers.
	Rejected
	// Answered says that a request in plaintext was answered.
	Answered
)

var answerWords = [...]string{
	Unclear: "unclear", OldRefused: "old-refused", OldAccepted: "old-accepted", Closed: "closed", Turned: "turned", Rejected: "rejected", Answered: "answered",
}

// String is the answer in a word.
func (a Answer) String() string {
	if a < 0 || int(a) >= len(answerWords) {
		return answerWords[Unclear]
	}
	return answerWords[a]
}

// Is reports whether two dials came to the same, whenever they were.
func (d Dialled) Is(other Dialled) bool {
	d.At, other.At = time.Time{}, time.Time{}
	return d == other
}

const (
	defaultDialInterval = time.Hour
	dialsMissed         = 3
)

// DialInterval is how long lies between two dials of one endpoint; zero where a profile
// lets nothing be dialled.
func (p *Profile) DialInterval() time.Duration {
	switch t := &p.Transmission; {
	case t.EdgeProbe == hipaav1.EdgeProbeNever:
		return 0
	case t.EdgeProbeMinutes > 0:
		return time.Duration(t.EdgeProbeMinutes) * time.Minute
	default:
		return defaultDialInterval
	}
}

// Dial is what an endpoint answered, and until when that counts. What is too old, or was
// never asked, is Unclear.
func (s *Subject) Dial(e Endpoint) (Dialled, time.Time) {
	last := s.World.Dialled[e]
	until := last.At.Add(dialsMissed * s.Profile.DialInterval())
	if !s.Now.Before(until) {
		return Dialled{}, time.Time{}
	}
	return last, until
}
