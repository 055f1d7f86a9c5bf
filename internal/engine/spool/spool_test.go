package spool

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// least is a fold for tests: the smaller value wins.
func least(dst, a, b []byte) ([]byte, error) {
	if bytes.Compare(a, b) < 0 {
		return append(dst, a...), nil
	}
	return append(dst, b...), nil
}

func read(t *testing.T, s *Sorted) (keys, values []string) {
	t.Helper()
	for p := range s.Parts() {
		it, err := s.Part(p)
		if err != nil {
			t.Fatal(err)
		}
		from, to := s.Range(p)
		for it.Next() {
			k := it.Key()
			if from != nil && bytes.Compare(k, from) < 0 || to != nil && bytes.Compare(k, to) >= 0 {
				t.Fatalf("part %d [%x,%x) has %x", p, from, to, k)
			}
			keys, values = append(keys, string(k)), append(values, string(it.Value()))
		}
		if it.Err() != nil {
			t.Fatal(it.Err())
		}
		if err := it.Close(); err != nil {
			t.Fatal(err)
		}
	}
	return keys, values
}

func check(t *testing.T, budget int64, writers int, items [][2]string, bounds ...[]byte) [][]byte {
	t.Helper()
	dir := t.TempDir()
	b := NewBudget(budget)
	s := New(dir, b, bounds, least)
	want := map[string]string{}
	var ws []*Writer
	for range writers {
		ws = append(ws, s.Writer())
	}
	for i, it := range items {
		if err := ws[i%writers].Add([]byte(it[0]), []byte(it[1])); err != nil {
			t.Fatal(err)
		}
		if old, ok := want[it[0]]; !ok || it[1] < old {
			want[it[0]] = it[1]
		}
	}
	sorted, err := s.Seal(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for range 2 { // a second reading gives the same
		keys, values := read(t, sorted)
		if len(keys) != len(want) || !slices.IsSorted(keys) {
			t.Fatalf("%d keys, want %d, sorted %v", len(keys), len(want), slices.IsSorted(keys))
		}
		for i, k := range keys {
			if values[i] != want[k] {
				t.Fatalf("key %q has %q, want %q", k, values[i], want[k])
			}
		}
	}
	if err := sorted.Close(); err != nil {
		t.Fatal(err)
	}
	if b.left.Load() != budget {
		t.Errorf("budget of %d came back as %d", budget, b.left.Load())
	}
	if left, _ := os.ReadDir(dir); len(left) > 0 {
		t.Errorf("files left: %v", left)
	}
	return sorted.Bounds()
}

func TestE8_DuplicatesFoldInAnyOrder(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(r *rapid.T) {
		key := rapid.Custom(func(t *rapid.T) string {
			return rapid.SampledFrom([]string{"", "\x03com.", "\x03com.example.", "\x01\x00\x00"}).Draw(t, "p") +
				string(rapid.SliceOfN(rapid.SampledFrom([]byte{0, 'a', 'b', 255}), 0, 12).Draw(t, "k"))
		})
		items := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) [2]string {
			return [2]string{key.Draw(t, "key"), rapid.StringN(0, 2, 4).Draw(t, "v")}
		}), 0, 300).Draw(r, "items")
		check(t, 64<<20, rapid.IntRange(1, 3).Draw(r, "writers"), items)
	})
}

func generate(n int) [][2]string {
	rnd := rand.New(rand.NewPCG(1, 2))
	items := make([][2]string, n)
	for i := range items {
		switch rnd.IntN(3) {
		case 0:
			items[i][0] = fmt.Sprintf("\x03com.%x.www.", rnd.Uint64N(uint64(n)))
		case 1:
			items[i][0] = "\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\xff\xff" + fmt.Sprintf("%04x", rnd.Uint32N(1<<16)) + "\x80"
		case 2:
			items[i][0] = "\x04com.example.the-same-long-host-name./a/path/" + fmt.Sprint(rnd.IntN(n))
		}
		items[i][1] = fmt.Sprint(rnd.IntN(3))
	}
	return items
}

func TestManyItemsInParts(t *testing.T) {
	t.Parallel()
	items := generate(300_000)
	bounds := check(t, 256<<20, 2, items)
	if len(bounds) < 4 {
		t.Fatalf("%d bounds", len(bounds))
	}
	check(t, 256<<20, 2, items, bounds...)
	check(t, 3<<20, 2, items, bounds...) // and beyond the budget
	check(t, 256<<20, 2, items, bounds[0], bounds[1])
}

func TestSpillsBeyondTheBudget(t *testing.T) {
	t.Parallel()
	check(t, 3<<20, 2, generate(300_000))
}

func TestHugeItem(t *testing.T) {
	t.Parallel()
	items := generate(1000)
	items = append(items, [2]string{"\x03huge.", string(make([]byte, 3<<20))}, [2]string{"\x03huge.", "z"})
	check(t, 64<<20, 1, items)
	s := New(t.TempDir(), NewBudget(0), nil, least)
	if err := s.Writer().Add(make([]byte, Limit), nil); err == nil {
		t.Error("an item above the limit must be refused")
	}
}

// BenchmarkSort is 5 M keys as the performance targets have them, in random order.
func BenchmarkSort(b *testing.B) {
	keys := benchKeys(5_000_000)
	var bounds [][]byte
	for b.Loop() {
		s := New(b.TempDir(), NewBudget(1<<30), bounds, least)
		ws := []*Writer{s.Writer(), s.Writer()}
		parallel(2, func(w int) {
			for i := w; i < len(keys); i += 2 {
				if err := ws[w].Add(keys[i], []byte{0, 1}); err != nil {
					b.Error(err)
					return
				}
			}
		})
		sorted, err := s.Seal(b.Context())
		if err != nil {
			b.Fatal(err)
		}
		parallel(2, func(w int) {
			for p := w; p < sorted.Parts(); p += 2 {
				it, err := sorted.Part(p)
				if err != nil {
					b.Error(err)
					return
				}
				for it.Next() {
				}
			}
		})
		bounds = sorted.Bounds()
		if err := sorted.Close(); err != nil {
			b.Fatal(err)
		}
	}
}

func benchKeys(n int) [][]byte {
	rnd := rand.New(rand.NewPCG(3, 4))
	tlds := []string{"com", "net", "org", "info", "ru", "xyz", "top", "de"}
	keys := make([][]byte, n)
	for i := range keys {
		switch r := rnd.IntN(10); {
		case r < 7:
			keys[i] = fmt.Appendf(nil, "\x03%s.%x.h%d.", tlds[min(rnd.IntN(16), 7)], rnd.Uint32(), rnd.IntN(100))
		case r < 9:
			v := rnd.Uint32()
			keys[i] = append([]byte{1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 255}, byte(v>>24), byte(v>>16), byte(v>>8), byte(v), 128)
		default:
			keys[i] = []byte{8}
			for range 4 {
				keys[i] = fmt.Appendf(keys[i], "%c%c%c%c%c%c%c%c", rnd.IntN(128), rnd.IntN(128), rnd.IntN(128), rnd.IntN(128), rnd.IntN(128), rnd.IntN(128), rnd.IntN(128), rnd.IntN(128))
			}
		}
	}
	return keys
}
