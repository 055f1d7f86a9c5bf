package main

import (
	"fmt"
	"slices"
)

// sample is one measurement. Times are seconds, Peak is bytes.
type sample struct {
	Wall   float64 `json:"wall"`
	User   float64 `json:"user"`
	System float64 `json:"system"`
	Peak   float64 `json:"peak"`
	// Values are further numbers, by name.
	Values map[string]float64 `json:"values,omitempty"`
	// Series are numbers taken more than once in one process.
	Series map[string][]float64 `json:"series,omitempty"`
	// Total is the CPU time of the whole process, its preparation included.
	Total float64 `json:"total,omitempty"`
	// Foreign is the share of the machine that other programs took meanwhile.
	Foreign float64 `json:"foreign,omitempty"`
}

func (s sample) String() string {
	out := fmt.Sprintf("%.2f s (user %.2f, system %.2f), peak %.0f MB, others %.0f %%", s.Wall, s.User, s.System, s.Peak/1e6, 100*s.Foreign)
	for _, k := range sortedKeys(s.Values) {
		out += fmt.Sprintf(", %s %.4g", k, s.Values[k])
	}
	for _, k := range sortedKeys(s.Series) {
		out += fmt.Sprintf(", %s %.3g", k, s.Series[k])
	}
	return out
}

func sortedKeys[V any](m map[string]V) []string {
	var keys []string
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// Readings of a sample.
func wall(s sample) float64 { return s.Wall }
func user(s sample) float64 { return s.User }
func cpu(s sample) float64  { return s.User + s.System }
func peak(s sample) float64 { return s.Peak }

func value(name string) func(sample) float64 {
	return func(s sample) float64 { return s.Values[name] }
}

// medianOf is the median of one reading.
func medianOf(all []sample, read func(sample) float64) float64 {
	v := make([]float64, len(all))
	for i := range all {
		v[i] = read(all[i])
	}
	return median(v)
}

// median is the middle of an odd number of values, the mean of the two in the
// middle of an even number; 0 of none.
func median(v []float64) float64 {
	v = slices.Sorted(slices.Values(v))
	n := len(v)
	if n == 0 {
		return 0
	}
	return (v[(n-1)/2] + v[n/2]) / 2
}

// most is the largest of one reading.
func most(all []sample, read func(sample) float64) float64 {
	var m float64
	for _, s := range all {
		m = max(m, read(s))
	}
	return m
}

// ratioOf is the median of the ratios of the rounds, so that what slowed both
// sides of a round down does not count.
func ratioOf(us, them []sample, read func(sample) float64) float64 {
	return ratioBy(us, read, them, read)
}

func ratioBy(us []sample, mine func(sample) float64, them []sample, theirs func(sample) float64) float64 {
	v := make([]float64, len(us))
	for i := range us {
		v[i] = mine(us[i]) / theirs(them[i])
	}
	return median(v)
}
