package pattern

// advanceTo is advance to an expression. Inside of a test that may be a path: one that
// was read before is one token.
func (p *parser) advanceTo(where place) {
	at := p.at
	if at < len(p.src) && p.src[at] == ' ' {
		at++
	}
	if where == inside {
		if n, path := p.recent.find(p.src, at); n > 0 {
			p.tok, p.again, p.at = token{kind: tPath, pos: at, end: at + n}, path, at+n
			return
		}
	}
	p.advance()
}

// path reads type:step and what follows. Comparisons with one path share its cells.
func (p *parser) path() (ref, *Error) {
	from := p.tok.pos
	if p.tok.kind == tPath {
		p.advance()
		if p.tok.kind != tDot && p.tok.kind != tOpen {
			return p.again, nil
		}
		p.at = from // it goes on behind a space
		p.advance()
	}
	if k := p.tok.kind; k != tName && k != tHyphened {
		return 0, p.unexpected("an object path (type:property)")
	}
	path := ref(len(p.cells))
	p.addText(typeName, 0, 0)
	end, err := p.steps()
	if err == nil {
		p.recent.keep(readPath{from, end - from, path})
	}
	return path, err
}

// steps reads :step and what follows, and returns the byte behind.
func (p *parser) steps() (end int, err *Error) {
	if end = p.names(); end == 0 {
		p.advance()
		if err = p.expect(tColon, ": behind the object's type"); err == nil {
			end, err = p.property()
		}
	}
	for err == nil {
		switch p.tok.kind {
		case tDot:
			p.advance()
			end, err = p.property()
		case tOpen:
			p.advance()
			end, err = p.index()
		default:
			return end, nil
		}
	}
	return end, err
}

// names reads :name.name… behind the type, as far as it is plain, and returns the byte
// behind, 0 if there was none: most paths are that alone, and need no tokens.
func (p *parser) names() (end int) {
	src, at := p.src, p.at
	mark := byte(':')
	for at < len(src) && src[at] == mark {
		from := at + 1
		at = from
		for at < len(src) && class[src[at]]&(isLetter|isDigit) != 0 {
			at++
		}
		if at == from || at == len(src) || src[at] == '-' || src[at] == '\'' || class[src[from]]&isDigit != 0 {
			break
		}
		if mayBeKeyword(src[from]) && keyword(src[from:at]) != tName {
			break
		}
		p.add(cell{form: step, x: uint32(from), y: uint32(at)})
		end, mark = at, '.'
	}
	if end > 0 {
		p.at = end
		p.advance()
	}
	return end
}

func (p *parser) property() (end int, err *Error) {
	if p.tok.kind != tName && p.tok.kind != tString {
		return 0, p.unexpected("a property's name")
	}
	p.addText(step, 0, 0)
	end = p.tok.end
	p.advance()
	return end, nil
}

func (p *parser) index() (end int, err *Error) {
	if p.tok.kind != tInt && p.tok.kind != tStar {
		return 0, p.unexpected("an index: a whole number or *")
	}
	p.addText(step, 0, isIndex)
	p.advance()
	end = p.tok.end
	return end, p.expect(tClose, "] of the index")
}

// recent are the last paths of a pattern: one path is often compared with many
// constants, and is then read once.
type recent struct {
	paths [4]readPath
	next  int
}

// readPath is a path that was read, by its place in the source.
type readPath struct {
	from, length int
	path         ref
}

// find returns the path that stands at a place of src again, and its length: 0 if it is
// none of them.
func (r *recent) find(src string, at int) (length int, path ref) {
	rest := src[at:]
	for i := range r.paths {
		e := &r.paths[i]
		if n := e.length; n > 0 && n < len(rest) && endsPath(rest[n]) && rest[:n] == src[e.from:e.from+n] {
			return n, e.path
		}
	}
	return 0, 0
}

// endsPath tells whether no path goes on with c, but for one with a space inside.
func endsPath(c byte) bool { return c == ' ' || c == '=' || c == '!' || c == '<' || c == '>' }

func (r *recent) keep(path readPath) {
	r.paths[r.next] = path
	r.next = (r.next + 1) % len(r.paths)
}
