package pebblestore

import (
	"os"
	"strings"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// guardFS stands between Pebble and the disk. Pebble ends the process when a write
// to its log fails; guardFS breaks the store instead and from then on keeps every
// write off the disk: those to the log seem to succeed (no commit is acknowledged
// any more, see health), the others fail. A failed sync of a directory counts as one
// of the log: Pebble panics on some of them.
type guardFS struct {
	vfs.FS
	h *health
}

func isLog(name string) bool   { return strings.HasSuffix(name, ".log") }
func isTable(name string) bool { return strings.HasSuffix(name, ".sst") }

func (g *guardFS) Unwrap() vfs.FS { return g.FS }

// Create implements vfs.FS.
func (g *guardFS) Create(name string, c vfs.DiskWriteCategory) (vfs.File, error) {
	if isTable(name) {
		g.h.pause()
	}
	return g.open(name, func() (vfs.File, error) { return g.FS.Create(name, c) })
}

// ReuseForWrite implements vfs.FS.
func (g *guardFS) ReuseForWrite(oldname, newname string, c vfs.DiskWriteCategory) (vfs.File, error) {
	return g.open(newname, func() (vfs.File, error) { return g.FS.ReuseForWrite(oldname, newname, c) })
}

func (g *guardFS) open(name string, create func() (vfs.File, error)) (vfs.File, error) {
	err := g.h.readable()
	var f vfs.File
	if err == nil {
		f, err = create()
	}
	switch {
	case err == nil:
		return &guardFile{File: f, h: g.h, vital: isLog(name)}, nil
	case !isLog(name):
		return nil, err
	}
	_ = g.h.fail(err)
	f, err = vfs.NewMem().Create("nowhere.log", vfs.WriteCategoryUnspecified)
	if err != nil {
		return nil, err
	}
	return &guardFile{File: f, h: g.h, vital: true}, nil
}

// OpenReadWrite implements vfs.FS.
func (g *guardFS) OpenReadWrite(name string, c vfs.DiskWriteCategory, o ...vfs.OpenOption) (vfs.File, error) {
	return g.open(name, func() (vfs.File, error) { return g.FS.OpenReadWrite(name, c, o...) })
}

// OpenDir implements vfs.FS.
func (g *guardFS) OpenDir(name string) (vfs.File, error) {
	f, err := g.FS.OpenDir(name)
	if err != nil {
		return nil, err
	}
	return &guardFile{File: f, h: g.h, vital: true}, nil
}

// change runs an operation on the directory tree unless the store is broken.
func (g *guardFS) change(op func() error) error {
	if err := g.h.readable(); err != nil {
		return err
	}
	return op()
}

// Link implements vfs.FS.
func (g *guardFS) Link(a, b string) error {
	return g.change(func() error { return g.FS.Link(a, b) })
}

// Remove implements vfs.FS.
func (g *guardFS) Remove(name string) error {
	return g.change(func() error { return g.FS.Remove(name) })
}

// RemoveAll implements vfs.FS.
func (g *guardFS) RemoveAll(name string) error {
	return g.change(func() error { return g.FS.RemoveAll(name) })
}

// Rename implements vfs.FS.
func (g *guardFS) Rename(a, b string) error {
	return g.change(func() error { return g.FS.Rename(a, b) })
}

// MkdirAll implements vfs.FS.
func (g *guardFS) MkdirAll(dir string, perm os.FileMode) error {
	return g.change(func() error { return g.FS.MkdirAll(dir, perm) })
}

// guardFile is a file opened for writing, or a directory to be synced.
type guardFile struct {
	vfs.File
	h     *health
	vital bool // part of the write-ahead log, or a directory
}

// write runs a write or sync under the rule of guardFS.
func (f *guardFile) write(op func() error) error {
	err := f.h.readable()
	if err == nil {
		err = op()
	}
	if err != nil && f.vital {
		_ = f.h.fail(err)
		return nil
	}
	return err
}

func (f *guardFile) Write(p []byte) (int, error) {
	err := f.write(func() error { _, err := f.File.Write(p); return err })
	if err != nil {
		return 0, err
	}
	return len(p), nil
}

// WriteAt implements vfs.File.
func (f *guardFile) WriteAt(p []byte, off int64) (int, error) {
	err := f.write(func() error { _, err := f.File.WriteAt(p, off); return err })
	if err != nil {
		return 0, err
	}
	return len(p), nil
}

// Sync implements vfs.File.
func (f *guardFile) Sync() error { return f.write(f.File.Sync) }

// SyncData implements vfs.File.
func (f *guardFile) SyncData() error { return f.write(f.File.SyncData) }

// SyncTo implements vfs.File.
func (f *guardFile) SyncTo(length int64) (fullSync bool, err error) {
	err = f.write(func() error { fullSync, err = f.File.SyncTo(length); return err })
	return fullSync, err
}

// Preallocate implements vfs.File.
func (f *guardFile) Preallocate(offset, length int64) error {
	return f.write(func() error { return f.File.Preallocate(offset, length) })
}

// Close implements vfs.File.
func (f *guardFile) Close() error {
	err := f.File.Close()
	if err != nil && f.vital {
		_ = f.h.fail(err)
		return nil
	}
	return err
}
