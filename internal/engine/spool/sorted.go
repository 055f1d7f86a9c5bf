package spool

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"slices"
	"sync"
)

// partItems is about how many items a part has: its index then fits into a core's
// cache while it is sorted.
const partItems = 1 << 15

// Sorted is what was spooled, each key once, in parts of ascending key ranges.
// Different parts may be read at the same time.
type Sorted struct {
	spool  *Spool
	chunks [][]byte
	bounds [][]byte // of the parts but the first: the least key
	index  []entry
	starts []int // of each part in index, and the end
	depth  []int // bytes that all keys of the part share
	ready  []bool
	runs   []string
	items  int
}

// entry is an item in the index: 8 bytes of its key behind the shared ones, and
// where it is.
type entry struct {
	word uint64
	ref  uint32
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
			if err := w.spillAll(); err != nil {
				return nil, err
			}
			continue
		}
		out.chunks = append(out.chunks, w.all()...)
	}
	if len(out.chunks) >= maxChunks {
		return nil, fmt.Errorf("spool holds %d chunks, at most %d", len(out.chunks), maxChunks)
	}
	if spilled {
		out.runs = s.runs
		return out, nil
	}
	return out, out.partition(ctx)
}

func (w *Writer) all() [][]byte {
	if len(w.cur) > 0 {
		w.chunks = append(w.chunks, w.cur)
	}
	w.cur = nil
	return w.chunks
}

// Items returns how many items were added, duplicates included.
func (s *Sorted) Items() int { return s.items }

// Parts returns the number of parts, at least one.
func (s *Sorted) Parts() int { return len(s.bounds) + 1 }

// Bounds returns the key range [from, to) of a part; nil ends are open. Every key
// there is belongs to exactly one part's range.
func (s *Sorted) Bounds(part int) (from, to []byte) {
	if part > 0 {
		from = s.bounds[part-1]
	}
	if part < len(s.bounds) {
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

// partition chooses the bounds from a sample and puts each item's entry into its
// part.
func (s *Sorted) partition(ctx context.Context) error {
	s.choose(max(1, s.items/partItems))
	router := newRouter(s.bounds)
	const workers = 2
	marks := make([][]uint16, len(s.chunks))
	counts := make([][]int, workers)
	parallel(workers, func(w int) {
		counts[w] = make([]int, s.Parts())
		for c := w; c < len(s.chunks); c += workers {
			if ctx.Err() != nil {
				return
			}
			marks[c] = router.mark(s.chunks[c], counts[w])
		}
	})
	if err := ctx.Err(); err != nil {
		return err
	}
	next := s.lay(counts)
	parallel(workers, func(w int) {
		for c := w; c < len(s.chunks); c += workers {
			s.fill(c, marks[c], next[w])
		}
	})
	return nil
}

// lay sizes the index and returns where each worker puts its entries of each part.
func (s *Sorted) lay(counts [][]int) [][]int {
	parts := s.Parts()
	s.starts = make([]int, parts+1)
	s.depth, s.ready = make([]int, parts), make([]bool, parts)
	next := make([][]int, len(counts))
	for w := range next {
		next[w] = make([]int, parts)
	}
	at := 0
	for p := range parts {
		s.starts[p] = at
		for w := range counts {
			next[w][p] = at
			at += counts[w][p]
		}
		from, to := s.Bounds(p)
		if from != nil && to != nil {
			s.depth[p] = sharedPrefix(from, to)
		}
	}
	s.starts[parts] = at
	s.index = make([]entry, at)
	return next
}

func (s *Sorted) fill(chunk int, marks []uint16, next []int) {
	b := s.chunks[chunk]
	for off, i := 0, 0; off < len(b); i++ {
		key, _, n := item(b[off:])
		p := marks[i]
		s.index[next[p]] = entry{wordAt(key, s.depth[p]), uint32(chunk<<chunkBits | off)}
		next[p]++
		off += n
	}
}

// choose sets the bounds so that about parts parts are of like size.
func (s *Sorted) choose(parts int) {
	const perPart = 8
	step := max(1, s.items/(parts*perPart))
	var sample [][]byte
	i := 0
	for _, b := range s.chunks {
		for off := 0; off < len(b); i++ {
			key, _, n := item(b[off:])
			if i%step == 0 {
				sample = append(sample, key)
			}
			off += n
		}
	}
	slices.SortFunc(sample, bytes.Compare)
	for p := 1; p < parts; p++ {
		b := sample[p*len(sample)/parts]
		if len(s.bounds) == 0 || bytes.Compare(s.bounds[len(s.bounds)-1], b) < 0 {
			s.bounds = append(s.bounds, bytes.Clone(b))
		}
	}
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
