// Package rank orders the records that want a slot when there are more of them
// than slots, and keeps the best in bounded memory.
//
// The order is total and depends on nothing that moves by itself: quantised
// severity, confidence and number of sources, the kind, then the value
// (SEMANTICS D9). Use Of for a record's rank and Best to keep the highest.
package rank

import (
	"cmp"
	"container/heap"
	"fmt"
	"slices"

	"github.com/remeld/remeld/indicator"
)

// Rank is comparable with >: higher is better. Its parts, from the highest bit:
// hand-made, tenured, level, sources, kind.
type Rank uint64

const (
	handBit   = 40
	tenureBit = 39
	levelBit  = 16
	sourceBit = 8

	// band is the width of a step of confidence, bands the steps of one severity.
	band  = 10
	bands = 11
)

// Margin is the default lead, in levels, a challenger needs over an incumbent:
// two bands of confidence, so that a score at the edge of a band does not swap.
const Margin = 2

// Of is the rank of a record by its own merit. Unknown severity or confidence
// counts as 0.
func Of(rec *indicator.Record) Rank {
	a := &rec.Attrs
	sev, known := a.Severity.Get()
	if !known {
		sev = 0
	}
	conf, known := a.Confidence.Get()
	if !known {
		conf = 0
	}
	level := min(sev, 5)*bands + min(conf, 100)/band
	return Rank(level)<<levelBit | Rank(sources(len(a.Sources)))<<sourceBit | Rank(kind(rec.Kind))
}

// Incumbent is the rank of a record that has its slot already.
func (r Rank) Incumbent(margin int) Rank { return r + Rank(margin)<<levelBit }

// Tenured is the rank of an incumbent whose minimum tenure is not over.
func (r Rank) Tenured() Rank { return r | 1<<tenureBit }

// ByHand is the rank of an ad hoc block.
func (r Rank) ByHand() Rank { return r | 1<<handBit }

// Hand reports whether ByHand made the rank.
func (r Rank) Hand() bool { return r>>handBit&1 == 1 }

// String says what the rank is made of.
func (r Rank) String() string {
	if r.Hand() {
		return "ad hoc block"
	}
	level := int(r >> levelBit & 0xFFFF)
	s := fmt.Sprintf("severity %d, confidence %d0s, sources step %d", level/bands, level%bands, r>>sourceBit&0xFF)
	if r>>tenureBit&1 == 1 {
		s = "in minimum tenure; " + s
	}
	return s
}

// sources quantises: 1, 2, 3–4, 5–8, more.
func sources(n int) int {
	step := 0
	for limit := 1; n > limit && step < 4; limit *= 2 {
		step++
	}
	return step
}

// kind prefers what is precise: a hash names one file, a URL one page, a domain
// one owner; an address may be shared by many.
func kind(k indicator.Kind) int {
	switch k {
	case indicator.SHA256:
		return 9
	case indicator.SHA1, indicator.Certificate:
		return 8
	case indicator.MD5:
		return 7
	case indicator.URL:
		return 6
	case indicator.Domain:
		return 5
	case indicator.IPv4:
		return 4
	case indicator.IPv6:
		return 3
	}
	return 1
}

// Entry is a ranked record of one node.
type Entry struct {
	Rank Rank
	Node int // the node's place among the destinations
	Rec  *indicator.Record
}

// Compare orders entries from the best to the worst.
func Compare(a, b Entry) int {
	return cmp.Or(cmp.Compare(b.Rank, a.Rank), cmp.Compare(a.Rec.Kind, b.Rec.Kind),
		cmp.Compare(a.Rec.Value, b.Rec.Value), cmp.Compare(a.Node, b.Node))
}

// Best keeps the best N of what it is offered; N < 0 keeps all.
type Best struct {
	N     int
	heap  worstFirst
	Seen  int // all that were offered
	clone func(*indicator.Record) *indicator.Record
}

// NewBest returns a Best; clone copies a record that is kept.
func NewBest(n int, clone func(*indicator.Record) *indicator.Record) *Best {
	return &Best{N: n, clone: clone}
}

// Offer keeps e if it is among the best so far. e.Rec may be reused afterwards.
func (b *Best) Offer(e Entry) {
	b.Seen++
	switch {
	case b.N < 0:
		e.Rec = b.clone(e.Rec)
		b.heap = append(b.heap, e)
	case len(b.heap) < b.N:
		e.Rec = b.clone(e.Rec)
		heap.Push(&b.heap, e)
	case b.N > 0 && Compare(e, b.heap[0]) < 0:
		e.Rec = b.clone(e.Rec)
		b.heap[0] = e
		heap.Fix(&b.heap, 0)
	}
}

// Sorted returns what was kept, the best first. The Best is used up.
func (b *Best) Sorted() []Entry {
	out := []Entry(b.heap)
	slices.SortFunc(out, Compare)
	return out
}

type worstFirst []Entry

func (h worstFirst) Len() int           { return len(h) }
func (h worstFirst) Less(i, j int) bool { return Compare(h[i], h[j]) > 0 }
func (h worstFirst) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }

// Push implements heap.Interface.
func (h *worstFirst) Push(x any) { *h = append(*h, x.(Entry)) }

// Pop implements heap.Interface.
func (h *worstFirst) Pop() any {
	old := *h
	e := old[len(old)-1]
	*h = old[:len(old)-1]
	return e
}
