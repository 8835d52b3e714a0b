package http1

import (
	"bytes"
	"strings"
)

// Field is a header or trailer field. It points into the message that it was read from.
type Field struct{ Name, Value []byte }

// kind says what a field means to a proxy.
type kind uint8

const (
	plain kind = iota
	host
	contentLength
	transferEncoding
	connection
	upgrade
	expect
	// hop is a matter of one connection only.
	hop
	// claim tells who calls, or from where, without proof: only the proxy may say so.
	claim
	// headOnly means nothing, or harm, at the end of a body.
	headOnly
)

const (
	maxFields  = 100
	maxKnown   = 32
	maxNominal = 16
)

// lower holds for each byte of a token its lower case, and zero for every other byte.
var lower = func() (table [256]byte) {
	for c := range 256 {
		b := byte(c)
		switch {
		case b-'a' <= 25, b-'0' <= 9, strings.IndexByte("!#$%&'*+-.^_`|~", b) >= 0:
			table[c] = b
		case b-'A' <= 25:
			table[c] = b | 0x20
		}
	}
	return table
}()

// printable holds the bytes that may stand in a value.
var printable = func() (table [256]bool) {
	for c := range 256 {
		table[c] = c == '\t' || c >= ' ' && c != 0x7f
	}
	return table
}()

// kindOf classifies a name. Applications that hand fields on as variables take _ for -,
// so a name means what it means with either; misspelt says that it was written with _.
func kindOf(name []byte) (k kind, misspelt bool) {
	if len(name) > maxKnown {
		if beginsClaim(name) {
			k = claim
		}
		return k, false
	}
	var spelled [maxKnown]byte
	for i, c := range name {
		if c == '_' {
			c, misspelt = '-', true
		}
		spelled[i] = lower[c]
	}
	known := spelled[:len(name)]
	switch string(known) {
	case "host":
		k = host
	case "content-length":
		k = contentLength
	case "transfer-encoding":
		k = transferEncoding
	case "connection":
		k = connection
	case "upgrade":
		k = upgrade
	case "expect":
		k = expect
	case "keep-alive", "proxy-connection", "te", "proxy-authenticate", "proxy-authorization", "http2-settings":
		k = hop
	case "authorization", "cookie", "set-cookie", "content-type", "content-encoding", "content-range", "cache-control",
		"max-forwards", "range", "trailer", "age", "date", "expires", "location", "retry-after", "vary", "warning", "pragma", "www-authenticate":
		k = headOnly
	default:
		if isClaim(known) {
			k = claim
		}
	}
	return k, misspelt
}

// foldedEqual compares a token to one in lower case, with _ for -.
func foldedEqual(a []byte, b string) bool {
	if len(a) != len(b) {
		return false
	}
	for i, c := range a {
		if c == '_' {
			c = '-'
		}
		if lower[c] != b[i] {
			return false
		}
	}
	return true
}

// cutField takes the next field off a block of lines. No field and no error means that
// the empty line is reached.
func cutField(block []byte) (f Field, rest []byte, err *RefusalError) {
	end := bytes.IndexByte(block, '\n')
	if end < 1 || block[end-1] != '\r' {
		return f, nil, errLine
	}
	line, rest := block[:end-1], block[end+1:]
	if len(line) == 0 {
		return f, rest, nil
	}
	if line[0] == ' ' || line[0] == '\t' {
		return f, nil, errFold
	}
	colon := 0
	for colon < len(line) && lower[line[colon]] != 0 {
		colon++
	}
	if colon == 0 || colon == len(line) || line[colon] != ':' {
		return f, nil, errField
	}
	value := line[colon+1:]
	for _, c := range value {
		if !printable[c] {
			return f, nil, errField
		}
	}
	return Field{Name: line[:colon], Value: trim(value)}, rest, nil
}

// trim removes blanks and tabs, and nothing else that libraries call space.
func trim(value []byte) []byte {
	for len(value) > 0 && (value[0] == ' ' || value[0] == '\t') {
		value = value[1:]
	}
	for n := len(value); n > 0 && (value[n-1] == ' ' || value[n-1] == '\t'); n-- {
		value = value[:n-1]
	}
	return value
}

func isToken(text []byte) bool {
	for _, c := range text {
		if lower[c] == 0 {
			return false
		}
	}
	return len(text) > 0
}

// SameName reports whether two names are taken for one by applications that hand fields
// on as variables: case does not count, nor whether it is _ or -.
func SameName(name []byte, other string) bool {
	if len(name) != len(other) {
		return false
	}
	for i, c := range name {
		d := other[i]
		if c == '_' {
			c = '-'
		}
		if d == '_' {
			d = '-'
		}
		if lower[c] != lower[d] {
			return false
		}
	}
	return true
}
