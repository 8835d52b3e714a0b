package hello

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
)

// ErrNoTLS means that a PostgreSQL server has no TLS.
var ErrNoTLS = errors.New("the PostgreSQL server offers no TLS")

// sslRequest is how a client of PostgreSQL asks for TLS before it begins (PostgreSQL
// documentation, "SSL Session Encryption").
var sslRequest = []byte{0, 0, 0, 8, 4, 210, 22, 47}

// agreed is what the server answers who has TLS.
const agreed = 'S'

// ReadPostgres is Read, where the caller may ask for TLS first as a client of PostgreSQL
// does. Then it is answered, and asked tells so.
func ReadPostgres(conn net.Conn) (name string, words []byte, asked bool, err error) {
	begin := make([]byte, 1, len(sslRequest))
	if _, err := io.ReadFull(conn, begin); err != nil {
		return "", nil, false, fmt.Errorf("reading the first message of a caller: %w", err)
	}
	if begin[0] == sslRequest[0] {
		begin = begin[:len(sslRequest)]
		if _, err := io.ReadFull(conn, begin[1:]); err != nil {
			return "", begin, false, fmt.Errorf("reading the first message of a caller: %w", err)
		}
		if !bytes.Equal(begin, sslRequest) {
			return "", begin, false, ErrCleartext
		}
		if _, err := conn.Write([]byte{agreed}); err != nil {
			return "", begin, true, fmt.Errorf("answering a client of PostgreSQL: %w", err)
		}
		name, words, err = Read(conn)
		return name, words, true, err
	}
	name, words, err = Read(&begun{Conn: conn, first: begin})
	return name, words, false, err
}

// begun is a connection of which the first bytes have been read.
type begun struct {
	net.Conn
	first []byte
}

func (b *begun) Read(p []byte) (int, error) {
	if len(b.first) > 0 {
		n := copy(p, b.first)
		b.first = b.first[n:]
		return n, nil
	}
	return b.Conn.Read(p)
}

// AskPostgres asks a server of PostgreSQL for TLS.
func AskPostgres(conn net.Conn) error {
	if _, err := conn.Write(sslRequest); err != nil {
		return fmt.Errorf("asking a server of PostgreSQL for TLS: %w", err)
	}
	var answer [1]byte
	if _, err := io.ReadFull(conn, answer[:]); err != nil {
		return fmt.Errorf("asking a server of PostgreSQL for TLS: %w", err)
	}
	if answer[0] != agreed {
		return ErrNoTLS
	}
	return nil
}
