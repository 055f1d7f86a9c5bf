package ipset

import (
	"cmp"
	"iter"
	"net/netip"
	"slices"
)

// Set is an immutable set of addresses of both families. Each family is a sorted
// list of edges: the first address of a range, then the one behind its last.
// Ranges neither overlap nor touch. A Set is safe for concurrent use.
type Set struct {
	v4 []uint64
	v6 []edge
}

// edge is a place between two IPv6 addresses, given by the address behind it;
// over is the place behind the last address.
type edge struct {
	over bool
	at   u128
}

func (e edge) compare(f edge) int {
	switch {
	case e.over != f.over && f.over:
		return -1
	case e.over != f.over:
		return 1
	}
	return e.at.compare(f.at)
}

func edgeAfter(u u128) edge { return edge{over: u == famV6.last, at: u.next()} }

// Builder collects ranges in any order for a Set. The zero Builder is empty.
type Builder struct {
	v4 []uint64 // first address << 32 | last address
	v6 []range6
}

type range6 struct{ from, to u128 }

// Add adds the addresses from to to, inclusive, which must be a range of one
// family (IPv4-mapped addresses are IPv6); false if they are not.
func (b *Builder) Add(from, to netip.Addr) bool {
	if !from.IsValid() || !to.IsValid() {
		return false
	}
	f, f4 := number(from)
	t, t4 := number(to)
	if f4 != t4 || t.less(f) {
		return false
	}
	if f4 {
		b.add4(uint32(f.lo), uint32(t.lo))
	} else {
		b.v6 = append(b.v6, range6{f, t})
	}
	return true
}

func (b *Builder) add4(from, to uint32) { b.v4 = append(b.v4, uint64(from)<<32|uint64(to)) }

// Set returns the set of what was added and empties b: O(n) for IPv4, O(n log n)
// for IPv6.
func (b *Builder) Set() *Set {
	s := &Set{v4: collapse4(b.v4), v6: collapse6(b.v6)}
	b.v4, b.v6 = nil, nil
	return s
}

// collapse4 turns packed ranges into edges, in place of its argument's content.
func collapse4(ranges []uint64) []uint64 {
	if len(ranges) == 0 {
		return nil
	}
	sortPacked(ranges)
	edges := make([]uint64, 0, 1024)
	from, to := ranges[0]>>32, ranges[0]&(1<<32-1)+1
	for _, r := range ranges[1:] {
		if f, t := r>>32, r&(1<<32-1)+1; f > to {
			edges = append(edges, from, to)
			from, to = f, t
		} else {
			to = max(to, t)
		}
	}
	return append(edges, from, to)
}

func collapse6(ranges []range6) []edge {
	slices.SortFunc(ranges, func(a, b range6) int { return a.from.compare(b.from) })
	var edges []edge
	for _, r := range ranges {
		from, to := edge{at: r.from}, edgeAfter(r.to)
		if n := len(edges); n > 0 && from.compare(edges[n-1]) <= 0 {
			if edges[n-1].compare(to) < 0 {
				edges[n-1] = to
			}
			continue
		}
		edges = append(edges, from, to)
	}
	return edges
}

// Union returns what is in any of the sets.
func Union(sets ...*Set) *Set {
	return fold(sets, func(a, b bool) bool { return a || b })
}

// Common returns what is in all of the sets; of no set, the empty one.
func Common(sets ...*Set) *Set {
	return fold(sets, func(a, b bool) bool { return a && b })
}

// Except returns what is in the first set and in none of the others.
func Except(first *Set, others ...*Set) *Set {
	return combine(first, Union(others...), func(a, b bool) bool { return a && !b })
}

// Diff returns what is in exactly one of a and b.
func Diff(a, b *Set) *Set {
	return combine(a, b, func(a, b bool) bool { return a != b })
}

func fold(sets []*Set, keep func(a, b bool) bool) *Set {
	switch len(sets) {
	case 0:
		return &Set{}
	case 1:
		return sets[0]
	}
	half := len(sets) / 2
	return combine(fold(sets[:half], keep), fold(sets[half:], keep), keep)
}

func combine(a, b *Set, keep func(a, b bool) bool) *Set {
	return &Set{
		v4: merge(a.v4, b.v4, cmp.Compare[uint64], keep),
		v6: merge(a.v6, b.v6, edge.compare, keep),
	}
}

// merge walks the edges of a and b and keeps those where keep changes.
func merge[T any](a, b []T, compare func(T, T) int, keep func(a, b bool) bool) []T {
	var out []T
	inA, inB, in := false, false, false
	for len(a) > 0 || len(b) > 0 {
		var at T
		c := -1
		switch {
		case len(a) == 0:
			c = 1
		case len(b) > 0:
			c = compare(a[0], b[0])
		}
		if c <= 0 {
			at, a, inA = a[0], a[1:], !inA
		}
		if c >= 0 {
			at, b, inB = b[0], b[1:], !inB
		}
		if k := keep(inA, inB); k != in {
			out, in = append(out, at), k
		}
	}
	return out
}

// Equal says whether a and b hold the same addresses.
func Equal(a, b *Set) bool { return slices.Equal(a.v4, b.v4) && slices.Equal(a.v6, b.v6) }

// Len returns the number of ranges.
func (s *Set) Len() int { return (len(s.v4) + len(s.v6)) / 2 }

// Contains says whether a is in s.
func (s *Set) Contains(a netip.Addr) bool {
	if !a.IsValid() {
		return false
	}
	n, v4 := number(a)
	var i int
	var found bool
	if v4 {
		i, found = slices.BinarySearch(s.v4, n.lo)
	} else {
		i, found = slices.BinarySearchFunc(s.v6, edge{at: n}, edge.compare)
	}
	return (i%2 == 1) != found // on an edge: the range that begins there, not the one that ends
}

// Ranges yields the first and last address of each range in order, IPv4 first.
func (s *Set) Ranges() iter.Seq2[netip.Addr, netip.Addr] {
	return func(yield func(from, to netip.Addr) bool) {
		for r := range s.spans() {
			if !yield(r.family.addr(r.from), r.family.addr(r.to)) {
				return
			}
		}
	}
}

// Prefixes yields the fewest CIDRs that make up s, in order, IPv4 first.
func (s *Set) Prefixes() iter.Seq[netip.Prefix] {
	return func(yield func(netip.Prefix) bool) {
		for r := range s.spans() {
			for at, more := r.from, true; more; {
				next, bits, left := r.family.block(at, r.to)
				if !yield(netip.PrefixFrom(r.family.addr(at), bits)) {
					return
				}
				at, more = next, left
			}
		}
	}
}

// span is a range with its family.
type span struct {
	family   family
	from, to u128
}

func (s *Set) spans() iter.Seq[span] {
	return func(yield func(span) bool) {
		for e := range slices.Chunk(s.v4, 2) {
			if !yield(span{famV4, u128{0, e[0]}, u128{0, e[1] - 1}}) {
				return
			}
		}
		for e := range slices.Chunk(s.v6, 2) {
			if !yield(span{famV6, e[0].at, e[1].at.prev()}) {
				return
			}
		}
	}
}

// block returns the prefix length of the largest block that begins at from and
// does not pass to, the address behind it, and whether anything is left there.
func (f family) block(from, to u128) (next u128, bits int, more bool) {
	host := min(from.trailingZeros(), f.bits)
	for host > 0 && to.less(from.withLowOnes(host)) {
		host--
	}
	last := from.withLowOnes(host)
	return last.next(), f.bits - host, last.less(to)
}

// CIDRs yields the fewest CIDRs that make up the addresses from to to, in order;
// nothing if they are no range of one family.
func CIDRs(from, to netip.Addr) iter.Seq[netip.Prefix] {
	var b Builder
	b.Add(from, to)
	return b.Set().Prefixes()
}
