package ipset

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// A small space of 24 numbers that has both ends of its family in it.
const small = 24

// Number small/2-1 stands for everything between the two ends.
func smallTo(f family, i int) netip.Addr {
	if i == small/2-1 {
		return smallAddr(f, i+1).Prev()
	}
	return smallAddr(f, i)
}

func smallAddr(f family, i int) netip.Addr {
	if i < small/2 {
		return f.addr(u128{0, uint64(i)})
	}
	u := f.last
	for range small - 1 - i {
		u = u.prev()
	}
	return f.addr(u)
}

type naiveClaim struct {
	from, to int
	id       uint32
	allow    bool
}

func (c naiveClaim) claim(f family) Claim {
	return Claim{smallAddr(f, c.from), smallTo(f, c.to), c.id, c.allow}
}

// naivePieces is the model by its definition: cut at every claim's ends, keep what
// an ordinary and no allow claim covers.
func naivePieces(f family, claims map[naiveClaim]bool) map[string][]uint32 {
	cuts := map[int]bool{0: true, small: true}
	for c := range claims {
		cuts[c.from], cuts[c.to+1] = true, true
	}
	sorted := slices.Sorted(maps.Keys(cuts))
	out := map[string][]uint32{}
	for i := range len(sorted) - 1 {
		from, to := sorted[i], sorted[i+1]-1
		var ids []uint32
		dead := false
		for c := range claims {
			if c.from <= from && to <= c.to {
				if c.allow {
					dead = true
				} else {
					ids = append(ids, c.id)
				}
			}
		}
		if len(ids) > 0 && !dead {
			slices.Sort(ids)
			out[pieceKey(smallAddr(f, from), smallTo(f, to))] = slices.Compact(ids)
		}
	}
	return out
}

func pieceKey(from, to netip.Addr) string { return fmt.Sprintf("%v-%v", from, to) }

func drawClaim(t *rapid.T) naiveClaim {
	from := rapid.IntRange(0, small-1).Draw(t, "from")
	to := rapid.IntRange(from, small-1).Draw(t, "to")
	return naiveClaim{from, to, uint32(rapid.IntRange(1, 4).Draw(t, "id")), rapid.IntRange(0, 4).Draw(t, "allow") == 0}
}

func TestE13_ClaimsAgainstNaiveModel(t *testing.T) {
	for _, f := range []family{famV4, famV6} {
		t.Run(fmt.Sprint(f.bits), func(t *testing.T) {
			rapid.Check(t, func(t *rapid.T) { checkClaims(t, f) })
		})
	}
}

func checkClaims(t *rapid.T, f family) {
	c, model, table := NewClaims(), map[naiveClaim]bool{}, map[string][]uint32{}
	for range rapid.IntRange(1, 40).Draw(t, "steps") {
		n := drawClaim(t)
		op := Insert
		if model[n] || rapid.Bool().Draw(t, "other") {
			op = Remove
		}
		if op == Remove && len(model) > 0 && rapid.IntRange(0, 3).Draw(t, "existing") > 0 {
			keys := slices.SortedFunc(maps.Keys(model), func(a, b naiveClaim) int {
				return slices.Compare([]int{a.from, a.to, int(a.id), boolInt(a.allow)}, []int{b.from, b.to, int(b.id), boolInt(b.allow)})
			})
			n = rapid.SampledFrom(keys).Draw(t, "which")
		}
		step(t, f, c, table, Change{op, n.claim(f)})
		if op == Insert {
			model[n] = true
		} else {
			delete(model, n)
		}
		want := naivePieces(f, model)
		if d := cmp.Diff(want, table); d != "" {
			t.Fatalf("table after %v %v (-want +got):\n%s", op, n, d)
		}
		if c.Len() != len(model) || c.Pieces() != len(want) {
			t.Fatalf("Len %d Pieces %d, want %d %d", c.Len(), c.Pieces(), len(model), len(want))
		}
		checkWalk(t, c, want)
	}
}

func boolInt(b bool) int {
	if b {
		return 1
	}
	return 0
}

// step delivers ch to table, stopping and resuming at random places, and watches
// that an address live before and after is never without a piece.
func step(t *rapid.T, f family, c *Claims, table map[string][]uint32, ch Change) {
	delta, err := c.Delta(ch)
	if err != nil {
		t.Fatal(err)
	}
	before := len(table)
	always := stays(c, ch, table, f)
	var cursor netip.Addr
	for rounds := 0; ; rounds++ {
		next, err := c.Diff(ch, cursor, func(p Piece) bool {
			if k := pieceKey(p.From, p.To); p.Gone {
				delete(table, k)
			} else {
				table[k] = slices.Clone(p.IDs)
			}
			for _, i := range always {
				if !covered(table, smallAddr(f, i)) {
					t.Fatalf("%v lost its piece in the middle of %v", smallAddr(f, i), ch)
				}
			}
			return rapid.Bool().Draw(t, "go on")
		})
		if err != nil || rounds > 4*small {
			t.Fatalf("round %d: %v", rounds, err)
		}
		if !next.IsValid() {
			break
		}
		cursor = next
	}
	if _, err := c.Apply(ch); err != nil {
		t.Fatal(err)
	}
	if got := len(table) - before; got != delta {
		t.Fatalf("Delta said %d, was %d", delta, got)
	}
}

// stays returns the numbers that are live before and after ch.
func stays(c *Claims, ch Change, table map[string][]uint32, f family) (out []int) {
	after := NewClaims()
	var all []Claim
	for _, sp := range []*space{&c.v4, &c.v6} {
		for _, chunk := range sp.starts.chunks {
			for _, s := range chunk {
				if cl := (Claim{sp.addr(s.from), sp.addr(s.to), s.id, s.allow}); ch.Op != Remove || cl != ch.Claim {
					all = append(all, cl)
				}
			}
		}
	}
	if ch.Op == Insert {
		all = append(all, ch.Claim)
	}
	if err := after.Load(all); err != nil {
		panic(err)
	}
	for i := range small {
		if _, ok := after.At(smallAddr(f, i)); ok && covered(table, smallAddr(f, i)) {
			out = append(out, i)
		}
	}
	return out
}

func covered(table map[string][]uint32, a netip.Addr) bool {
	for k := range table {
		r, err := parseRange(k)
		if err != nil {
			panic(err)
		}
		if !a.Less(r[0]) && !r[1].Less(a) {
			return true
		}
	}
	return false
}

func parseRange(s string) (r [2]netip.Addr, err error) {
	var from, to string
	for i := range s {
		if s[i] == '-' {
			from, to = s[:i], s[i+1:]
		}
	}
	if r[0], err = netip.ParseAddr(from); err != nil {
		return r, err
	}
	r[1], err = netip.ParseAddr(to)
	return r, err
}

func checkWalk(t *rapid.T, c *Claims, want map[string][]uint32) {
	got := map[string][]uint32{}
	var last netip.Addr
	c.Walk(netip.Addr{}, func(p Piece) bool {
		if last.IsValid() && !last.Less(p.From) {
			t.Fatalf("walk out of order: %v after %v", p.From, last)
		}
		last = p.To
		got[pieceKey(p.From, p.To)] = slices.Clone(p.IDs)
		return true
	})
	if d := cmp.Diff(want, got); d != "" {
		t.Fatalf("walk (-want +got):\n%s", d)
	}
}

// TestE13_ManyChunks runs the same comparison over enough claims for chunks to be
// split, emptied and searched.
func TestE13_ManyChunks(t *testing.T) {
	c, all := NewClaims(), map[Claim]bool{}
	rnd := uint32(1)
	next := func(n uint32) uint32 { rnd = rnd*1664525 + 1013904223; return (rnd >> 8) % n }
	table := map[string][]uint32{}
	for i := range 6000 {
		from := next(1 << 16)
		cl := Claim{famV4.addr(u128{0, uint64(from)}), famV4.addr(u128{0, uint64(from + next(40))}), next(100), next(20) == 0}
		ch := Change{Insert, cl}
		if i > 3000 && next(2) == 0 {
			for cl = range all {
				break
			}
			ch = Change{Remove, cl}
		}
		if err := c.Do(ch, func(p Piece) {
			if p.Gone {
				delete(table, pieceKey(p.From, p.To))
			} else {
				table[pieceKey(p.From, p.To)] = slices.Clone(p.IDs)
			}
		}); err != nil {
			t.Fatal(err)
		}
		if ch.Op == Insert {
			all[cl] = true
		} else {
			delete(all, cl)
		}
	}
	fresh := NewClaims()
	if err := fresh.Load(slices.Collect(maps.Keys(all))); err != nil {
		t.Fatal(err)
	}
	got := map[string][]uint32{}
	fresh.Walk(netip.Addr{}, func(p Piece) bool { got[pieceKey(p.From, p.To)] = slices.Clone(p.IDs); return true })
	if d := cmp.Diff(got, table); d != "" {
		t.Fatalf("incremental differs from bulk (-bulk +incremental):\n%s", d)
	}
	if c.Pieces() != len(table) || fresh.Pieces() != len(table) {
		t.Fatalf("Pieces %d and %d, want %d", c.Pieces(), fresh.Pieces(), len(table))
	}
}

func TestClaimsRefuseNoRange(t *testing.T) {
	a, b := netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("2001:db8::1")
	for _, cl := range []Claim{{}, {From: a}, {From: a, To: b}, {From: b, To: netip.MustParseAddr("2001:db8::")}} {
		if _, err := NewClaims().Apply(Change{Insert, cl}); err == nil {
			t.Errorf("claim %v-%v was taken", cl.From, cl.To)
		}
	}
}

// TestOrderedSplitsAnywhere inserts at the places of a full chunk that matter.
func TestOrderedSplitsAnywhere(t *testing.T) {
	const half = chunkSize / 2
	for _, at := range []int{0, 1, half - 1, half, half + 1, half + 2, chunkSize - 1, chunkSize} {
		var o ordered[end]
		for i := range chunkSize {
			o.insert(end{to: u128{0, uint64(2 * i)}})
		}
		v := end{to: u128{0, uint64(2 * at)}, id: 1}
		if at > 0 {
			v.to = u128{0, uint64(2*at - 1)}
		}
		if _, split := o.insert(v); !split || len(o.chunks) != 2 || o.n != chunkSize+1 {
			t.Fatalf("at %d: split %v, %d chunks, %d entries", at, split, len(o.chunks), o.n)
		}
		all := slices.Concat(o.chunks...)
		if !slices.IsSortedFunc(all, end.compare) || !slices.Contains(all, v) {
			t.Fatalf("at %d: out of order", at)
		}
	}
}
