package app

import (
	"os"
	"runtime/debug"
)

// collectAt makes the collector run when the heap has grown by half instead of
// having doubled: what one poll leaves behind is then gone before the next needs
// as much again. Four polls of 5 M lines in one process peak at 560 MB instead of
// 730, at no cost that shows in a load or a poll (docs/performance.md).
const collectAt = 50

// SaveMemory sets the collector's pace unless GOGC says otherwise. Call it once in
// main.
func SaveMemory() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(collectAt)
	}
}

// A command that opens the store for itself goes through each table once: it gains
// little by a large cache, and what a poll reads beyond its memory goes to disk as
// sorted runs. So a job over any number of indicators stays below 300 MB
// (docs/performance.md).
const (
	commandCache = 32 << 20
	commandPolls = 32 << 20
)

// memory is what the store's cache and the polls may hold, in bytes; 0 is what a
// process that goes on running wants.
func (o *Options) memory() (cache, polls int64) {
	if o.Offline {
		return commandCache, commandPolls
	}
	return 0, 0
}
