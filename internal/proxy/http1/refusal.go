package http1

import "errors"

// RefusalError is a message that is not passed on. The connection that it came by is of no
// use afterwards: where it ends is unknown.
type RefusalError struct {
	// Status is what a caller is answered; where an application answered so, it is 502.
	Status int
	// Reason is one word of a closed set, for metrics.
	Reason string
	// Text tells people. It never quotes the message.
	Text string
}

func (r *RefusalError) Error() string { return r.Text }

// AsRefusal says why a message is refused, or nil where the error is another one.
func AsRefusal(err error) *RefusalError {
	if r, ok := errors.AsType[*RefusalError](err); ok {
		return r
	}
	return nil
}

// Everything that is refused.
var (
	errStartLine = &RefusalError{400, "start-line", "the first line of the message is malformed"}
	errVersion   = &RefusalError{505, "version", "the version is neither HTTP/1.1 nor HTTP/1.0"}
	errMethod    = &RefusalError{501, "method", "CONNECT and TRACE are not served"}
	errTarget    = &RefusalError{400, "target", "the target of the request is malformed"}
	errHost      = &RefusalError{400, "host", "the request does not have exactly one valid Host"}
	errField     = &RefusalError{400, "field", "a header field is malformed"}
	errFold      = &RefusalError{400, "fold", "a header field goes on in the next line"}
	errLine      = &RefusalError{400, "line", "a line does not end with CR LF"}
	errTooLong   = &RefusalError{431, "too-long", "the head of the message is too long"}
	errTooMany   = &RefusalError{431, "too-many", "the message has too many header fields"}
	errLength    = &RefusalError{400, "length", "the message does not have at most one Content-Length of plain digits"}
	errCoding    = &RefusalError{501, "coding", "a Transfer-Encoding other than chunked is not served"}
	errFraming   = &RefusalError{400, "framing", "the message says in two ways how long it is"}
	errHop       = &RefusalError{400, "connection", "the Connection field names what is no matter of one connection"}
	errExpect    = &RefusalError{417, "expect", "an expectation other than 100-continue is not met"}
	errChunk     = &RefusalError{400, "chunk", "a chunk of the body is malformed"}
	errTrailer   = &RefusalError{400, "trailer", "a trailer field is malformed or belongs into the head"}
	errStatus    = &RefusalError{502, "status", "the status of the answer is malformed"}
)
