// Package pebblestore keeps a store in one directory of this machine, with Pebble
// underneath. Use it wherever one process serves the whole installation; it is the
// default engine.
//
// A commit is one synced batch; commits made at the same time share a sync. A
// bulk load is written as sorted files that become visible in one step. One process
// has the directory open (SEMANTICS E15); a reader may look into a directory that
// no process has open.
package pebblestore

import (
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"sync"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/remeld/remeld/internal/store"
)

// Options of Open. The zero value is what a server wants.
type Options struct {
	// FS replaces the operating system's files, for tests.
	FS vfs.FS
	// CacheSize bounds the block cache in bytes, memory tables included; 0 is 64 MB.
	CacheSize int64
	// Logger takes what happens in the background; nil drops it.
	Logger *slog.Logger
	// ReadOnly opens an existing store without writing to it and without keeping its
	// lock: a process that starts to run takes the directory over, and reads here may
	// then fail. Acquire, Commit and Ingest return ErrReadOnly.
	ReadOnly bool
}

// ErrReadOnly answers a write through a store opened read-only.
var ErrReadOnly = errors.New("store is open for reading only")

// Store is an open store. Safe for concurrent use.
type Store struct {
	dir  string
	fs   vfs.FS // the guarded one
	db   *pebble.DB
	opts *pebble.Options
	lock *pebble.Lock
	h    *health
	ro   bool

	life  lifetime
	write chan struct{} // holds one token: the right to build and apply a batch
	cat   catalogue     // guarded by the token
	bulks uint64        // loads begun, for file names; guarded by the token

	mu    sync.Mutex
	views map[*view]struct{}
}

var _ store.Store = (*Store)(nil)

// Open opens the store in dir, creating it if there is none. A directory that
// another process has open gives a *store.LockedError, one written by a newer
// version a *store.NewerError.
func Open(dir string, o Options) (*Store, error) {
	if o.FS == nil {
		o.FS = vfs.Default
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	lock, err := prepare(dir, o)
	if err != nil {
		return nil, err
	}
	s, err := open(dir, o, lock)
	if err != nil {
		return nil, errors.Join(err, lock.Close())
	}
	if !o.ReadOnly {
		return s, nil
	}
	if err := lock.Close(); err != nil {
		return nil, errors.Join(fmt.Errorf("releasing store %s: %w", dir, err), s.Close())
	}
	return s, nil
}

// prepare creates and locks the directory.
func prepare(dir string, o Options) (*pebble.Lock, error) {
	if !o.ReadOnly {
		if err := makeDir(o.FS, dir); err != nil {
			return nil, fmt.Errorf("creating store %s: %w", dir, err)
		}
	}
	lock, err := lockDir(o.FS, dir)
	if err != nil || o.ReadOnly {
		return lock, err
	}
	if err := writePID(o.FS, dir); err != nil {
		return nil, errors.Join(err, lock.Close())
	}
	return lock, nil
}

// makeDir creates dir and makes its entry durable.
func makeDir(fs vfs.FS, dir string) error {
	if _, err := fs.Stat(dir); err == nil {
		return nil
	}
	parent := fs.PathDir(dir)
	if parent != dir && parent != "." && parent != "" {
		if err := makeDir(fs, parent); err != nil {
			return err
		}
	}
	if err := fs.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	if parent == "" {
		return nil
	}
	d, err := fs.OpenDir(parent)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

func open(dir string, o Options, lock *pebble.Lock) (*Store, error) {
	h := newHealth(dir, o.Logger)
	s := &Store{
		dir: dir, fs: &guardFS{FS: o.FS, h: h}, h: h, lock: lock, ro: o.ReadOnly,
		write: make(chan struct{}, 1), views: map[*view]struct{}{},
	}
	dbLock := lock
	if s.ro {
		var err error
		if dbLock, err = looseLock(dir); err != nil {
			return nil, fmt.Errorf("opening store %s: %w", dir, err)
		}
		s.lock = dbLock
	}
	s.opts = tune(o, s.fs, h)
	s.opts.Lock = dbLock
	db, err := pebble.Open(dir, s.opts)
	if err != nil {
		return nil, fmt.Errorf("opening store %s: %w", dir, errors.Join(err, h.readable()))
	}
	s.db = db
	if err = h.readable(); err == nil {
		err = s.start()
	}
	if err != nil {
		close(h.closed)
		return nil, errors.Join(err, db.Close())
	}
	s.write <- struct{}{}
	return s, nil
}

// start checks the version, reads the catalogue and sweeps what a killed load left.
func (s *Store) start() error {
	if err := s.checkSchema(); err != nil {
		return err
	}
	cat, pending, err := loadCatalogue(s.db)
	if err != nil {
		return s.readError("reading the catalogue", err)
	}
	s.cat = cat
	if s.ro {
		return nil
	}
	return s.sweep(pending)
}

// checkSchema refuses what this version cannot read and marks a fresh store.
func (s *Store) checkSchema() error {
	b, closer, err := s.db.Get(keySchema)
	if errors.Is(err, pebble.ErrNotFound) {
		return s.markSchema()
	}
	if err != nil {
		return s.readError("reading the version", err)
	}
	text := string(b)
	_ = closer.Close()
	have, err := strconv.Atoi(text)
	if err != nil || have < 1 {
		return fmt.Errorf("store %s: version %q is not a number: not a store of this program", s.dir, text)
	}
	if have > schema {
		return &store.NewerError{Path: s.dir, Have: have, Want: schema}
	}
	return nil
}

func (s *Store) markSchema() error {
	it, err := s.db.NewIter(nil)
	if err != nil {
		return s.readError("looking for rows", err)
	}
	used := it.First()
	if err := errors.Join(it.Error(), it.Close()); err != nil {
		return s.readError("looking for rows", err)
	}
	if used {
		return fmt.Errorf("store %s: holds data without a version: not a store of this program", s.dir)
	}
	if s.ro {
		return nil
	}
	if err := s.db.Set(keySchema, []byte(strconv.Itoa(schema)), pebble.Sync); err != nil {
		return fmt.Errorf("marking store %s: %w", s.dir, err)
	}
	return s.h.writable()
}

// Close implements store.Store: it waits for what is running and ends open views and
// cursors, whose users must have stopped. A second Close does nothing.
func (s *Store) Close() error {
	if !s.life.end() {
		return nil
	}
	close(s.h.closed)
	if !s.life.wait(grace) {
		return fmt.Errorf("closing store %s: a commit hangs on its disk", s.dir)
	}
	s.mu.Lock()
	open := s.views
	s.views = nil
	s.mu.Unlock()
	var errs []error
	for v := range open {
		errs = append(errs, v.end())
	}
	errs = append(errs, s.db.Close())
	if !s.ro {
		errs = append(errs, s.fs.Remove(s.fs.PathJoin(s.dir, pidFile)))
	}
	errs = append(errs, s.lock.Close())
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("closing store %s: %w", s.dir, err)
	}
	return nil
}

// readError names the directory in an error of Pebble's.
func (s *Store) readError(doing string, err error) error {
	return fmt.Errorf("store %s: %s: %w", s.dir, doing, err)
}
