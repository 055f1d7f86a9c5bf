package compute

import (
	"errors"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/remeld/remeld/indicator"
)

func sample() *indicator.Record {
	return &indicator.Record{
		Indicator: indicator.Indicator{Kind: indicator.Domain, Value: "bad.example"},
		Attrs: indicator.Attributes{
			Confidence: indicator.Known(40),
			Tags:       []string{"c2", "APT28"},
			Extra:      map[string]any{"lists": "7", "weight": 1.5, "zip": "007", "note": "n/a", "big": int64(3)},
		},
	}
}

func TestRun(t *testing.T) {
	for src, want := range map[string]any{
		"min(100, lists * 12)":      int64(84),
		"max(confidence, 50)":       int64(50),
		"lists > 5 ? 90 : 30":       int64(90),
		"weight * 2":                3.0,
		"big + 1":                   int64(4),
		"zip":                       "007",
		"upper(value)":              "BAD.EXAMPLE",
		`"c2" in tags ? "c2" : nil`: "c2",
		`filter(tags, lower(#) startsWith "apt")`: []string{"APT28"},
		"missing":                                        nil,
		"missing ?? 12":                                  int64(12),
		`kind == "domain" && confidence != nil`:          true,
		"severity":                                       nil,
		`replace(value, "bad", "good")`:                  "good.example",
		`join(map(tags, upper(#)), "+")`:                 "C2+APT28",
		`tags | filter(# startsWith "c") | first()`:      "c2",
		"round(lists * 12 / 5.0)":                        17.0,
		`note matches "^n" ? len(split(value, ".")) : 0`: int64(2),
	} {
		p, err := Compile(src)
		if err != nil {
			t.Errorf("%s: %v", src, err)
			continue
		}
		got, err := p.Run(sample())
		if err != nil {
			t.Errorf("%s: %v", src, err)
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("%s: %s", src, d)
		}
	}
}

func TestCompile_ErrorsHaveAColumn(t *testing.T) {
	for _, c := range []struct {
		src  string
		col  int
		word string
	}{
		{"", 1, "empty"},
		{"min(100, lists *", 16, "unexpected"},
		{"1 + now()", 5, "now"},
		{"100 - fetch(value)", 7, "fetch"},
		{"lists $ 2", 7, ""},
		{strings.Repeat("1+", 2100) + "1", 1, "longer"},
	} {
		_, err := Compile(c.src)
		var e *Error
		if !errors.As(err, &e) {
			t.Errorf("%q: error %v", c.src, err)
			continue
		}
		if e.Col != c.col || !strings.Contains(e.Error(), c.word) {
			t.Errorf("%q: %v, want column %d with %q", c.src, e, c.col, c.word)
		}
	}
}

func TestRun_WrongTypesAndLimitsAreErrors(t *testing.T) {
	for _, src := range []string{
		"note * 2", "missing * 2", "tags + 1", `{"a": 1}`, "[1, 2]", "1 / 0 * 1.0", "lists[3]",
		`join([1], ",")`, `replace(tags, "a", "b")`, `tags[99]`, "1 % 0",
	} {
		p, err := Compile(src)
		if err != nil {
			continue // refused at once is as good
		}
		if got, err := p.Run(sample()); err == nil {
			t.Errorf("%s = %v, want an error", src, got)
		} else if strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: error of several lines: %q", src, err)
		}
	}
}

// TestCompile_NothingCanGrowWithoutBounds: a config must not be able to eat the
// machine, by intent or by accident.
func TestCompile_NothingCanGrowWithoutBounds(t *testing.T) {
	for src, word := range map[string]string{
		`let a = value + value; let b = a + a; b`:           "let",
		`4 in 1..9999999`:                                   "range",
		`count(1..9999, count(1..9999, # > 0) > 0)`:         "range",
		`map(tags, map(tags, map(tags, #)))`:                "nest",
		`reduce(tags, #acc + #acc, "x")`:                    "reduce",
		`repeat(value, 100)`:                                "repeat",
		`toJSON(toJSON(value))`:                             "toJSON",
		`now()`:                                             "now",
		`lowr(value)`:                                       `"lower"`,
		`value.x()`:                                         "no function",
		`map(tags, any(split(#, ""), any(tags, # == "a")))`: "nest",
	} {
		if _, err := Compile(src); err == nil || !strings.Contains(err.Error(), word) {
			t.Errorf("%s: %v, want an error with %q", src, err, word)
		}
	}
	rec := sample()
	rec.Attrs.Description = strings.Repeat("x", 10_000)
	for _, src := range []string{
		`replace(replace(description, "", description), "", description)`, `join(split(description, ""), description)`,
	} {
		p, err := Compile(src)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := p.Run(rec); err == nil || !strings.Contains(err.Error(), "64 KB") {
			t.Errorf("%s: %v", src, err)
		}
	}
}

func TestRun_IsDeterministic(t *testing.T) {
	p, err := Compile(`join(sort(tags), ",") + string(lists)`)
	if err != nil {
		t.Fatal(err)
	}
	first, _ := p.Run(sample())
	for range 20 {
		if again, _ := p.Run(sample()); again != first {
			t.Fatalf("%v then %v", first, again)
		}
	}
}

func FuzzCompile(f *testing.F) {
	for _, s := range []string{"min(100, lists * 12)", `filter(tags, # contains "a")`, "a ? b : c", "1..9", "{", "let x = 1; x", "\xff"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, src string) {
		p, err := Compile(src)
		if err != nil {
			var e *Error
			if !errors.As(err, &e) || e.Col < 1 {
				t.Fatalf("%v is not positioned", err)
			}
			return
		}
		_, _ = p.Run(sample())
	})
}

func BenchmarkRun(b *testing.B) {
	p, err := Compile("min(100, lists * 12)")
	if err != nil {
		b.Fatal(err)
	}
	rec := sample()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := p.Run(rec); err != nil {
			b.Fatal(err)
		}
	}
}

func TestRun_Concurrently(t *testing.T) {
	good, err := Compile("lists * 12")
	if err != nil {
		t.Fatal(err)
	}
	bad, err := Compile("filter(tags, # * 2)")
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			rec := sample()
			for range 200 {
				if _, err := bad.Run(rec); err == nil {
					t.Error("text times two")
				}
				if v, err := good.Run(rec); v != int64(84) || err != nil {
					t.Errorf("%v, %v", v, err)
				}
			}
		})
	}
	wg.Wait()
}
