package pattern

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// bindings are all ways to satisfy a node, by definition and without regard to cost:
// each is how many times every observation is taken.
func bindings(n *node, list []observation, candidates [][]int) [][]int {
	var out [][]int
	switch n.kind {
	case nodeTest:
		for _, i := range candidates[n.test] {
			b := make([]int, len(list))
			b[i] = 1
			out = append(out, b)
		}
		return out
	case nodeOr:
		for _, a := range n.args {
			out = append(out, bindings(a, list, candidates)...)
		}
		return distinct(out)
	case nodeRepeat:
		inner := bindings(n.args[0], list, candidates)
		out = [][]int{make([]int, len(list))}
		for range n.times {
			out = joined(out, inner, list, func(_, _ []int) bool { return true })
		}
		return out
	case nodeWithin:
		return slices.DeleteFunc(bindings(n.args[0], list, candidates), func(b []int) bool {
			first, last := extremes(b, list)
			return first.Sub(last) > n.span
		})
	case nodeStartStop:
		return slices.DeleteFunc(bindings(n.args[0], list, candidates), func(b []int) bool {
			for i, times := range b {
				if times > 0 && (!list[i].first.Before(n.stop) || list[i].last.Before(n.start) || !n.start.Before(n.stop)) {
					return true
				}
			}
			return false
		})
	}
	out = bindings(n.args[0], list, candidates)
	for _, a := range n.args[1:] {
		out = joined(out, bindings(a, list, candidates), list, func(x, y []int) bool {
			latest, _ := extremes(x, list)
			_, earliest := extremes(y, list)
			return n.kind == nodeAnd || !earliest.Before(latest)
		})
	}
	return out
}

func joined(x, y [][]int, list []observation, fits func(a, b []int) bool) [][]int {
	var out [][]int
	for _, a := range x {
		for _, b := range y {
			sum, ok := make([]int, len(list)), fits(a, b)
			for i := range sum {
				sum[i] = a[i] + b[i]
				ok = ok && sum[i] <= list[i].number
			}
			if ok {
				out = append(out, sum)
			}
		}
	}
	return distinct(out)
}

func distinct(list [][]int) [][]int {
	slices.SortFunc(list, slices.Compare)
	return slices.CompactFunc(list, slices.Equal)
}

// extremes are the latest first and the earliest last observation of what is taken.
func extremes(b []int, list []observation) (first, last time.Time) {
	last = time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)
	for i, times := range b {
		if times > 0 && list[i].first.After(first) {
			first = list[i].first
		}
		if times > 0 && list[i].last.Before(last) {
			last = list[i].last
		}
	}
	return first, last
}

// expressions draws expressions over the letters a to c.
func expressions() *rapid.Generator[string] {
	leaf := rapid.SampledFrom([]string{"a", "b", "c", "*"})
	return rapid.Custom(func(t *rapid.T) string { return expression(t, leaf, 3) })
}

func expression(t *rapid.T, leaf *rapid.Generator[string], depth int) string {
	if depth == 0 || rapid.IntRange(0, 4).Draw(t, "leaf") == 0 {
		return leaf.Draw(t, "letter")
	}
	inner := func() string { return "( " + expression(t, leaf, depth-1) + " )" }
	switch rapid.IntRange(0, 6).Draw(t, "form") {
	case 0:
		return inner() + " OR " + inner()
	case 1, 2:
		return inner() + " FOLLOWEDBY " + inner()
	case 3:
		return fmt.Sprintf("%s WITHIN %d SECONDS", inner(), rapid.IntRange(1, 9).Draw(t, "span"))
	case 4:
		return fmt.Sprintf("%s REPEATS %d TIMES", inner(), rapid.IntRange(1, 3).Draw(t, "times"))
	case 5:
		from := rapid.IntRange(0, 9).Draw(t, "from")
		return fmt.Sprintf("%s START t'2026-01-01T00:00:%02dZ' STOP t'2026-01-01T00:00:%02dZ'", inner(), from, from+rapid.IntRange(0, 9).Draw(t, "long"))
	}
	return inner() + " AND " + inner()
}

// TestMatchIsByDefinition compares the search with the definition.
func TestMatchIsByDefinition(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		rows := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) string {
			first := rapid.IntRange(0, 12).Draw(t, "first")
			return fmt.Sprintf("%s %d %d %d", rapid.SampledFrom([]string{"a", "b", "c"}).Draw(t, "name"), first,
				first+rapid.SampledFrom([]int{0, 0, 3, 8}).Draw(t, "lasts"), rapid.SampledFrom([]int{1, 1, 2}).Draw(t, "number"))
		}), 1, 5).Draw(t, "rows")
		text := of(expressions().Draw(t, "expression"))
		p, err := Parse(text)
		if err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		m, err := Compile(p)
		if err != nil {
			t.Fatal(err)
		}
		o := people(t, rows...)
		got, err := m.Match(o)
		if err != nil {
			t.Fatal(err)
		}
		s := &search{list: o.list}
		candidates := make([][]int, len(m.tests))
		for i, test := range m.tests {
			candidates[i], _ = s.satisfying(test)
		}
		if want := len(bindings(m.root, o.list, candidates)) > 0; got.Matched != want {
			t.Fatalf("%s of\n%s\nis %v, by definition %v", text, strings.Join(rows, "\n"), got, want)
		}
		if again := p.String(); again != text {
			q, err := Parse(again)
			if err != nil || q.String() != again {
				t.Fatalf("%s prints as %s: %v", text, again, err)
			}
		}
	})
}
