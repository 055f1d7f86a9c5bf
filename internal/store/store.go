// Package store is the boundary between Remeld and where it keeps its state: the
// interfaces, their semantics and their errors. Engines (pebblestore, later
// pgstore) live below it; every engine passes the suites of storetest.
//
// The model is a set of named ordered spaces of key → value, and of logs of seq →
// key. All writes go through Commit, which is one atomic durable step; all reads
// go through a View, which is one snapshot. Every operation is set-shaped
// (batches, ranges, sorted joins), so that each can be one SQL statement.
package store

import (
	"context"
	"errors"
	"strconv"
)

// Sentinel errors a caller branches on.
var (
	// ErrFenced: another writer took the name over; this one must stop.
	ErrFenced = errors.New("store: writer is fenced off by a newer one")
	// ErrClosed: the store or view was closed.
	ErrClosed = errors.New("store: closed")
	// ErrTrimmed: the log no longer holds what follows the cursor; read the table
	// instead (SEMANTICS E2).
	ErrTrimmed = errors.New("store: log is trimmed past the cursor")
	// ErrNotEmpty: Ingest into a space that holds rows.
	ErrNotEmpty = errors.New("store: space is not empty")
	// ErrUnsorted: keys that must ascend strictly do not.
	ErrUnsorted = errors.New("store: keys are not in strictly ascending order")
	// ErrNoName: Acquire without a name; the fence would be the zero Fence's twin.
	ErrNoName = errors.New("store: a writer needs a name")
)

// LockedError tells that another process has the store open (SEMANTICS E15).
type LockedError struct {
	Path string
	PID  int // 0 if unknown
}

// BrokenError tells that the engine met a failure it cannot go on from in this process (a
// failed write to its log, damaged files). What was acknowledged is kept; close the
// store, mend the cause and open it again.
type BrokenError struct {
	Path string
	Err  error
}

// NewerError tells that the store was written by a newer version than this one reads.
type NewerError struct {
	Path       string
	Have, Want int // the version found and the newest one known
}

// Store is one open store. Safe for concurrent use.
type Store interface {
	// Acquire makes the caller the one writer called name and fences off any
	// earlier one. Names are per node and per destination domain.
	Acquire(ctx context.Context, name string) (Fence, error)
	// Commit applies c whole or not at all and returns once it is durable. With a
	// stale fence it returns ErrFenced and changes nothing.
	Commit(ctx context.Context, c *Commit) (Receipt, error)
	// Ingest loads sorted rows into spaces that must be empty, all or nothing,
	// without passing through a log (SEMANTICS E14).
	Ingest(ctx context.Context, b *Bulk) error
	// View opens a snapshot. Close it: an open one holds disk space.
	View() (View, error)
	Close() error
}

// Fence is the right to write under a name. The zero Fence writes without one.
type Fence struct {
	Name  string
	Epoch uint64
}

// Range is [From, To) in key order; nil ends are open.
type Range struct{ From, To []byte }

// Commit is one atomic step. The parts apply in the order of the fields; within
// Writes a later entry for a key wins.
type Commit struct {
	Fence   Fence
	Clear   []SpaceRange
	Writes  []Write
	Appends []Append
	Trims   []Trim
}

// SpaceRange names rows of a space.
type SpaceRange struct {
	Space string
	Range Range
}

// Write sets a key, or deletes it where Delete is set.
type Write struct {
	Space  string
	Key    []byte
	Value  []byte
	Delete bool
}

// Append adds keys to a log; each takes the next number of that log. Numbers
// start at 1 and never repeat.
type Append struct {
	Log  string
	Keys [][]byte
}

// Trim drops the log's entries with seq <= UpTo.
type Trim struct {
	Log  string
	UpTo uint64
}

// Receipt tells the last number of every log the commit appended to.
type Receipt struct{ Heads map[string]uint64 }

// Bulk is a load of sorted rows. Rows of each space are produced by its Rows
// function calling put in strictly ascending key order; the functions of several
// spaces may run at the same time. Heads sets logs that must be empty to a head
// without entries: a consumer below reads the table. Writes are committed with
// the load.
type Bulk struct {
	Fence  Fence
	Spaces []BulkSpace
	Heads  map[string]uint64
	Writes []Write
}

// BulkSpace is the load of one space. Key and value passed to put are copied.
type BulkSpace struct {
	Space string
	Rows  func(put func(key, value []byte) error) error
}

// View is one consistent snapshot. Safe for concurrent use. Keys and values
// handed to callbacks are valid until the callback returns. A callback's error
// ends the walk and is returned as it is; Stop ends it without an error.
type View interface {
	// Get returns a copy of the value, or nil when the key is absent.
	Get(ctx context.Context, space string, key []byte) ([]byte, error)
	// GetMany calls fn(i, value) for every key in order, value nil where absent.
	// keys must ascend (equal neighbours are allowed).
	GetMany(ctx context.Context, space string, keys [][]byte, fn func(i int, value []byte) error) error
	// Scan calls fn for the rows in r in ascending order.
	Scan(ctx context.Context, space string, r Range, fn func(key, value []byte) error) error
	// ScanBack is Scan in descending order.
	ScanBack(ctx context.Context, space string, r Range, fn func(key, value []byte) error) error
	// Cursor opens a pull iterator over r for merging; it starts before the first row.
	Cursor(ctx context.Context, space string, r Range) (Cursor, error)
	// Head returns the number of the log's last entry and of the oldest entry still
	// kept (first = last+1 when none is).
	Head(ctx context.Context, log string) (last, first uint64, err error)
	// Changes calls fn for up to limit entries after the given number, ascending.
	// ErrTrimmed when the entry after+1 existed and is gone.
	Changes(ctx context.Context, log string, after uint64, limit int, fn func(seq uint64, key []byte) error) error
	// Spaces lists the spaces that hold rows and begin with prefix.
	Spaces(ctx context.Context, prefix string) ([]string, error)
	Close() error
}

// Cursor is a pull iterator; Key and Value are valid until the next call. Not
// safe for concurrent use.
type Cursor interface {
	Next() bool
	// Seek moves to the first row with key >= k and reports whether there is one.
	Seek(k []byte) bool
	Key() []byte
	Value() []byte
	Err() error
	Close() error
}

// Stop ends a walk without an error when a callback returns it.
var Stop = errors.New("store: stop") //nolint:staticcheck // not a failure, so not called Err

func (e *BrokenError) Error() string {
	return "store " + e.Path + " has stopped: " + e.Err.Error() + " (mend the cause, then start again)"
}

func (e *BrokenError) Unwrap() error { return e.Err }

func (e *NewerError) Error() string {
	return "store " + e.Path + " has version " + strconv.Itoa(e.Have) + ", this program reads up to " +
		strconv.Itoa(e.Want) + ": use the newer program, or restore a back-up of version " + strconv.Itoa(e.Want)
}

// Ended turns what a callback returned into what the walk returns: nil for Stop
// (also wrapped), else the error as it is. Engines use it.
func Ended(err error) error {
	if errors.Is(err, Stop) {
		return nil
	}
	return err
}

func (e *LockedError) Error() string {
	if e.PID == 0 {
		return "store " + e.Path + " is open in another process"
	}
	return "store " + e.Path + " is open in another process (pid " + strconv.Itoa(e.PID) + ")"
}
