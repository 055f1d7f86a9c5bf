package pattern

// qualified reads [condition] or (expression) and the qualifiers behind it.
func (p *parser) qualified() (ref, *Error) {
	var of ref
	var err *Error
	simple := p.tok.kind == tOpen
	switch p.tok.kind {
	case tOpen:
		of, err = p.test()
	case tLeft:
		of, err = p.group(FollowedBy, outside, ") or a joint (AND, OR, FOLLOWEDBY)")
	default:
		err = p.unexpected("[ or (")
	}
	var seen [StartStop + 1]bool
	for levels := p.depth; err == nil; levels++ { // each qualifier is a level of the tree
		if levels > maxNesting {
			return 0, p.tooDeep()
		}
		kind := qualifierOf[p.tok.kind]
		if kind == 0 {
			return of, nil
		}
		kind--
		if at := uint32(p.tok.pos); simple && seen[kind] && p.twice == 0 && p.version == V21 {
			p.twice = at
		}
		seen[kind] = true
		of, err = p.qualifier(kind, of)
	}
	return 0, err
}

func (p *parser) test() (ref, *Error) {
	p.advanceTo(inside)
	condition, err := p.joined(Or, inside)
	if err == nil {
		err = p.expect(tClose, "], AND or OR")
	}
	if err != nil {
		return 0, err
	}
	return p.add(cell{form: Test, x: uint32(condition)}), nil
}

// qualifierOf are the qualifiers by their tokens, one more than what they are; 0 is none.
var qualifierOf = [tKinds]QualifierKind{tWithin: Within + 1, tRepeats: Repeats + 1, tStart: StartStop + 1}

func (p *parser) qualifier(kind QualifierKind, of ref) (ref, *Error) {
	q := p.add(cell{form: Qualified, sub: uint8(kind), x: uint32(of), y: uint32(p.tok.pos)})
	p.advance()
	switch kind {
	case Within:
		return q, p.within()
	case Repeats:
		return q, p.repeats()
	}
	return q, p.startStop()
}

func (p *parser) within() *Error {
	if k := p.tok.kind; k != tInt && k != tFloat || p.src[p.tok.pos] == '-' {
		return p.unexpected("a positive number of seconds")
	}
	if err := p.constant(); err != nil {
		return err
	}
	return p.expect(tSeconds, "SECONDS")
}

func (p *parser) repeats() *Error {
	if p.tok.kind != tInt || p.src[p.tok.pos] == '-' {
		return p.unexpected("a positive whole number")
	}
	if err := p.constant(); err != nil {
		return err
	}
	return p.expect(tTimes, "TIMES")
}

func (p *parser) startStop() *Error {
	if err := p.instant(); err != nil {
		return err
	}
	if err := p.expect(tStop, "STOP"); err != nil {
		return err
	}
	return p.instant()
}

// instant reads a timestamp of START and STOP.
func (p *parser) instant() *Error {
	switch {
	case p.tok.kind == tTimestamp:
	case p.tok.kind == tString && p.version == V20:
		from, to := p.tok.text()
		if !timestampText(p.src[from:to]) {
			return fault(p.src, p.tok.pos, "START and STOP need a timestamp such as '2026-01-31T12:00:00Z'")
		}
	case p.tok.kind == tString:
		return fault(p.src, p.tok.pos, "START and STOP need t'…' in STIX 2.1; a plain text is STIX 2.0")
	default:
		return p.unexpected("a timestamp (t'…')")
	}
	return p.constant()
}
