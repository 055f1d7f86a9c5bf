package odata

import (
	"errors"
	"strings"
	"testing"
	"time"
)

var testSchema = Schema{Entity: "test.Row", Properties: map[string]Type{"name": String, "on": Bool, "at": Time, "groups": Strings, "n": Int}}

type testRow map[string]Value

func (r testRow) Property(name string) Value {
	v, ok := r[name]
	if !ok {
		return Value{Null: true}
	}
	return v
}

func TestMatch(t *testing.T) {
	row := testRow{"name": {Text: "it's"}, "on": {Bool: true}, "at": {Time: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)}, "groups": {List: []string{"a", "b"}}, "n": {Int: 7}}
	for src, want := range map[string]bool{
		"name eq 'it''s'": true, "name eq 'it'": false, "name ne null": true, "not name eq 'x'": true, "not on": false, "on and on eq true": true,
		"on eq false or name eq 'it''s'": true, "on or on and on eq false": true, "(on or on) and on eq false": false,
		"at eq 2026-01-01T01:00:00+01:00": true, "at lt 2026-01-01": false, "at le 2026-01-01": true, "at gt null": false, "name in ('a','it''s')": true, "name in [null]": false,
		"groups/any(g: g eq 'b')": true, "groups/any(g: g eq 'c')": false, "groups/any(x: contains(x,'a') and on)": true, "groups/any()": true,
		"toupper(name) eq 'IT''S'": true, "startswith(name,'it')": true, "endswith(name,'t')": false, "name gt 'a'": true, "  on  ": true,
		"n eq 7": true, "n gt -8": true, "n lt 7": false, "n in (1,7)": true, "n ne null": true,
	} {
		f, err := Parse(src, testSchema)
		if err != nil {
			t.Errorf("%s: %v", src, err)
		} else if got := f.Match(row); got != want {
			t.Errorf("%s: %v", src, got)
		}
	}
}

func TestNullFollowsOData(t *testing.T) {
	for src, want := range map[string]bool{"name eq null": true, "name ne 'x'": true, "name lt 'x'": false, "name ge 'x'": false, "contains(name,'')": false, "on": false, "groups/any(g: g eq 'x')": false, "name in (null)": true} {
		f, err := Parse(src, testSchema)
		if err != nil {
			t.Errorf("%s: %v", src, err)
		} else if got := f.Match(testRow{}); got != want {
			t.Errorf("%s: %v", src, got)
		}
	}
}

func TestErrorsHavePositions(t *testing.T) {
	for src, want := range map[string]int{
		"name eq 'open": 8, "name eq": 7, "Name eq 'x'": 0, "name eq 5": 8, "on eq 'true'": 6, "name eq 'a' name": 12, "(on": 3, "on)": 2, "name in 'a'": 8, "name in ('a'": 12,
		"groups eq 'a'": 7, "groups/all(g: on)": 7, "contains(on,'a')": 9, "contains(name,on)": 14, "name eq 'a' and": 15, "%": 0, "at eq 2026-13-01": 6, "name": 4, "": 0,
		"n eq 'a'": 5, "n eq 7.5": 5, "n eq 99999999999999999999": 5, "contains(n,'a')": 9,
		"groups/any(g: groups/any(h: h eq 'a'))": 20,
	} {
		_, err := Parse(src, testSchema)
		var e *Error
		if !errors.As(err, &e) || e.Position != want {
			t.Errorf("%q: %v, want position %d", src, err, want)
		}
	}
}

func TestBounds(t *testing.T) {
	for _, src := range []string{strings.Repeat("(", 10_000), strings.Repeat("not ", 4000) + "on", strings.Repeat("a", MaxLength+1), strings.Repeat("tolower(", 2000)} {
		if _, err := Parse(src, testSchema); err == nil {
			t.Errorf("accepted %.20s…", src)
		}
	}
	long := strings.TrimSuffix(strings.Repeat("on and ", 2000), " and ")
	f, err := Parse(long, testSchema)
	if err != nil || !f.Match(testRow{"on": {Bool: true}}) {
		t.Error(err)
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{"name eq 'a''b'", "name in ['a','b']", "at le 2026-01-01T00:00:00Z", "not (on or contains(name,'x'))", "groups/any(g: g eq 'x')", "tolower(name) eq null", "((", "'"} {
		f.Add(s)
	}
	rows := []testRow{{}, {"name": {Text: "a"}, "on": {Bool: true}, "groups": {List: []string{"x"}}}}
	f.Fuzz(func(t *testing.T, src string) {
		filter, err := Parse(src, testSchema)
		if err != nil {
			var e *Error
			if !errors.As(err, &e) || e.Position < 0 || e.Position > len(src) && e.Position > MaxLength {
				t.Fatalf("%q: %v", src, err)
			}
			return
		}
		for _, r := range rows {
			filter.Match(r)
		}
	})
}
