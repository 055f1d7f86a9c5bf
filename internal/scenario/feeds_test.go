package scenario

import "fmt"

// oneFeed is one feed with scores, to one tenant, without a person in between.
const oneFeed = feedNode + `
  defender: {class: defender, inputs: [feed], to: [contoso], mode: auto, settle: 2s, config: {action: block}}
`

// feedNode is a source that is read every minute: value and score.
const feedNode = `
  feed: {class: http, interval: 1m, jitter: 0, withdraw_after: 1, config: {url: "FEEDS/feed", line: '^(?P<indicator>\S+)\s+(?P<confidence>\d+)'}}`

// hosts are lines of bad hosts, from and up to a number, with a score.
func hosts(from, to, score int) []string {
	var out []string
	for i := from; i < to; i++ {
		out = append(out, host(i, score))
	}
	return out
}

func host(i, score int) string { return fmt.Sprintf("%s %d", name(i), score) }

func name(i int) string { return fmt.Sprintf("h%04d.evil.com", i) }
