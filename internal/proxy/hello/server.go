package hello

import (
	"bytes"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
)

// What a server may say first (RFC 8446, sections 4.1.3, 5.1 and 6): its hello, in one
// record or in several, after warnings that do not end the connection.
const (
	alert         = 21
	headLength    = 5 // of a record: what it is, the version, the length
	alertLength   = 2 // how grave, and what
	versionLength = 6 // of a message: what it is, the length, and the version, which is that of 1.2 where they speak 1.3
	mostWarnings  = 4 // before the hello
	warning       = 1 // how grave an alert is that need not end anything
	closing       = 0 // what an alert says that ends the connection, though it is no more than a warning
	helloOfServer = 2 // what a message is
	mostRecord    = 1 << 14
)

// ErrDeclined means that a server does not begin to speak TLS with a caller. What it says
// of it is the caller's to read, and the last that there is to say.
var ErrDeclined = errors.New("the server does not agree to TLS")

// ReadServer reads how a server begins its answer to what a caller has said, and whether
// the two agree on TLS of today. The words are everything that it has read, for the caller,
// also where the server declines.
func ReadServer(conn net.Conn) (words []byte, err error) {
	r := &answer{conn: conn}
	err = r.read()
	return r.words.Bytes(), err
}

// answer is what a server says first, as far as it has been read.
type answer struct {
	conn     net.Conn
	words    bytes.Buffer
	message  []byte // of its records, together
	warnings int
}

// read reads records until one of them, or several together, tell the version.
func (a *answer) read() error {
	for len(a.message) < versionLength {
		head, err := a.take(headLength)
		if err != nil {
			return err
		}
		length := int(binary.BigEndian.Uint16(head[3:]))
		switch {
		case head[0] == alert && length == alertLength:
			err = a.warned()
		case head[0] == handshake && length > 0 && length <= mostRecord:
			err = a.more(min(length, versionLength-len(a.message)))
		default:
			err = fmt.Errorf("%w: its record is of type %d and has %d bytes", ErrDeclined, head[0], length)
		}
		if err != nil {
			return err
		}
	}
	if binary.BigEndian.Uint16(a.message[versionLength-2:]) < tls.VersionTLS12 {
		return ErrOutdated
	}
	return nil
}

// more reads on in the server's message.
func (a *answer) more(n int) error {
	part, err := a.take(n)
	if err != nil {
		return err
	}
	a.message = append(a.message, part...)
	if a.message[0] != helloOfServer {
		return fmt.Errorf("%w: its first message is of type %d", ErrDeclined, a.message[0])
	}
	return nil
}

// warned reads an alert, after which the server may go on.
func (a *answer) warned() error {
	said, err := a.take(alertLength)
	if err != nil {
		return err
	}
	a.warnings++
	if said[0] != warning || said[1] == closing || a.warnings > mostWarnings {
		return fmt.Errorf("%w: its alert is %d", ErrDeclined, said[1])
	}
	return nil
}

// take reads so many bytes. They count until the next are read.
func (a *answer) take(n int) ([]byte, error) {
	_, err := io.CopyN(&a.words, a.conn, int64(n))
	if err != nil {
		return nil, fmt.Errorf("reading the first message of a server: %w", err)
	}
	words := a.words.Bytes()
	return words[len(words)-n:], nil
}
