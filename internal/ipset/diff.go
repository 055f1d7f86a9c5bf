package ipset

// part is a piece of an interval after it was cut at the changed claim's ends.
type part struct {
	from, to u128
	claimed  bool // the changed claim covers it
	live     bool
}

// kept returns the claim where it is kept and must be left out of a sweep.
func (ch *change) kept() *start {
	if ch.op == Insert {
		return nil
	}
	return &ch.claim
}

// cut returns the parts of the sweep's interval with c present.
func (w *sweep) cut(c start, buf []part) []part {
	parts := buf[:0]
	from, to := w.from, w.to
	if from.less(c.from) {
		parts = append(parts, part{from, c.from.prev(), false, w.live()})
		from = c.from
	}
	live := !c.allow && w.allow == 0
	if c.to.less(to) {
		parts = append(parts, part{from, c.to, true, live})
		return append(parts, part{c.to.next(), to, false, w.live()})
	}
	return append(parts, part{from, to, true, live})
}

// delta returns by how many ch changes the number of live pieces.
func (s *space) delta(ch change) int {
	var buf [3]part
	d := 0
	w := s.sweepFrom(ch.kept(), ch.claim.from, false)
	for w.step() && !ch.claim.to.less(w.from) {
		for _, p := range w.cut(ch.claim, buf[:]) {
			if p.live {
				d++
			}
		}
		if w.live() {
			d--
		}
	}
	if ch.op == Remove {
		return -d
	}
	return d
}

// diff delivers what ch changes from the interval of at on. more says that fn
// stopped it and next is where to go on.
func (s *space) diff(ch change, at u128, fn func(Piece) bool) (next u128, more bool) {
	var buf [3]part
	w := s.sweepFrom(ch.kept(), at, true)
	for w.step() && !ch.claim.to.less(w.from) {
		if w.deliver(ch, w.cut(ch.claim, buf[:]), fn) {
			continue
		}
		if !w.to.less(ch.claim.to) {
			return u128{}, false
		}
		return w.to.next(), true
	}
	return u128{}, false
}

// deliver calls fn for what ch changes in one interval, which with the changed
// claim is cut into parts and without it is whole.
func (w *sweep) deliver(ch change, parts []part, fn func(Piece) bool) bool {
	whole := len(parts) == 1
	goOn := true
	emit := func(p Piece) { goOn = fn(p) && goOn }
	switch ch.op {
	case Insert:
		for _, p := range parts {
			if p.live {
				emit(w.piece(p, ch.claim.id))
			}
		}
		if w.live() && (!whole || !parts[0].live) {
			emit(w.gone(w.from, w.to))
		}
	case Remove:
		if w.live() {
			emit(w.piece(part{from: w.from, to: w.to}, 0))
		}
		for _, p := range parts {
			if p.live && (!whole || !w.live()) {
				emit(w.gone(p.from, p.to))
			}
		}
	case Touch:
		for _, p := range parts {
			if p.live && p.claimed {
				emit(w.piece(p, ch.claim.id))
			}
		}
	}
	return goOn
}

func (w *sweep) piece(p part, id uint32) Piece {
	var extra *uint32
	if p.claimed {
		extra = &id
	}
	return Piece{From: w.s.addr(p.from), To: w.s.addr(p.to), IDs: w.contributors(extra)}
}

func (w *sweep) gone(from, to u128) Piece {
	return Piece{From: w.s.addr(from), To: w.s.addr(to), Gone: true}
}
