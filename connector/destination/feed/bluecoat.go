package feed

import (
	"bytes"
	"encoding/binary"

	"github.com/remeld/remeld/indicator"
)

// bluecoatPayload keeps the categories an indicator names itself, each behind its
// length.
func bluecoatPayload(q *query) payloadFunc {
	return func(dst []byte, kind indicator.Kind, a *indicator.Attributes) []byte {
		var names []string
		switch v := attribute(kind, a, q.category).(type) {
		case string:
			names = []string{v}
		case []string:
			names = v
		}
		for _, n := range names {
			dst = append(binary.AppendUvarint(dst, uint64(len(n))), n...)
		}
		return dst
	}
}

// writeBluecoat writes entries by category, categories in the order in which
// MineMeld prints them.
func writeBluecoat(r *render, entries []entry) error {
	var order []string
	members := map[string][][]byte{}
	add := func(category string, u []byte) {
		if _, ok := members[category]; !ok {
			order = append(order, category)
		}
		members[category] = append(members[category], u)
	}
	for i := range entries {
		text, own := r.l.bytes(&entries[i])
		u := bytes.Clone(wildParts(r.schemeless(text)))
		if len(own) == 0 {
			for _, c := range r.q.defaults {
				add(c, u)
			}
		}
		for len(own) > 0 {
			n, used := binary.Uvarint(own)
			add(string(own[used:used+int(n)]), u)
			own = own[used+int(n):]
		}
	}
	for _, c := range dictOrder(order) {
		_, _ = r.w.WriteString("define category " + c + "\n")
		for _, u := range members[c] {
			r.line(u)
		}
		_, _ = r.w.WriteString("end\n")
	}
	return nil
}

// dictOrder returns distinct keys, inserted in this order, in the order in which a
// dict of Python 2 (64 bits, hashing not randomised) iterates over them: MineMeld
// prints its categories so.
func dictOrder(keys []string) []string {
	slots := make([]*string, 8)
	for n := range keys {
		dictInsert(slots, &keys[n])
		if used := n + 1; used*3 >= len(slots)*2 {
			slots = dictGrow(slots, used)
		}
	}
	out := make([]string, 0, len(keys))
	for _, k := range slots {
		if k != nil {
			out = append(out, *k)
		}
	}
	return out
}

func dictGrow(slots []*string, used int) []*string {
	want, size := used*4, 8
	if used > 50000 {
		want = used * 2
	}
	for size <= want {
		size *= 2
	}
	grown := make([]*string, size)
	for _, k := range slots {
		if k != nil {
			dictInsert(grown, k)
		}
	}
	return grown
}

// dictInsert puts k into the first free slot of its probe sequence.
func dictInsert(slots []*string, k *string) {
	hash, mask := pythonHash(*k), uint64(len(slots)-1)
	for at, perturb := hash&mask, hash; ; perturb >>= 5 {
		if slots[at&mask] == nil {
			slots[at&mask] = k
			return
		}
		at = at<<2 + at + perturb + 1
	}
}

// pythonHash is Python 2's hash of a unicode string.
func pythonHash(s string) uint64 {
	var h, n uint64
	for _, r := range s {
		if n == 0 {
			h = uint64(r) << 7
		}
		h = 1000003*h ^ uint64(r)
		n++
	}
	if h ^= n; h == ^uint64(0) {
		h--
	}
	return h
}
