package spool

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"slices"
	"sync"
)

// partBytes is about how large a part is: with its index it then fits into a
// core's cache while it is sorted.
const partBytes = 768 << 10

// Sorted is what was spooled, each key once, in parts of ascending key ranges.
// Safe for concurrent use.
type Sorted struct {
	spool  *Spool
	bounds [][]byte // of the parts but the first: the least key
	parts  []sortedPart
	runs   []string
	items  int
}

type sortedPart struct {
	once sync.Once
	part
}

// Seal ends writing.
func (s *Spool) Seal(ctx context.Context) (*Sorted, error) {
	s.mu.Lock()
	writers := s.writers
	s.writers = nil
	spilled := len(s.runs) > 0
	s.mu.Unlock()
	out := &Sorted{spool: s}
	for _, w := range writers {
		out.items += w.n
		if spilled {
			if err := w.spill(); err != nil {
				return nil, err
			}
		}
	}
	if spilled {
		out.runs = s.runs
		return out, nil
	}
	return out, out.gather(ctx, writers)
}

// gather joins the writers' parts, distributing anew where they are too large.
func (s *Sorted) gather(ctx context.Context, writers []*Writer) error {
	sets := make([][]part, len(writers))
	var used, largest int64
	for i, w := range writers {
		sets[i] = w.parts
	}
	for p := range s.spool.router.bounds {
		var n int64
		for i := range sets {
			u, _ := sets[i][p].bytes()
			n += u
		}
		used, largest = used+n, max(largest, n)
	}
	for i := range sets { // the last part, which has no bound above it
		u, _ := sets[i][len(sets[i])-1].bytes()
		used, largest = used+u, max(largest, u)
	}
	s.bounds = s.spool.router.bounds
	if largest > 4*partBytes {
		s.bounds = choose(sets, int(used/partBytes))
		if err := s.distribute(ctx, sets); err != nil {
			return err
		}
	}
	s.parts = make([]sortedPart, len(s.bounds)+1)
	for p := range s.parts {
		for i := range sets {
			s.parts[p].chunks = append(s.parts[p].chunks, sets[i][p].chunks...)
		}
		if n := len(s.parts[p].chunks); n >= maxChunks {
			return fmt.Errorf("a part of the spool holds %d chunks, at most %d", n, maxChunks)
		}
	}
	return nil
}

// distribute moves every item to its part under the new bounds; chunks that were
// emptied are filled again.
func (s *Sorted) distribute(ctx context.Context, sets [][]part) error {
	r := newRouter(s.bounds)
	parallel(len(sets), func(w int) {
		next := make([]part, len(s.bounds)+1)
		var spare [][]byte
		for _, p := range sets[w] {
			for _, c := range p.chunks {
				if ctx.Err() != nil {
					return
				}
				for rest := c; len(rest) > 0; {
					key, value, n := item(rest)
					rest = rest[n:]
					to := &next[r.part(key)]
					if to.room() < n {
						to.chunks, spare = extend(to.chunks, spare, n)
					}
					to.add(key, value)
				}
				if cap(c) == chunkSize { // a larger one has places no entry can name
					spare = append(spare, c[:0])
				}
			}
		}
		sets[w] = next
	})
	return ctx.Err()
}

// extend adds an empty chunk with room for n bytes, a spare one if it will do.
func extend(chunks, spare [][]byte, n int) (more, left [][]byte) {
	if k := len(spare); k > 0 && cap(spare[k-1]) >= n {
		return append(chunks, spare[k-1]), spare[:k-1]
	}
	return append(chunks, make([]byte, 0, max(chunkSize, n))), spare
}

// Bounds returns the bounds between the parts, for the next spool of like keys.
func (s *Sorted) Bounds() [][]byte { return s.bounds }

// Items returns how many items were added, duplicates included.
func (s *Sorted) Items() int { return s.items }

// Parts returns the number of parts, at least one.
func (s *Sorted) Parts() int { return max(1, len(s.parts)) }

// Range returns the key range [from, to) of a part; nil ends are open. Every key
// there is belongs to exactly one part's range.
func (s *Sorted) Range(part int) (from, to []byte) {
	if part > 0 {
		from = s.bounds[part-1]
	}
	if part < len(s.bounds) && s.runs == nil {
		to = s.bounds[part]
	}
	return from, to
}

// Close gives back memory and disk.
func (s *Sorted) Close() error { return s.spool.Close() }

// Close drops what was spooled.
func (s *Spool) Close() error {
	s.mu.Lock()
	runs, taken := s.runs, s.taken
	s.runs, s.taken, s.writers = nil, 0, nil
	s.mu.Unlock()
	s.budget.left.Add(taken)
	for _, r := range runs {
		if err := os.Remove(r); err != nil {
			return fmt.Errorf("remove sorted run: %w", err)
		}
	}
	return nil
}

// choose returns bounds so that about parts parts are of like size, from a sample.
func choose(sets [][]part, parts int) [][]byte {
	const perPart, itemBytes = 16, 32
	chunks := 0
	for _, set := range sets {
		for _, p := range set {
			chunks += len(p.chunks)
		}
	}
	step := max(1, chunks*chunkSize/itemBytes/max(1, parts*perPart))
	var sample [][]byte
	i := 0
	for _, set := range sets {
		for _, p := range set {
			p.each(func(key, _ []byte) {
				if i++; i%step == 0 {
					sample = append(sample, key)
				}
			})
		}
	}
	slices.SortFunc(sample, bytes.Compare)
	var bounds [][]byte
	for p := 1; p < parts && len(sample) > 0; p++ {
		b := sample[p*len(sample)/parts]
		if len(bounds) == 0 || bytes.Compare(bounds[len(bounds)-1], b) < 0 {
			bounds = append(bounds, bytes.Clone(b))
		}
	}
	return bounds
}

func sharedPrefix(a, b []byte) int {
	n := 0
	for n < len(a) && n < len(b) && a[n] == b[n] {
		n++
	}
	return n
}

// wordAt returns the 8 bytes of key from depth on, padded with zeros.
func wordAt(key []byte, depth int) uint64 {
	if depth+8 <= len(key) {
		b := key[depth : depth+8]
		return uint64(b[7]) | uint64(b[6])<<8 | uint64(b[5])<<16 | uint64(b[4])<<24 |
			uint64(b[3])<<32 | uint64(b[2])<<40 | uint64(b[1])<<48 | uint64(b[0])<<56
	}
	var w uint64
	for i := range 8 {
		w <<= 8
		if depth+i < len(key) {
			w |= uint64(key[depth+i])
		}
	}
	return w
}

func parallel(workers int, fn func(worker int)) {
	var wg sync.WaitGroup
	for w := range workers {
		wg.Go(func() { fn(w) })
	}
	wg.Wait()
}
