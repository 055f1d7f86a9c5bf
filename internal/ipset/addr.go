package ipset

import (
	"cmp"
	"encoding/binary"
	"math/bits"
	"net/netip"
)

// u128 is an address as a number. IPv4 addresses have hi == 0; which family a
// u128 belongs to is known by where it is kept.
type u128 struct{ hi, lo uint64 }

// family bounds the numbers of one address family.
type family struct {
	bits int
	last u128
}

var (
	famV4 = family{bits: 32, last: u128{0, 1<<32 - 1}}
	famV6 = family{bits: 128, last: u128{1<<64 - 1, 1<<64 - 1}}
)

// addr returns u as an address of the family.
func (f family) addr(u u128) netip.Addr {
	if f.bits == 32 {
		var b [4]byte
		binary.BigEndian.PutUint32(b[:], uint32(u.lo))
		return netip.AddrFrom4(b)
	}
	var b [16]byte
	binary.BigEndian.PutUint64(b[:8], u.hi)
	binary.BigEndian.PutUint64(b[8:], u.lo)
	return netip.AddrFrom16(b)
}

// number returns a as a number. IPv4-mapped addresses stay IPv6: the package never
// turns a part of the one space into the other.
func number(a netip.Addr) (n u128, v4 bool) {
	if a.Is4() {
		b := a.As4()
		return u128{0, uint64(binary.BigEndian.Uint32(b[:]))}, true
	}
	b := a.As16()
	return u128{binary.BigEndian.Uint64(b[:8]), binary.BigEndian.Uint64(b[8:])}, false
}

func (u u128) less(v u128) bool { return u.hi < v.hi || (u.hi == v.hi && u.lo < v.lo) }

func (u u128) compare(v u128) int {
	if c := cmp.Compare(u.hi, v.hi); c != 0 {
		return c
	}
	return cmp.Compare(u.lo, v.lo)
}

// next returns u+1, wrapping at the end of the 128 bits.
func (u u128) next() u128 {
	lo, carry := bits.Add64(u.lo, 1, 0)
	return u128{u.hi + carry, lo}
}

// prev returns u-1, wrapping at zero.
func (u u128) prev() u128 {
	lo, borrow := bits.Sub64(u.lo, 1, 0)
	return u128{u.hi - borrow, lo}
}

func (u u128) trailingZeros() int {
	if u.lo != 0 {
		return bits.TrailingZeros64(u.lo)
	}
	return 64 + bits.TrailingZeros64(u.hi)
}

// withLowOnes returns u with its n lowest bits set.
func (u u128) withLowOnes(n int) u128 {
	switch {
	case n >= 128:
		return u128{^uint64(0), ^uint64(0)}
	case n > 64:
		return u128{u.hi | (1<<(n-64) - 1), ^uint64(0)}
	case n == 64:
		return u128{u.hi, ^uint64(0)}
	default:
		return u128{u.hi, u.lo | (1<<n - 1)}
	}
}

// withoutLowOnes returns u with its n lowest bits cleared.
func (u u128) withoutLowOnes(n int) u128 {
	ones := u128{}.withLowOnes(n)
	return u128{u.hi &^ ones.hi, u.lo &^ ones.lo}
}
