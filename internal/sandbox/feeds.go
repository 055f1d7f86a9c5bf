package sandbox

import (
	"github.com/remeld/remeld/internal/sandbox/fault"
)

const (
	feedPath = "/feeds-src/"
	opFeed   = "feed"
)

func (s *Sandbox) routeFeed(x *exchange, name string) {
	x.entry.Op = opFeed
	x.serve = func([]fault.Refusal) { x.reply = s.feeds.Serve(name, x.req) }
}

// SetFeed adds or replaces a feed, served under /feeds-src/NAME; its script
// starts now.
func (s *Sandbox) SetFeed(f Feed) error { return s.feeds.Set(f, s.clock.Now()) }

// FeedURL is the address of a feed: over plain HTTP where there is such a
// listener, else over TLS.
func (s *Sandbox) FeedURL(name string) string {
	if u := s.PlainURL(); u != "" {
		return u + feedPath + name
	}
	return s.URL() + feedPath + name
}
