package ipset

import (
	"slices"
)

// sweep runs over the elementary intervals of the claims without one (without),
// in address order. That partition is coarser than the one with that claim, so
// each of its intervals can be compared before and after a change on its own.
type sweep struct {
	s       *space
	without *start
	skipped bool // the end of without is behind

	from, to  u128 // the current interval
	begun     bool
	nextStart pos
	nextEnd   pos

	ordinary, allow int // claims over the interval
	listed          bool
	ids             []uint32 // ordinary ones, ascending, if listed
	out             []uint32 // the list delivered last
}

// sweepFrom prepares a sweep whose first interval is the one that holds at.
// listed asks for contributors; counting alone is cheaper.
func (s *space) sweepFrom(without *start, at u128, listed bool) *sweep {
	w := &sweep{s: s, without: without, listed: listed}
	w.from = w.intervalStart(at)
	w.nextStart = s.starts.find(func(t start) bool { return !w.from.less(t.from) })
	w.stab()
	w.nextEnd = s.ends.find(func(e end) bool { return e.to.less(w.from) })
	return w
}

// intervalStart returns the first address of the interval that holds at.
func (w *sweep) intervalStart(at u128) u128 {
	var from u128
	p := w.s.starts.find(func(t start) bool { return !at.less(t.from) })
	if t, ok := w.s.starts.before(p); ok && w.isWithout(t) {
		p = w.s.starts.back(p)
	}
	if t, ok := w.s.starts.before(p); ok {
		from = t.from
	}
	q := w.s.ends.find(func(e end) bool { return e.to.less(at) })
	if e, ok := w.s.ends.before(q); ok && w.isWithoutEnd(e) {
		q = w.s.ends.back(q)
	}
	if e, ok := w.s.ends.before(q); ok && from.less(e.to.next()) {
		from = e.to.next()
	}
	return from
}

// stab counts and lists the claims over w.from: those before nextStart that reach
// it. Chunks that do not are told by maxTo, without a look at them.
func (w *sweep) stab() {
	at := w.from
	for i, highest := range w.s.maxTo[:min(w.nextStart.chunk+1, len(w.s.maxTo))] {
		if highest.less(at) {
			continue
		}
		chunk := w.s.starts.chunks[i]
		if i == w.nextStart.chunk {
			chunk = chunk[:w.nextStart.at]
		}
		for j := range chunk {
			if c := &chunk[j]; !c.to.less(at) && !w.isWithout(*c) {
				w.enter(*c)
			}
		}
	}
}

func (w *sweep) isWithout(t start) bool { return w.without != nil && t == *w.without }

func (w *sweep) isWithoutEnd(e end) bool {
	return w.without != nil && e == end{w.without.to, w.without.id, w.without.allow}
}

// step moves to the first, then to each next interval; false past the last.
func (w *sweep) step() bool {
	if w.begun {
		if w.to == w.s.last {
			return false
		}
		w.from = w.to.next()
		w.cross()
	}
	w.begun = true
	w.to = w.s.last
	if t, ok := w.start(); ok {
		w.to = t.from.prev()
	}
	if e, ok := w.end(); ok && e.to.less(w.to) {
		w.to = e.to
	}
	return true
}

// cross takes the claims that ended before w.from out and those that begin there
// in.
func (w *sweep) cross() {
	for e, ok := w.end(); ok && e.to.less(w.from); e, ok = w.end() {
		w.leave(e)
		w.nextEnd = w.s.ends.next(w.nextEnd)
	}
	for t, ok := w.start(); ok && t.from == w.from; t, ok = w.start() {
		w.enter(t)
		w.nextStart = w.s.starts.next(w.nextStart)
	}
}

// start returns the next claim to begin.
func (w *sweep) start() (start, bool) {
	t, ok := w.s.starts.at(w.nextStart)
	if ok && w.isWithout(t) {
		w.nextStart = w.s.starts.next(w.nextStart)
		t, ok = w.s.starts.at(w.nextStart)
	}
	return t, ok
}

// end returns the next claim to end. Of equal ends one is that of without, and
// it does not matter which.
func (w *sweep) end() (end, bool) {
	e, ok := w.s.ends.at(w.nextEnd)
	if ok && !w.skipped && w.isWithoutEnd(e) {
		w.skipped = true
		w.nextEnd = w.s.ends.next(w.nextEnd)
		e, ok = w.s.ends.at(w.nextEnd)
	}
	return e, ok
}

func (w *sweep) enter(t start) {
	if t.allow {
		w.allow++
		return
	}
	w.ordinary++
	if w.listed {
		i, _ := slices.BinarySearch(w.ids, t.id)
		w.ids = slices.Insert(w.ids, i, t.id)
	}
}

func (w *sweep) leave(e end) {
	if e.allow {
		w.allow--
		return
	}
	w.ordinary--
	if w.listed {
		i, _ := slices.BinarySearch(w.ids, e.id)
		w.ids = slices.Delete(w.ids, i, i+1)
	}
}

// live says whether the interval is a live piece.
func (w *sweep) live() bool { return w.ordinary > 0 && w.allow == 0 }

// contributors returns the interval's contributors once each, with one more if
// extra is given; valid until the next call.
func (w *sweep) contributors(extra *uint32) []uint32 {
	out := append(w.out[:0], w.ids...)
	if extra != nil {
		i, _ := slices.BinarySearch(out, *extra)
		out = slices.Insert(out, i, *extra)
	}
	out = slices.Compact(out)
	w.out = out
	return out
}
