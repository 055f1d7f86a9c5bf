package ledger

import "github.com/remeld/remeld/internal/store"

// UndosBefore is where the inverses of all applies stand whose id is less than the
// given one.
func UndosBefore(apply string) store.SpaceRange {
	return store.SpaceRange{Space: undoSpace, Range: store.Range{To: []byte(apply)}}
}
