package row

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"github.com/remeld/remeld/indicator"
)

func refs() *rapid.Generator[Ref] {
	return rapid.Custom(func(t *rapid.T) Ref {
		if rapid.Bool().Draw(t, "numbered") {
			return Ref{ID: rapid.Uint32Range(1, maxDict).Draw(t, "id")}
		}
		return Ref{Blob: rapid.SliceOfN(rapid.Byte(), 0, 40).Draw(t, "blob")}
	})
}

func TestRowComesBack(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		ms := rapid.Int64Range(-1<<50, 1<<50)
		r := Row{
			Changed: ms.Draw(t, "changed"), First: ms.Draw(t, "first"), FirstSaid: rapid.Bool().Draw(t, "fs"),
			Last: ms.Draw(t, "last"), LastSaid: rapid.Bool().Draw(t, "ls"), Missing: rapid.Uint64().Draw(t, "missing"),
			Aged: rapid.Bool().Draw(t, "aged"), Dropped: rapid.Bool().Draw(t, "dropped"), Attrs: refs().Draw(t, "attrs"),
		}
		var got Row
		if err := got.Decode(r.Append(nil)); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(r, got, cmpopts.EquateEmpty()); diff != "" {
			t.Fatal(diff)
		}
	})
}

func TestPlainRowIsTiny(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 5, 1, 0, 0, 0, 0, time.UTC).UnixMilli()
	r := Row{Changed: now, First: now, Attrs: Ref{ID: 1}}
	if n := len(r.Append(nil)); n > 9 {
		t.Errorf("a row of a plain list takes %d bytes beside its key", n)
	}
}

func FuzzDecode(f *testing.F) {
	f.Add([]byte{0, 0, 0, 1})
	f.Add([]byte{255})
	f.Fuzz(func(t *testing.T, data []byte) {
		var r Row
		if err := r.Decode(data); err != nil && !errors.Is(err, ErrCorrupt) {
			t.Fatal(err)
		}
		var s Said
		if err := s.Decode(data); err != nil && !errors.Is(err, ErrCorrupt) {
			t.Fatal(err)
		}
	})
}

func TestDictNumbersWhatRepeats(t *testing.T) {
	t.Parallel()
	d := NewDict()
	a := indicator.Attributes{Sources: []string{"ipsum"}, TLP: indicator.Green, FirstSeen: time.UnixMilli(5).UTC()}
	first, last, blob := Split(&a, nil)
	var r Ref
	for range admitAt {
		r = d.Intern(blob)
	}
	if r.ID != 1 {
		t.Fatalf("met %d times, got %+v", admitAt, r)
	}
	if !d.Same(r, Ref{Blob: blob}) || d.Same(r, Ref{Blob: blob[1:]}) {
		t.Error("Same must see through the number")
	}
	saved := NewDict()
	d.Pending(func(key, blob []byte) {
		if err := saved.Load(key, blob); err != nil {
			t.Fatal(err)
		}
	})
	var got indicator.Attributes
	if err := saved.Attrs(&got, r, first, last); err != nil {
		t.Fatal(err)
	}
	if !got.Equal(&a) {
		t.Errorf("got %+v", got)
	}
}

func TestDictIsBounded(t *testing.T) {
	t.Parallel()
	d := NewDict()
	for i := range maxDict + 10 {
		a := indicator.Attributes{Port: uint16(i), Confidence: indicator.Known(i >> 8)}
		d.Number(a.AppendBinary(nil))
	}
	if n := d.Pending(func(_, _ []byte) {}); n != maxDict {
		t.Errorf("%d entries", n)
	}
}
