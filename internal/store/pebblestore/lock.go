package pebblestore

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"syscall"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/remeld/remeld/internal/store"
)

const pidFile = "LOCK.pid"

// lockDir takes the directory's lock, or returns a *store.LockedError with the
// holder's pid (SEMANTICS E15). The lock decides; the pid file beside it only
// names the holder and may be stale.
func lockDir(fs vfs.FS, dir string) (*pebble.Lock, error) {
	l, err := pebble.LockDirectory(dir, fs)
	if err == nil {
		return l, nil
	}
	if heldHere(err) {
		return nil, &store.LockedError{Path: dir, PID: os.Getpid()}
	}
	if heldElsewhere(err) {
		return nil, &store.LockedError{Path: dir, PID: readPID(fs, dir)}
	}
	return nil, fmt.Errorf("locking store %s: %w", dir, err)
}

// heldHere: Pebble's own table of locks in this process says so.
func heldHere(err error) bool { return strings.Contains(err.Error(), "lock held by current process") }

// heldElsewhere tells a lock that is taken from a lock file that cannot be created,
// which can carry the same errno inside a path error.
func heldElsewhere(err error) bool {
	var path *os.PathError
	return !errors.As(err, &path) && (errors.Is(err, syscall.EAGAIN) || errors.Is(err, syscall.EACCES))
}

func readPID(fs vfs.FS, dir string) int {
	f, err := fs.Open(fs.PathJoin(dir, pidFile))
	if err != nil {
		return 0
	}
	defer func() { _ = f.Close() }()
	b, err := io.ReadAll(io.LimitReader(f, 32))
	if err != nil {
		return 0
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(b)))
	if err != nil || pid < 0 {
		return 0
	}
	return pid
}

func writePID(fs vfs.FS, dir string) error {
	f, err := fs.Create(fs.PathJoin(dir, pidFile), vfs.WriteCategoryUnspecified)
	if err != nil {
		return fmt.Errorf("writing the pid of store %s: %w", dir, err)
	}
	_, err = f.Write([]byte(strconv.Itoa(os.Getpid()) + "\n"))
	return errors.Join(err, f.Close())
}

// looseLock is a lock that holds nothing, for a reader that must not keep the real
// one (SEMANTICS E15: reading never delays the process that runs).
func looseLock(dir string) (*pebble.Lock, error) {
	fs := vfs.NewMem()
	if err := fs.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	return pebble.LockDirectory(dir, fs)
}
