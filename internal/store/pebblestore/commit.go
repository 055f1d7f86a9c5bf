package pebblestore

import (
	"context"
	"fmt"
	"time"

	"github.com/cockroachdb/pebble/v2"

	"github.com/remeld/remeld/internal/store"
)

// Acquire implements store.Store.
func (s *Store) Acquire(ctx context.Context, name string) (store.Fence, error) {
	if name == "" {
		return store.Fence{}, store.ErrNoName
	}
	f := store.Fence{Name: name}
	err := s.commit(ctx, "acquiring "+name, store.Fence{}, 0, func(_ *pebble.Batch, c *change) error {
		f.Epoch = c.cat.fences[name] + 1
		c.fences[name] = f.Epoch
		return nil
	})
	if err != nil {
		return store.Fence{}, err
	}
	return f, nil
}

// Commit implements store.Store. What it writes can be seen by a new View a moment
// before it is durable; what is committed after it becomes durable after it. A
// *store.BrokenError leaves open whether the commit is kept.
func (s *Store) Commit(ctx context.Context, c *store.Commit) (store.Receipt, error) {
	receipt := store.Receipt{Heads: map[string]uint64{}}
	err := s.commit(ctx, "committing", c.Fence, sizeOf(c), func(b *pebble.Batch, ch *change) error {
		if err := clearRanges(b, ch, c.Clear); err != nil {
			return err
		}
		if err := setRows(b, ch, c.Writes); err != nil {
			return err
		}
		if err := appendLogs(b, ch, c.Appends, receipt.Heads); err != nil {
			return err
		}
		return trimLogs(b, ch, c.Trims)
	})
	if err != nil {
		return store.Receipt{}, err
	}
	return receipt, nil
}

// sizeOf guesses the bytes of a commit, so that its batch does not grow by copying.
func sizeOf(c *store.Commit) int {
	n := 256
	for i := range c.Writes {
		n += len(c.Writes[i].Key) + len(c.Writes[i].Value) + 16
	}
	for i := range c.Appends {
		for _, k := range c.Appends[i].Keys {
			n += len(k) + 24
		}
	}
	return n
}

// commit builds a batch under the write token, applies it and waits for its sync.
func (s *Store) commit(
	ctx context.Context, doing string, f store.Fence, size int, build func(*pebble.Batch, *change) error,
) error {
	if s.ro {
		return fmt.Errorf("store %s: %s: %w", s.dir, doing, ErrReadOnly)
	}
	if err := s.life.enter(); err != nil {
		return err
	}
	if err := s.takeToken(ctx); err != nil {
		s.life.leave()
		return err
	}
	ch := s.cat.begin()
	b := s.db.NewBatchWithSize(size)
	err := s.checkFence(f)
	if err == nil {
		err = build(b, ch)
	}
	if err == nil {
		err = ch.encode(b)
	}
	if err != nil {
		s.write <- struct{}{}
		_ = b.Close()
		s.life.leave()
		return fmt.Errorf("store %s: %s: %w", s.dir, doing, err)
	}
	return s.finish(b, ch)
}

// takeToken waits for the right to write and checks that writing is possible.
func (s *Store) takeToken(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	for {
		if err := s.h.writable(); err != nil {
			return err
		}
		select {
		case <-s.write:
		case <-s.h.troubled():
			continue
		case <-ctx.Done():
			return ctx.Err()
		case <-s.h.closed:
			return store.ErrClosed
		}
		if err := s.h.writable(); err != nil {
			s.write <- struct{}{}
			return err
		}
		return nil
	}
}

func (s *Store) checkFence(f store.Fence) error {
	if f == (store.Fence{}) {
		return nil
	}
	if f.Epoch == 0 || s.cat.fences[f.Name] != f.Epoch {
		return fmt.Errorf("writer %q, epoch %d: %w", f.Name, f.Epoch, store.ErrFenced)
	}
	return nil
}

// finish applies the batch, gives the token back and waits for the sync. When the
// disk does not answer within a grace after trouble began, the outcome is unknown:
// the store breaks, and opening it again tells.
func (s *Store) finish(b *pebble.Batch, ch *change) error {
	done := make(chan error, 1)
	go func() {
		defer s.life.leave()
		done <- s.apply(b, ch)
	}()
	select {
	case err := <-done:
		return err
	case <-s.h.troubled():
	}
	timer := time.NewTimer(grace)
	defer timer.Stop()
	select {
	case err := <-done:
		return err
	case <-timer.C:
		return s.h.fail(fmt.Errorf("a commit got no answer from the disk: %w", s.h.writable()))
	}
}

func (s *Store) apply(b *pebble.Batch, ch *change) error {
	err := s.db.ApplyNoSyncWait(b, pebble.Sync)
	if err == nil {
		err = s.h.readable()
	}
	if err != nil {
		s.write <- struct{}{}
		return s.h.fail(err)
	}
	ch.merge()
	s.write <- struct{}{}
	if err := b.SyncWait(); err != nil {
		return s.h.fail(err)
	}
	if err := s.h.readable(); err != nil {
		return err
	}
	return b.Close()
}

func clearRanges(b *pebble.Batch, ch *change, ranges []store.SpaceRange) error {
	for _, r := range ranges {
		id, ok := ch.space(r.Space)
		if !ok {
			continue
		}
		lower, upper, ok := rowBounds(id, r.Range.From, r.Range.To)
		if !ok {
			continue
		}
		if err := b.DeleteRange(lower, upper, nil); err != nil {
			return err
		}
	}
	return nil
}

func setRows(b *pebble.Batch, ch *change, writes []store.Write) error {
	var buf []byte
	for i := range writes {
		w := &writes[i]
		if w.Delete {
			id, ok := ch.space(w.Space)
			if !ok {
				continue
			}
			buf = rowKey(buf, id, w.Key)
			if err := b.Delete(buf, nil); err != nil {
				return err
			}
			continue
		}
		id, err := ch.needSpace(w.Space)
		if err != nil {
			return err
		}
		buf = rowKey(buf, id, w.Key)
		if err := b.Set(buf, w.Value, nil); err != nil {
			return err
		}
	}
	return nil
}

func appendLogs(b *pebble.Batch, ch *change, appends []store.Append, heads map[string]uint64) error {
	for _, a := range appends {
		h, err := ch.needLog(a.Log)
		if err != nil {
			return err
		}
		for _, k := range a.Keys {
			h.last++
			if err := b.Set(entryKey(h.id, h.last), k, nil); err != nil {
				return err
			}
		}
		ch.logs[a.Log] = h
		heads[a.Log] = h.last
	}
	return nil
}

func trimLogs(b *pebble.Batch, ch *change, trims []store.Trim) error {
	for _, t := range trims {
		h, ok := ch.log(t.Log)
		upTo := min(t.UpTo, h.last)
		if !ok || upTo < h.first {
			continue
		}
		if err := b.DeleteRange(entryKey(h.id, h.first), entryKey(h.id, upTo+1), nil); err != nil {
			return err
		}
		h.first = upTo + 1
		ch.logs[t.Log] = h
	}
	return nil
}
