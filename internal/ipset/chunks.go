package ipset

import (
	"slices"
	"sort"
)

// chunkSize is the most entries a chunk holds. Half of it is moved by a mean
// insertion, so it trades the cost of an insertion against the length of the
// list of chunks that a lookup scans.
const chunkSize = 512

// start is a claim, ordered by its first address.
type start struct {
	from, to u128
	id       uint32
	allow    bool
}

func (s start) compare(t start) int {
	if c := s.from.compare(t.from); c != 0 {
		return c
	}
	if c := s.to.compare(t.to); c != 0 {
		return c
	}
	return compareClaim(s.id, s.allow, t.id, t.allow)
}

// end is the last address of a claim.
type end struct {
	to    u128
	id    uint32
	allow bool
}

func (e end) compare(f end) int {
	if c := e.to.compare(f.to); c != 0 {
		return c
	}
	return compareClaim(e.id, e.allow, f.id, f.allow)
}

func compareClaim(id uint32, allow bool, id2 uint32, allow2 bool) int {
	switch {
	case id != id2 && id < id2, id == id2 && !allow && allow2:
		return -1
	case id != id2, allow != allow2:
		return 1
	}
	return 0
}

// ordered is a sorted multiset in chunks: insertion and removal are O(chunkSize +
// n/chunkSize) of moved memory, lookups O(log n), and walking in order runs over
// plain slices.
type ordered[T interface{ compare(T) int }] struct {
	chunks [][]T
	n      int
}

// pos is a place in an ordered; it is invalidated by a change.
type pos struct{ chunk, at int }

// load replaces the content by sorted, which is not kept.
func (o *ordered[T]) load(sorted []T) {
	const fill = chunkSize * 3 / 4 // room for insertions without splits at once
	o.chunks, o.n = o.chunks[:0], len(sorted)
	for part := range slices.Chunk(sorted, fill) {
		o.chunks = append(o.chunks, append(make([]T, 0, chunkSize), part...))
	}
}

// find returns the place of the first entry not below what `below` accepts;
// below must be true for a prefix of the order.
func (o *ordered[T]) find(below func(T) bool) pos {
	c := sort.Search(len(o.chunks), func(i int) bool { return !below(o.chunks[i][len(o.chunks[i])-1]) })
	if c == len(o.chunks) {
		return pos{c, 0}
	}
	chunk := o.chunks[c]
	return pos{c, sort.Search(len(chunk), func(i int) bool { return !below(chunk[i]) })}
}

// at returns the entry at p, false past the end.
func (o *ordered[T]) at(p pos) (v T, ok bool) {
	if p.chunk >= len(o.chunks) {
		return v, false
	}
	return o.chunks[p.chunk][p.at], true
}

// next returns the place after p.
func (o *ordered[T]) next(p pos) pos {
	if p.at+1 < len(o.chunks[p.chunk]) {
		return pos{p.chunk, p.at + 1}
	}
	return pos{p.chunk + 1, 0}
}

// before returns the entry in front of p, false at the beginning.
func (o *ordered[T]) before(p pos) (v T, ok bool) {
	if p.at > 0 {
		return o.chunks[p.chunk][p.at-1], true
	}
	if p.chunk == 0 {
		return v, false
	}
	last := o.chunks[p.chunk-1]
	return last[len(last)-1], true
}

// back returns the place before p, which must not be the first.
func (o *ordered[T]) back(p pos) pos {
	if p.at > 0 {
		return pos{p.chunk, p.at - 1}
	}
	return pos{p.chunk - 1, len(o.chunks[p.chunk-1]) - 1}
}

// insert adds v. first is the chunk that changed; split says that its upper half
// became a chunk of its own at first+1.
func (o *ordered[T]) insert(v T) (first int, split bool) {
	o.n++
	if len(o.chunks) == 0 {
		o.chunks = append(o.chunks, append(make([]T, 0, chunkSize), v))
		return 0, false
	}
	p := o.find(func(t T) bool { return t.compare(v) < 0 })
	if p.chunk == len(o.chunks) {
		p.chunk--
		p.at = len(o.chunks[p.chunk])
	}
	first = p.chunk
	if len(o.chunks[first]) == chunkSize {
		split = true
		p = o.split(p)
	}
	o.chunks[p.chunk] = slices.Insert(o.chunks[p.chunk], p.at, v)
	return first, split
}

// split halves the full chunk of p and returns where p is now.
func (o *ordered[T]) split(p pos) pos {
	full := o.chunks[p.chunk]
	half := len(full) / 2
	upper := append(make([]T, 0, chunkSize), full[half:]...)
	clear(full[half:])
	o.chunks[p.chunk] = full[:half]
	o.chunks = slices.Insert(o.chunks, p.chunk+1, upper)
	if p.at > half {
		return pos{p.chunk + 1, p.at - half}
	}
	return p
}

// remove takes one entry equal to v out. chunk is the chunk that changed; emptied
// says that it is gone.
func (o *ordered[T]) remove(v T) (chunk int, emptied, ok bool) {
	p := o.find(func(t T) bool { return t.compare(v) < 0 })
	if got, found := o.at(p); !found || got.compare(v) != 0 {
		return 0, false, false
	}
	o.n--
	o.chunks[p.chunk] = slices.Delete(o.chunks[p.chunk], p.at, p.at+1)
	if len(o.chunks[p.chunk]) == 0 {
		o.chunks = slices.Delete(o.chunks, p.chunk, p.chunk+1)
		return p.chunk, true, true
	}
	return p.chunk, false, true
}
