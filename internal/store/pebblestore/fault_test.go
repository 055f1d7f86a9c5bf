package pebblestore_test

import (
	"errors"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"github.com/remeld/remeld/internal/store"
	"github.com/remeld/remeld/internal/store/pebblestore"
	"github.com/remeld/remeld/internal/store/storetest"
)

func faultDisk(inject func() error) storetest.FaultDisk {
	mem := vfs.NewMem()
	fs := errorfs.Wrap(mem, errorfs.InjectorFunc(func(op errorfs.Op) error {
		if op.Kind.ReadOrWrite() != errorfs.OpIsWrite || op.Kind == errorfs.OpFileClose {
			return nil
		}
		return inject()
	}))
	return storetest.FaultDisk{Open: medium(fs, "/store"), Healed: medium(mem, "/store")}
}

func TestE1_FailedWritesComeBackAsErrors(t *testing.T) {
	for _, fault := range []syscall.Errno{syscall.EIO, syscall.ENOSPC} {
		for _, lasting := range []bool{false, true} {
			failed := 0
			for at := int64(1); at < 500; at += 11 {
				if storetest.Fault(t, at, lasting, fault, faultDisk) > 0 {
					failed++
				}
				if t.Failed() {
					t.Fatalf("%v at write %d, lasting %t", fault, at, lasting)
				}
			}
			if failed < 20 {
				t.Errorf("%v: only %d runs met the fault", fault, failed)
			}
		}
	}
}

// failing fails the write operations on files with a suffix while it is switched on.
type failing struct {
	suffix string
	on     atomic.Bool
}

func (f *failing) MaybeError(op errorfs.Op) error {
	if f.on.Load() && op.Kind.ReadOrWrite() == errorfs.OpIsWrite && strings.HasSuffix(op.Path, f.suffix) {
		return syscall.ENOSPC
	}
	return nil
}
func (f *failing) String() string { return "failing " + f.suffix }

func write(t *testing.T, s store.Store, key string, size int) error {
	t.Helper()
	_, err := s.Commit(t.Context(), &store.Commit{Writes: []store.Write{
		{Space: "s", Key: []byte(key), Value: make([]byte, size)},
	}})
	return err
}

func TestE1_BrokenLogStopsTheStoreAndSaysWhere(t *testing.T) {
	mem, f := vfs.NewMem(), &failing{suffix: ".log"}
	s, err := pebblestore.Open("/store", pebblestore.Options{FS: errorfs.Wrap(mem, f)})
	if err != nil {
		t.Fatal(err)
	}
	if err := write(t, s, "kept", 10); err != nil {
		t.Fatal(err)
	}
	f.on.Store(true)
	for range 3 {
		err := write(t, s, "lost", 10)
		var broken *store.BrokenError
		if !errors.As(err, &broken) || broken.Path != "/store" || !errors.Is(err, syscall.ENOSPC) {
			t.Fatalf("error is %v, want a BrokenError of /store with ENOSPC", err)
		}
		if !strings.Contains(err.Error(), "/store") {
			t.Fatalf("error %q does not name the directory", err)
		}
		f.on.Store(false) // the store stays broken all the same
	}
	if _, err := s.View(); err == nil {
		t.Fatal("a broken store shows what may not be durable")
	}
	_ = s.Close()
	s, err = pebblestore.Open("/store", pebblestore.Options{FS: mem})
	if err != nil {
		t.Fatal(err)
	}
	v, err := s.View()
	if err != nil {
		t.Fatal(err)
	}
	if got, err := v.Get(t.Context(), "s", []byte("kept")); err != nil || len(got) != 10 {
		t.Fatalf("what was acknowledged reads %v, %v", got, err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

// A disk that is full for table files only: commits are refused, not hung, and go on
// once there is room.
func TestE1_FullDiskStallsAndRecovers(t *testing.T) {
	mem, f := vfs.NewMem(), &failing{suffix: ".sst"}
	s, err := pebblestore.Open("/store", pebblestore.Options{FS: errorfs.Wrap(mem, f)})
	if err != nil {
		t.Fatal(err)
	}
	f.on.Store(true)
	n := 0
	for err = nil; err == nil && n < 10_000; n++ {
		err = write(t, s, "k", 100<<10)
	}
	if !errors.Is(err, syscall.ENOSPC) || !strings.Contains(err.Error(), "/store") {
		t.Fatalf("after %d commits the error is %v, want ENOSPC of /store", n, err)
	}
	var broken *store.BrokenError
	if errors.As(err, &broken) {
		t.Fatalf("a full disk broke the store: %v", err)
	}
	f.on.Store(false)
	for err != nil && t.Context().Err() == nil {
		err = write(t, s, "k", 10)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestDamagedFileGivesAnErrorThatNamesTheStore(t *testing.T) {
	mem := vfs.NewMem()
	s, err := pebblestore.Open("/store", pebblestore.Options{FS: mem})
	if err != nil {
		t.Fatal(err)
	}
	err = s.Ingest(t.Context(), &store.Bulk{Spaces: []store.BulkSpace{{
		Space: "s", Rows: func(put func(k, v []byte) error) error {
			for i := range 20_000 {
				if err := put([]byte{byte(i >> 8), byte(i)}, make([]byte, 100)); err != nil {
					return err
				}
			}
			return nil
		},
	}}})
	if err := errors.Join(err, s.Close()); err != nil {
		t.Fatal(err)
	}
	damageTables(t, mem, "/store")
	s, err = pebblestore.Open("/store", pebblestore.Options{FS: mem})
	if err == nil {
		var v store.View
		if v, err = s.View(); err == nil {
			err = v.Scan(t.Context(), "s", store.Range{}, func(_, _ []byte) error { return nil })
		}
		_ = s.Close()
	}
	if err == nil || !strings.Contains(err.Error(), "/store") {
		t.Fatalf("damaged tables read with error %v, want one that names the store", err)
	}
}

// damageTables overwrites a stretch near the start of every table file.
func damageTables(t *testing.T, fs vfs.FS, dir string) {
	t.Helper()
	names, err := fs.List(dir)
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, name := range names {
		if !strings.HasSuffix(name, ".sst") {
			continue
		}
		f, err := fs.OpenReadWrite(fs.PathJoin(dir, name), vfs.WriteCategoryUnspecified)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.WriteAt([]byte("damage damage damage"), 64); err != nil {
			t.Fatal(err)
		}
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
		n++
	}
	if n == 0 {
		t.Fatal("no table file to damage")
	}
}
