package http1

import "bytes"

const maxMethod = 32

// Request is the head of a request.
type Request struct {
	Head

	Method, Target []byte
	// IsHead says that the answer has no body, whatever it says.
	IsHead bool
	// Expects says that the caller waits for 100 Continue before the body.
	Expects bool
	// Old says that the caller speaks HTTP/1.0 and knows no chunks.
	Old bool
}

// Parse reads a head with its empty line. The request points into it. The error is a
// *RefusalError.
func (r *Request) Parse(head []byte) error {
	*r = Request{Head: Head{Fields: r.Fields[:0], Claims: r.Claims[:0]}}
	end := bytes.IndexByte(head, '\n')
	if end < 1 || head[end-1] != '\r' {
		return errLine
	}
	if err := r.startLine(head[:end-1]); err != nil {
		return err
	}
	if err := r.fields(head[end+1:]); err != nil {
		return err
	}
	if r.hosts != 1 || !validHost(r.hostName) {
		return errHost
	}
	r.Expects, r.Old = r.expects, r.minor == 0
	switch {
	case r.chunked:
		r.Framing = Chunked
	case r.Length > 0:
		r.Framing = Sized
	}
	if r.WebSocket && (r.Framing != NoBody || string(r.Method) != "GET" || r.Old) {
		return errHop
	}
	return nil
}

func (r *Request) startLine(line []byte) *RefusalError {
	method, rest, _ := bytes.Cut(line, []byte{' '})
	space := bytes.LastIndexByte(rest, ' ')
	if !isToken(method) || len(method) > maxMethod || space < 0 {
		return errStartLine
	}
	minor, ok := minorOf(rest[space+1:])
	if !ok {
		return errVersion
	}
	r.Method, r.Target, r.minor = method, rest[:space], minor
	switch string(method) {
	case "CONNECT", "TRACE":
		return errMethod
	case "HEAD":
		r.IsHead = true
	case "OPTIONS":
		if string(r.Target) == "*" {
			return nil
		}
	}
	if !validTarget(r.Target) {
		return errTarget
	}
	return nil
}

// validTarget reports whether the target is a path with or without a query. Absolute
// targets would name a second host. Backslashes and fragments are read in two ways;
// the rest of what RFC 3986 forbids is written by real clients and read in one.
func validTarget(target []byte) bool {
	if len(target) == 0 || target[0] != '/' {
		return false
	}
	query := false
	for i, c := range target {
		switch {
		case c <= ' ' || c >= 0x7f || c == '#' || c == '\\':
			return false
		case c == '?':
			query = true
		case c == '%' && !query && (i+2 >= len(target) || !isHex(target[i+1]) || !isHex(target[i+2])):
			return false
		}
	}
	return true
}

// validHost reports whether the value is a name or an address, with or without a port.
func validHost(value []byte) bool {
	if len(value) > 0 && value[0] == '[' {
		end := bytes.IndexByte(value, ']')
		return end > 2 && isAddress(value[1:end]) && validPort(value[end+1:])
	}
	name, port := value, []byte(nil)
	if colon := bytes.IndexByte(value, ':'); colon >= 0 {
		name, port = value[:colon], value[colon:]
	}
	return isName(name) && validPort(port)
}

func isName(text []byte) bool {
	for _, c := range text {
		if c-'0' > 9 && c|0x20-'a' > 25 && c != '-' && c != '.' && c != '_' {
			return false
		}
	}
	return len(text) > 0 && len(text) <= 255
}

// isAddress reports whether the text could be an IPv6 address.
func isAddress(text []byte) bool {
	for _, c := range text {
		if !isHex(c) && c != ':' && c != '.' {
			return false
		}
	}
	return len(text) <= 45
}

// validPort reads a colon and a port, or nothing.
func validPort(text []byte) bool {
	if len(text) == 0 {
		return true
	}
	if len(text) < 2 || len(text) > 6 || text[0] != ':' {
		return false
	}
	for _, c := range text[1:] {
		if c-'0' > 9 {
			return false
		}
	}
	return true
}

func isHex(c byte) bool { return c-'0' <= 9 || c|0x20-'a' <= 5 }

// bodyIsRare reports whether applications are used to find no body here. Some do not
// look for one then, and take it for the next request.
func (r *Request) bodyIsRare() bool {
	switch string(r.Method) {
	case "POST", "PUT", "PATCH":
		return false
	}
	return r.Framing != NoBody
}

// LastOfConnection reports whether nothing may follow this request on the connection
// to the application.
func (r *Request) LastOfConnection() bool { return r.bodyIsRare() || r.WebSocket }

// Append writes the head as the application gets it.
func (r *Request) Append(to []byte) []byte {
	to = append(to, r.Method...)
	to = append(to, ' ')
	to = append(to, r.Target...)
	to = append(to, " HTTP/1.1\r\n"...)
	to = appendFields(to, r.Fields)
	switch {
	case r.Framing == Chunked:
		to = append(to, "Transfer-Encoding: chunked\r\n"...)
	case r.HasLength:
		to = appendLength(to, r.Length)
	}
	if r.Expects && r.Framing != NoBody && !r.Old {
		to = append(to, "Expect: 100-continue\r\n"...)
	}
	switch {
	case r.WebSocket:
		to = append(to, "Connection: Upgrade\r\nUpgrade: websocket\r\n"...)
	case r.bodyIsRare():
		to = append(to, "Connection: close\r\n"...)
	}
	return append(to, "\r\n"...)
}

// Repeatable reports whether the request may be sent twice (RFC 9110, 9.2.2).
func (r *Request) Repeatable() bool {
	switch string(r.Method) {
	case "GET", "HEAD", "OPTIONS", "PUT", "DELETE":
		return true
	}
	return false
}
