package spool

import (
	"bytes"
	"slices"
)

// smallSort is how many entries are sorted by comparing rather than by counting.
const smallSort = 256

// entry is an item in the index of a part: 8 bytes of its key behind those that
// all share, and where it is.
type entry struct {
	word uint64
	ref  uint32
}

// sorter sorts the items of a part; it is reused for its memory.
type sorter struct {
	chunks  [][]byte
	index   []entry
	scratch []entry
	spare   [][]byte
	counts  [8][256]int32
}

// part puts the items of p in order, whose keys share depth bytes. The items are
// moved, so that reading them is a walk and not a search.
func (s *sorter) part(p *part, depth int) {
	s.chunks, s.index = p.chunks, s.index[:0]
	for c, b := range p.chunks {
		for off := 0; off < len(b); {
			key, _, n := item(b[off:])
			s.index = append(s.index, entry{wordAt(key, depth), uint32(c<<chunkBits | off)})
			off += n
		}
	}
	s.sort(s.index, depth)
	var out [][]byte
	for _, e := range s.index {
		from := s.chunks[e.ref>>chunkBits][e.ref&(chunkSize-1):]
		_, _, n := item(from)
		if k := len(out); k == 0 || cap(out[k-1])-len(out[k-1]) < n {
			out, s.spare = extend(out, s.spare, n)
		}
		last := &out[len(out)-1]
		*last = append(*last, from[:n]...)
	}
	for _, c := range p.chunks {
		if cap(c) == chunkSize && len(s.spare) < maxSpare {
			s.spare = append(s.spare, c[:0])
		}
	}
	p.chunks, s.chunks = out, nil
}

// maxSpare is how many chunks a sorter keeps from one part for the next.
const maxSpare = 4 * partBytes / chunkSize

func (s *sorter) key(e entry) []byte {
	return itemKey(s.chunks[e.ref>>chunkBits][e.ref&(chunkSize-1):])
}

// sort orders es by key; depth bytes are shared by all keys.
func (s *sorter) sort(es []entry, depth int) {
	if len(es) <= smallSort {
		slices.SortFunc(es, func(a, b entry) int { return s.compare(a, b, depth) })
		return
	}
	s.words(es, depth, depth)
}

// words orders es by their words at depth, then by what follows.
func (s *sorter) words(es []entry, base, depth int) {
	s.radix(es)
	for i := 0; i < len(es); {
		j := i + 1
		for j < len(es) && es[j].word == es[i].word {
			j++
		}
		if j-i > 1 {
			s.ties(es[i:j], base, depth+8)
		}
		i = j
	}
}

// ties orders entries whose keys share base bytes and then, up to depth, whole
// words: by the next word if there are many and their keys go on.
func (s *sorter) ties(es []entry, base, depth int) {
	if len(es) > smallSort && s.goesOn(es, depth) {
		for i := range es {
			es[i].word = wordAt(s.key(es[i]), depth)
		}
		s.words(es, base, depth)
		return
	}
	slices.SortFunc(es, func(a, b entry) int { return s.tail(a, b, base) })
}

// goesOn tells whether all keys are longer than depth: then none of the words
// before was padded, and none can be taken for a shorter one.
func (s *sorter) goesOn(es []entry, depth int) bool {
	for _, e := range es {
		if len(s.key(e)) <= depth {
			return false
		}
	}
	return true
}

func (s *sorter) compare(a, b entry, depth int) int {
	switch {
	case a.word < b.word:
		return -1
	case a.word > b.word:
		return 1
	}
	return s.tail(a, b, depth)
}

func (s *sorter) tail(a, b entry, depth int) int {
	ka, kb := s.key(a), s.key(b)
	return bytes.Compare(ka[min(depth, len(ka)):], kb[min(depth, len(kb)):])
}

// radix sorts by word, from the last byte to the first; bytes that all share
// cost nothing.
func (s *sorter) radix(es []entry) {
	if cap(s.scratch) < len(es) {
		s.scratch = make([]entry, len(es))
	}
	for d := range s.counts {
		clear(s.counts[d][:])
	}
	for i := range es {
		w := es[i].word
		for d := range 8 {
			s.counts[d][byte(w>>(8*d))]++
		}
	}
	from, to := es, s.scratch[:len(es)]
	for d := range 8 {
		c := &s.counts[d]
		if int(c[byte(from[0].word>>(8*d))]) == len(es) {
			continue
		}
		at := int32(0)
		for v, n := range c {
			c[v] = at
			at += n
		}
		for i := range from {
			v := byte(from[i].word >> (8 * d))
			to[c[v]] = from[i]
			c[v]++
		}
		from, to = to, from
	}
	if &from[0] != &es[0] {
		copy(es, from)
	}
}
