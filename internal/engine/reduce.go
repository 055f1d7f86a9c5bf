package engine

import (
	"context"
	"fmt"
	"slices"

	"github.com/remeld/remeld/indicator"
	"github.com/remeld/remeld/internal/engine/row"
	"github.com/remeld/remeld/internal/store"
	"github.com/remeld/remeld/sdk"
)

// liftedBy is the attribute that marks what an allow-list's shrinking uncovered.
const liftedBy = "allow_lifted"

// outcome is what a batch makes of the node's table.
type outcome struct {
	writes []store.Write
	keys   [][]byte // changed, to append to the log
	rows   int64    // by how many rows the table grows
}

// mind is why a reader does or does not have an indicator.
type mind struct {
	rec    indicator.Record
	emit   bool
	rule   string // what dropped it: keep, allow, processor
	reason string
	detail string
}

// reduceAll computes the rows of a batch and keeps the differences.
func (s *stepping) reduceAll(b *batch) (*outcome, error) {
	o := &outcome{}
	for i, key := range b.keys {
		var old *row.Row
		if v := b.tables[0][i]; v != nil {
			old = new(row.Row)
			if err := old.Decode(v); err != nil {
				return nil, fmt.Errorf("row of node %s: %w", s.node.name(), err)
			}
		}
		m, err := s.reduce(key, func(in int) []byte { return b.tables[in+1][i] }, old)
		if err != nil {
			return nil, err
		}
		s.differ(o, key, old, m)
	}
	return o, nil
}

// reduce computes what the node says of a key. at gives the row of an input.
func (s *stepping) reduce(key []byte, at func(input int) []byte, old *row.Row) (*mind, error) {
	in, err := s.contributions(at)
	if err != nil || len(in) == 0 {
		return &mind{rule: "input", reason: "not_listed", detail: "no input has it"}, err
	}
	i, err := indicator.FromKey(key)
	if err != nil {
		return nil, fmt.Errorf("key of node %s: %w", s.node.name(), err)
	}
	if allow, entry, ok := s.node.allowed(i); ok {
		m := &mind{rec: indicator.Record{Indicator: i}}
		m.rule, m.reason, m.detail = "allow", allow, entry.Value
		return m, nil
	}
	return s.judgeMerged(i, in, old)
}

// judgeMerged computes what the node says of what no allow-list covers.
func (s *stepping) judgeMerged(i indicator.Indicator, in []sdk.Contribution, old *row.Row) (*mind, error) {
	m := &mind{rec: indicator.Record{Indicator: i}}
	v := s.node.combine(i, in)
	if v.Drop {
		m.rule, m.reason, m.detail = "processor", v.Reason, v.Detail
		return m, nil
	}
	m.rec.Attrs = v.Attrs
	if s.node.enrich.edits() {
		m.rec.Attrs = v.Attrs.Clone()
	}
	s.node.enrich.apply(&m.rec)
	if s.node.keepsAtWrite() {
		if name, drop := s.node.enrich.drops(&m.rec); drop {
			m.rule, m.reason = "keep", name
			return m, nil
		}
	}
	m.emit = true
	return m, s.mark(m, old)
}

// combine is the processor's word, or the default merge.
func (n *node) combine(i indicator.Indicator, in []sdk.Contribution) sdk.Verdict {
	if n.proc != nil {
		return n.proc.Reduce(i, in)
	}
	cs := make([]indicator.Contribution, len(in))
	for k, c := range in {
		cs[k] = indicator.Contribution{Order: c.Order, Attrs: c.Attrs}
	}
	return sdk.Verdict{Attrs: indicator.Merge(nil, cs)}
}

// contributions reads what the inputs say.
func (s *stepping) contributions(at func(input int) []byte) ([]sdk.Contribution, error) {
	var in []sdk.Contribution
	var r row.Row
	for order, n := range s.inputs() {
		value := at(order)
		if value == nil {
			continue
		}
		if err := r.Decode(value); err != nil {
			return nil, fmt.Errorf("row of node %s: %w", n.name(), err)
		}
		if !r.Emitted() {
			continue
		}
		a := new(indicator.Attributes)
		if err := n.dict.Attrs(a, r.Attrs, r.First, r.Last); err != nil {
			return nil, fmt.Errorf("row of node %s: %w", n.name(), err)
		}
		in = append(in, sdk.Contribution{Input: n.name(), Order: order, Attrs: a})
	}
	return in, nil
}

// mark carries the mark of a lifted allow entry on, or sets it on what became
// visible because an entry went.
func (s *stepping) mark(m *mind, old *row.Row) error {
	var by string
	if old != nil {
		var was indicator.Attributes
		if err := s.node.dict.Attrs(&was, old.Attrs, 0, 0); err != nil {
			return err
		}
		by, _ = was.Extra[liftedBy].(string)
		if !slices.Contains(s.st.Step.Lifting, by) {
			return nil // an input's mark, which comes and goes with the input's row
		}
	} else {
		by = s.liftedFrom(m.rec.Indicator)
	}
	if by == "" {
		return nil
	}
	m.rec.Attrs = m.rec.Attrs.Clone()
	return m.rec.Attrs.Set(liftedBy, by)
}

// differ writes the row if it is another than before.
func (s *stepping) differ(o *outcome, key []byte, old *row.Row, m *mind) {
	n := s.node
	if !m.emit {
		if old != nil {
			o.writes = append(o.writes, store.Write{Space: n.out(), Key: key, Delete: true})
			o.keys = append(o.keys, key)
			o.rows--
		}
		return
	}
	first, last, blob := row.Split(&m.rec.Attrs, nil)
	ref := n.dict.Intern(blob)
	if old != nil && old.First == first && n.dict.Same(old.Attrs, ref) {
		return
	}
	r := row.Row{Changed: n.emits, First: first, Last: last, Attrs: ref}
	o.writes = append(o.writes, store.Write{Space: n.out(), Key: key, Value: r.Append(nil)})
	o.keys = append(o.keys, key)
	if old == nil {
		o.rows++
	}
}

// commitRows commits an outcome with the moved cursors.
func (s *stepping) commitRows(ctx context.Context, o *outcome) error {
	s.st.Rows += o.rows
	c := &store.Commit{Writes: o.writes}
	if len(o.keys) > 0 {
		c.Appends = []store.Append{{Log: s.node.logName(), Keys: o.keys}}
	}
	if err := s.node.trim(ctx, s.st, c); err != nil {
		return err
	}
	return s.node.commit(ctx, c, s.st)
}

func (s *stepping) commitState(ctx context.Context) error {
	return s.node.commit(ctx, &store.Commit{}, s.st)
}
