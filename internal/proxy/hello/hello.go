// Package hello reads how a caller begins who speaks TLS. Its promise: the name that
// Read gives is the one that every server reads from the same bytes, nothing was
// answered, and what is no beginning of TLS is told apart at once.
package hello

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
)

// Max is how long the first message may be. With keys for an age of quantum computers
// it has two kilobytes.
const Max = 32 << 10

// Reasons for which a caller has not begun to speak TLS with somebody.
var (
	// ErrCleartext means that the caller speaks something else.
	ErrCleartext = errors.New("the caller does not begin with TLS")
	// ErrNameless means that the caller does not say whom it means (RFC 6066, section 3).
	ErrNameless = errors.New("the caller does not name the server in TLS (SNI)")
	// ErrOutdated means that the two would speak TLS of before 1.2, or the caller offers
	// nothing newer (RFC 8996).
	ErrOutdated = errors.New("TLS is older than 1.2")
	// ErrMalformed means that no server would understand the caller.
	ErrMalformed = errors.New("the caller begins TLS in a way that no server understands")
)

// handshake is the type of a record that carries the messages of a handshake (RFC 8446,
// section 5.1).
const handshake = 22

// Read reads the first message of a caller and says whom it means, in lower case. The
// words are everything that it has read, for whoever is meant.
func Read(conn net.Conn) (name string, words []byte, err error) {
	r := &recorder{Conn: conn}
	met, outdated := false, false
	server := tls.Server(r, &tls.Config{ //nolint:gosec // nothing is agreed here: which versions are good is for the two ends to say
		MinVersion: tls.VersionTLS10, // so that what is older is read, and told apart
		GetConfigForClient: func(h *tls.ClientHelloInfo) (*tls.Config, error) {
			name, met = strings.ToLower(h.ServerName), true
			outdated = !slices.ContainsFunc(h.SupportedVersions, func(v uint16) bool { return v >= tls.VersionTLS12 && v <= tls.VersionTLS13 })
			return nil, errMet
		},
	})
	_ = server.HandshakeContext(context.Background()) // it never succeeds; the deadline is the connection's
	words = r.words.Bytes()
	switch {
	case met && outdated:
		return "", words, ErrOutdated
	case met && name == "":
		return "", words, ErrNameless
	case met:
		return name, words, nil
	case len(words) > 0 && words[0] != handshake:
		return "", words, ErrCleartext
	case r.failed != nil:
		return "", words, fmt.Errorf("reading the first message of a caller: %w", r.failed)
	default:
		return "", words, ErrMalformed
	}
}

// errMet ends the handshake once the caller is known.
var errMet = errors.New("the caller is known")

// recorder is a connection to which nothing is written, and of which everything that is
// read is kept.
type recorder struct {
	net.Conn
	words  bytes.Buffer
	failed error
}

func (r *recorder) Read(p []byte) (int, error) {
	room := Max - r.words.Len()
	if room <= 0 {
		return 0, ErrMalformed
	}
	if r.words.Len() == 0 {
		// What is no TLS is told by its first byte: the caller may not send five.
		p = p[:min(len(p), 1)]
	} else if r.words.Bytes()[0] != handshake {
		return 0, ErrCleartext
	}
	n, err := r.Conn.Read(p[:min(len(p), room)])
	r.words.Write(p[:n])
	if err != nil {
		r.failed = err
	}
	return n, err
}

// Write keeps the alert from the caller, who is another one's to answer.
func (*recorder) Write([]byte) (int, error) { return 0, io.ErrClosedPipe }

// Close leaves the connection to the caller of Read.
func (*recorder) Close() error { return nil }
