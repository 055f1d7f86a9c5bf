package httpx

import (
	"net"
	"net/http"
	"time"
)

// Local returns a client for endpoints that belong to the machine itself, such as the
// one that hands out tokens of its managed identity: plain http on a link-local or
// loopback address, which every other client of this package refuses or would send
// through a proxy. It follows no redirect. Never give it an address that came from
// outside.
func Local() *http.Client {
	const patience = 10 * time.Second
	dialer := &net.Dialer{Timeout: 2 * time.Second} // it is on this machine, or not at all
	return &http.Client{
		Timeout: patience,
		Transport: &http.Transport{
			DialContext: dialer.DialContext, DisableKeepAlives: true, ResponseHeaderTimeout: patience, MaxResponseHeaderBytes: 64 << 10,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}
