package pebblestore_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/remeld/remeld/internal/store"
	"github.com/remeld/remeld/internal/store/pebblestore"
)

// holdStore is the other process of the tests below: it writes one row, says so and
// keeps the store open until its input ends, or for ever when told to be killed.
func holdStore(dir string) {
	s, err := pebblestore.Open(dir, pebblestore.Options{})
	if err == nil {
		_, err = s.Commit(context.Background(), &store.Commit{Writes: []store.Write{{Space: "s", Key: []byte("k"), Value: []byte("v")}}})
	}
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	fmt.Println("open")
	_, _ = io.Copy(io.Discard, os.Stdin)
	if err := s.Close(); err != nil {
		os.Exit(1)
	}
}

// startHolder runs holdStore and waits until the store is open.
func startHolder(t *testing.T, dir string) (cmd *exec.Cmd, stop io.Closer) {
	t.Helper()
	cmd = exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), "STORE_TO_HOLD="+dir)
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if line, err := bufio.NewReader(out).ReadString('\n'); line != "open\n" {
		t.Fatalf("the holder says %q, %v", line, err)
	}
	return cmd, in
}

func openWrite(t *testing.T, dir string, o pebblestore.Options) *pebblestore.Store {
	t.Helper()
	s, err := pebblestore.Open(dir, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func get(t *testing.T, s store.Store, space, key string) string {
	t.Helper()
	v, err := s.View()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = v.Close() }()
	got, err := v.Get(t.Context(), space, []byte(key))
	if err != nil {
		t.Fatal(err)
	}
	return string(got)
}

func TestE15_LockedStoreNamesThePidOfTheHolder(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "state")
	cmd, stop := startHolder(t, dir)
	for _, readOnly := range []bool{false, true} {
		_, err := pebblestore.Open(dir, pebblestore.Options{ReadOnly: readOnly})
		var locked *store.LockedError
		if !errors.As(err, &locked) || locked.PID != cmd.Process.Pid || locked.Path != dir {
			t.Fatalf("read-only %t: error is %v, want a LockedError of pid %d", readOnly, err, cmd.Process.Pid)
		}
		if want := fmt.Sprintf("%s is open in another process (pid %d)", dir, cmd.Process.Pid); !strings.Contains(err.Error(), want) {
			t.Fatalf("error says %q, want %q", err, want)
		}
	}
	if err := errors.Join(stop.Close(), cmd.Wait()); err != nil {
		t.Fatal(err)
	}
	if got := get(t, openWrite(t, dir, pebblestore.Options{}), "s", "k"); got != "v" {
		t.Fatalf("row reads %q", got)
	}
}

func TestE15_KilledHolderLeavesAnOpenableStore(t *testing.T) {
	dir := t.TempDir()
	cmd, _ := startHolder(t, dir)
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	s := openWrite(t, dir, pebblestore.Options{}) // the stale pid file does not matter
	if got := get(t, s, "s", "k"); got != "v" {
		t.Fatalf("acknowledged row reads %q after the kill", got)
	}
}

func TestE15_ReaderNeverDelaysTheWriter(t *testing.T) {
	dir := t.TempDir()
	s := openWrite(t, dir, pebblestore.Options{})
	if err := errors.Join(write(t, s, "k", 3), s.Close()); err != nil {
		t.Fatal(err)
	}
	before := listing(t, dir)
	r := openWrite(t, dir, pebblestore.Options{ReadOnly: true})
	if got := get(t, r, "s", "k"); got != "\x00\x00\x00" {
		t.Fatalf("row reads %q", got)
	}
	if err := write(t, r, "k", 1); !errors.Is(err, pebblestore.ErrReadOnly) {
		t.Fatalf("write through a reader gives %v", err)
	}
	if _, err := r.Acquire(t.Context(), "n"); !errors.Is(err, pebblestore.ErrReadOnly) {
		t.Fatalf("acquire through a reader gives %v", err)
	}
	if after := listing(t, dir); after != before {
		t.Fatalf("a reader changed the directory from %s to %s", before, after)
	}
	w := openWrite(t, dir, pebblestore.Options{}) // while the reader is open
	if err := errors.Join(write(t, w, "k2", 1), r.Close(), write(t, w, "k3", 1), w.Close()); err != nil {
		t.Fatal(err)
	}
}

func listing(t *testing.T, dir string) string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprint(entries)
}

func TestE15_ReaderOfNoStoreCreatesNone(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "none")
	if s, err := pebblestore.Open(dir, pebblestore.Options{ReadOnly: true}); err == nil {
		_ = s.Close()
		t.Fatal("a reader opened a store that is not there")
	} else if !strings.Contains(err.Error(), dir) {
		t.Fatalf("error %q does not name the directory", err)
	}
	if _, err := os.Stat(dir); !errors.Is(err, os.ErrNotExist) {
		t.Fatalf("a reader created the directory (%v)", err)
	}
}

func TestUnwritablePlaceIsNotCalledLocked(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := pebblestore.Open(filepath.Join(file, "state"), pebblestore.Options{})
	var locked *store.LockedError
	if err == nil || errors.As(err, &locked) || !strings.Contains(err.Error(), file) {
		t.Fatalf("error is %v, want one that names %s and is no LockedError", err, file)
	}
}

// rawDB works on the store's files with Pebble itself.
func rawDB(t *testing.T, fs vfs.FS, work func(db *pebble.DB) error) {
	t.Helper()
	db, err := pebble.Open("/store", &pebble.Options{FS: fs, FormatMajorVersion: pebble.FormatNewest, Logger: quiet{}})
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(work(db), db.Close()); err != nil {
		t.Fatal(err)
	}
}

type quiet struct{}

func (quiet) Infof(string, ...any)  {}
func (quiet) Errorf(string, ...any) {}
func (quiet) Fatalf(f string, a ...any) {
	panic(fmt.Sprintf(f, a...))
}

func TestNewerStoreIsRefused(t *testing.T) {
	fs := vfs.NewMem()
	if err := openWrite(t, "/store", pebblestore.Options{FS: fs}).Close(); err != nil {
		t.Fatal(err)
	}
	rawDB(t, fs, func(db *pebble.DB) error { return db.Set([]byte("\x00schema"), []byte("2"), pebble.Sync) })
	_, err := pebblestore.Open("/store", pebblestore.Options{FS: fs})
	var newer *store.NewerError
	if !errors.As(err, &newer) || newer.Have != 2 || newer.Want != 1 || newer.Path != "/store" {
		t.Fatalf("error is %v, want a NewerError of 2", err)
	}
}

func TestForeignDatabaseIsRefused(t *testing.T) {
	for _, key := range []string{"some key", "\x00schema"} {
		fs := vfs.NewMem()
		rawDB(t, fs, func(db *pebble.DB) error { return db.Set([]byte(key), []byte("no number"), pebble.Sync) })
		s, err := pebblestore.Open("/store", pebblestore.Options{FS: fs})
		if err == nil || !strings.Contains(err.Error(), "/store") || !strings.Contains(err.Error(), "not a store of this program") {
			t.Fatalf("opening a database with key %q gives %v, %v", key, s, err)
		}
	}
}

// A killed load leaves files and rows no name leads to; Open takes both away.
func TestE14_LeftoversOfAKilledLoadAreSwept(t *testing.T) {
	mem := vfs.NewCrashableMem()
	s := openWrite(t, "/store", pebblestore.Options{FS: mem})
	var left *vfs.MemFS
	err := s.Ingest(t.Context(), &store.Bulk{Spaces: []store.BulkSpace{{
		Space: "s", Rows: func(put func(k, v []byte) error) error {
			err := put([]byte("k"), bytes.Repeat([]byte("v"), 1000))
			left = mem.CrashClone(vfs.CrashCloneCfg{})
			return err
		},
	}}})
	if err != nil {
		t.Fatal(err)
	}
	if n := pendingLoads(t, left); n != 1 {
		t.Fatalf("%d loads are noted as unfinished after the cut, want 1", n)
	}
	if err := openWrite(t, "/store", pebblestore.Options{FS: left}).Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := left.Stat("/store/load"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("files of the load are still there (%v)", err)
	}
	if n := pendingLoads(t, left); n != 0 {
		t.Errorf("%d loads are still noted as unfinished", n)
	}
}

func pendingLoads(t *testing.T, fs vfs.FS) (n int) {
	t.Helper()
	rawDB(t, fs, func(db *pebble.DB) error {
		it, err := db.NewIter(&pebble.IterOptions{LowerBound: []byte{5}, UpperBound: []byte{6}})
		if err != nil {
			return err
		}
		for it.First(); it.Valid(); it.Next() {
			n++
		}
		return it.Close()
	})
	return n
}
