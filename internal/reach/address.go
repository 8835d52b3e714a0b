package reach

import (
	"cmp"
	"net/netip"
	"slices"
)

// addressRange holds the addresses of one family from first to last, both included.
type addressRange struct {
	first, last netip.Addr
}

// addressSet is a set of addresses: ranges sorted, disjoint; IPv4 stands before IPv6.
type addressSet []addressRange

var (
	allIPv4 = netip.PrefixFrom(netip.IPv4Unspecified(), 0)
	allIPv6 = netip.PrefixFrom(netip.IPv6Unspecified(), 0)
)

func everyAddress() addressSet { return addressSet{rangeOf(allIPv4), rangeOf(allIPv6)} }

// parseCIDR reads a block as NetworkPolicy means it: host bits do not count, and an IPv4 block written as IPv6
// (::ffff:10.0.0.0/104) is an IPv4 block.
func parseCIDR(text string) (netip.Prefix, bool) {
	p, err := netip.ParsePrefix(text)
	if err != nil {
		return netip.Prefix{}, false
	}
	p = plainPrefix(p)
	return p, p.IsValid()
}

func plainPrefix(p netip.Prefix) netip.Prefix {
	if p.Addr().Is4In6() && p.Bits() >= 96 {
		p = netip.PrefixFrom(p.Addr().Unmap(), p.Bits()-96)
	}
	return p.Masked()
}

// rangeOf needs a valid, masked prefix.
func rangeOf(p netip.Prefix) addressRange {
	last := p.Addr().AsSlice()
	for bit := p.Bits(); bit < p.Addr().BitLen(); bit++ {
		last[bit/8] |= 0x80 >> (bit % 8)
	}
	end, _ := netip.AddrFromSlice(last)
	return addressRange{p.Addr(), end}
}

// addressesOf is a block without its exceptions. Every prefix must be valid.
func addressesOf(block netip.Prefix, except []netip.Prefix) addressSet {
	holes := make(addressSet, 0, len(except))
	for _, p := range except {
		holes = append(holes, rangeOf(plainPrefix(p)))
	}
	return addressSet{rangeOf(plainPrefix(block))}.minus(holes.normalised())
}

// normalised sorts ranges in any order and joins those that touch.
func (s addressSet) normalised() addressSet {
	slices.SortFunc(s, func(a, b addressRange) int {
		return cmp.Or(a.first.Compare(b.first), a.last.Compare(b.last))
	})
	joined := s[:0]
	for _, r := range s {
		if n := len(joined); n > 0 && !joined[n-1].endsBefore(r) {
			if joined[n-1].last.Less(r.last) {
				joined[n-1].last = r.last
			}
			continue
		}
		joined = append(joined, r)
	}
	return joined
}

// endsBefore tells whether at least one address lies between r and the later range o, or they are of different family.
func (r addressRange) endsBefore(o addressRange) bool {
	if r.last.BitLen() != o.first.BitLen() {
		return true
	}
	next := r.last.Next()
	return next.IsValid() && next.Less(o.first)
}

// minus returns what is in s and not in o; both are sorted and disjoint.
func (s addressSet) minus(o addressSet) addressSet {
	var left addressSet
	for _, r := range s {
		skip, _ := slices.BinarySearchFunc(o, r.first, func(hole addressRange, at netip.Addr) int {
			return hole.last.Compare(at)
		})
		left = r.minus(o[skip:], left)
	}
	return left
}

// minus appends to left what remains of r. The holes are sorted and none ends before r begins.
func (r addressRange) minus(holes addressSet, left addressSet) addressSet {
	for _, hole := range holes {
		if r.last.Less(hole.first) {
			break
		}
		if r.first.Less(hole.first) {
			left = append(left, addressRange{r.first, hole.first.Prev()})
		}
		if !hole.last.Less(r.last) {
			return left
		}
		r.first = hole.last.Next()
	}
	return append(left, r)
}

// sample returns an address of a set that is not empty, and rather not the first of a block, which names the network.
func (s addressSet) sample() netip.Addr {
	if s[0].first.Less(s[0].last) {
		return s[0].first.Next()
	}
	return s[0].first
}
