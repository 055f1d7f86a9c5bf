package tql

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/remeld/remeld/indicator"
)

// atoms are conditions of every type, true, false and unknown over the records
// of drawRecord.
var atoms = []string{
	`confidence >= 50`, `confidence != 50`, `confidence IN (0, 50, "100")`, `rating IS NULL`, `rating < 3`,
	`tag = "a"`, `tag != "A"`, `tag NOT IN ("a", "b")`, `hasTag(name = "a" OR name = "b")`, `NOT hasTag(name LIKE "%")`,
	`tlp <= "amber"`, `kind = "ip"`, `kind != "hash"`, `typeName NOT LIKE "Email%"`, `owner CONTAINS "o"`,
	`owner NOT STARTSWITH "x"`, `address_cidr NOT IN "10.0.0.0/8"`, `first_seen > "NOW() - 1 DAY"`, `extra.n > 3`, `extra.n != "5"`,
}

func drawQuery(t *rapid.T, depth int) string {
	if depth == 0 || rapid.IntRange(0, 3).Draw(t, "leaf") == 0 {
		return rapid.SampledFrom(atoms).Draw(t, "atom")
	}
	switch rapid.IntRange(0, 2).Draw(t, "op") {
	case 0:
		return "NOT (" + drawQuery(t, depth-1) + ")"
	case 1:
		return "(" + drawQuery(t, depth-1) + ") AND (" + drawQuery(t, depth-1) + ")"
	default:
		return "(" + drawQuery(t, depth-1) + " OR " + drawQuery(t, depth-1) + ")"
	}
}

func drawRecord(t *rapid.T) *indicator.Record {
	rec := of(indicator.IPv4, "10.1.1.1")
	if rapid.Bool().Draw(t, "domain") {
		rec = of(indicator.Domain, "example.com")
	}
	if rapid.Bool().Draw(t, "scored") {
		rec.Attrs.Confidence = indicator.Known(rapid.SampledFrom([]int{0, 50, 100}).Draw(t, "confidence"))
		rec.Attrs.Severity = indicator.Known(rapid.IntRange(0, 5).Draw(t, "severity"))
	}
	rec.Attrs.TLP = indicator.TLP(rapid.IntRange(0, 5).Draw(t, "tlp"))
	rec.Attrs.Tags = rapid.SliceOfN(rapid.SampledFrom([]string{"a", "B", "c"}), 0, 3).Draw(t, "tags")
	rec.Attrs.Owner = rapid.SampledFrom([]string{"", "Org", "xyz"}).Draw(t, "owner")
	if rapid.Bool().Draw(t, "extra") {
		rec.Attrs.Extra = map[string]any{"n": rapid.SampledFrom([]any{"5", int64(2), "five", 3.5, []string{"1", "5"}}).Draw(t, "n")}
	}
	rec.Attrs.FirstSeen = now
	return rec
}

func mustCompile(t *rapid.T, q string) *Filter {
	f, err := Compile(q, Options{AllowExtra: true})
	if err != nil {
		t.Fatalf("%s: %v", q, err)
	}
	return f
}

func TestProperty_PrintedQueryIsEquivalent(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		f := mustCompile(t, drawQuery(t, 4))
		again := mustCompile(t, f.String())
		rec, env := drawRecord(t), &Env{Now: now}
		if a, b := f.Match(rec, env), again.Match(rec, env); a != b || again.String() != f.String() {
			t.Fatalf("%s is %v; read again as %s it is %v", f, a, again, b)
		}
	})
}

// TestProperty_ThreeValuedLogic: De Morgan, double negation and commutativity
// hold with unknowns.
func TestProperty_ThreeValuedLogic(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b := drawQuery(t, 2), drawQuery(t, 2)
		rec, env := drawRecord(t), &Env{Now: now}
		for _, pair := range [][2]string{
			{"NOT ((%[1]s) AND (%[2]s))", "NOT (%[1]s) OR NOT (%[2]s)"},
			{"NOT ((%[1]s) OR (%[2]s))", "NOT (%[1]s) AND NOT (%[2]s)"},
			{"(%[1]s) AND (%[2]s)", "(%[2]s) AND (%[1]s)"},
			{"NOT NOT (%[1]s) OR (%[2]s)", "(%[2]s) OR (%[1]s)"},
		} {
			left, right := mustCompile(t, fmt.Sprintf(pair[0], a, b)), mustCompile(t, fmt.Sprintf(pair[1], a, b))
			if l, r := left.Match(rec, env), right.Match(rec, env); l != r {
				t.Fatalf("%s is %v, %s is %v", left, l, right, r)
			}
		}
	})
}

// TestProperty_TextRoundTrips: any text survives quoting.
func TestProperty_TextRoundTrips(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.String().Draw(t, "text")
		f := mustCompile(t, "description = "+quote(text))
		rec := &indicator.Record{Attrs: indicator.Attributes{Description: text}}
		if text != "" && (f.Match(rec, nil) != True || mustCompile(t, f.String()).Match(rec, nil) != True) {
			t.Fatalf("%q does not match itself as %s", text, f)
		}
	})
}

// TestProperty_PatternsAgreeWithPlainSearch compares the folding matcher with the
// standard library.
func TestProperty_PatternsAgreeWithPlainSearch(t *testing.T) {
	letters := rapid.StringOfN(rapid.SampledFrom([]rune("aAbBä%")), 0, 8, -1)
	rapid.Check(t, func(t *rapid.T) {
		s, part := letters.Draw(t, "text"), strings.ReplaceAll(letters.Draw(t, "part"), "%", "")
		low, lowPart := strings.ToLower(s), strings.ToLower(part)
		for op, want := range map[operator]bool{
			opContains: strings.Contains(low, lowPart), opStartsWith: strings.HasPrefix(low, lowPart),
			opEndsWith: strings.HasSuffix(low, lowPart), opEqual: low == lowPart, opLike: low == lowPart,
		} {
			m := newMatcher(&predicate{op: op, values: []value{{text: part}}}, false)
			if m.match(s) != want {
				t.Fatalf("%q %s %q is not %v", s, op, part, want)
			}
		}
	})
}

func FuzzCompile(f *testing.F) {
	for _, e := range examples {
		f.Add(e.query)
	}
	for _, a := range atoms {
		f.Add(a)
	}
	f.Add("`a` (((")
	f.Add("first_seen > NOW() - 1")
	f.Fuzz(func(t *testing.T, src string) {
		filter, err := Compile(src, Options{AllowExtra: true})
		if err != nil {
			var e *Error
			ok := errors.As(err, &e)
			if !ok || e.Line < 1 || e.Col < 1 || e.Offset < 0 || e.Offset > len(src) {
				t.Fatalf("%q: error without a place: %#v", src, err)
			}
			return
		}
		again, err := Compile(filter.String(), Options{AllowExtra: true})
		if err != nil || again.String() != filter.String() {
			t.Fatalf("%q prints as %q, which reads as %v, %v", src, filter, again, err)
		}
		env := &Env{Now: now}
		if a, b := filter.Match(sampleRecord(), env), again.Match(sampleRecord(), env); a != b {
			t.Fatalf("%q is %v, printed %q is %v", src, a, filter, b)
		}
	})
}

// FuzzCompileV3: what compiles prints as what compiles, can be cut for any server,
// and never fails on an object.
func FuzzCompileV3(f *testing.F) {
	for _, e := range examples {
		f.Add(e.query)
	}
	for _, a := range v3Atoms {
		f.Add(a)
	}
	objects := v3Objects(f)
	f.Fuzz(func(t *testing.T, src string) {
		filter, err := Compile(src, Options{Schema: V3Indicators})
		if err != nil {
			return
		}
		again, err := Compile(filter.String(), Options{Schema: V3Indicators})
		if err != nil || again.String() != filter.String() {
			t.Fatalf("%q prints as %q, which reads as %v, %v", src, filter, again, err)
		}
		split, err := filter.Push(AnyServer)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := Compile(split.Server, Options{Schema: V3Indicators}); err != nil && split.Server != "" {
			t.Fatalf("%q asks %q: %v", src, split.Server, err)
		}
		for _, o := range objects {
			filter.Explain(o, nil)
		}
	})
}

func BenchmarkMatch(b *testing.B) {
	many := make([]string, 100)
	for i := range many {
		many[i] = fmt.Sprintf("%q", fmt.Sprintf("owner-%d", i))
	}
	for name, q := range map[string]string{
		"three clauses": `confidence >= 70 and tlp <= "amber" and not hasTag(name = "internal")`,
		"text":          `owner contains "rg a" and tag = "c2" and kind = "ip"`,
		"network":       `not address_cidr in ("10.0.0.0/8", "172.16.0.0/12")`,
		"long list":     `owner not in (` + strings.Join(many, ", ") + `)`,
	} {
		b.Run(name, func(b *testing.B) {
			f, err := Compile(q, Options{})
			if err != nil {
				b.Fatal(err)
			}
			rec := sampleRecord()
			b.ReportAllocs()
			for b.Loop() {
				if f.Match(rec, nil) != True {
					b.Fatal("not true")
				}
			}
		})
	}
}

func BenchmarkV3(b *testing.B) {
	objects := v3Objects(b)
	f := v3Compile(b, `typeName in ("Address", "Host") and rating >= 3 and not hasTag(name = "internal")`)
	b.Run("match", func(b *testing.B) {
		b.ReportAllocs()
		for i := 0; b.Loop(); i++ {
			f.MatchAny(objects[i%len(objects)], nil)
		}
	})
	data, err := os.ReadFile("testdata/v3.ndjson")
	if err != nil {
		b.Fatal(err)
	}
	many := bytes.Repeat(data, 100)
	b.Run("read and match", func(b *testing.B) {
		b.SetBytes(int64(len(many)))
		for b.Loop() {
			if err := ReadObjects(bytes.NewReader(many), func(_ []byte, o *Object) error { f.MatchAny(o, nil); return nil }); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func TestMatch_DoesNotAllocate(t *testing.T) {
	rec := sampleRecord()
	for _, q := range []string{
		`confidence >= 70 and tlp <= "amber" and not hasTag(name = "internal")`,
		`owner contains "RG" and tag in ("a", "c2") and kind = "ip" and first_seen > "2026-01-01"`,
	} {
		f, err := Compile(q, Options{})
		if err != nil {
			t.Fatal(err)
		}
		if n := testing.AllocsPerRun(100, func() { f.Match(rec, nil) }); n != 0 {
			t.Errorf("%s: %v allocations a match", q, n)
		}
	}
}
