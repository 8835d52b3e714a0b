package redirect

import (
	"encoding/binary"
	"net/netip"
	"slices"

	"github.com/google/nftables/expr"
	"golang.org/x/sys/unix"
)

// register is the one by which expressions of a rule hand on what they read.
const register = 1

// rule is what one does: what it asks of a packet, and what becomes of it.
type rule = []expr.Any

// when puts what is asked before what becomes of a packet.
func when(parts ...[]expr.Any) rule { return slices.Concat(parts...) }

func meta(key expr.MetaKey, value []byte) []expr.Any {
	return []expr.Any{&expr.Meta{Key: key, Register: register}, equals(value)}
}

func equals(value []byte) *expr.Cmp {
	return &expr.Cmp{Op: expr.CmpOpEq, Register: register, Data: value}
}

func native(value uint32) []byte { return binary.NativeEndian.AppendUint32(nil, value) }

func network(value uint16) []byte { return binary.BigEndian.AppendUint16(nil, value) }

func protocol(number byte) []expr.Any { return meta(expr.MetaKeyL4PROTO, []byte{number}) }

// byUser asks who owns the socket that sends. What no socket sends any more, as the last
// word of a connection, is nobody's.
func byUser(user uint32) []expr.Any { return meta(expr.MetaKeySKUID, native(user)) }

// Loopback is known by its type, whatever it is called.
func intoLoopback() []expr.Any {
	return meta(expr.MetaKeyOIFTYPE, binary.NativeEndian.AppendUint16(nil, unix.ARPHRD_LOOPBACK))
}

func fromLoopback() []expr.Any {
	return meta(expr.MetaKeyIIFTYPE, binary.NativeEndian.AppendUint16(nil, unix.ARPHRD_LOOPBACK))
}

func toPort(port uint16) []expr.Any {
	return []expr.Any{&expr.Payload{DestRegister: register, Base: expr.PayloadBaseTransportHeader, Offset: 2, Len: 2}, equals(network(port))}
}

// toAddresses asks for a destination from one address to another of its family. A rule
// that was redirected before has the new one.
func toAddresses(from, to netip.Addr) []expr.Any {
	family, offset, size := byte(unix.NFPROTO_IPV4), uint32(16), uint32(4)
	if from.Is6() {
		family, offset, size = unix.NFPROTO_IPV6, 24, 16
	}
	return append(meta(expr.MetaKeyNFPROTO, []byte{family}),
		&expr.Payload{DestRegister: register, Base: expr.PayloadBaseNetworkHeader, Offset: offset, Len: size},
		&expr.Range{Op: expr.CmpOpEq, Register: register, FromData: from.AsSlice(), ToData: to.AsSlice()})
}

// known asks for packets of connections that were let through before.
func known() []expr.Any {
	return []expr.Any{
		&expr.Ct{Key: expr.CtKeySTATE, Register: register},
		&expr.Bitwise{SourceRegister: register, DestRegister: register, Len: 4, Mask: native(expr.CtStateBitESTABLISHED | expr.CtStateBitRELATED), Xor: native(0)},
		&expr.Cmp{Op: expr.CmpOpNeq, Register: register, Data: native(0)},
	}
}

// neighbours asks for what IPv6 finds its own link by (RFC 4861, RFC 2710, RFC 3810).
// None of it can be sent without a capability.
func neighbours(kind byte) []expr.Any {
	return append(protocol(unix.IPPROTO_ICMPV6),
		&expr.Payload{DestRegister: register, Base: expr.PayloadBaseTransportHeader, Offset: 0, Len: 1}, equals([]byte{kind}))
}

func verdict(kind expr.VerdictKind) []expr.Any { return []expr.Any{&expr.Verdict{Kind: kind}} }

func accept() []expr.Any { return verdict(expr.VerdictAccept) }

// leave lets a packet go on as it is.
func leave() []expr.Any { return verdict(expr.VerdictReturn) }

// drop counts what it drops.
func drop() []expr.Any { return []expr.Any{&expr.Counter{}, &expr.Verdict{Kind: expr.VerdictDrop}} }

// into sends a connection to a port of this pod instead.
func into(port uint16) []expr.Any {
	return []expr.Any{&expr.Immediate{Register: register, Data: network(port)}, &expr.Redir{RegisterProtoMin: register}}
}
