package pebblestore

import (
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/cockroachdb/pebble/v2"

	"github.com/remeld/remeld/internal/store"
)

// health knows whether the store may write. Two things can go wrong below it:
//
//   - A failed write to the write-ahead log or the manifest breaks the store: what
//     reached the disk is unknown, so from then on nothing is written and nothing is
//     acknowledged (as after a crash at that moment), until it is opened again.
//   - A failed flush or compaction (a full disk, mostly) stalls it: commits are refused
//     while Pebble tries again after growing waits, and go on when one succeeds.
//
// It is also Pebble's logger, because Pebble reports the first kind only there.
type health struct {
	dir string
	log *slog.Logger

	mu      sync.Mutex
	broken  error
	stalled error
	tries   int           // failed flushes and compactions in a row
	bad     chan struct{} // closed while broken or stalled
	closed  chan struct{} // ends waits at Close
}

const (
	firstWait = 50 * time.Millisecond
	maxWait   = 10 * time.Second
	// grace is how long a commit that is already inside Pebble may go on waiting for
	// a stalled or broken store before its outcome is given up as unknown.
	grace = 10 * time.Second
)

func newHealth(dir string, log *slog.Logger) *health {
	return &health{dir: dir, log: log, bad: make(chan struct{}), closed: make(chan struct{})}
}

// readable is nil or the reason why no new view may be opened.
func (h *health) readable() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.broken
}

// writable is nil or the reason why nothing may be written now.
func (h *health) writable() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.broken != nil {
		return h.broken
	}
	if h.stalled != nil {
		return fmt.Errorf("store %s cannot write until its disk lets it: %w", h.dir, h.stalled)
	}
	return nil
}

// troubled is closed when the store is broken or stalled.
func (h *health) troubled() <-chan struct{} {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.bad
}

// fail breaks the store and returns the reason, the first one if there are several.
func (h *health) fail(err error) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.broken == nil {
		h.broken = &store.BrokenError{Path: h.dir, Err: err}
		if h.stalled == nil {
			close(h.bad)
		}
		h.log.Error("store has stopped", "dir", h.dir, "error", err)
	}
	return h.broken
}

// emptyTable is what Pebble calls the error of a flush that had nothing to write.
const emptyTable = "pebble: empty table"

// moved takes the end of a flush or compaction. One that met a damaged file does not
// stall the store: trying again would not help, and reading the file tells.
func (h *health) moved(err error) {
	switch {
	case err == nil || err.Error() == emptyTable:
		h.recovered()
	case !errors.Is(err, pebble.ErrCancelledCompaction) && !pebble.IsCorruptionError(err):
		h.stall(err)
	}
}

// stall notes a failed flush or compaction.
func (h *health) stall(err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.tries++
	if h.stalled == nil && h.broken == nil {
		close(h.bad)
		h.log.Warn("store cannot write, trying again", "dir", h.dir, "error", err)
	}
	h.stalled = err
}

// recovered notes a flush or compaction that worked.
func (h *health) recovered() {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.stalled == nil {
		return
	}
	h.stalled, h.tries = nil, 0
	if h.broken == nil {
		h.bad = make(chan struct{})
		h.log.Info("store writes again", "dir", h.dir)
	}
}

// pause holds a flush or compaction that follows a failed one; Pebble itself would
// try again at once and for ever.
func (h *health) pause() {
	h.mu.Lock()
	tries := h.tries
	if h.broken != nil {
		tries = max(tries, 1)
	}
	h.mu.Unlock()
	if tries == 0 {
		return
	}
	timer := time.NewTimer(min(firstWait<<min(tries-1, 10), maxWait))
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-h.closed:
	}
}

// listener tells health what Pebble does in the background.
func (h *health) listener() *pebble.EventListener {
	return &pebble.EventListener{
		BackgroundError: func(err error) { h.log.Debug("store background error", "dir", h.dir, "error", err) },
		FlushEnd:        func(i pebble.FlushInfo) { h.moved(i.Err) },
		CompactionEnd:   func(i pebble.CompactionInfo) { h.moved(i.Err) },
		DataCorruption: func(i pebble.DataCorruptionInfo) {
			h.log.Error("store file is damaged", "dir", h.dir, "file", i.Path, "error", i.Details)
		},
	}
}

// Infof implements pebble.Logger.
func (h *health) Infof(format string, args ...any) {
	h.log.Debug(fmt.Sprintf(format, args...), "dir", h.dir)
}

// Errorf implements pebble.Logger.
func (h *health) Errorf(format string, args ...any) {
	h.log.Error(fmt.Sprintf(format, args...), "dir", h.dir)
}

// Fatalf implements pebble.Logger. A failed commit or manifest write breaks the
// store and the call returns: Pebble hands an error on, and nothing is written
// after it. Anything else is a broken assumption inside Pebble; going on could
// damage data, so the process ends, and says why.
func (h *health) Fatalf(format string, args ...any) {
	msg := fmt.Sprintf(format, args...)
	err := h.fail(fmt.Errorf("%s", msg))
	if strings.Contains(msg, "MANIFEST") || strings.Contains(msg, "fatal commit error") {
		return
	}
	panic(err)
}
