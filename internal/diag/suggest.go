package diag

import (
	"slices"
	"strings"
)

// Suggest returns the candidate most like word, "" if none is near enough to be
// what was meant: case, '-' and '_' do not count, and about one wrong letter in
// three is forgiven. Of equally near ones the first in alphabet wins.
func Suggest(word string, candidates []string) string {
	if len(word) == 0 || len(word) > 64 {
		return ""
	}
	w := plain(word)
	best, bestDistance := "", max(1, len(w)/3)+1
	for _, c := range slices.Sorted(slices.Values(candidates)) {
		if c == word || len(c) > 64 {
			continue
		}
		if d := distance(w, plain(c)); d < bestDistance && d < max(len(c), 2) {
			best, bestDistance = c, d
		}
	}
	return best
}

// DidYouMean phrases Suggest as a help text, "" without a suggestion.
func DidYouMean(word string, candidates []string) string {
	if s := Suggest(word, candidates); s != "" {
		return `did you mean "` + s + `"?`
	}
	return ""
}

var separators = strings.NewReplacer("_", "", "-", "")

func plain(s string) string { return separators.Replace(strings.ToLower(s)) }

// distance is the number of inserted, deleted, changed or swapped letters that
// lead from a to b (optimal string alignment).
func distance(a, b string) int {
	before, prev := make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range prev {
		prev[j] = j
	}
	for i := range len(a) {
		row := make([]int, len(b)+1)
		row[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			row[j+1] = min(prev[j+1]+1, row[j]+1, prev[j]+cost)
			if i > 0 && j > 0 && a[i] == b[j-1] && a[i-1] == b[j] {
				row[j+1] = min(row[j+1], before[j-1]+1)
			}
		}
		before, prev = prev, row
	}
	return prev[len(b)]
}
