package cover

import (
	"net/netip"
	"slices"
	"sort"

	"github.com/remeld/remeld/indicator"
)

// extent is a range that is no CIDR.
type extent struct {
	from, to netip.Addr
	held     *holding
}

// intervals are ranges sorted by their first address. IPv4 sorts before IPv6 and
// no range mixes them, so one list serves both.
type intervals struct {
	all []*extent
	// farthest[n] is of all[:n+1] the one that ends last; nearest[n] is of all[n:]
	// the one that ends first.
	farthest, nearest []*extent
}

func (s *Set) addRange(h *holding) {
	from, to, ok := h.value.Addrs()
	if !ok {
		return
	}
	if s.ranges == nil {
		s.ranges = map[indicator.Indicator]*extent{}
	}
	s.ranges[h.value] = &extent{from, to, h}
	s.index.Store(nil)
}

func (s *Set) removeRange(h *holding) {
	delete(s.ranges, h.value)
	s.index.Store(nil)
}

// intervals returns the index, building it after a write. Two readers may both
// build it; the results are the same.
func (s *Set) intervals() *intervals {
	if x := s.index.Load(); x != nil {
		return x
	}
	x := newIntervals(s.ranges)
	s.index.Store(x)
	return x
}

func newIntervals(ranges map[indicator.Indicator]*extent) *intervals {
	x := &intervals{all: make([]*extent, 0, len(ranges))}
	for _, e := range ranges {
		x.all = append(x.all, e)
	}
	slices.SortFunc(x.all, func(a, b *extent) int {
		if c := a.from.Compare(b.from); c != 0 {
			return c
		}
		return a.to.Compare(b.to)
	})
	x.farthest = slices.Clone(x.all)
	x.nearest = slices.Clone(x.all)
	for n := 1; n < len(x.all); n++ {
		if x.all[n].to.Less(x.farthest[n-1].to) {
			x.farthest[n] = x.farthest[n-1]
		}
	}
	for n := len(x.all) - 2; n >= 0; n-- {
		if x.nearest[n+1].to.Less(x.all[n].to) {
			x.nearest[n] = x.nearest[n+1]
		}
	}
	return x
}

// around returns a range that holds from..to: of those that start at or before
// from it is enough to look at the one that ends last.
func (x *intervals) around(from, to netip.Addr) *holding {
	n := sort.Search(len(x.all), func(n int) bool { return from.Less(x.all[n].from) })
	if n == 0 {
		return nil
	}
	e := x.farthest[n-1]
	if e.to.Less(to) || e.from.Is4() != from.Is4() {
		return nil
	}
	return e.held
}

// inside returns a range that lies in from..to.
func (x *intervals) inside(from, to netip.Addr) *holding {
	n := sort.Search(len(x.all), func(n int) bool { return !x.all[n].from.Less(from) })
	if n == len(x.all) || to.Less(x.nearest[n].to) {
		return nil
	}
	return x.nearest[n].held
}
