package deliver

import "time"

// runState is what the loop remembers of a group between looks.
type runState struct {
	next      time.Time
	heads     string
	changedAt time.Time
	unsettled time.Time
	drift     time.Time
	failures  int
}
