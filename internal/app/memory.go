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
