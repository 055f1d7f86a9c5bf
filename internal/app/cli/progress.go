package cli

import (
	"fmt"
	"sync"
	"time"

	"github.com/remeld/remeld/internal/app/control"
)

// nowAndThen is how often progress is told where nobody sits at a terminal. A command
// that is done sooner tells nothing.
const nowAndThen = 10 * time.Second

// sparse tells progress in lines of their own, at most one each time the interval has
// passed, the first after one.
func (c *cli) sparse(every time.Duration) control.Progress {
	var mu sync.Mutex
	last := time.Now()
	return func(text string) {
		mu.Lock()
		defer mu.Unlock()
		if now := time.Now(); now.Sub(last) >= every {
			last = now
			if c.json { // as all that is on stderr then
				c.logger().Info(text)
				return
			}
			fmt.Fprintln(c.err, text)
		}
	}
}
