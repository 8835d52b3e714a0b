package storage

// valueLimit bounds, in bytes, one value inside a text, so that what stands around it is still read.
const valueLimit = 100

// sentence builds one bounded line of printable ASCII without allocating more than the result.
type sentence struct {
	buf  [WhyLimit]byte
	len  int
	full bool
}

// add appends text. A byte that is not printable ASCII becomes '?': evidence ends up in terminals and in events.
func (s *sentence) add(text string) {
	for i := 0; i < len(text); i++ {
		if s.len == len(s.buf) {
			s.full = true
			return
		}
		c := text[i]
		if !printable(c) {
			c = '?'
		}
		s.buf[s.len] = c
		s.len++
	}
}

// value appends a value that a person wrote. The middle of a long one gives way: what tells keys apart is the end.
func (s *sentence) value(v string) {
	if len(v) <= valueLimit {
		s.add(v)
		return
	}
	const half = (valueLimit - len("...")) / 2
	s.add(v[:half])
	s.add("...")
	s.add(v[len(v)-half:])
}

// quoted appends a value between double quotes, for values that are words of a person rather than ids.
func (s *sentence) quoted(v string) {
	s.add(`"`)
	s.value(v)
	s.add(`"`)
}

// word appends a value that nobody understands. It is repeated only where it is as short as the words people write for
// yes and no: something longer may have been meant for another parameter, and be a secret.
func (s *sentence) word(v string) {
	if len(v) <= len("unencrypted") {
		s.quoted(v)
		return
	}
	s.add("(a long value)")
}

// upTo returns what was added, cut to limit bytes with three dots where something is missing.
func (s *sentence) upTo(limit int) string {
	if s.len <= limit && !s.full {
		return string(s.buf[:s.len])
	}
	n := min(limit, s.len)
	copy(s.buf[n-len("..."):n], "...")
	return string(s.buf[:n])
}

func printable(c byte) bool { return c >= ' ' && c <= '~' }
