package engine

import (
	"context"
	"time"

	"github.com/remeld/remeld/internal/engine/row"
)

// emissionMost bounds how long what a reader emits has one time: a node above may be
// behind, or in the middle of a poll, for as long as its disk is full.
const emissionMost = 10 * time.Minute

// openEmission sets the time of what is emitted, unless one stands. With work held.
func (n *node) openEmission() {
	if now := n.eng.now(); n.emits == 0 || now.Sub(row.Time(n.emits)) > emissionMost {
		n.emits = now.UnixMilli()
	}
}

// closeEmission lets what comes next have another time, once the reader caught up. It
// stands while a poll above is being applied or a reader between has more to give: a
// poll is written in chunks, and the reader may be faster than its source. With work
// held.
func (n *node) closeEmission(ctx context.Context, failed error) {
	if failed == nil && n.underWay(ctx) {
		n.emitsOn = true
		return
	}
	n.emits = 0
	if n.emitsOn { // readers may have waited for this one
		n.emitsOn = false
		n.eng.nudgeReaders(n.name())
	}
}

// underWay tells whether more is on its way to a reader of what its sources read at one
// time. What cannot be told is not waited for.
func (n *node) underWay(ctx context.Context) bool {
	set := n.eng.set.Load()
	v, err := n.eng.Store.View()
	if err != nil {
		return false
	}
	defer v.Close()
	for _, above := range append(set.graph.Ancestors(n.name()), n.name()) {
		m := set.nodes[above]
		if m.isSource() {
			if st, err := loadState(ctx, v, above); err == nil && st != nil && st.Poll.Applying != nil {
				return true
			}
			continue
		}
		if lag, err := m.lag(ctx, v, set); err == nil && lag != 0 {
			return true
		}
	}
	return false
}
