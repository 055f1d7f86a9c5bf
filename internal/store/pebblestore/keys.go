package pebblestore

import (
	"encoding/binary"
	"fmt"
)

// Everything lives in one ordered key space. The first byte tells what a key is:
//
//	00 "schema"           version of this layout, decimal
//	00 "next"             next free id, 4 bytes
//	01 name               space: id
//	02 name               log: id, last number, first number kept
//	03 name               fence: epoch
//	05 id                 id given to a load that is not finished
//	10 id key             row of a space
//	11 id number          entry of a log: its key
//
// Integers are big-endian, so that byte order is number order. Ids are never given
// twice.
const (
	tagMeta    = 0x00
	tagSpace   = 0x01
	tagLog     = 0x02
	tagFence   = 0x03
	tagPending = 0x05
	tagRow     = 0x10
	tagEntry   = 0x11
)

// schema is the version of the layout above.
const schema = 1

var (
	keySchema = []byte{tagMeta, 's', 'c', 'h', 'e', 'm', 'a'}
	keyNext   = []byte{tagMeta, 'n', 'e', 'x', 't'}
)

const prefixLen = 5 // tag and id before a row's or an entry's key

func nameKey(tag byte, name string) []byte {
	return append([]byte{tag}, name...)
}

func idKey(tag byte, id uint32) []byte {
	return binary.BigEndian.AppendUint32([]byte{tag}, id)
}

func rowKey(dst []byte, id uint32, key []byte) []byte {
	dst = append(dst[:0], tagRow)
	dst = binary.BigEndian.AppendUint32(dst, id)
	return append(dst, key...)
}

func entryKey(id uint32, seq uint64) []byte {
	return binary.BigEndian.AppendUint64(idKey(tagEntry, id), seq)
}

// rowBounds are the first key of r in space id and the first key after it.
// ok is false when the range is empty by its ends.
func rowBounds(id uint32, from, to []byte) (lower, upper []byte, ok bool) {
	lower = rowKey(nil, id, from)
	if to == nil {
		return lower, afterAll(tagRow, id), true
	}
	upper = rowKey(nil, id, to)
	return lower, upper, string(lower) < string(upper)
}

// afterAll is the first key after everything under tag and id. Ids stop short of
// the largest uint32, so the sum does not wrap.
func afterAll(tag byte, id uint32) []byte { return idKey(tag, id+1) }

// logHead is the durable state of one log; first = last+1 when no entry is kept.
type logHead struct {
	id          uint32
	last, first uint64
}

func (h logHead) encode() []byte {
	b := binary.BigEndian.AppendUint32(nil, h.id)
	b = binary.BigEndian.AppendUint64(b, h.last)
	return binary.BigEndian.AppendUint64(b, h.first)
}

func decodeHead(b []byte) (logHead, error) {
	if len(b) != 20 {
		return logHead{}, fmt.Errorf("log head has %d bytes, not 20", len(b))
	}
	h := logHead{binary.BigEndian.Uint32(b), binary.BigEndian.Uint64(b[4:]), binary.BigEndian.Uint64(b[12:])}
	if h.first == 0 || h.first-1 > h.last {
		return logHead{}, fmt.Errorf("log head keeps %d to %d", h.first, h.last)
	}
	return h, nil
}

func decodeID(b []byte) (uint32, error) {
	if len(b) != 4 {
		return 0, fmt.Errorf("id has %d bytes, not 4", len(b))
	}
	return binary.BigEndian.Uint32(b), nil
}
