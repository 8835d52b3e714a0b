package http1

import (
	"bytes"
	"errors"
	"io"
	"strconv"
)

const (
	// maxChunkLine is the longest line before a chunk, with its extension.
	maxChunkLine = 512
	// maxWaste is how many bytes of chunk lines a body may have beyond what its data
	// would need: a byte of data in a line of many is an attack.
	maxWaste = 16 << 10
	// chunkLine is what a chunk of ordinary size needs beside its data.
	chunkLine = 16
)

// Body takes the body of a message off its Reader.
type Body struct {
	// Trailers are there once Next has come to the end. They point into the buffer.
	Trailers []Field

	reader  *Reader
	framing Framing
	left    int64
	inside  bool // a chunk has begun
	waste   int64
	done    bool
}

// Start begins the body that the head announced.
func (b *Body) Start(r *Reader, h *Head) {
	*b = Body{Trailers: b.Trailers[:0], reader: r, framing: h.Framing, left: h.Length, done: h.Framing == NoBody}
	if h.Framing == Chunked {
		b.left = 0
	}
}

// Done reports whether the body was taken to its end, with its trailers.
func (b *Body) Done() bool { return b.done }

// Here reports whether all of a body of known length has already been read.
func (b *Body) Here() bool {
	return b.done || b.framing == Sized && b.left <= int64(b.reader.Buffered())
}

// Next takes the next piece, valid until the call after it. io.EOF is the end; a
// connection that ends too early is io.ErrUnexpectedEOF.
func (b *Body) Next() ([]byte, error) {
	if b.done {
		return nil, io.EOF
	}
	if b.framing == Chunked && b.left == 0 {
		if err := b.nextChunk(); err != nil {
			return nil, early(err)
		}
		if b.done {
			return nil, io.EOF
		}
	}
	r := b.reader
	if r.start == r.end {
		if err := r.fill(); err != nil {
			if errors.Is(err, io.EOF) && b.framing == UntilClose {
				b.done = true
				return nil, io.EOF
			}
			return nil, early(err)
		}
	}
	if b.framing == UntilClose {
		return r.Rest(), nil
	}
	n := int(min(b.left, int64(r.Buffered())))
	piece := r.buf[r.start : r.start+n]
	r.start += n
	b.left -= int64(n)
	b.done = b.framing == Sized && b.left == 0
	return piece, nil
}

func early(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// nextChunk goes to the data of the next chunk, or past the trailers.
func (b *Body) nextChunk() error {
	if b.inside {
		line, err := b.reader.cutLine(2)
		if err != nil {
			return err
		}
		if len(line) != 0 {
			return errChunk
		}
		b.inside = false
	}
	line, err := b.reader.cutLine(maxChunkLine)
	if err != nil {
		return err
	}
	size, ok := chunkSize(line)
	if !ok {
		return errChunk
	}
	if size == 0 {
		return b.trailers()
	}
	b.waste = max(b.waste+int64(len(line))-chunkLine-2*size, 0)
	if b.waste > maxWaste {
		return errChunk
	}
	b.left, b.inside = size, true
	return nil
}

// chunkSize reads hexadecimal digits and passes over an extension, which nobody needs
// and which is not passed on.
func chunkSize(line []byte) (int64, bool) {
	var size int64
	digits := 0
	for ; digits < len(line) && isHex(line[digits]); digits++ {
		c := line[digits]
		if c -= '0'; c > 9 {
			c = (c + '0') | 0x20 - 'a' + 10
		}
		size = size<<4 | int64(c)
	}
	if digits == 0 || digits > 15 || digits < len(line) && line[digits] != ';' {
		return 0, false
	}
	for _, c := range line[digits:] {
		if !printable[c] {
			return 0, false
		}
	}
	return size, true
}

// trailers reads what follows the last chunk.
func (b *Body) trailers() error {
	line, err := b.reader.peekLine(len(b.reader.buf))
	if err != nil {
		return err
	}
	if len(line) > len("\r\n") {
		// All of them stay in the buffer together, so they are found in one go.
		return b.trailerBlock()
	}
	b.reader.start += len(line)
	b.done = true
	return nil
}

func (b *Body) trailerBlock() error {
	block, err := b.reader.Head()
	if err != nil {
		return err
	}
	for count := 0; ; count++ {
		f, rest, refusal := cutField(block)
		if refusal != nil || count > maxFields {
			return errTrailer
		}
		if f.Name == nil {
			b.done = true
			return nil
		}
		switch k, misspelt := kindOf(f.Name); {
		case k == plain:
			b.Trailers = append(b.Trailers, f)
		case k == claim || k == headOnly || k == hop && !misspelt:
		default:
			return errTrailer
		}
		block = rest
	}
}

// peekLine is the next line with its end, at most limit bytes long.
func (r *Reader) peekLine(limit int) ([]byte, error) {
	seen := 0
	for {
		have := r.buf[r.start:r.end]
		end := bytes.IndexByte(have[seen:], '\n') + seen + 1
		if end > seen {
			if end < 2 || end > limit || have[end-2] != '\r' {
				return nil, errChunk
			}
			return have[:end], nil
		}
		if seen = len(have); seen >= limit {
			return nil, errChunk
		}
		if err := r.fill(); err != nil {
			return nil, err
		}
	}
}

// cutLine takes the next line without its end.
func (r *Reader) cutLine(limit int) ([]byte, error) {
	line, err := r.peekLine(limit)
	if err != nil {
		return nil, err
	}
	r.start += len(line)
	return line[:len(line)-len("\r\n")], nil
}

// AppendChunk writes one chunk. No data writes nothing: that would be the last one.
func AppendChunk(to, data []byte) []byte {
	if len(data) == 0 {
		return to
	}
	to = strconv.AppendInt(to, int64(len(data)), 16)
	to = append(to, "\r\n"...)
	to = append(to, data...)
	return append(to, "\r\n"...)
}

// AppendLastChunk writes the end of a chunked body.
func AppendLastChunk(to []byte, trailers []Field) []byte {
	to = append(to, "0\r\n"...)
	to = appendFields(to, trailers)
	return append(to, "\r\n"...)
}
