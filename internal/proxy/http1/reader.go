package http1

import (
	"bytes"
	"errors"
	"io"
)

// Reader takes messages off a connection. It owns no memory: whoever lends it a buffer
// says so how long a head may be. What it hands out points into that buffer and is void
// with the next call.
type Reader struct {
	from       io.Reader
	buf        []byte
	start, end int
}

// Reset begins anew with a connection and a buffer. The bytes that were read before
// are gone.
func (r *Reader) Reset(from io.Reader, buf []byte) {
	*r = Reader{from: from, buf: buf}
}

// Buffered is how many bytes were read and not yet handed out.
func (r *Reader) Buffered() int { return r.end - r.start }

// Rest hands out what is buffered.
func (r *Reader) Rest() []byte {
	rest := r.buf[r.start:r.end]
	r.start = r.end
	return rest
}

// Put gives the reader bytes that somebody else took off the connection. There must be
// nothing buffered.
func (r *Reader) Put(data []byte) {
	r.start, r.end = 0, copy(r.buf, data)
}

// fill reads once. A buffer that is full is a head or a line that is too long.
func (r *Reader) fill() error {
	if r.start == r.end {
		r.start, r.end = 0, 0
	} else if r.end == len(r.buf) && r.start > 0 {
		r.end = copy(r.buf, r.buf[r.start:r.end])
		r.start = 0
	}
	if r.end == len(r.buf) {
		return errTooLong
	}
	for range 16 {
		n, err := r.from.Read(r.buf[r.end:])
		r.end += n
		if n > 0 {
			return nil
		}
		if err != nil {
			return err
		}
	}
	return io.ErrNoProgress
}

var emptyLine = []byte("\r\n\r\n")

// Head takes the next head, its empty line included. io.EOF means that the connection
// ended between two messages.
func (r *Reader) Head() ([]byte, error) {
	seen := 0
	for {
		have := r.buf[r.start:r.end]
		if i := bytes.Index(have[max(seen-3, 0):], emptyLine); i >= 0 {
			i += max(seen-3, 0) + len(emptyLine)
			r.start += i
			return have[:i], nil
		}
		// Whoever ends lines in another way would never come to the empty one.
		if bareLine(have, seen) {
			return nil, errLine
		}
		seen = len(have)
		if err := r.fill(); err != nil {
			if errors.Is(err, io.EOF) && r.Buffered() > 0 {
				err = io.ErrUnexpectedEOF
			}
			return nil, err
		}
	}
}

// bareLine reports whether a line ends without CR, from an offset on.
func bareLine(text []byte, from int) bool {
	for i := from; i < len(text); i++ {
		n := bytes.IndexByte(text[i:], '\n')
		if n < 0 {
			return false
		}
		if i += n; i == 0 || text[i-1] != '\r' {
			return true
		}
	}
	return false
}
