package tql

import (
	"errors"
	"testing"

	"pgregory.net/rapid"
)

// The reference, 3.2: whoever adds a condition to a person's query must put that in
// parentheses.
func TestAnd(t *testing.T) {
	for _, c := range []struct {
		parts []string
		want  string
	}{
		{nil, ``}, {[]string{"", " "}, ``}, {[]string{"", " id = 1 "}, `id = 1`},
		{[]string{`typeName = "Host" or tag = "x"`, `lastModified > "2026-01-01"`}, `(typeName = "Host" or tag = "x") AND (lastModified > "2026-01-01")`},
	} {
		if got, err := And(c.parts...); err != nil || got != c.want {
			t.Errorf("%q: %s, %v; want %s", c.parts, got, err, c.want)
		}
	}
	var te *Error
	if _, err := And(`id = 1) or (id = 2`, `rating > 3`); !errors.As(err, &te) {
		t.Errorf("a query that reaches out of its parentheses: %v", err)
	}
}

func TestProperty_AndIsAnd(t *testing.T) {
	objects := v3Objects(t)
	rapid.Check(t, func(t *rapid.T) {
		a, b := drawV3Query(t, 2), drawV3Query(t, 2)
		joined, err := And(a, b)
		if err != nil {
			t.Fatal(err)
		}
		var f [3]*Filter
		for i, q := range []string{a, b, joined} {
			// An implied condition belongs to a whole query: name it in each.
			if f[i], err = Compile("("+q+") and (indicatorActive is null or indicatorActive is not null)", Options{Schema: V3Indicators}); err != nil {
				t.Fatal(err)
			}
		}
		for _, o := range objects {
			env := &Env{Now: now}
			if want, got := min(f[0].MatchAny(o, env), f[1].MatchAny(o, env)), f[2].MatchAny(o, env); got != want {
				t.Fatalf("%s is %v, want %v", joined, got, want)
			}
		}
	})
}

func TestQuote(t *testing.T) {
	if got := QuoteList([]string{`a"b`, `c\d`}); got != `("a\"b", "c\\d")` {
		t.Error(got)
	}
}
