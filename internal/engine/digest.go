package engine

import (
	"hash/maphash"
	"math/bits"

	"github.com/remeld/remeld/sdk"
)

// pollDigest is a digest of all items of a poll that does not depend on their
// order or on how goroutines shared them: a sum of keyed hashes. It lets a poll
// that says exactly what the last one said end without sorting, also when the
// body is shuffled. The key is the process's own, so that nobody who writes a
// feed can aim at a sum. The same items mean another thing as changes than as the
// whole set, so polls of different shapes are never equal. The zero pollDigest equals
// none.
type pollDigest struct {
	lo, hi, items uint64
	shape         sdk.Shape
	valid         bool
}

var digestSeed = maphash.MakeSeed()

func (d *pollDigest) add(key, said []byte) {
	h, s := maphash.Bytes(digestSeed, key), maphash.Bytes(digestSeed, said)
	hi, lo := bits.Mul64(h^0x9e3779b97f4a7c15, s|1)
	d.lo += lo ^ h
	d.hi += bits.RotateLeft64(hi, 17) ^ h*0xff51afd7ed558ccd
	d.items++
}

func (d *pollDigest) join(o *pollDigest) {
	d.lo, d.hi, d.items = d.lo+o.lo, d.hi+o.hi, d.items+o.items
}

func (d *pollDigest) equal(o *pollDigest) bool {
	return d.valid && o.valid && d.shape == o.shape && d.lo == o.lo && d.hi == o.hi && d.items == o.items
}
