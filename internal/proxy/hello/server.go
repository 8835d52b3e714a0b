package hello

import (
	"crypto/tls"
	"encoding/binary"
	"fmt"
	"io"
	"net"
)

// How a server's first message begins (RFC 8446, section 4.1.3): a record's head, the
// message's, and the version, which is that of 1.2 where they speak 1.3.
const (
	helloOfServer = 2
	kindAt        = 5
	versionAt     = 9
)

// ReadServer reads how a server begins its answer to what a caller has said, and whether
// the two agree on TLS of today. The words are everything that it has read, for the caller.
func ReadServer(conn net.Conn) (words []byte, err error) {
	words = make([]byte, versionAt+2)
	n, err := io.ReadFull(conn, words[:kindAt+1])
	if err == nil && words[0] == handshake && words[kindAt] == helloOfServer {
		var more int
		more, err = io.ReadFull(conn, words[n:])
		n += more
	}
	words = words[:n]
	switch {
	case err != nil:
		return words, fmt.Errorf("reading the first message of a server: %w", err)
	case n > versionAt && binary.BigEndian.Uint16(words[versionAt:]) < tls.VersionTLS12:
		return words, ErrOutdated
	default:
		return words, nil
	}
}
