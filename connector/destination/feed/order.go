package feed

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"slices"
)

// ref stands for an entry while sorting: eight bytes to sort by and its place.
type ref struct {
	key uint64
	at  uint32
}

// smallRun is the length up to which comparing beats counting.
const smallRun = 300

// byTime is the level of sorting before the bytes of the texts.
const byTime = -1

// sort puts the entries in the order of the feed: by the time of the last emitted
// change, then by bytes. It sorts by eight bytes at a time, counting, and goes on
// only where they are equal: a million texts in a few passes over 16 MB.
func (l *snapshot) sort() {
	run := make([]ref, len(l.entries))
	for i := range run {
		run[i] = ref{uint64(l.entries[i].changed) ^ 1<<63, uint32(i)}
	}
	l.sortRun(run, make([]ref, len(run)), byTime)
	sorted := make([]entry, len(run))
	for i, r := range run {
		sorted[i] = l.entries[r.at]
	}
	l.entries = sorted
}

// sortRun sorts entries that are equal before level, which is a place in the texts
// or byTime. The keys are those of the level.
func (l *snapshot) sortRun(run, scratch []ref, level int) {
	if len(run) <= smallRun {
		slices.SortFunc(run, l.compare)
		return
	}
	radix(run, scratch)
	next := level + 8
	if level == byTime {
		next = 0
	}
	for begin := 0; begin < len(run); {
		end := begin + 1
		for end < len(run) && run[end].key == run[begin].key {
			end++
		}
		if same := run[begin:end]; len(same) > 1 && l.rekey(same, next) {
			l.sortRun(same, scratch[:len(same)], next)
		} else {
			slices.SortFunc(same, l.compare) // nothing is left to tell them apart but their length
		}
		begin = end
	}
}

// rekey takes the keys from the texts at place; false if all are at their end.
func (l *snapshot) rekey(run []ref, place int) (more bool) {
	for i := range run {
		text, _ := l.bytes(&l.entries[run[i].at])
		var b [8]byte
		if place < len(text) {
			more = true
			copy(b[:], text[place:])
		}
		run[i].key = binary.BigEndian.Uint64(b[:])
	}
	return more
}

// compare compares entries that are equal before their keys.
func (l *snapshot) compare(a, b ref) int {
	if a.key != b.key {
		return cmp.Compare(a.key, b.key)
	}
	x, _ := l.bytes(&l.entries[a.at])
	y, _ := l.bytes(&l.entries[b.at])
	return bytes.Compare(x, y)
}

// radix sorts by key, byte by byte from the last, leaving out bytes that are the
// same everywhere.
func radix(run, scratch []ref) {
	var count [8][256]int
	for _, r := range run {
		for d := range count {
			count[d][byte(r.key>>(8*d))]++
		}
	}
	src, dst := run, scratch
	for d := range count {
		at := &count[d]
		if at[byte(run[0].key>>(8*d))] == len(run) {
			continue
		}
		sum := 0
		for i, n := range at {
			at[i] = sum
			sum += n
		}
		for _, r := range src {
			b := byte(r.key >> (8 * d))
			dst[at[b]] = r
			at[b]++
		}
		src, dst = dst, src
	}
	if &src[0] != &run[0] {
		copy(run, src)
	}
}
