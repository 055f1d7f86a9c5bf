// Package web is the one HTTP door of a running remeld: feeds at GET /feeds/NAME
// with their users, and /healthz. Use it to serve handlers by name that change with
// the configuration while connections go on.
//
// Who may read a feed is decided here, by tags; what a feed may hold is not. The
// ceiling of TLP and the feed's filter are applied where its table is written: the
// app asks Server.Open whether a feed is read without a login, and sets the ceiling
// by the answer (SEMANTICS F: green without login, amber+strict with one).
package web

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/remeld/remeld/sdk"
)

// Timeouts of connections. A slow reader of a large feed gets a quarter of an hour.
const (
	headerTimeout   = 10 * time.Second
	readTimeout     = 30 * time.Second
	writeTimeout    = 15 * time.Minute
	idleTimeout     = 2 * time.Minute
	shutdownTimeout = 10 * time.Second
	maxHeader       = 32 << 10
)

// Options is what a server is built with and keeps for its life.
type Options struct {
	// Listen is host:port. Without TLS and BehindProxy the host must be loopback.
	Listen string
	// Cert and Key name PEM files; they are read again when they change.
	Cert, Key string
	// BehindProxy says that a proxy in front terminates TLS.
	BehindProxy bool
	Log         *slog.Logger
	Clock       sdk.Clock
	// Health answers /healthz: nil is healthy. Its error is shown to anybody who
	// asks, so it names no secrets and no indicators. A nil Health is healthy.
	Health func(ctx context.Context) error
}

// Feed is a handler by the name of its node.
type Feed struct {
	Name    string
	Handler http.Handler
	// Tags decide who may read: a user with one of them; every user with TagAny;
	// everybody with TagAnonymous.
	Tags []string
}

// The tags with a meaning of their own.
const (
	TagAny       = "any"
	TagAnonymous = "anonymous"
)

// Server serves what the last Set gave it. It is safe for concurrent use.
type Server struct {
	opts  Options
	local bool // reachable from this machine only
	site  atomic.Pointer[site]

	mu       sync.Mutex
	listener net.Listener
}

// ErrExposed is wrapped by the error of an address beyond this machine without TLS.
var ErrExposed = errors.New("listening beyond this machine needs a certificate (tls) or a declared proxy (behind_proxy)")

// New checks the options and reads the certificate. Nothing listens yet; every
// feed is unknown until Set.
func New(opts Options) (*Server, error) {
	host, _, err := net.SplitHostPort(opts.Listen)
	if err != nil {
		return nil, fmt.Errorf("web: listen address %q: %w", opts.Listen, err)
	}
	s := &Server{opts: opts, local: isLoopback(host) && !opts.BehindProxy}
	if (opts.Cert == "") != (opts.Key == "") {
		return nil, errors.New("web: a certificate needs its key and a key its certificate")
	}
	if opts.Cert == "" && !opts.BehindProxy && !isLoopback(host) {
		return nil, fmt.Errorf("web: %s: %w", opts.Listen, ErrExposed)
	}
	if opts.Cert != "" {
		if _, err := tls.LoadX509KeyPair(opts.Cert, opts.Key); err != nil {
			return nil, fmt.Errorf("web: reading the certificate: %w", err)
		}
	}
	s.site.Store(&site{})
	return s, nil
}

func isLoopback(host string) bool {
	if host == "localhost" {
		return true
	}
	a, err := netip.ParseAddr(host)
	return err == nil && a.IsLoopback()
}

// Set replaces feeds and users at once, for all requests that begin after it. On an
// error nothing changes.
func (s *Server) Set(feeds []Feed, users []User) error {
	next, err := newSite(feeds, users, s.local)
	if err != nil {
		return err
	}
	s.site.Store(next)
	return nil
}

// Open says whether a feed with these tags can be read without a login, as feeds
// and users stand now. The app's TLP ceiling depends on it.
func (s *Server) Open(tags []string) bool { return s.site.Load().open(tags) }

// Listen takes the address, so that a failure is known before anything runs. Run
// does it where it was not done.
func (s *Server) Listen(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.listener != nil {
		return nil
	}
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", s.opts.Listen)
	if err != nil {
		return fmt.Errorf("web: listening on %s: %w", s.opts.Listen, err)
	}
	s.listener = l
	return nil
}

// Addr is the address that is listened on, nil before Listen.
func (s *Server) Addr() net.Addr {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.listener == nil {
		return nil
	}
	return s.listener.Addr()
}

// Run serves until ctx ends, then finishes what is under way for up to ten seconds.
// The end of ctx is no error.
func (s *Server) Run(ctx context.Context) error {
	if err := s.Listen(ctx); err != nil {
		return err
	}
	srv := &http.Server{
		Handler:           s.Handler(),
		ReadHeaderTimeout: headerTimeout, ReadTimeout: readTimeout, WriteTimeout: writeTimeout, IdleTimeout: idleTimeout,
		MaxHeaderBytes: maxHeader,
		ErrorLog:       slog.NewLogLogger(s.opts.Log.Handler(), slog.LevelDebug),
	}
	done := make(chan error, 1)
	go func() {
		if s.opts.Cert == "" {
			done <- srv.Serve(s.listener)
			return
		}
		keys := &certificate{cert: s.opts.Cert, key: s.opts.Key, clock: s.opts.Clock, log: s.opts.Log}
		srv.TLSConfig = &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: keys.get}
		done <- srv.ServeTLS(s.listener, "", "")
	}()
	select {
	case err := <-done:
		return fmt.Errorf("web: serving: %w", err)
	case <-ctx.Done():
	}
	last, stop := context.WithTimeout(context.WithoutCancel(ctx), shutdownTimeout)
	defer stop()
	err := srv.Shutdown(last)
	if errors.Is(err, context.DeadlineExceeded) {
		err = srv.Close() // slow readers: they come again
	}
	if serveErr := <-done; err == nil && !errors.Is(serveErr, http.ErrServerClosed) {
		err = serveErr
	}
	if err != nil {
		return fmt.Errorf("web: shutting down: %w", err)
	}
	return nil
}
