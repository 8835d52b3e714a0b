// Package http1 reads and writes HTTP/1.1 (RFC 9110 and 9112) between two connections.
// Its promise: a message has one reading, or it is refused. What is passed on is written
// anew from that reading, so that whoever comes next finds the same ends of the same
// messages.
package http1

import "strconv"

// Framing says where a body ends.
type Framing uint8

// Framings.
const (
	NoBody Framing = iota
	// Sized bodies have as many bytes as Length says.
	Sized
	// Chunked bodies end with a chunk of no bytes.
	Chunked
	// UntilClose bodies end with their connection; only answers may.
	UntilClose
)

// Head is what requests and answers have in common. It points into the bytes that it
// was read from and is void with them.
type Head struct {
	// Fields are what is passed on: without framing, matters of one connection, and
	// what only a proxy may say.
	Fields []Field
	// Claims are what only a proxy may say, as a caller said it. They are not passed on.
	Claims  []Field
	Framing Framing
	// Length is what Content-Length said; HasLength that it said something.
	Length    int64
	HasLength bool
	// Close says that the sender closes the connection after this message.
	Close bool
	// WebSocket says that the sender wants to, or does, go on with WebSocket.
	WebSocket bool

	answer   bool
	minor    byte
	chunked  bool
	upgrades bool
	socket   bool
	hosts    int
	hostName []byte
	expects  bool
	nominal  [maxNominal][]byte
	nominals int
}

// fields reads the lines after the first one.
func (h *Head) fields(block []byte) *RefusalError {
	for count := 0; ; count++ {
		f, rest, err := cutField(block)
		if err != nil {
			return err
		}
		if f.Name == nil {
			if len(rest) != 0 {
				return errLine
			}
			return h.settle()
		}
		if count == maxFields {
			return errTooMany
		}
		if err := h.take(f); err != nil {
			return err
		}
		block = rest
	}
}

func (h *Head) take(f Field) *RefusalError {
	k, ok := h.kindOf(f.Name)
	if !ok {
		return errField
	}
	switch k {
	case host:
		h.hosts++
		h.hostName = f.Value
		h.Fields = append(h.Fields, f)
	case contentLength:
		return h.takeLength(f.Value)
	case transferEncoding:
		return h.takeCoding(f.Value)
	case connection:
		return h.takeConnection(f.Value)
	case upgrade:
		h.socket = foldedEqual(f.Value, "websocket")
	case expect:
		if h.expects = foldedEqual(f.Value, "100-continue"); !h.expects {
			return errExpect
		}
	case plain, headOnly:
		h.Fields = append(h.Fields, f)
	case claim:
		h.Claims = append(h.Claims, f)
	case hop:
	}
	return nil
}

// kindOf is what a name means here. What decides where a message ends is spelled in one
// way only, and answers claim nothing about callers.
func (h *Head) kindOf(name []byte) (k kind, ok bool) {
	k, misspelt := kindOf(name)
	switch k {
	case plain, headOnly:
		return k, true
	case host, expect, claim:
		if h.answer {
			return plain, true
		}
	}
	return k, !misspelt || k == claim
}

func (h *Head) takeCoding(value []byte) *RefusalError {
	if h.chunked {
		return errFraming
	}
	if h.chunked = foldedEqual(value, "chunked"); !h.chunked {
		return errCoding
	}
	return nil
}

func (h *Head) takeLength(value []byte) *RefusalError {
	if h.HasLength || len(value) == 0 || len(value) > 18 {
		return errLength
	}
	for _, c := range value {
		if c-'0' > 9 {
			return errLength
		}
		h.Length = h.Length*10 + int64(c-'0')
	}
	h.HasLength = true
	return nil
}

// takeConnection reads the list of a Connection field.
func (h *Head) takeConnection(list []byte) *RefusalError {
	for len(list) > 0 {
		end := 0
		for end < len(list) && list[end] != ',' {
			end++
		}
		option := trim(list[:end])
		list = list[min(end+1, len(list)):]
		switch {
		case len(option) == 0:
		case !isToken(option):
			return errField
		case foldedEqual(option, "close"):
			h.Close = true
		case foldedEqual(option, "upgrade"):
			h.upgrades = true
		case foldedEqual(option, "keep-alive"):
		default:
			if err := h.nominate(option); err != nil {
				return err
			}
		}
	}
	return nil
}

// nominate takes the name of a field off the message. Those that decide what a message
// is, or who sends it, are never a matter of one connection.
func (h *Head) nominate(name []byte) *RefusalError {
	k, _ := kindOf(name)
	if k == host || k == contentLength || k == headOnly || h.nominals == maxNominal {
		return errHop
	}
	h.nominal[h.nominals] = name
	h.nominals++
	return nil
}

// settle draws the conclusions once all fields are read.
func (h *Head) settle() *RefusalError {
	if h.chunked && (h.HasLength || h.minor == 0) {
		return errFraming
	}
	h.WebSocket = h.upgrades && h.socket
	if h.minor == 0 {
		h.Close = true
	}
	if h.nominals == 0 {
		return nil
	}
	kept := h.Fields[:0]
	for _, f := range h.Fields {
		if !h.nominated(f.Name) {
			kept = append(kept, f)
		}
	}
	h.Fields = kept
	return nil
}

func (h *Head) nominated(name []byte) bool {
	for _, n := range h.nominal[:h.nominals] {
		if equalFold(n, name) {
			return true
		}
	}
	return false
}

func equalFold(a, b []byte) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if lower[a[i]] != lower[b[i]] {
			return false
		}
	}
	return true
}

// appendFields writes fields, one a line.
func appendFields(to []byte, fields []Field) []byte {
	for i := range fields {
		to = append(to, fields[i].Name...)
		to = append(to, ": "...)
		to = append(to, fields[i].Value...)
		to = append(to, "\r\n"...)
	}
	return to
}

func appendLength(to []byte, n int64) []byte {
	to = append(to, "Content-Length: "...)
	to = strconv.AppendInt(to, n, 10)
	return append(to, "\r\n"...)
}

// minorOf reads the version at the end or the beginning of a first line.
func minorOf(version []byte) (byte, bool) {
	switch string(version) {
	case "HTTP/1.1":
		return 1, true
	case "HTTP/1.0":
		return 0, true
	}
	return 0, false
}
