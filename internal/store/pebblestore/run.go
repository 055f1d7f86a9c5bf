package pebblestore

import (
	"bytes"
	"context"
	"fmt"

	"github.com/cockroachdb/pebble/v2/objstorage/objstorageprovider"
	"github.com/cockroachdb/pebble/v2/sstable"
	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/remeld/remeld/internal/store"
)

// runWriter writes the rows of one space into one or several sorted files.
type runWriter struct {
	s     *Store
	ctx   context.Context
	id    uint32
	name  string
	paths []string
	w     *sstable.Writer
	size  int
	rows  int
	key   []byte // of the row before
	buf   []byte
	err   error // the first; put repeats it, a Rows function cannot pass over it
}

func (w *runWriter) run(sp store.BulkSpace) error {
	err := sp.Rows(w.put)
	if err == nil {
		err = w.err
	}
	if cerr := w.cut(); err == nil {
		err = cerr
	}
	if err != nil {
		return fmt.Errorf("space %q: %w", sp.Space, err)
	}
	return nil
}

func (w *runWriter) put(key, value []byte) error {
	if w.err == nil {
		w.err = w.add(key, value)
	}
	return w.err
}

func (w *runWriter) add(key, value []byte) error {
	if w.rows%checkEvery == 0 {
		if err := w.stopped(); err != nil {
			return err
		}
	}
	if w.rows > 0 && bytes.Compare(key, w.key) <= 0 {
		return store.ErrUnsorted
	}
	if w.w == nil {
		if err := w.begin(); err != nil {
			return err
		}
	}
	w.rows++
	w.key = append(w.key[:0], key...)
	w.buf = rowKey(w.buf, w.id, key)
	if err := w.w.Set(w.buf, value); err != nil {
		return err
	}
	if w.size += len(key) + len(value); w.size >= loadFile {
		return w.cut()
	}
	return nil
}

func (w *runWriter) stopped() error {
	if err := w.ctx.Err(); err != nil {
		return err
	}
	if w.s.life.ended() {
		return store.ErrClosed
	}
	return w.s.h.writable()
}

// begin starts the next file. It is tuned like the lowest level, where it will lie.
func (w *runWriter) begin() error {
	path := fmt.Sprintf("%s-%d.run", w.name, len(w.paths))
	f, err := w.s.fs.Create(path, vfs.WriteCategoryUnspecified)
	if err != nil {
		return err
	}
	o := w.s.opts.MakeWriterOptions(len(w.s.opts.Levels)-1, w.s.db.FormatMajorVersion().MaxTableFormat())
	w.w = sstable.NewWriter(objstorageprovider.NewFileWritable(f), o)
	w.paths = append(w.paths, path)
	w.size = 0
	return nil
}

// cut ends the file under way and syncs it.
func (w *runWriter) cut() error {
	if w.w == nil {
		return nil
	}
	err := w.w.Close()
	w.w = nil
	return err
}
