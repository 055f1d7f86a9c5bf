package tql

// inside returns the compiler of a nested table's condition.
func (c *compiler) inside(sub *Sub) *compiler {
	inner := *c
	inner.schema, inner.extra, inner.server, inner.implied = sub.Schema, false, nil, nil
	c.need(sub.Field)
	if sub.Field != "" {
		inner.path = c.path + sub.Field + "."
	}
	return &inner
}

// use notes what naming the parameter brings with it.
func (c *compiler) use(p *Param) {
	c.clock = c.clock || p.Clock
	c.need(p.Field)
	if c.implied == p {
		c.implied = nil
	}
}

// need notes a fields= value of a ThreatConnect request.
func (c *compiler) need(field string) {
	if field != "" {
		c.fields[c.path+field] = true
	}
}

// byID reads hasGroup = 12 and hasGroup IN (12, 13): ThreatConnect types nested
// tables as integers and compares the ids.
func (c *compiler) byID(n *predicate, sub *Sub) (evaluator, *Error) {
	n.name = sub.Name
	inner := c.inside(sub)
	defer func() { c.clock, c.warn = inner.clock, inner.warn }()
	id := sub.Schema.params["id"]
	if n.op != opEqual && n.op != opNotEqual && n.op != opIn {
		return nil, c.fail(n.opOffset, "write "+sub.Name+"( … ), or compare an id with = or IN", "operator %s is not valid for %s", n.op, sub.Name)
	}
	e, err := inner.number(id, n, false)
	if err != nil {
		err.Suggestion = "write " + sub.Name + `( … ) with a condition in the parentheses, or compare an id`
		return nil, err
	}
	return denied(exists{sub: sub, cond: e}, n.not || n.op == opNotEqual), nil
}

// denied negates e if not is set.
func denied(e evaluator, not bool) evaluator {
	if not {
		return negate{e}
	}
	return e
}

// canonical rewrites the literals of = and IN as the parameter's values are spelt.
func (c *compiler) canonical(p *Param, n *predicate) {
	if p.Canonical == nil || n.op.pattern() {
		return
	}
	for i := range n.values {
		text, warning := p.Canonical(n.values[i].text)
		n.values[i].text = text
		if warning != "" {
			c.warn = append(c.warn, warning)
		}
	}
}

// notFalse is a condition that only a known false breaks.
type notFalse struct{ p *Param }

func (t notFalse) eval(s any, _ *Env) Truth {
	v, known := t.p.Bool(s)
	return truth(v || !known)
}
