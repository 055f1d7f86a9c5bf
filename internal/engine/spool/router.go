package spool

import "bytes"

// router finds the part of a key. The bounds of one first byte (the kind) mostly
// share more than that byte: the shared bytes are compared once and the rest as
// words.
type router struct {
	bounds [][]byte
	kinds  [256]kindRoute
}

type kindRoute struct {
	first  int // index of the first bound of the kind
	shared []byte
	words  []uint64
}

func newRouter(bounds [][]byte) *router {
	r := &router{bounds: bounds}
	at := 0
	for kind := range 256 {
		k := &r.kinds[kind]
		k.first = at
		for at < len(bounds) && len(bounds[at]) > 0 && int(bounds[at][0]) == kind {
			at++
		}
		mine := bounds[k.first:at]
		if len(mine) == 0 {
			continue
		}
		k.shared = mine[0][:sharedPrefix(mine[0], mine[len(mine)-1])]
		for _, b := range mine {
			k.words = append(k.words, wordAt(b, len(k.shared)))
		}
	}
	return r
}

// part returns how many bounds are not above key.
func (r *router) part(key []byte) int {
	if len(key) == 0 {
		return 0
	}
	k := &r.kinds[key[0]]
	if len(k.words) == 0 {
		return k.first
	}
	depth := len(k.shared)
	if c := bytes.Compare(key[:min(depth, len(key))], k.shared); c != 0 {
		if c < 0 {
			return k.first
		}
		return k.first + len(k.words)
	}
	w := wordAt(key, depth)
	lo, hi := 0, len(k.words)
	for lo < hi {
		mid := int(uint(lo+hi) >> 1)
		if k.words[mid] < w {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	for lo < len(k.words) && k.words[lo] == w && bytes.Compare(r.bounds[k.first+lo], key) <= 0 {
		lo++
	}
	return k.first + lo
}
