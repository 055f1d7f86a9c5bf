package threatconnect

import (
	"hash/maphash"
	"slices"
	"strings"
	"sync"
)

// textIndex finds rows of the seed by their text or one of their hashes. What the seed
// gives a row to be called never changes, so the index only grows; it is made when it
// is first asked. Safe for concurrent use.
type textIndex struct {
	mu    sync.Mutex
	seed  maphash.Seed
	count int              // rows it knows
	last  map[uint64]int32 // of a text the last place, plus 1
	at    []place
}

// place is a row that has a text, behind the row before it that has it.
type place struct{ row, before int32 }

// find returns the rows below count that may have one of the texts, ascending.
func (x *textIndex) find(g *generator, count int, texts []string) []int {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.last == nil {
		x.seed, x.last = maphash.MakeSeed(), make(map[uint64]int32, count)
	}
	for ; x.count < count; x.count++ {
		typ, text := g.text(g.value(x.count))
		x.add(text)
		if typ == "File" && strings.Contains(text, joint) {
			for hash := range strings.SplitSeq(text, joint) {
				x.add(hash)
			}
		}
	}
	var out []int
	for _, text := range texts {
		for at := x.last[x.hash(text)]; at > 0; at = x.at[at-1].before {
			if row := int(x.at[at-1].row); row < count {
				out = append(out, row)
			}
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

func (x *textIndex) add(text string) {
	h := x.hash(text)
	x.at = append(x.at, place{int32(x.count), x.last[h]}) //nolint:gosec // fewer rows than that
	x.last[h] = int32(len(x.at))                          //nolint:gosec // likewise
}

func (x *textIndex) hash(text string) uint64 {
	return maphash.String(x.seed, strings.ToLower(text))
}
