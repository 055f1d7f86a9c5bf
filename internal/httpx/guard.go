package httpx

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/netip"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
)

// zone says what kind of place an address is.
type zone uint8

const (
	zonePublic zone = iota
	zonePrivate
	zoneForbidden
)

// forbidden are addresses that answer with a machine's own credentials or are no
// place to fetch from: link-local (which holds the common metadata address), the
// metadata addresses outside of it, multicast and the unspecified address.
var metadata = map[netip.Addr]bool{
	netip.MustParseAddr("fd00:ec2::254"):   true, // AWS over IPv6
	netip.MustParseAddr("100.100.100.200"): true, // Alibaba Cloud
	netip.MustParseAddr("168.63.129.16"):   true, // Azure host agent
	netip.MustParseAddr("192.0.0.192"):     true, // Oracle Cloud
}

var (
	nat64  = netip.MustParsePrefix("64:ff9b::/96")
	shared = netip.MustParsePrefix("100.64.0.0/10")
)

// zoneOf classifies an address; one that embeds an IPv4 address (mapped, NAT64)
// is what it embeds.
func zoneOf(a netip.Addr) zone {
	a = a.Unmap().WithZone("")
	if nat64.Contains(a) {
		b := a.As16()
		a = netip.AddrFrom4([4]byte(b[12:]))
	}
	switch {
	case a.IsLinkLocalUnicast(), a.IsMulticast(), a.IsUnspecified(), metadata[a]:
		return zoneForbidden
	case a.IsLoopback(), a.IsPrivate(), shared.Contains(a):
		return zonePrivate
	}
	return zonePublic
}

// guardError is a refusal by the address guard.
type guardError struct{ what string }

func (e *guardError) Error() string { return e.what }

// journey is one request with its redirects.
type journey struct {
	start  *url.URL
	public atomic.Bool // a hop was at a public address
}

type journeyKey struct{}

func journeyOf(ctx context.Context) *journey {
	j, _ := ctx.Value(journeyKey{}).(*journey)
	return j
}

// guard chooses for each hop the transport that may reach what the hop may reach.
type guard struct {
	zoneOf func(netip.Addr) zone
	open   http.RoundTripper // refuses forbidden addresses
	strict http.RoundTripper // and private ones: after a public hop
	// proxies holds the host:port of every proxy handed out; they are configured
	// by the operator and may be anywhere.
	proxies sync.Map
}

// RoundTrip sends req where the journey so far allows it to go.
func (g *guard) RoundTrip(req *http.Request) (*http.Response, error) {
	j := journeyOf(req.Context())
	if err := g.literal(req.URL, j.public.Load()); err != nil {
		return nil, err
	}
	t := g.open
	if j.public.Load() {
		t = g.strict
	}
	trace := &httptrace.ClientTrace{GotConn: func(info httptrace.GotConnInfo) {
		if g.publicPeer(info.Conn) {
			j.public.Store(true)
		}
	}}
	return t.RoundTrip(req.WithContext(httptrace.WithClientTrace(req.Context(), trace)))
}

// publicPeer reports whether the far end counts as public. A proxy hides the far
// end, so what came through one is taken for public.
func (g *guard) publicPeer(c net.Conn) bool {
	ap, err := netip.ParseAddrPort(c.RemoteAddr().String())
	if err != nil {
		return true
	}
	proxied := false
	g.proxies.Range(func(any, any) bool { proxied = true; return false })
	return proxied || g.zoneOf(ap.Addr()) == zonePublic
}

// literal judges hosts that need no resolution; the only check there is when a
// proxy resolves.
func (g *guard) literal(u *url.URL, afterPublic bool) error {
	host := strings.TrimSuffix(strings.ToLower(u.Hostname()), ".")
	if host == "localhost" || strings.HasSuffix(host, ".localhost") {
		host = "127.0.0.1"
	}
	if a, err := netip.ParseAddr(host); err == nil {
		return g.judge(a, afterPublic)
	}
	return nil // a name: the dialer judges what it resolves to
}

func (g *guard) judge(a netip.Addr, afterPublic bool) error {
	switch z := g.zoneOf(a); {
	case z == zoneForbidden:
		return &guardError{fmt.Sprintf("%s is a link-local, metadata, multicast or unspecified address, which is never fetched from", a)}
	case z == zonePrivate && afterPublic:
		return &guardError{fmt.Sprintf("a public server redirected to the private address %s, which is refused", a)}
	}
	return nil
}

// control is called by the dialer with each resolved address, before connecting.
func (g *guard) control(strict bool) func(context.Context, string, string, syscall.RawConn) error {
	return func(_ context.Context, _, address string, _ syscall.RawConn) error {
		ap, err := netip.ParseAddrPort(address)
		if err != nil {
			return &guardError{"connect to " + address + ": not an address"}
		}
		return g.judge(ap.Addr(), strict)
	}
}
