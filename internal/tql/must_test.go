package tql

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestMust: what stands beside everything else is found, through parentheses and under
// any alias; what is negated or one of several ways is not.
func TestMust(t *testing.T) {
	t.Parallel()
	one := func(param, op string, values ...string) Condition {
		return Condition{Param: param, Op: op, Values: values}
	}
	for src, want := range map[string]struct {
		all   []Condition
		whole bool
	}{
		`id > 7`: {[]Condition{one("id", ">", "7")}, true},
		`(typename in ("Email Address", "host") and summary = "x") AND id > 7`: {[]Condition{
			one("typeName", "IN", "EmailAddress", "Host"), one("summary", "=", "x"), one("id", ">", "7")}, true},
		`value contains ("a", "b") and hasTag(name = "x")`:       {[]Condition{one("summary", "CONTAINS", "a", "b")}, false},
		`rating > 3 and (confidence > 7 or ownerName = "x")`:     {[]Condition{one("rating", ">", "3")}, false},
		`ownerName != "x" and typeName not in ("Host") and id>1`: {[]Condition{one("id", ">", "1")}, false},
		`not (id > 1) and rating is null`:                        {nil, false},
	} {
		f, err := Compile(src, Options{Schema: V3Indicators})
		if err != nil {
			t.Fatalf("%s: %v", src, err)
		}
		all, whole := f.Must()
		if diff := cmp.Diff(want.all, all); diff != "" || whole != want.whole {
			t.Errorf("%s: whole %v\n%s", src, whole, diff)
		}
	}
}
