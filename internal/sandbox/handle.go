package sandbox

import (
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/remeld/remeld/internal/sandbox/entra"
	"github.com/remeld/remeld/internal/sandbox/fault"
	"github.com/remeld/remeld/internal/sandbox/journal"
	"github.com/remeld/remeld/internal/sandbox/mde"
	"github.com/remeld/remeld/internal/sandbox/wire"
)

// exchange is one call on its way through the sandbox.
type exchange struct {
	req   *wire.Request
	entry journal.Entry
	reply wire.Reply
	// serve makes the service do its work.
	serve func(refuse []fault.Refusal)
}

// opOther are paths that belong to no service.
const opOther = "unknown"

func (s *Sandbox) handle(w http.ResponseWriter, r *http.Request) {
	if strings.HasPrefix(r.URL.Path, controlPath) {
		s.control(w, r)
		return
	}
	x := &exchange{req: request(r)}
	x.entry = journal.Entry{Op: opOther, Method: r.Method, Host: r.Host, Path: clip(r.URL.Path)}
	bad := s.readBody(r, x)
	x.req.Now = s.clock.Now()
	s.route(x)
	actions, ids := s.faults.Decide(fault.Call{Op: x.entry.Op, Path: r.URL.Path, Tenant: x.entry.Tenant, App: x.entry.App})
	x.entry.Fault = strings.Join(ids, ",")
	if bad != nil {
		x.serve = func([]fault.Refusal) { x.reply = *bad }
	}
	s.play(w, r, x, actions)
}

// request takes the parts of r but its body.
func request(r *http.Request) *wire.Request {
	req := &wire.Request{Method: r.Method, Scheme: "http", Host: r.Host, Path: r.URL.Path, Target: r.RequestURI, Header: r.Header}
	if r.TLS != nil {
		req.Scheme = "https"
	}
	req.Query, req.QueryErr = url.ParseQuery(r.URL.RawQuery)
	return req
}

func clip(s string) string {
	if len(s) > 512 {
		return s[:512] + "…"
	}
	return s
}

// readBody reads the body within the bound, unpacking gzip; the reply it
// returns is the refusal.
func (s *Sandbox) readBody(r *http.Request, x *exchange) *wire.Reply {
	refuse := func(status int) *wire.Reply { e := wire.Empty(status); return &e }
	var in io.Reader = http.MaxBytesReader(nil, r.Body, s.opts.MaxBody)
	if strings.EqualFold(r.Header.Get("Content-Encoding"), "gzip") {
		if s.Switches().GzipRequests == "reject" {
			return refuse(http.StatusUnsupportedMediaType)
		}
		z, err := gzip.NewReader(in)
		if err != nil {
			return refuse(http.StatusBadRequest)
		}
		in = z
	}
	var buf bytes.Buffer
	n, err := io.Copy(&buf, io.LimitReader(in, s.opts.MaxBody+1))
	var tooLong *http.MaxBytesError
	switch {
	case errors.As(err, &tooLong) || n > s.opts.MaxBody:
		return refuse(http.StatusRequestEntityTooLarge)
	case err != nil:
		return refuse(http.StatusBadRequest)
	}
	x.req.Body = buf.Bytes()
	return nil
}

// route finds the service of the path and how it will be called. Under a real
// host name only that host's service answers.
func (s *Sandbox) route(x *exchange) {
	if name, ok := strings.CutPrefix(x.req.Path, feedPath); ok {
		s.routeFeed(x, name)
		return
	}
	host := hostName(x.req.Host)
	if s.routeSentinel(x, host) {
		return
	}
	if s.routeThreatConnect(x, host) {
		return
	}
	if s.routeGraph(x, host) {
		return
	}
	if r, ok := mde.Match(x.req.Method, x.req.Path); ok && !slices.Contains(loginHosts, host) {
		s.routeDefender(x, r)
		return
	}
	if r, ok := entra.Match(x.req.Path); ok && !slices.Contains(defenderHosts, host) {
		x.entry.Op = r.Op
		if id, ok := s.entra.Resolve(r.Tenant); ok {
			x.entry.Tenant, x.entry.App = id, s.entra.Client(r, x.req)
		}
		x.serve = func([]fault.Refusal) {
			x.reply = s.entra.Serve(r, x.req)
		}
		return
	}
	x.serve = func([]fault.Refusal) { x.reply = wire.Empty(http.StatusNotFound) }
}

func (s *Sandbox) routeDefender(x *exchange, r mde.Route) {
	x.entry.Op = r.Op
	c := mde.Call{Route: r, Req: x.req}
	c.Who, c.TokenErr = s.bearer(x)
	x.serve = func(refuse []fault.Refusal) {
		c.Refuse = refuse
		x.reply, x.entry.Items = s.mde.Serve(c)
	}
}

// bearer verifies the call's token and journals whom it names; who is nil where
// the error says why the token was refused.
func (s *Sandbox) bearer(x *exchange) (*entra.Principal, error) {
	scheme, token, _ := strings.Cut(x.req.Header.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return nil, entra.ErrInvalidToken
	}
	who, err := s.entra.Verify(strings.TrimSpace(token), x.req.Now)
	x.entry.Tenant, x.entry.App = who.Tenant, who.App
	if err != nil {
		return nil, err
	}
	return &who, nil
}
