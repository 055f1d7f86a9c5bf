package pebblestore_test

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/remeld/remeld/internal/store"
	"github.com/remeld/remeld/internal/store/pebblestore"
)

// The rows of the benchmarks have keys of 21 and values of 72 bytes, like small
// records: a kind byte, four random bytes as of an address, the rest fixed.

func benchKey(i uint32) []byte {
	k := make([]byte, 21)
	k[0] = 4
	binary.BigEndian.PutUint32(k[1:], i*2654435761) // spreads and repeats none
	return k
}

func benchValue(i uint32) []byte {
	return fmt.Appendf(nil, "%08x severity=3;confidence=%02d;tags=scanner,botnet;seen=2026-01-%02d;tlp=gre", i*40503, i%100, i%28+1)[:72]
}

func benchStore(b *testing.B) *pebblestore.Store {
	b.Helper()
	s, err := pebblestore.Open(b.TempDir(), pebblestore.Options{})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := s.Close(); err != nil {
			b.Error(err)
		}
	})
	return s
}

func sortedKeys(n uint32) [][]byte {
	keys := make([][]byte, n)
	for i := range n {
		keys[i] = benchKey(i)
	}
	slices.SortFunc(keys, slices.Compare)
	return keys
}

func ingestKeys(ctx context.Context, s store.Store, space string, keys [][]byte) error {
	return s.Ingest(ctx, &store.Bulk{
		Heads: map[string]uint64{space: uint64(len(keys))},
		Spaces: []store.BulkSpace{{Space: space, Rows: func(put func(k, v []byte) error) error {
			for i, k := range keys {
				if err := put(k, benchValue(uint32(i))); err != nil {
					return err
				}
			}
			return nil
		}}},
	})
}

func perSecond(b *testing.B, rows int) {
	b.Helper()
	b.ReportMetric(float64(rows)*float64(b.N)/b.Elapsed().Seconds(), "rows/s")
}

func loaded(b *testing.B, n uint32) (store.View, [][]byte) {
	b.Helper()
	s, keys := benchStore(b), sortedKeys(n)
	if err := ingestKeys(b.Context(), s, "s", keys); err != nil {
		b.Fatal(err)
	}
	v, err := s.View()
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = v.Close() })
	return v, keys
}

func BenchmarkScan1M(b *testing.B) {
	v, keys := loaded(b, 1_000_000)
	for b.Loop() {
		n := 0
		err := v.Scan(b.Context(), "s", store.Range{}, func(_, _ []byte) error { n++; return nil })
		if err != nil || n != len(keys) {
			b.Fatalf("%d rows, %v", n, err)
		}
	}
	perSecond(b, len(keys))
}

func BenchmarkCursor1M(b *testing.B) {
	v, keys := loaded(b, 1_000_000)
	for b.Loop() {
		c, err := v.Cursor(b.Context(), "s", store.Range{})
		if err != nil {
			b.Fatal(err)
		}
		n := 0
		for c.Next() {
			n++
		}
		if err := errors.Join(c.Err(), c.Close()); err != nil || n != len(keys) {
			b.Fatalf("%d rows, %v", n, err)
		}
	}
	perSecond(b, len(keys))
}

// 10,000 sorted keys out of 1 M rows: every row of a stretch, and every hundredth.
func BenchmarkGetMany10k(b *testing.B) {
	v, keys := loaded(b, 1_000_000)
	for _, step := range []int{1, 10, 100} {
		var want [][]byte
		for i := 0; len(want) < 10_000; i += step {
			want = append(want, keys[i])
		}
		b.Run("every "+strconv.Itoa(step), func(b *testing.B) {
			for b.Loop() {
				err := v.GetMany(b.Context(), "s", want, func(_ int, value []byte) error {
					if value == nil {
						return errors.New("a row is missing")
					}
					return nil
				})
				if err != nil {
					b.Fatal(err)
				}
			}
			perSecond(b, len(want))
		})
	}
}

func BenchmarkGetRandom(b *testing.B) {
	v, keys := loaded(b, 1_000_000)
	r := rand.New(rand.NewPCG(1, 1))
	for b.Loop() {
		if got, err := v.Get(b.Context(), "s", keys[r.IntN(len(keys))]); err != nil || got == nil {
			b.Fatal(got, err)
		}
	}
}

// Batches of 10,000 in random order over the table, each with its log entries, sorted
// inside and durable: what a node's step does.
func BenchmarkCommit10k(b *testing.B) {
	s := benchStore(b)
	next := uint32(0)
	for b.Loop() {
		if _, err := s.Commit(b.Context(), batch(next, 10_000)); err != nil {
			b.Fatal(err)
		}
		next += 10_000
	}
	perSecond(b, 10_000)
}

func batch(from, n uint32) *store.Commit {
	keys := make([][]byte, n)
	for i := range n {
		keys[i] = benchKey(from + i)
	}
	slices.SortFunc(keys, slices.Compare)
	c := &store.Commit{Appends: []store.Append{{Log: "l", Keys: keys}}}
	for i, k := range keys {
		c.Writes = append(c.Writes, store.Write{Space: "s", Key: k, Value: benchValue(from + uint32(i))})
	}
	return c
}

func BenchmarkCommitOneRow(b *testing.B) {
	s := benchStore(b)
	i := uint32(0)
	for b.Loop() {
		if _, err := s.Commit(b.Context(), batch(i, 1)); err != nil {
			b.Fatal(err)
		}
		i++
	}
}

func BenchmarkIngest1M(b *testing.B) {
	s, keys := benchStore(b), sortedKeys(1_000_000)
	i := 0
	for b.Loop() {
		if err := ingestKeys(b.Context(), s, fmt.Sprint("s", i), keys); err != nil {
			b.Fatal(err)
		}
		i++
	}
	perSecond(b, len(keys))
}

// BenchmarkFill5M commits 5 M rows in batches of 10,000, with their log, and reports
// the largest resident size of the process. Run it alone, with -benchtime 1x.
func BenchmarkFill5M(b *testing.B) {
	for b.Loop() {
		s := benchStore(b)
		for from := uint32(0); from < 5_000_000; from += 10_000 {
			if _, err := s.Commit(b.Context(), batch(from, 10_000)); err != nil {
				b.Fatal(err)
			}
		}
	}
	perSecond(b, 5_000_000)
	b.ReportMetric(peakMB(), "MB-peak")
}

// peakMB is the process's largest resident size so far, 0 where it is not told.
func peakMB() float64 {
	status, _ := os.ReadFile("/proc/self/status")
	for line := range strings.Lines(string(status)) {
		if kb, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			n, _ := strconv.ParseFloat(strings.Fields(kb)[0], 64)
			return n / 1024
		}
	}
	return 0
}
