package injection

import (
	"crypto/sha256"
	"encoding/binary"
	"net/netip"
)

// Loopback has 16 million addresses. The first ones are the proxy's and the
// application's own.
const (
	firstAddress = 127<<24 + 16
	addresses    = 1<<24 - 16 - 1
)

// addressBook gives names addresses. One hangs on the name itself: no state has to be
// kept, and a name keeps its address when others come or go. That two of a thousand
// names meet at one happens in every thirtieth cluster; then the later one, by the
// alphabet, takes another, and keeps it while the first is there.
type addressBook struct {
	taken map[uint32]string
}

// of is the address of a name. Names are asked for in their order.
func (b *addressBook) of(name string) netip.Addr {
	sum := sha256.Sum256([]byte(name))
	for {
		at := firstAddress + binary.BigEndian.Uint32(sum[:])%addresses
		if holder, taken := b.taken[at]; !taken || holder == name {
			b.taken[at] = name
			var bytes [4]byte
			binary.BigEndian.PutUint32(bytes[:], at)
			return netip.AddrFrom4(bytes)
		}
		sum = sha256.Sum256(sum[:])
	}
}
