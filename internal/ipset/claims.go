package ipset

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
)

// Claim says that contributor ID speaks of the addresses From to To, inclusive
// and of one family. Allow claims take addresses out instead. A claim is
// identified by all its fields: the same contributor may claim many ranges.
type Claim struct {
	From, To netip.Addr
	ID       uint32
	Allow    bool
}

// Op is what a Change does with its claim.
type Op uint8

// The operations. Touch changes no claim: it stands for a contributor whose
// attributes changed.
const (
	Insert Op = iota
	Remove
	Touch
)

// Change is one claim inserted, removed or touched.
type Change struct {
	Op    Op
	Claim Claim
}

// Piece is an elementary piece of the space: no claim begins or ends inside it.
// It is live if at least one ordinary and no allow claim covers it; only live
// pieces are ever delivered. IDs are its ordinary contributors, ascending, each
// once, valid until the callback returns. Gone: the piece was live before the
// change and no piece with these bounds is live after it; IDs is then empty.
type Piece struct {
	From, To netip.Addr
	IDs      []uint32
	Gone     bool
}

// Claims keeps claims and derives the elementary pieces from them. Pieces are not
// stored, so memory is about 64 bytes a claim (85 at the fill of a bulk load)
// whatever the claims do to each other. With n claims, k of them over one address
// and m claims that begin or end inside a change's range:
//
//	Apply     O(m + k + sqrt-like insertion: 512 entries moved, n/512 chunks scanned)
//	Diff      the same, plus the length of the contributor lists delivered
//	Load      O(n log n)
//	Walk      O(n + contributor lists)
//
// Claims is not safe for concurrent use, nor may a callback change it.
type Claims struct {
	v4, v6 space
}

// NewClaims returns an empty Claims.
func NewClaims() *Claims { return &Claims{v4: space{family: famV4}, v6: space{family: famV6}} }

// ErrClaim is wrapped by the errors of claims that are no range of one family.
var ErrClaim = errors.New("not a range of one address family")

// change is a Change in numbers.
type change struct {
	op    Op
	claim start
}

// locate returns the space of c and its claim in numbers.
func (c *Claims) locate(cl Claim) (*space, start, error) {
	if !cl.From.IsValid() || !cl.To.IsValid() {
		return nil, start{}, fmt.Errorf("claim %v-%v: %w", cl.From, cl.To, ErrClaim)
	}
	from, v4 := number(cl.From)
	to, to4 := number(cl.To)
	if v4 != to4 || to.less(from) {
		return nil, start{}, fmt.Errorf("claim %v-%v: %w", cl.From, cl.To, ErrClaim)
	}
	s := start{from: from, to: to, id: cl.ID, allow: cl.Allow}
	if v4 {
		return &c.v4, s, nil
	}
	return &c.v6, s, nil
}

// Len returns the number of claims.
func (c *Claims) Len() int { return c.v4.starts.n + c.v6.starts.n }

// Pieces returns the number of live pieces.
func (c *Claims) Pieces() int { return c.v4.pieces + c.v6.pieces }

// Has says whether exactly this claim is kept.
func (c *Claims) Has(cl Claim) bool {
	s, n, err := c.locate(cl)
	return err == nil && s.has(n)
}

// Load replaces all claims. It is the bulk path: sort once instead of inserting.
// Claims given twice are kept once. An error leaves c empty.
func (c *Claims) Load(claims []Claim) error {
	*c = *NewClaims()
	var v4, v6 []start
	for _, cl := range claims {
		s, n, err := c.locate(cl)
		if err != nil {
			return err
		}
		if s == &c.v4 {
			v4 = append(v4, n)
		} else {
			v6 = append(v6, n)
		}
	}
	c.v4.load(v4)
	c.v6.load(v6)
	return nil
}

// Diff calls fn for every piece that ch changes, in address order of the groups
// they form, starting at from (the zero Addr: at the beginning), and changes
// nothing itself. Within a group new pieces come before those that are gone, so
// that no address is uncovered in between.
//
// When fn returns false, Diff delivers the rest of the group (at most four pieces
// in all) and returns where to go on: calling Diff again with that address
// delivers the rest. The zero Addr means that everything was delivered. Repeating
// a call is harmless: pieces are absolute statements, not steps.
//
// A change that is none (inserting a claim that is kept, removing one that is
// not) delivers nothing.
func (c *Claims) Diff(ch Change, from netip.Addr, fn func(Piece) bool) (netip.Addr, error) {
	s, n, err := c.locate(ch.Claim)
	if err != nil {
		return netip.Addr{}, err
	}
	if s.has(n) == (ch.Op == Insert) {
		return netip.Addr{}, nil
	}
	at := n.from
	if from.IsValid() {
		if f, _ := number(from); at.less(f) {
			at = f
		}
	}
	next, more := s.diff(change{ch.Op, n}, at, fn)
	if !more {
		return netip.Addr{}, nil
	}
	return s.addr(next), nil
}

// Delta returns by how many ch changes the number of live pieces.
func (c *Claims) Delta(ch Change) (int, error) {
	s, n, err := c.locate(ch.Claim)
	if err != nil || ch.Op == Touch || s.has(n) == (ch.Op == Insert) {
		return 0, err
	}
	return s.delta(change{ch.Op, n}), nil
}

// Apply makes ch so and says whether it changed anything; Touch never does.
func (c *Claims) Apply(ch Change) (bool, error) {
	s, n, err := c.locate(ch.Claim)
	if err != nil || ch.Op == Touch || s.has(n) == (ch.Op == Insert) {
		return false, err
	}
	s.pieces += s.delta(change{ch.Op, n})
	if ch.Op == Insert {
		s.insert(n)
	} else {
		s.remove(n)
	}
	return true, nil
}

// Do is Diff over everything followed by Apply, for callers that never stop.
func (c *Claims) Do(ch Change, fn func(Piece)) error {
	if _, err := c.Diff(ch, netip.Addr{}, func(p Piece) bool { fn(p); return true }); err != nil {
		return err
	}
	_, err := c.Apply(ch)
	return err
}

// Walk calls fn for every live piece in order, IPv4 before IPv6, beginning with
// the piece that holds from or the first after it (the zero Addr: the first),
// until fn returns false.
func (c *Claims) Walk(from netip.Addr, fn func(Piece) bool) {
	at4, at6, with4 := u128{}, u128{}, true
	if from.IsValid() {
		if n, v4 := number(from); v4 {
			at4 = n
		} else {
			at6, with4 = n, false
		}
	}
	if with4 && !c.v4.walk(at4, fn) {
		return
	}
	c.v6.walk(at6, fn)
}

// At returns the live piece that holds a. Its IDs are the caller's.
func (c *Claims) At(a netip.Addr) (p Piece, ok bool) {
	if !a.IsValid() {
		return Piece{}, false
	}
	n, v4 := number(a)
	s := &c.v6
	if v4 {
		s = &c.v4
	}
	s.walk(n, func(q Piece) bool {
		if !a.Less(q.From) {
			p, ok = q, true
			p.IDs = slices.Clone(q.IDs)
		}
		return false
	})
	return p, ok
}
