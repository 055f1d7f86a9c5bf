package engine

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/remeld/remeld/indicator"
	"github.com/remeld/remeld/indicator/cover"
	"github.com/remeld/remeld/internal/engine/row"
	"github.com/remeld/remeld/internal/ipset"
	"github.com/remeld/remeld/internal/store"
)

// allowSet is what one allow edge holds, as of the reader's cursor in its log.
type allowSet struct {
	covers cover.Set
	exact  map[indicator.Indicator]bool // entries that match themselves only
	has    map[string]bool              // by key; true: exact
	spans  *ipset.Claims                // its addresses, once they were asked for
}

func newAllowSet() *allowSet {
	return &allowSet{exact: map[indicator.Indicator]bool{}, has: map[string]bool{}}
}

// put makes the set hold an entry.
func (a *allowSet) put(key string, i indicator.Indicator, exact bool) {
	if was, ok := a.has[key]; ok {
		if was == exact {
			return
		}
		a.drop(key, i)
	}
	a.has[key] = exact
	if exact {
		a.exact[i] = true
	} else {
		a.covers.Add(i, "")
	}
	a.span(i)
}

func (a *allowSet) drop(key string, i indicator.Indicator) {
	exact, ok := a.has[key]
	if !ok {
		return
	}
	delete(a.has, key)
	if exact {
		delete(a.exact, i)
	} else {
		a.covers.Remove(i, "")
	}
}

func (a *allowSet) covering(i indicator.Indicator) (indicator.Indicator, bool) {
	if a.exact[i] {
		return i, true
	}
	e, ok := a.covers.Covering(i)
	return e.Indicator, ok
}

// allowed returns the allow edge and the entry that keep i from being emitted.
func (n *node) allowed(i indicator.Indicator) (edge string, entry indicator.Indicator, ok bool) {
	for _, name := range n.spec.Allow {
		if set := n.allow[name]; set != nil {
			if e, ok := set.covering(i); ok {
				return name, e, true
			}
		}
	}
	return "", indicator.Indicator{}, false
}

// allowReady tells whether every allow edge had one complete poll; until then the
// node emits nothing (SEMANTICS E10).
func (n *node) allowReady(ctx context.Context, set *nodeSet) (bool, error) {
	st := n.st.Load()
	next := st.clone()
	for _, name := range n.spec.Allow {
		if st.Step.AllowReady[name] {
			continue
		}
		ok, err := n.eng.loaded(ctx, set, name)
		if err != nil || !ok {
			return false, err
		}
		next.Step.AllowReady[name] = true
	}
	if len(next.Step.AllowReady) == len(st.Step.AllowReady) {
		return true, nil
	}
	return true, n.commit(ctx, &store.Commit{}, next)
}

// loaded tells whether all sources of a node had a complete poll and what is
// between is through.
func (e *Engine) loaded(ctx context.Context, set *nodeSet, name string) (bool, error) {
	v, err := e.Store.View()
	if err != nil {
		return false, err
	}
	defer v.Close()
	for _, above := range append(set.graph.Ancestors(name), name) {
		n := set.nodes[above]
		if n.isSource() {
			if n.st.Load().Poll.Accepted == 0 {
				return false, nil
			}
			continue
		}
		if lag, err := n.lag(ctx, v, set); err != nil || lag != 0 {
			return false, err
		}
	}
	return true, nil
}

// prepare builds what a reader keeps in memory, from the snapshot.
func (n *node) prepare(ctx context.Context, v store.View, set *nodeSet) error {
	if n.allow == nil {
		sets := map[string]*allowSet{}
		for _, name := range n.spec.Allow {
			a, err := readAllow(ctx, v, set.nodes[name])
			if err != nil {
				return err
			}
			sets[name] = a
		}
		n.allow = sets
	}
	return nil
}

func readAllow(ctx context.Context, v store.View, from *node) (*allowSet, error) {
	a := newAllowSet()
	var r row.Row
	var rec indicator.Record
	err := v.Scan(ctx, from.out(), store.Range{}, func(key, value []byte) error {
		if err := r.Decode(value); err != nil || !r.Emitted() {
			return err
		}
		if err := from.record(&rec, key, &r); err != nil {
			return err
		}
		a.put(string(key), rec.Indicator, exactOnly(&rec.Attrs))
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read allow-list %s: %w", from.name(), err)
	}
	return a, nil
}

// exactOnly: entries of string warninglists match themselves and cover nothing.
func exactOnly(a *indicator.Attributes) bool {
	s, _ := a.Extra["match"].(string)
	return s == "string"
}

// manyEntries is from how many changed allow entries on everything is merged
// again rather than what each covers.
const manyEntries = 2000

// allowChange is an entry that came or went.
type allowChange struct {
	key  []byte
	i    indicator.Indicator
	gone bool
}

// tailAllow follows the logs of the allow edges: exactly what a changed entry
// covers is computed again (SEMANTICS E9, E10).
func (s *stepping) tailAllow(ctx context.Context) (moved bool, err error) {
	for _, name := range s.node.spec.Allow {
		from := s.set.nodes[name]
		last, first, err := s.view.Head(ctx, from.logName())
		if err != nil {
			return false, fmt.Errorf("read the log of node %s: %w", name, err)
		}
		at, known := s.st.Step.Cursors[name]
		if known && at == last {
			continue
		}
		if !known || at > last || at+1 < first {
			return true, s.reloadAllow(ctx, name, last, known)
		}
		return true, s.followAllow(ctx, from, at)
	}
	return false, nil
}

// reloadAllow begins anew with an allow-list whose log does not tell what went.
func (s *stepping) reloadAllow(ctx context.Context, name string, head uint64, known bool) error {
	s.node.allow = nil
	s.node.ranger = nil
	lifted := ""
	if known {
		s.lift(name)
		lifted = name
	}
	s.restart("allow-list "+name+" read anew", lifted)
	s.st.Step.Cursors[name] = head
	return s.commitState(ctx)
}

func (s *stepping) followAllow(ctx context.Context, from *node, at uint64) error {
	changes, head, err := s.allowChanges(ctx, from, at)
	if errors.Is(err, store.ErrTrimmed) {
		last, _, herr := s.view.Head(ctx, from.logName())
		if herr != nil {
			return herr
		}
		return s.reloadAllow(ctx, from.name(), last, true)
	}
	if err != nil {
		return fmt.Errorf("read the changes of allow-list %s: %w", from.name(), err)
	}
	gone := newAllowSet()
	for _, c := range changes {
		if c.gone {
			gone.put(string(c.key), c.i, false)
		}
	}
	s.gone = map[string]*allowSet{from.name(): gone}
	if len(gone.has) > 0 {
		s.lift(from.name())
	}
	if s.node.ranger != nil {
		return s.allowRanges(ctx, from.name(), changes, head)
	}
	if len(changes) > manyEntries {
		lifted := ""
		if len(gone.has) > 0 {
			lifted = from.name()
		}
		s.restart("allow-list "+from.name()+" changed", lifted)
		s.st.Step.Cursors[from.name()] = head
		return s.commitState(ctx)
	}
	for _, c := range changes {
		if err := s.recover(ctx, c.i); err != nil {
			return err
		}
	}
	s.st.Step.Cursors[from.name()] = head
	return s.commitState(ctx)
}

// allowChanges reads a batch of the log and brings the set in memory up to it.
func (s *stepping) allowChanges(ctx context.Context, from *node, at uint64) (changes []allowChange, head uint64, err error) {
	var keys [][]byte
	head = at
	err = s.view.Changes(ctx, from.logName(), at, s.node.eng.Chunk, func(seq uint64, key []byte) error {
		keys = append(keys, bytes.Clone(key))
		head = seq
		return nil
	})
	if err != nil {
		return nil, 0, err
	}
	slices.SortFunc(keys, bytes.Compare)
	keys = slices.CompactFunc(keys, bytes.Equal)
	set := s.node.allow[from.name()]
	err = s.view.GetMany(ctx, from.out(), keys, func(i int, value []byte) error {
		var r row.Row
		var rec indicator.Record
		if value != nil {
			if err := r.Decode(value); err != nil {
				return err
			}
		}
		listed := value != nil && r.Emitted()
		if err := from.record(&rec, keys[i], &r); err != nil {
			return err
		}
		if listed {
			set.put(string(keys[i]), rec.Indicator, exactOnly(&rec.Attrs))
		} else {
			set.drop(string(keys[i]), rec.Indicator)
		}
		changes = append(changes, allowChange{keys[i], rec.Indicator, !listed})
		return nil
	})
	return changes, head, err
}

// recover computes again what an allow entry covers, chunk by chunk. The cursor
// moves when all is done; done twice, it finds no differences.
func (s *stepping) recover(ctx context.Context, entry indicator.Indicator) error {
	for _, kr := range entry.Covered() {
		r := store.Range{From: kr.From, To: kr.To}
		for done := false; !done; {
			b, end, err := s.outerMerge(ctx, r)
			if err != nil {
				return err
			}
			done = end
			if len(b.keys) == 0 {
				continue
			}
			r.From = after(b.keys[len(b.keys)-1]).From
			o, err := s.reduceAll(b)
			if err != nil {
				return err
			}
			if len(o.keys) == 0 {
				continue
			}
			if err := s.commitRows(ctx, o); err != nil {
				return err
			}
			s.st = s.node.st.Load().clone()
		}
	}
	return nil
}

// lift remembers that rows may carry the edge's mark.
func (s *stepping) lift(edge string) {
	if !slices.Contains(s.st.Step.Lifting, edge) {
		s.st.Step.Lifting = append(slices.Clip(s.st.Step.Lifting), edge)
	}
}

// liftedFrom returns the allow edge whose shrinking uncovered i, "" if none did.
func (s *stepping) liftedFrom(i indicator.Indicator) string {
	if rb := s.st.Step.Rebuild; rb != nil && rb.Lifted != "" {
		return rb.Lifted
	}
	for edge, gone := range s.gone {
		if _, ok := gone.covering(i); ok || s.node.ranger != nil && gone.overlaps(i) {
			return edge
		}
	}
	return ""
}

// overlaps tells whether any address of i lies in the set: a piece that grew over
// what was lifted is marked as a whole.
func (a *allowSet) overlaps(i indicator.Indicator) bool {
	from, to, ok := i.Addrs()
	if !ok {
		return false
	}
	if a.spans == nil {
		a.spans = ipset.NewClaims()
		for key := range a.has {
			if e, err := indicator.FromKey([]byte(key)); err == nil {
				a.span(e)
			}
		}
	}
	found := false
	a.spans.Walk(from, func(p ipset.Piece) bool {
		found = p.From.Compare(to) <= 0 && p.From.Is4() == to.Is4()
		return false
	})
	return found
}

func (a *allowSet) span(i indicator.Indicator) {
	if from, to, ok := i.Addrs(); ok && a.spans != nil {
		// Ends of one family in order are the only thing that could be wrong.
		_, _ = a.spans.Apply(ipset.Change{Op: ipset.Insert, Claim: ipset.Claim{From: from, To: to}})
	}
}

// ApproveLifted takes the mark off everything that became visible because the
// allow-list called allow shrank, and returns how many rows that were.
func (e *Engine) ApproveLifted(ctx context.Context, allow string) (int, error) {
	total := 0
	for _, n := range e.set.Load().nodes {
		if n.isSource() || !slices.Contains(n.st.Load().Step.Lifting, allow) {
			continue
		}
		count, err := n.approveLifted(ctx, allow)
		total += count
		if err != nil {
			return total, fmt.Errorf("approve what allow-list %s uncovered in node %s: %w", allow, n.name(), err)
		}
	}
	return total, nil
}

func (n *node) approveLifted(ctx context.Context, allow string) (int, error) {
	n.work.Lock()
	defer n.work.Unlock()
	v, err := n.eng.Store.View()
	if err != nil {
		return 0, err
	}
	defer v.Close()
	st, c, total := n.st.Load().clone(), &store.Commit{}, 0
	now := n.eng.now().UnixMilli()
	var keys [][]byte
	flush := func(st *state) error {
		if len(keys) > 0 {
			c.Appends = []store.Append{{Log: n.logName(), Keys: keys}}
		}
		total += len(keys)
		err := n.commit(ctx, c, st)
		c, keys = &store.Commit{}, nil
		return err
	}
	var r row.Row
	var a indicator.Attributes
	err = v.Scan(ctx, n.out(), store.Range{}, func(key, value []byte) error {
		if err := r.Decode(value); err != nil {
			return err
		}
		if err := n.dict.Attrs(&a, r.Attrs, 0, 0); err != nil || a.Extra[liftedBy] != any(allow) {
			return err
		}
		clean := a.Clone()
		delete(clean.Extra, liftedBy)
		r.Attrs = n.dict.Intern(clean.AppendBinary(nil))
		r.Changed = now
		key = bytes.Clone(key)
		keys = append(keys, key)
		c.Writes = append(c.Writes, store.Write{Space: n.out(), Key: key, Value: r.Append(nil)})
		if len(keys) < n.eng.Chunk {
			return nil
		}
		return flush(st.clone())
	})
	if err != nil {
		return total, err
	}
	st.Step.Lifting = slices.DeleteFunc(slices.Clone(st.Step.Lifting), func(s string) bool { return s == allow })
	err = flush(st)
	return total, err
}
