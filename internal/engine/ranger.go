package engine

import (
	"context"
	"errors"
	"fmt"
	"net/netip"

	"github.com/remeld/remeld/indicator"
	"github.com/remeld/remeld/internal/condition"
	"github.com/remeld/remeld/internal/engine/row"
	"github.com/remeld/remeld/internal/ipset"
	"github.com/remeld/remeld/internal/store"
	"github.com/remeld/remeld/sdk"
)

// rangeState is what a node over address space keeps in memory: who claims which
// addresses (SEMANTICS E13). It is built from the inputs' tables when the node
// starts, and the table is then brought in line by one merge; so it is never
// stored and cannot be out of step.
type rangeState struct {
	claims *ipset.Claims
	ids    map[string]uint32
	list   []claimant
	free   []uint32
	// bound: a claim was left out because of MaxPieces; freed: others went since.
	bound, freed bool
}

// claimant is one row of an input, or one entry of an allow edge.
type claimant struct {
	edge  int // index of the input, or below 0 of the allow edge
	claim ipset.Claim
	said  row.Said
}

func newRangeState() *rangeState {
	return &rangeState{claims: ipset.NewClaims(), ids: map[string]uint32{}}
}

// ranged tells whether a node cuts address space into pieces.
func ranged(p sdk.Processor) bool {
	_, ok := p.(sdk.Ranger)
	return ok
}

func claimID(edge int, key []byte) string {
	return string(append([]byte{byte(edge >> 8), byte(edge)}, key...))
}

// add gives a claimant its number.
func (r *rangeState) add(id string, c claimant) uint32 {
	var n uint32
	if k := len(r.free); k > 0 {
		n, r.free = r.free[k-1], r.free[:k-1]
	} else {
		n = uint32(len(r.list))
		r.list = append(r.list, claimant{})
	}
	c.claim.ID = n
	r.list[n], r.ids[id] = c, n
	return n
}

func (r *rangeState) remove(id string) {
	n := r.ids[id]
	delete(r.ids, id)
	r.list[n] = claimant{}
	r.free = append(r.free, n)
}

// addressKinds are the key ranges that hold all addresses.
var addressKinds = store.Range{From: []byte{byte(indicator.IPv4)}, To: []byte{byte(indicator.IPv6) + 1}}

// loadRanges reads all claims and asks for the merge that brings the table in line.
func (s *stepping) loadRanges(ctx context.Context) error {
	r := newRangeState()
	s.st.Step.Rebuild = &rebuild{Why: "address space read anew", Heads: map[string]uint64{}, Lifted: s.lifting()}
	edges := s.inputs()
	for _, name := range s.node.spec.Allow {
		edges = append(edges, s.set.nodes[name])
	}
	for k, from := range edges {
		edge := s.edge(k)
		head, _, err := s.view.Head(ctx, from.logName())
		if err != nil {
			return fmt.Errorf("read the log of node %s: %w", from.name(), err)
		}
		if edge >= 0 {
			s.st.Step.Rebuild.Heads[from.name()] = head
		} else {
			if err := s.noteShrunk(ctx, from, head); err != nil {
				return err
			}
			s.st.Step.Cursors[from.name()] = head
		}
		err = s.view.Scan(ctx, from.out(), addressKinds, func(key, value []byte) error {
			c, ok, err := s.claimant(from, edge, key, value)
			if ok {
				r.add(claimID(edge, key), c)
			}
			return err
		})
		if err != nil {
			return fmt.Errorf("read the addresses of node %s: %w", from.name(), err)
		}
	}
	s.node.ranger = r
	return s.loadClaims(ctx)
}

// noteShrunk marks what the pending merge makes visible if an allow-list lost
// entries that this reader did not see go (SEMANTICS E10).
func (s *stepping) noteShrunk(ctx context.Context, from *node, head uint64) error {
	at, known := s.st.Step.Cursors[from.name()]
	if !known || at == head {
		return nil
	}
	shrank, err := s.shrank(ctx, from, at)
	if err == nil && shrank {
		s.lift(from.name())
		s.st.Step.Rebuild.Lifted = from.name()
	}
	return err
}

// shrank tells whether an entry that changed after a place in the log is gone; what
// the log does not tell any more counts as gone.
func (s *stepping) shrank(ctx context.Context, from *node, at uint64) (bool, error) {
	keys := map[string]bool{}
	err := s.view.Changes(ctx, from.logName(), at, manyEntries+1, func(_ uint64, key []byte) error {
		keys[string(key)] = true
		return nil
	})
	if errors.Is(err, store.ErrTrimmed) || len(keys) > manyEntries || err == nil && len(keys) == 0 {
		return true, nil
	}
	if err != nil {
		return false, fmt.Errorf("read the changes of allow-list %s: %w", from.name(), err)
	}
	var r row.Row
	for key := range keys {
		value, err := s.view.Get(ctx, from.out(), []byte(key))
		if err != nil || value == nil {
			return true, err
		}
		if err := r.Decode(value); err != nil || !r.Emitted() {
			return true, err
		}
	}
	return false, nil
}

// lifting is the mark a pending merge carries.
func (s *stepping) lifting() string {
	if rb := s.st.Step.Rebuild; rb != nil {
		return rb.Lifted
	}
	return ""
}

// edge is the number of the k-th edge, inputs first: allow edges count down.
func (s *stepping) edge(k int) int {
	if n := len(s.node.spec.Inputs); k >= n {
		return n - k - 1
	}
	return k
}

// loadClaims fills the claims at once, or one by one up to the bound.
func (s *stepping) loadClaims(ctx context.Context) error {
	r := s.node.ranger
	all := make([]ipset.Claim, 0, len(r.list))
	for i := range r.list {
		all = append(all, r.list[i].claim)
	}
	if err := r.claims.Load(all); err != nil {
		return fmt.Errorf("claims of node %s: %w", s.node.name(), err)
	}
	most := s.node.proc.(sdk.Ranger).MaxPieces()
	if most <= 0 || r.claims.Pieces() <= most {
		return s.node.clear(ctx, "pieces_bound")
	}
	r.claims = ipset.NewClaims()
	for _, allow := range []bool{true, false} {
		for _, c := range all {
			if c.Allow != allow {
				continue
			}
			if _, err := s.insert(ctx, c); err != nil {
				return err
			}
		}
	}
	return nil
}

// insert applies a claim unless it would cut more pieces than the node may have.
func (s *stepping) insert(ctx context.Context, c ipset.Claim) (bool, error) {
	r := s.node.ranger
	ok, err := s.fits(ctx, c)
	if err != nil || !ok {
		return false, err
	}
	return r.claims.Apply(ipset.Change{Op: ipset.Insert, Claim: c})
}

// fits tells whether the claim keeps within the bound; allow claims always do, for
// leaving one out would send what must not be sent.
func (s *stepping) fits(ctx context.Context, c ipset.Claim) (bool, error) {
	r, most := s.node.ranger, s.node.proc.(sdk.Ranger).MaxPieces()
	if most <= 0 || c.Allow {
		return true, nil
	}
	more, err := r.claims.Delta(ipset.Change{Op: ipset.Insert, Claim: c})
	if err != nil || r.claims.Pieces()+more <= most {
		return err == nil, err
	}
	r.bound = true
	return false, s.node.eng.Conditions.Raise(ctx, condition.Condition{
		Node: s.node.name(), Kind: "pieces_bound",
		Message: fmt.Sprintf("the inputs cut address space into more than %d pieces: some ranges are left out", most),
		Help:    "raise max_pieces of the node, or give it inputs that overlap less",
	})
}

// claimant reads a row as a claim; ok is false for what claims nothing.
func (s *stepping) claimant(from *node, edge int, key, value []byte) (c claimant, ok bool, err error) {
	if k := indicator.KeyKind(key); value == nil || k != indicator.IPv4 && k != indicator.IPv6 {
		return c, false, nil
	}
	var r row.Row
	if err := r.Decode(value); err != nil {
		return c, false, fmt.Errorf("row of node %s: %w", from.name(), err)
	}
	i, err := indicator.FromKey(key)
	if err != nil || !r.Emitted() {
		return c, false, err
	}
	first, last, single := i.Addrs()
	if !single {
		return c, false, nil
	}
	if edge < 0 {
		var a indicator.Attributes
		if err := from.dict.Attrs(&a, r.Attrs, 0, 0); err != nil {
			return c, false, err
		}
		if exactOnly(&a) && first != last {
			return c, false, nil
		}
	}
	c = claimant{edge: edge, claim: ipset.Claim{From: first, To: last, Allow: edge < 0}}
	if edge >= 0 {
		c.said = row.Said{First: r.First, Last: r.Last, Attrs: r.Attrs}
		c.said.Attrs.Blob = append([]byte(nil), r.Attrs.Blob...)
	}
	return c, true, nil
}

// pieceRow computes what the node says of a piece.
func (s *stepping) piece(p *ipset.Piece, old *row.Row) (key []byte, m *mind, err error) {
	i := indicator.FromAddrs(p.From, p.To)
	key = i.AppendKey(nil)
	if p.Gone {
		return key, &mind{}, nil
	}
	var in []sdk.Contribution
	inputs := s.inputs()
	for _, id := range p.IDs {
		c := &s.node.ranger.list[id]
		from := inputs[c.edge]
		a := new(indicator.Attributes)
		if err := from.dict.Attrs(a, c.said.Attrs, c.said.First, c.said.Last); err != nil {
			return nil, nil, fmt.Errorf("row of node %s: %w", from.name(), err)
		}
		in = append(in, sdk.Contribution{Input: from.name(), Order: c.edge, Attrs: a})
	}
	m, err = s.judgeMerged(i, sortByOrder(in), old)
	return key, m, err
}

// rebuildRanges goes on with the merge of all pieces and the own table.
func (s *stepping) rebuildRanges(ctx context.Context) error {
	rb := s.st.Step.Rebuild
	from := netip.Addr{}
	if rb.Key != nil {
		i, err := indicator.FromKey(rb.Key)
		if err != nil {
			return err
		}
		_, last, _ := i.Addrs()
		if from = last.Next(); !from.IsValid() && last.Is4() {
			from = netip.IPv6Unspecified()
		}
	}
	pieces, done := s.walkPieces(from, rb.Key)
	o, err := s.mergePieces(ctx, pieces, rb.Key, done)
	if err != nil {
		return err
	}
	if done {
		s.endRebuild()
	} else {
		last := pieces[len(pieces)-1]
		rb.Key = indicator.FromAddrs(last.From, last.To).AppendKey(nil)
	}
	return s.commitRows(ctx, o)
}
