package web

import (
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strconv"
	"strings"
)

// Handler is everything the server answers, without the listening.
func (s *Server) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("/feeds/{name}", s.serveFeed)
	mux.HandleFunc("GET /healthz", s.serveHealth)
	mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) { fail(w, http.StatusNotFound, "Not found") })
	return s.logged(mux)
}

// serveFeed lets in who may read; the bodies of refusals are MineMeld's.
func (s *Server) serveFeed(w http.ResponseWriter, r *http.Request) {
	f, user, code := s.site.Load().feed(r.PathValue("name"), r)
	if l, ok := w.(*loggedWriter); ok {
		l.user = user
	}
	switch code {
	case http.StatusOK:
		f.Handler.ServeHTTP(w, r)
	case http.StatusUnauthorized:
		w.Header().Set("WWW-Authenticate", `Basic realm="Remeld feeds", charset="UTF-8"`)
		fail(w, code, http.StatusText(code))
	default:
		fail(w, code, "Unknown feed")
	}
}

func (s *Server) serveHealth(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	if s.opts.Health != nil {
		if err := s.opts.Health(r.Context()); err != nil {
			w.WriteHeader(http.StatusServiceUnavailable)
			fmt.Fprintln(w, err)
			return
		}
	}
	fmt.Fprintln(w, "ok")
}

func fail(w http.ResponseWriter, code int, text string) {
	body := "<html><body>" + text + "</body></html>"
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(code)
	_, _ = io.WriteString(w, body)
}

// logged writes one line for each request. It names the path and the user, never
// the query or a header: people put secrets there.
func (s *Server) logged(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		begun := s.opts.Clock.Now()
		l := &loggedWriter{ResponseWriter: w, code: http.StatusOK}
		l.Header().Set("X-Content-Type-Options", "nosniff")
		defer func() {
			s.opts.Log.LogAttrs(r.Context(), slog.LevelInfo, "request",
				slog.String("method", r.Method), slog.String("path", r.URL.Path), slog.Int("status", l.code),
				slog.Int64("bytes", l.bytes), slog.Duration("took", s.opts.Clock.Now().Sub(begun)),
				slog.String("from", s.client(r)), slog.String("user", l.user))
		}()
		next.ServeHTTP(l, r)
	})
}

// client is who asks: the peer, or whom the declared proxy names last.
func (s *Server) client(r *http.Request) string {
	if s.opts.BehindProxy {
		all := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
		if last := strings.TrimSpace(all[len(all)-1]); last != "" {
			return last
		}
	}
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	return host
}

// loggedWriter counts what is answered.
type loggedWriter struct {
	http.ResponseWriter
	user  string
	code  int
	bytes int64
}

// WriteHeader remembers the status.
func (l *loggedWriter) WriteHeader(code int) {
	if code >= http.StatusOK {
		l.code = code
	}
	l.ResponseWriter.WriteHeader(code)
}

// Write counts.
func (l *loggedWriter) Write(b []byte) (int, error) {
	n, err := l.ResponseWriter.Write(b)
	l.bytes += int64(n)
	return n, err
}

// ReadFrom keeps the way open on which the kernel copies a file to the connection.
func (l *loggedWriter) ReadFrom(r io.Reader) (int64, error) {
	n, err := io.Copy(l.ResponseWriter, r)
	l.bytes += n
	return n, err
}

// Unwrap lets http.ResponseController reach the connection.
func (l *loggedWriter) Unwrap() http.ResponseWriter { return l.ResponseWriter }
