package pebblestore

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/cockroachdb/pebble/v2"

	"github.com/remeld/remeld/internal/store"
)

// Files of loads under way lie in this folder of the store until they are taken in.
const loadDir = "load"

// loadFile is about the number of key and value bytes in one file of a load.
const loadFile = 128 << 20

// Ingest implements store.Store. The rows go under ids no name leads to yet, so they
// are invisible; one commit then turns the names to them, with heads and writes.
func (s *Store) Ingest(ctx context.Context, b *store.Bulk) error {
	ids, n, err := s.reserve(ctx, b)
	if err != nil {
		return err
	}
	if err = s.load(ctx, b, ids, n); err == nil {
		err = s.adopt(ctx, b, ids)
	}
	if err == nil || s.h.readable() != nil {
		return err
	}
	return errors.Join(err, s.drop(ids, n))
}

// reserve gives each space of the load a fresh id and notes it as unfinished.
func (s *Store) reserve(ctx context.Context, b *store.Bulk) (ids []uint32, n uint64, err error) {
	err = s.commit(ctx, "beginning a load", b.Fence, 0, func(batch *pebble.Batch, ch *change) error {
		if err := s.admit(ch, b); err != nil {
			return err
		}
		s.bulks++
		n = s.bulks
		for range b.Spaces {
			id, err := ch.newID()
			if err != nil {
				return err
			}
			ids = append(ids, id)
			if err := batch.Set(idKey(tagPending, id), nil, nil); err != nil {
				return err
			}
		}
		return nil
	})
	return ids, n, err
}

// admit checks what a load requires: spaces without rows, logs without entries.
func (s *Store) admit(ch *change, b *store.Bulk) error {
	seen := map[string]bool{}
	for _, sp := range b.Spaces {
		if seen[sp.Space] {
			return fmt.Errorf("the load names space %q twice", sp.Space)
		}
		seen[sp.Space] = true
		id, ok := ch.space(sp.Space)
		if !ok {
			continue
		}
		held, err := s.holds(id)
		if err != nil {
			return err
		}
		if held {
			return fmt.Errorf("load into %q: %w", sp.Space, store.ErrNotEmpty)
		}
	}
	for name, head := range b.Heads {
		if h, ok := ch.log(name); ok && (h.first <= h.last || h.last > head) {
			return fmt.Errorf("load sets head %d of log %q at %d: %w", head, name, h.last, store.ErrNotEmpty)
		}
	}
	return nil
}

func (s *Store) holds(id uint32) (bool, error) {
	it, err := s.db.NewIter(&pebble.IterOptions{LowerBound: idKey(tagRow, id), UpperBound: afterAll(tagRow, id)})
	if err != nil {
		return false, err
	}
	held := it.First()
	return held, errors.Join(it.Error(), it.Close())
}

// load writes the sorted files, all spaces at the same time, and takes them in.
func (s *Store) load(ctx context.Context, b *store.Bulk, ids []uint32, n uint64) error {
	if err := s.life.enter(); err != nil {
		return err
	}
	defer s.life.leave()
	dir := s.loadPath(n)
	if err := s.fs.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("store %s: loading: %w", s.dir, err)
	}
	writers := make([]*runWriter, len(ids))
	errs := make([]error, len(ids))
	var wg sync.WaitGroup
	for i := range ids {
		w := &runWriter{s: s, ctx: ctx, id: ids[i], name: fmt.Sprintf("%s-%d", s.fs.PathJoin(dir, "space"), i)}
		writers[i] = w
		wg.Go(func() { errs[i] = w.run(b.Spaces[i]) })
	}
	wg.Wait()
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("store %s: loading: %w", s.dir, err)
	}
	var paths []string
	for _, w := range writers {
		paths = append(paths, w.paths...)
	}
	if err := s.ingest(ctx, paths); err != nil {
		return fmt.Errorf("store %s: loading: %w", s.dir, err)
	}
	return nil
}

func (s *Store) ingest(ctx context.Context, paths []string) error {
	if err := s.h.writable(); err != nil || len(paths) == 0 {
		return err
	}
	if err := s.db.Ingest(ctx, paths); err != nil {
		return err
	}
	return s.h.readable()
}

func (s *Store) loadPath(n uint64) string {
	return s.fs.PathJoin(s.dir, loadDir, fmt.Sprint(n))
}

// adopt turns the names to the loaded rows in one commit.
func (s *Store) adopt(ctx context.Context, b *store.Bulk, ids []uint32) error {
	err := s.commit(ctx, "finishing a load", b.Fence, 0, func(batch *pebble.Batch, ch *change) error {
		if err := s.admit(ch, b); err != nil {
			return err
		}
		for i, sp := range b.Spaces {
			ch.spaces[sp.Space] = ids[i]
			if err := batch.Delete(idKey(tagPending, ids[i]), nil); err != nil {
				return err
			}
		}
		for name, head := range b.Heads {
			h, err := ch.needLog(name)
			if err != nil {
				return err
			}
			h.last, h.first = head, head+1
			ch.logs[name] = h
		}
		return setRows(batch, ch, b.Writes)
	})
	return err
}

// drop removes what a load that failed has left. When even that fails, Open sweeps.
func (s *Store) drop(ids []uint32, n uint64) error {
	err := s.commit(context.Background(), "dropping a load", store.Fence{}, 0, func(b *pebble.Batch, _ *change) error {
		return dropIDs(b, ids)
	})
	return errors.Join(err, s.fs.RemoveAll(s.loadPath(n)))
}

func dropIDs(b *pebble.Batch, ids []uint32) error {
	for _, id := range ids {
		if err := b.DeleteRange(idKey(tagRow, id), afterAll(tagRow, id), nil); err != nil {
			return err
		}
		if err := b.Delete(idKey(tagPending, id), nil); err != nil {
			return err
		}
	}
	return nil
}

// sweep removes, at Open, what loads cut off by a crash have left.
func (s *Store) sweep(pending []uint32) error {
	if err := s.fs.RemoveAll(s.fs.PathJoin(s.dir, loadDir)); err != nil {
		return fmt.Errorf("store %s: sweeping unfinished loads: %w", s.dir, err)
	}
	if len(pending) == 0 {
		return nil
	}
	b := s.db.NewBatch()
	if err := dropIDs(b, pending); err != nil {
		return err
	}
	if err := b.Commit(pebble.Sync); err != nil {
		return fmt.Errorf("store %s: sweeping unfinished loads: %w", s.dir, err)
	}
	return errors.Join(b.Close(), s.h.writable())
}
