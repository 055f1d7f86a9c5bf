package ipset

import "slices"

// sortPacked sorts packed ranges by their first address (the upper 32 bits), in
// three counting passes. What is sorted already costs one look.
func sortPacked(v []uint64) {
	if len(v) < 512 {
		slices.Sort(v)
		return
	}
	if slices.IsSorted(v) {
		return
	}
	const bits = 11
	var count [3][1 << bits]int
	for _, x := range v {
		count[0][x>>32&(1<<bits-1)]++
		count[1][x>>(32+bits)&(1<<bits-1)]++
		count[2][x>>(32+2*bits)]++
	}
	src, dst := v, make([]uint64, len(v))
	for pass := range count {
		at := &count[pass]
		sum := 0
		for i, n := range at {
			at[i] = sum
			sum += n
		}
		shift := 32 + pass*bits
		for _, x := range src {
			d := x >> shift & (1<<bits - 1)
			dst[at[d]] = x
			at[d]++
		}
		src, dst = dst, src
	}
	copy(v, src) // an odd number of passes ends in the other slice
}
