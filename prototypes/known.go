package prototypes

import (
	"maps"
	"slices"
)

// Known returns every name a configuration may give for built-in warninglists:
// lists and the names that stand for several, sorted.
func Known() []string {
	return slices.Compact(slices.Sorted(slices.Values(append(Names(), slices.Collect(maps.Keys(aliases))...))))
}
