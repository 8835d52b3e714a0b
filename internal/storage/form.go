package storage

import "strings"

// keyIDLimit is the longest key id that is believed, in bytes. Amazon's longest alias ARN has 256 and some.
const keyIDLimit = 1024

// Form describes how ids of one kind look. A '*' stands for any run of characters; everything else stands for itself,
// in any case. The one special form "uuid" stands for 8-4-4-4-12 hexadecimal digits.
//
// Forms exist so that evidence can repeat a key id and never a key: what has none of the driver's forms may be a
// passphrase that somebody put in the wrong place.
type Form string

const (
	formUUID Form = "uuid"
	// formAny is for ids that the customer chooses freely, such as names of Secrets. They hold no blank.
	formAny Form = "*"
)

func (f Form) matches(id string) bool {
	if len(id) == 0 || len(id) > keyIDLimit || !isToken(id) {
		return false
	}
	if f == formUUID {
		return isUUID(id)
	}
	return globFold(string(f), id)
}

func anyMatches(forms []Form, id string) bool {
	for _, f := range forms {
		if f.matches(id) {
			return true
		}
	}
	return false
}

// isToken reports whether the id is printable ASCII without a blank.
func isToken(id string) bool {
	for i := 0; i < len(id); i++ {
		if id[i] == ' ' || !printable(id[i]) {
			return false
		}
	}
	return true
}

func isUUID(id string) bool {
	if len(id) != 36 {
		return false
	}
	for i := 0; i < len(id); i++ {
		switch i {
		case 8, 13, 18, 23:
			if id[i] != '-' {
				return false
			}
		default:
			if !isHex(id[i]) {
				return false
			}
		}
	}
	return true
}

func isHex(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'f' || c >= 'A' && c <= 'F'
}

// globFold matches greedily from the left and backs up to the last star only, so it takes at most len(pattern)*len(s)
// steps whatever the input.
func globFold(pattern, s string) bool {
	p, i := 0, 0
	star, mark := -1, 0
	for i < len(s) {
		switch {
		case p < len(pattern) && pattern[p] == '*':
			star, mark = p, i
			p++
		case p < len(pattern) && lower(pattern[p]) == lower(s[i]):
			p++
			i++
		case star >= 0:
			mark++
			p, i = star+1, mark
		default:
			return false
		}
	}
	return strings.Trim(pattern[p:], "*") == ""
}

func lower(c byte) byte {
	if c >= 'A' && c <= 'Z' {
		return c + ('a' - 'A')
	}
	return c
}
