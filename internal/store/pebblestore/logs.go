package pebblestore

import (
	"context"
	"encoding/binary"
	"fmt"

	"github.com/cockroachdb/pebble/v2"

	"github.com/remeld/remeld/internal/store"
)

// head reads the state of a log in the snapshot; the zero id means there is none.
func (v *view) head(log string) (logHead, error) {
	b, err := v.raw(nameKey(tagLog, log))
	if err != nil || b == nil {
		return logHead{first: 1}, err
	}
	h, err := decodeHead(b)
	if err != nil {
		return h, v.s.readError(fmt.Sprintf("reading log %q", log), err)
	}
	return h, nil
}

// Head implements store.View.
func (v *view) Head(ctx context.Context, log string) (last, first uint64, err error) {
	if err := v.begin(ctx); err != nil {
		return 0, 0, err
	}
	defer v.s.life.leave()
	h, err := v.head(log)
	if err != nil {
		return 0, 0, err
	}
	return h.last, h.first, nil
}

// Changes implements store.View.
func (v *view) Changes(
	ctx context.Context, log string, after uint64, limit int, fn func(seq uint64, key []byte) error,
) error {
	if err := v.begin(ctx); err != nil {
		return err
	}
	defer v.s.life.leave()
	h, err := v.head(log)
	if err != nil {
		return err
	}
	if after < h.first-1 {
		return fmt.Errorf("log %q, after %d, kept from %d: %w", log, after, h.first, store.ErrTrimmed)
	}
	if after >= h.last || limit <= 0 {
		return nil
	}
	end := h.last
	if h.last-after > uint64(limit) {
		end = after + uint64(limit)
	}
	it, err := v.iter(ctx, entryKey(h.id, after+1), entryKey(h.id, end+1))
	if err != nil {
		return err
	}
	seq := after
	for ok := it.First(); ok; ok = it.Next() {
		seq++
		if err := v.entry(ctx, it, seq, fn); err != nil {
			_ = v.finish(it, nil)
			return store.Ended(err)
		}
	}
	if err := v.finish(it, nil); err != nil {
		return err
	}
	if seq != end {
		return v.s.readError(fmt.Sprintf("reading log %q", log), fmt.Errorf("entry %d is missing", seq+1))
	}
	return nil
}

// entry hands one entry on; numbers have no gaps.
func (v *view) entry(ctx context.Context, it *pebble.Iterator, seq uint64, fn func(seq uint64, key []byte) error) error {
	if seq%checkEvery == 0 {
		if err := v.goOn(ctx); err != nil {
			return err
		}
	}
	if have := binary.BigEndian.Uint64(it.Key()[prefixLen:]); have != seq {
		return v.s.readError("reading a log", fmt.Errorf("entry %d is missing", seq))
	}
	key, err := valueOf(it)
	if err != nil {
		return v.s.readError("reading a log", err)
	}
	return fn(seq, key)
}

// Spaces implements store.View.
func (v *view) Spaces(ctx context.Context, prefix string) ([]string, error) {
	if err := v.begin(ctx); err != nil {
		return nil, err
	}
	defer v.s.life.leave()
	it, err := v.iter(ctx, nameKey(tagSpace, prefix), []byte{tagSpace + 1})
	if err != nil {
		return nil, err
	}
	var names []string
	for ok := it.First(); ok; ok = it.Next() {
		name := string(it.Key()[1:])
		if len(name) < len(prefix) || name[:len(prefix)] != prefix {
			break
		}
		id, err := decodeID(it.Value())
		if err != nil {
			return nil, v.finish(it, v.s.readError(fmt.Sprintf("reading space %q", name), err))
		}
		held, err := v.holds(ctx, id)
		if err != nil {
			return nil, v.finish(it, err)
		}
		if held {
			names = append(names, name)
		}
	}
	return names, v.finish(it, nil)
}

// holds tells whether the space has a row.
func (v *view) holds(ctx context.Context, id uint32) (bool, error) {
	it, err := v.iter(ctx, idKey(tagRow, id), afterAll(tagRow, id))
	if err != nil {
		return false, err
	}
	held := it.First()
	return held, v.finish(it, nil)
}
