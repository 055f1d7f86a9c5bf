package ipset

import "slices"

// space holds the claims of one family twice, by first and by last address.
type space struct {
	family
	starts ordered[start]
	ends   ordered[end]
	// maxTo holds the highest last address of each chunk of starts, which is what
	// makes finding the claims over one address a scan of chunks, not of claims.
	maxTo  []u128
	pieces int
}

func (s *space) has(n start) bool {
	got, ok := s.starts.at(s.starts.find(func(t start) bool { return t.compare(n) < 0 }))
	return ok && got == n
}

func (s *space) load(claims []start) {
	slices.SortFunc(claims, start.compare)
	claims = slices.Compact(claims)
	s.starts.load(claims)
	s.maxTo = s.maxTo[:0]
	for i := range s.starts.chunks {
		s.maxTo = append(s.maxTo, s.chunkMax(i))
	}
	ends := make([]end, len(claims))
	for i, c := range claims {
		ends[i] = end{c.to, c.id, c.allow}
	}
	slices.SortFunc(ends, end.compare)
	s.ends.load(ends)
	s.pieces = 0
	w := s.sweepFrom(nil, u128{}, false)
	for w.step() {
		if w.live() {
			s.pieces++
		}
	}
}

func (s *space) insert(n start) {
	chunk, split := s.starts.insert(n)
	switch {
	case split:
		s.maxTo[chunk] = s.chunkMax(chunk)
		s.maxTo = slices.Insert(s.maxTo, chunk+1, s.chunkMax(chunk+1))
	case chunk == len(s.maxTo):
		s.maxTo = append(s.maxTo, n.to)
	case s.maxTo[chunk].less(n.to):
		s.maxTo[chunk] = n.to
	}
	s.ends.insert(end{n.to, n.id, n.allow})
}

func (s *space) remove(n start) {
	chunk, emptied, _ := s.starts.remove(n)
	switch {
	case emptied:
		s.maxTo = slices.Delete(s.maxTo, chunk, chunk+1)
	case s.maxTo[chunk] == n.to:
		s.maxTo[chunk] = s.chunkMax(chunk)
	}
	s.ends.remove(end{n.to, n.id, n.allow})
}

func (s *space) chunkMax(i int) u128 {
	var m u128
	for _, c := range s.starts.chunks[i] {
		if m.less(c.to) {
			m = c.to
		}
	}
	return m
}

// walk delivers the live pieces that end at or after at; false if fn stopped it.
func (s *space) walk(at u128, fn func(Piece) bool) bool {
	w := s.sweepFrom(nil, at, true)
	for w.step() {
		if w.live() && !fn(Piece{From: s.addr(w.from), To: s.addr(w.to), IDs: w.contributors(nil)}) {
			return false
		}
	}
	return true
}
