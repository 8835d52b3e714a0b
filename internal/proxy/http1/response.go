package http1

import (
	"bytes"
	"strconv"
)

// Response is the head of an answer.
type Response struct {
	Head

	Status int
	// Reason is the phrase after the status.
	Reason []byte
}

// Parse reads a head with its empty line: the answer to this request. The response
// points into it. The error is a *RefusalError with status 502.
func (r *Response) Parse(head []byte, to *Request) error {
	*r = Response{Head: Head{Fields: r.Fields[:0], answer: true}}
	if err := r.parse(head, to); err != nil {
		return &RefusalError{Status: errStatus.Status, Reason: err.Reason, Text: "the application's answer is refused: " + err.Text}
	}
	return nil
}

func (r *Response) parse(head []byte, to *Request) *RefusalError {
	end := bytes.IndexByte(head, '\n')
	if end < 1 || head[end-1] != '\r' {
		return errLine
	}
	if err := r.statusLine(head[:end-1]); err != nil {
		return err
	}
	if err := r.fields(head[end+1:]); err != nil {
		return err
	}
	if r.Status == 101 && !(r.WebSocket && to.WebSocket) {
		return errHop
	}
	return r.frame(to)
}

// frame says where the body ends.
func (r *Response) frame(to *Request) *RefusalError {
	switch {
	case r.Status < 200 || r.Status == 204:
		// They have no body and may not speak of one; some say that it is empty.
		if r.chunked || r.Length > 0 {
			return errFraming
		}
		r.HasLength = false
	case r.Status == 304 || to.IsHead:
		// What is said of a body is about another answer.
	case r.chunked:
		r.Framing = Chunked
	case !r.HasLength:
		r.Framing, r.Close = UntilClose, true
	case r.Length > 0:
		r.Framing = Sized
	}
	return nil
}

func (r *Response) statusLine(line []byte) *RefusalError {
	if len(line) < len("HTTP/1.1 200") || line[8] != ' ' {
		return errStatus
	}
	minor, ok := minorOf(line[:8])
	if !ok {
		return errVersion
	}
	for _, c := range line[9:12] {
		if c-'0' > 9 {
			return errStatus
		}
		r.Status = r.Status*10 + int(c-'0')
	}
	if r.Status < 100 || r.Status > 599 || len(line) > 12 && line[12] != ' ' {
		return errStatus
	}
	r.minor = minor
	if len(line) > 13 {
		r.Reason = line[13:]
	}
	for _, c := range r.Reason {
		if !printable[c] {
			return errStatus
		}
	}
	return nil
}

// Append writes the head as the caller gets it. An answer that ends with its connection
// becomes a chunked one, so that a caller can tell its end from a broken line; a caller
// of HTTP/1.0 gets it without chunks, and closing.
func (r *Response) Append(to []byte, closing, old bool) []byte {
	to = append(to, "HTTP/1.1 "...)
	to = strconv.AppendInt(to, int64(r.Status), 10)
	to = append(to, ' ')
	to = append(to, r.Reason...)
	to = append(to, "\r\n"...)
	to = appendFields(to, r.Fields)
	switch {
	case r.Framing == Chunked || r.Framing == UntilClose:
		if !old {
			to = append(to, "Transfer-Encoding: chunked\r\n"...)
		}
	case r.HasLength:
		to = appendLength(to, r.Length)
	}
	switch {
	case r.Status == 101:
		to = append(to, "Connection: Upgrade\r\nUpgrade: websocket\r\n"...)
	case r.Status >= 200 && closing:
		to = append(to, "Connection: close\r\n"...)
	}
	return append(to, "\r\n"...)
}
