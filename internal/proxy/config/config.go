// Package config is what a proxy is told to do. Its promise: a configuration that
// Parse accepts means one thing, and one that it refuses says which field is wrong and
// what to write there.
package config

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	jsonv2 "github.com/go-json-experiment/json"
)

const (
	// Version is the only version of the format that this proxy reads.
	Version = 1
	// MaxBytes is how large a configuration may be: what a ConfigMap holds.
	MaxBytes = 1 << 20
)

// Protocol says how the bytes of a port are read.
type Protocol string

// Protocols.
const (
	// HTTP is HTTP/1.1 towards the application, and HTTP/1.1 or HTTP/2 towards peers.
	HTTP Protocol = "HTTP"
	// GRPC is HTTP/2 on both sides.
	GRPC Protocol = "GRPC"
	// TCP is bytes that nobody reads.
	TCP Protocol = "TCP"
)

// Versions of TLS.
const (
	TLS12 = "1.2"
	TLS13 = "1.3"
)

// Configuration is what one proxy does.
type Configuration struct {
	Version  int      `json:"version"`
	Workload Workload `json:"workload"`
	// TrustDomain is the one whose identities count, such as cluster.local.
	TrustDomain string `json:"trustDomain"`
	TLS         TLS    `json:"tls,omitzero"`
	// OutageGrace is how long after its end the certificate of a known peer is taken
	// while the issuer cannot be reached. Zero means not at all.
	OutageGrace Duration `json:"outageGrace,omitzero"`
	// Refusal is what callers are told of the safeguard that refused them.
	Refusal Refusal   `json:"refusal"`
	Inbound []Inbound `json:"inbound,omitempty"`
	// Probes are what the kubelet asks of the proxy instead of the application.
	Probes   []Probe    `json:"probes,omitempty"`
	Resolver *Resolver  `json:"resolver,omitempty"`
	Outbound []Outbound `json:"outbound,omitempty"`
	Egress   *Egress    `json:"egress,omitempty"`
	Users    *Users     `json:"users,omitempty"`
}

// Workload says whose configuration this is.
type Workload struct {
	UID        string `json:"uid"`
	Namespace  string `json:"namespace"`
	Name       string `json:"name"`
	Generation int64  `json:"generation"`
}

// TLS says what is spoken with peers.
type TLS struct {
	// MinVersion is 1.3 where nothing is set.
	MinVersion string `json:"minVersion,omitempty"`
}

// Refusal names the control that a refused caller ran into, and what it stands on.
type Refusal struct {
	Control  string `json:"control"`
	Citation string `json:"citation"`
}

// Inbound is one port that peers reach the application by.
type Inbound struct {
	Name string `json:"name"`
	// Listen is the proxy's port, Forward the application's.
	Listen   int      `json:"listen"`
	Forward  int      `json:"forward"`
	Protocol Protocol `json:"protocol"`
	// From are the peers that may call. None may where it is empty.
	From []Peer `json:"from,omitempty"`
	// OneWay are ranges of addresses from which callers may speak TLS without a
	// certificate: those of load balancers that have none.
	OneWay []string `json:"oneWay,omitempty"`
	// Plaintext is Permitted while declared callers run that have no proxy yet. Who gets
	// as far as this port then is for network policies to say. Otherwise it is empty.
	Plaintext Plaintext `json:"plaintext,omitempty"`
	Limits    Limits    `json:"limits,omitzero"`
}

// Plaintext says whether a port takes callers that do not speak TLS.
type Plaintext string

// PlaintextPermitted takes them.
const PlaintextPermitted Plaintext = "Permitted"

// Peer is one identity, or all that begin alike where it ends with /*.
type Peer struct {
	ID string `json:"id"`
}

// ProbeKind says how the application is asked whether it is well.
type ProbeKind string

// Kinds of probes, as the kubelet has them.
const (
	ProbeHTTP ProbeKind = "HTTP"
	ProbeTCP  ProbeKind = "TCP"
	ProbeGRPC ProbeKind = "GRPC"
)

// Probe is a question that the proxy passes on to the application.
type Probe struct {
	// Path is where the kubelet asks on the probe port.
	Path string    `json:"path"`
	Kind ProbeKind `json:"kind"`
	// Port is the application's.
	Port int `json:"port"`
	// Target is the path that an HTTP probe asks for, with its query.
	Target string `json:"target,omitempty"`
	// Scheme of an HTTP probe is HTTP, also where nothing is set, or HTTPS.
	Scheme string `json:"scheme,omitempty"`
	// Fields are what an HTTP probe says beside its target; Host is what it calls the
	// application. Of what whoever asks says, nothing is passed on.
	Fields []ProbeField `json:"fields,omitempty"`
	// Service is what a gRPC probe asks about; the server as a whole where it is empty.
	Service string `json:"service,omitempty"`
}

// ProbeField is one field of an HTTP probe.
type ProbeField struct {
	Name  string `json:"name"`
	Value string `json:"value,omitempty"`
}

// Schemes of HTTP probes.
const (
	SchemeHTTP  = "HTTP"
	SchemeHTTPS = "HTTPS"
)

// Limits bound what callers may use. Zero means the default.
type Limits struct {
	// Connections is how many may be open at once; 10,000 by default.
	Connections int `json:"connections,omitzero"`
	// HeadBytes is how long the head of a message may be; 16,384 by default.
	HeadBytes int `json:"headBytes,omitzero"`
	// HeadTimeout is how long a head may take to arrive; 10s by default.
	HeadTimeout Duration `json:"headTimeout,omitzero"`
	// IdleTimeout is how long a connection may wait for its next request; 5m by default.
	IdleTimeout Duration `json:"idleTimeout,omitzero"`
	// BodyRate is how many bytes a second a body must bring on average, and how many a
	// caller must take of an answer, once half a minute is over; 128 by default.
	BodyRate int `json:"bodyRate,omitzero"`
	// AnswerTimeout is how long the application may take to begin an answer, or to go
	// on with one; 5m by default.
	AnswerTimeout Duration `json:"answerTimeout,omitzero"`
}

// Bounds of the lists and numbers of a configuration.
const (
	maxInbound = 64
	maxPeers   = 1024
	maxRanges  = 256
	maxProbes  = 64
	// MaxProbeFields is how many fields a probe may have.
	MaxProbeFields = 16
	maxText        = 2048
	maxConnections = 1 << 20
	minHead        = 4 << 10
	// MaxHead is the longest head that may be configured.
	MaxHead  = 64 << 10
	maxWait  = 24 * time.Hour
	maxGrace = 30 * 24 * time.Hour
)

// Duration is written as 15m, 72h or 1h30m.
type Duration time.Duration

// UnmarshalText reads what MarshalText writes.
func (d *Duration) UnmarshalText(text []byte) error {
	value, err := time.ParseDuration(string(text))
	if err != nil {
		return errors.New("is no duration such as 15m or 72h")
	}
	*d = Duration(value)
	return nil
}

// MarshalText writes the duration as Go does.
func (d Duration) MarshalText() ([]byte, error) {
	return []byte(time.Duration(d).String()), nil
}

// Parse reads a configuration and checks it whole. Errors never quote it beyond the
// names of its fields, peers and ports.
func Parse(data []byte) (*Configuration, error) {
	if len(data) > MaxBytes {
		return nil, fmt.Errorf("the configuration has %d bytes; at most %d are read", len(data), MaxBytes)
	}
	var head struct {
		Version int `json:"version"`
	}
	if err := jsonv2.Unmarshal(data, &head); err != nil {
		return nil, fmt.Errorf("reading the configuration: %w", err)
	}
	if head.Version > Version {
		return nil, fmt.Errorf("version: %d was written by a newer operator; this proxy reads version %d, so roll the workload to take the newer proxy", head.Version, Version)
	}
	c := new(Configuration)
	if err := jsonv2.Unmarshal(data, c, jsonv2.RejectUnknownMembers(true)); err != nil {
		return nil, fmt.Errorf("reading the configuration: %w", err)
	}
	if err := c.Validate(); err != nil {
		return nil, err
	}
	return c, nil
}

// MinTLS is the lowest version of TLS that is spoken: TLS12 or TLS13.
func (c *Configuration) MinTLS() string {
	if c.TLS.MinVersion == "" {
		return TLS13
	}
	return c.TLS.MinVersion
}

// Admits reports whether the identity may call this port.
func (i *Inbound) Admits(id string) bool { return admits(i.From, id) }

func admits(peers []Peer, id string) bool {
	return slices.ContainsFunc(peers, func(p Peer) bool { return p.matches(id) })
}

// IsOne reports whether this is one identity, and not all of a namespace.
func (p Peer) IsOne() bool { return !strings.HasSuffix(p.ID, "*") }

// matches compares texts: a peer that is valid and an identity that was read each have
// one spelling, and this is asked of every request.
func (p Peer) matches(id string) bool {
	prefix, all := strings.CutSuffix(p.ID, "*")
	if !all {
		return id == p.ID
	}
	return len(id) > len(prefix) && strings.HasPrefix(id, prefix)
}

// OrDefault fills in what is not set.
func (l Limits) OrDefault() Limits {
	return Limits{
		Connections:   orDefault(l.Connections, 10_000),
		HeadBytes:     orDefault(l.HeadBytes, 16<<10),
		HeadTimeout:   orDefault(l.HeadTimeout, Duration(10*time.Second)),
		IdleTimeout:   orDefault(l.IdleTimeout, Duration(5*time.Minute)),
		BodyRate:      orDefault(l.BodyRate, 128),
		AnswerTimeout: orDefault(l.AnswerTimeout, Duration(5*time.Minute)),
	}
}

func orDefault[T comparable](value, otherwise T) T {
	var zero T
	if value == zero {
		return otherwise
	}
	return value
}
