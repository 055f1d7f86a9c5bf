package sandbox

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"sync"
	"time"
)

// server is one listener. It counts its connections, so that close can wait for
// every goroutine it has started.
type server struct {
	ln   net.Listener
	http *http.Server
	done chan struct{} // Serve has returned

	mu    sync.Mutex
	conns map[net.Conn]struct{}
	gone  chan struct{} // closed when conns is empty and closing
	end   bool
	busy  sync.WaitGroup // handlers
}

func (s *Sandbox) listen() error {
	addrs := []string{s.opts.Addr}
	if s.opts.PlainAddr != "" {
		addrs = append(addrs, s.opts.PlainAddr)
	}
	for i, addr := range addrs {
		var lc net.ListenConfig
		ln, err := lc.Listen(s.ctx, "tcp", addr)
		if err != nil {
			return fmt.Errorf("sandbox: listen on %s: %w", addr, err)
		}
		if i == 0 {
			ln = tls.NewListener(ln, &tls.Config{Certificates: []tls.Certificate{s.ca.leaf}, MinVersion: tls.VersionTLS12})
		}
		s.servers = append(s.servers, s.serve(ln))
	}
	return nil
}

func (s *Sandbox) serve(ln net.Listener) *server {
	srv := &server{ln: ln, done: make(chan struct{}), conns: map[net.Conn]struct{}{}, gone: make(chan struct{})}
	srv.http = &http.Server{
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			srv.busy.Add(1)
			defer srv.busy.Done()
			s.handle(w, r)
		}),
		ReadHeaderTimeout: time.Minute,
		IdleTimeout:       5 * time.Minute,
		MaxHeaderBytes:    64 << 10,
		ErrorLog:          log.New(io.Discard, "", 0), // what a client does wrong is in the journal
		BaseContext:       func(net.Listener) context.Context { return s.ctx },
		ConnState:         srv.track,
		// HTTP/1.1 only: resets and cut bodies act on connections.
		TLSNextProto: map[string]func(*http.Server, *tls.Conn, http.Handler){},
	}
	go func() {
		defer close(srv.done)
		_ = srv.http.Serve(ln) // always http.ErrServerClosed
	}()
	return srv
}

func (srv *server) addr() string { return srv.ln.Addr().String() }

func (srv *server) track(c net.Conn, state http.ConnState) {
	srv.mu.Lock()
	defer srv.mu.Unlock()
	switch state {
	case http.StateNew:
		srv.conns[c] = struct{}{}
	case http.StateClosed, http.StateHijacked:
		delete(srv.conns, c)
		srv.signal()
	}
}

func (srv *server) signal() {
	if !srv.end || len(srv.conns) > 0 {
		return
	}
	select {
	case <-srv.gone:
	default:
		close(srv.gone)
	}
}

// close ends the listener and its connections and waits for them.
func (srv *server) close() error {
	err := srv.http.Close()
	<-srv.done
	srv.mu.Lock()
	srv.end = true
	srv.signal()
	srv.mu.Unlock()
	<-srv.gone
	srv.busy.Wait()
	if err != nil && !errors.Is(err, net.ErrClosed) {
		return fmt.Errorf("close sandbox listener: %w", err)
	}
	return nil
}
