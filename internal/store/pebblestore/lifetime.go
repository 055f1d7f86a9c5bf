package pebblestore

import (
	"sync"
	"time"

	"github.com/remeld/remeld/internal/store"
)

// lifetime counts the operations under way, so that Close can let them end.
type lifetime struct {
	mu    sync.Mutex
	over  bool
	count int
	idle  chan struct{} // made by end, closed when count is 0
}

func (l *lifetime) enter() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.over {
		return store.ErrClosed
	}
	l.count++
	return nil
}

func (l *lifetime) leave() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.count--
	if l.over && l.count == 0 {
		close(l.idle)
	}
}

// ended reports whether a walk under way should stop.
func (l *lifetime) ended() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.over
}

// end lets nothing more in; it reports false when that was so before.
func (l *lifetime) end() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.over {
		return false
	}
	l.over, l.idle = true, make(chan struct{})
	if l.count == 0 {
		close(l.idle)
	}
	return true
}

// wait waits, after end, until nothing is under way; false after the time given.
func (l *lifetime) wait(d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-l.idle:
		return true
	case <-timer.C:
		return false
	}
}
