package ledger

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/remeld/remeld/indicator"
	"github.com/remeld/remeld/internal/store"
	"github.com/remeld/remeld/internal/store/memstore"
)

func genTime(t *rapid.T, label string) time.Time {
	if rapid.Bool().Draw(t, label+" zero") {
		return time.Time{}
	}
	return time.UnixMilli(rapid.Int64Range(-1e12, 4e12).Draw(t, label)).UTC()
}

func genRow(t *rapid.T) Row {
	s := func(label string) string { return rapid.StringN(0, 12, 40).Draw(t, label) }
	r := Row{Identity: s("identity"), Slot: s("slot"), Action: s("action"), RemoteID: s("id"), Hash: s("hash"), BodyHash: s("body"),
		Code: s("code"), AdoptedFrom: s("app"), Reason: s("reason"), State: State(rapid.IntRange(1, 5).Draw(t, "state")), Score: indicator.Score(rapid.Byte().Draw(t, "score")),
		Indicator: indicator.Indicator{Kind: indicator.Domain, Value: s("value")}, Attempts: rapid.Uint32().Draw(t, "attempts"), Base: rapid.Uint64().Draw(t, "base")}
	r.TLP, r.Generation = indicator.TLP(rapid.IntRange(0, 5).Draw(t, "tlp")), rapid.Uint32().Draw(t, "generation")
	for _, at := range []*time.Time{&r.Made, &r.Modified, &r.Created, &r.Sent, &r.Expires, &r.ValidUntil, &r.FrozenSince, &r.RetryAt} {
		*at = genTime(t, "time")
	}
	r.Life = time.Duration(rapid.Int64Range(0, 1e12).Draw(t, "life")) * time.Millisecond
	for range rapid.IntRange(0, 3).Draw(t, "contributors") {
		r.Contributors = append(r.Contributors, Contributor{Node: s("node"), Indicator: indicator.Indicator{Kind: indicator.URL, Value: s("value")},
			Sources: rapid.SliceOfN(rapid.String(), 1, 3).Draw(t, "sources")})
	}
	return r
}

func TestRowSurvivesEncoding(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := genRow(t)
		got, err := DecodeRow(r.Identity, r.AppendBinary(nil))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(&r, got); diff != "" {
			t.Error(diff)
		}
	})
}

// A ledger written before rows had a generation still reads.
func TestRowOfTheFirstVersionReads(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := genRow(t)
		r.TLP, r.Generation, r.Made, r.Modified, r.Life = 0, 0, time.Time{}, time.Time{}, 0
		data := r.AppendBinary(nil)
		data = data[:len(data)-5] // TLP, generation, two times and a life, each empty
		data[0] = rowVersionFirst
		got, err := DecodeRow(r.Identity, data)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(&r, got); diff != "" {
			t.Error(diff)
		}
	})
}

// So does one written before rows had a life of their own.
func TestRowOfTheSecondVersionReads(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := genRow(t)
		r.Life = 0
		data := r.AppendBinary(nil)
		data = data[:len(data)-1]
		data[0] = rowVersionSecond
		got, err := DecodeRow(r.Identity, data)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(&r, got); diff != "" {
			t.Error(diff)
		}
	})
}

func TestD19_WhatIsRememberedOutlivesTheRow(t *testing.T) {
	s := memstore.New()
	defer s.Close()
	now := time.UnixMilli(1_800_000_000_000).UTC()
	b := book(t, s, now)
	want := Past{Generation: 7, Modified: now, Withdrawn: true}
	c := b.Begin()
	c.Put(Row{Identity: "i", State: Live}, nil)
	c.Remember("i", want)
	c.Drop("i", now)
	if err := b.Commit(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	got, err := book(t, s, now.Add(10000*time.Hour)).Pasts(t.Context(), []string{"i", "unknown"})
	if err != nil || len(got) != 1 || got["i"] != want {
		t.Errorf("%v, %v", got, err)
	}
}

func FuzzDecodePast(f *testing.F) {
	f.Add((&Past{Generation: 3, Modified: time.UnixMilli(5)}).appendBinary(nil))
	f.Fuzz(func(t *testing.T, data []byte) {
		if p, err := decodePast(data); err == nil {
			if again, err := decodePast(p.appendBinary(nil)); err != nil || !again.Modified.Equal(p.Modified) || again.Generation != p.Generation {
				t.Errorf("decoded %v, again %v, %v", p, again, err)
			}
		}
	})
}

func FuzzDecodeRow(f *testing.F) {
	f.Add((&Row{State: Live, Contributors: []Contributor{{Node: "n", Sources: []string{"s"}}}}).AppendBinary(nil))
	f.Add([]byte{rowVersion})
	f.Fuzz(func(t *testing.T, data []byte) {
		r, err := DecodeRow("i", data)
		if err != nil {
			return
		}
		if again, err := DecodeRow("i", r.AppendBinary(nil)); err != nil || !cmp.Equal(r, again) {
			t.Errorf("decoded row does not survive: %v", err)
		}
	})
}

func FuzzDecodeIntent(f *testing.F) {
	in := Intent{Apply: "a", Op: "upsert", Rate: "r", Attempts: []time.Time{time.UnixMilli(5)}, Call: []byte("{}"), Items: []Item{{Verb: Create, After: Row{Identity: "i"}}}}
	f.Add(in.appendBinary(nil))
	f.Fuzz(func(t *testing.T, data []byte) {
		if in, err := decodeIntent(1, data); err == nil {
			if _, err := decodeIntent(1, in.appendBinary(nil)); err != nil {
				t.Errorf("decoded intent does not survive: %v", err)
			}
		}
	})
}

func book(t *testing.T, s store.Store, now time.Time) *Book {
	t.Helper()
	f, err := s.Acquire(t.Context(), "deliver/d")
	if err != nil {
		t.Fatal(err)
	}
	b, err := Read(t.Context(), s, f, "d", now)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestD11_OpenIntentSurvivesAndClosesOnce(t *testing.T) {
	s := memstore.New()
	defer s.Close()
	now := time.UnixMilli(1_800_000_000_000).UTC()
	b := book(t, s, now)
	in := &Intent{Apply: "a", Op: "upsert", Rate: "r", Call: []byte("body"), Attempts: []time.Time{now},
		Items: []Item{{Verb: Create, After: Row{Identity: "i", State: Live}, Body: []byte("b")}}}
	c := b.Begin()
	c.Open(in)
	if err := b.Commit(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	b = book(t, s, now)
	if len(b.Open) != 1 || !b.InDoubt()["i"] || string(b.Open[0].Call) != "body" {
		t.Fatalf("open %+v", b.Open)
	}
	c = b.Begin()
	c.Close(b.Open[0])
	c.Put(Row{Identity: "i", State: Live, RemoteID: "7", Contributors: []Contributor{{Node: "n", Indicator: indicator.Indicator{Kind: indicator.Domain, Value: "x.com"}}}}, []byte("b"))
	if err := b.Commit(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	b = book(t, s, now)
	if len(b.Open) != 0 || b.Rows["i"].RemoteID != "7" || b.Rows["i"].Base != b.Meta.Version {
		t.Fatalf("rows %+v open %v", b.Rows, b.Open)
	}
	v, err := s.View()
	if err != nil {
		t.Fatal(err)
	}
	defer v.Close()
	ids, err := Identities(t.Context(), v, "d", indicator.Indicator{Kind: indicator.Domain, Value: "x.com"})
	if err != nil || len(ids) != 1 || ids[0] != "i" {
		t.Errorf("identities %v, %v", ids, err)
	}
	var rates []string
	if err := Calls(t.Context(), v, func(rate string, at []time.Time) { rates = append(rates, rate) }); err != nil || len(rates) != 1 {
		t.Errorf("calls %v, %v", rates, err)
	}
	// A closed call goes once no window needs it.
	b = book(t, s, now.Add(3*time.Hour))
	if err := b.Commit(t.Context(), b.Begin()); err != nil {
		t.Fatal(err)
	}
	if b = book(t, s, now.Add(3*time.Hour)); len(b.stale) != 0 {
		t.Error("an old call was kept")
	}
}
