package scenario

import (
	"fmt"
	"testing"
	"time"
)

// one feed with scores, to one tenant.
const oneFeed = `
  feed: {class: http, interval: 1m, jitter: 0, config: {url: "FEEDS/feed", line: '^(?P<indicator>\S+)\s+(?P<confidence>\d+)'}}
  defender: {class: defender, inputs: [feed], to: [contoso], mode: auto, settle: 2s, config: {action: block}}
`

// hosts are lines of n bad hosts with a score.
func hosts(n, score int) []string {
	out := make([]string, n)
	for i := range out {
		out[i] = fmt.Sprintf("h%04d.evil.com %d", i, score)
	}
	return out
}

func TestD1_FeedToTenantAndRest(t *testing.T) {
	w := newWorld(t)
	w.feed("feed", hosts(20, 80)...)
	at := time.Now()
	s := w.open(oneFeed)
	w.has(20)
	s.quiet()
	t.Logf("%s for %s", time.Since(at), w.sb.Now().Sub(begin))
}
