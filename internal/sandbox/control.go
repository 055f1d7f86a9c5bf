package sandbox

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

const controlPath = "/_sandbox/"

// verb is one call of the control API; a nil value answers 204.
type verb func(s *Sandbox, r *http.Request, args []string) (any, error)

// verbs are the control API by "METHOD path"; * stands for one argument. The
// index page lists them in this order.
var verbs = []struct {
	pattern, help string
	do            verb
}{
	{"GET journal", "calls; ?op= tenant= app= after= status= effect= limit=", getJournal},
	{"DELETE journal", "forget calls and counters", func(s *Sandbox, _ *http.Request, _ []string) (any, error) { s.ResetJournal(); return nil, nil }},
	{"GET counters", "exact totals", func(s *Sandbox, _ *http.Request, _ []string) (any, error) { return s.Counters(), nil }},
	{"GET faults", "fault rules with their hits", func(s *Sandbox, _ *http.Request, _ []string) (any, error) { return s.Faults(), nil }},
	{"POST faults", "add a fault rule", postFault},
	{"DELETE faults", "take all away", func(s *Sandbox, _ *http.Request, _ []string) (any, error) { s.ClearFaults(); return nil, nil }},
	{"DELETE faults/*", "take one away", deleteFault},
	{"GET clock", "time and rate", func(s *Sandbox, _ *http.Request, _ []string) (any, error) { return s.clockState(), nil }},
	{"POST clock", `{"advance":"24h"}, {"set":"2027-01-01T00:00:00Z"} or {"rate":60}`, postClock},
	{"GET switches", "switches in force", func(s *Sandbox, _ *http.Request, _ []string) (any, error) { return s.Switches(), nil }},
	{"PATCH switches", `{"read_lag":"20s"}`, patchSwitches},
	{"GET limits", "rate limits by operation", func(s *Sandbox, _ *http.Request, _ []string) (any, error) { return s.limits(), nil }},
	{"PATCH limits", `{"import":{"per_minute":1000,"per_hour":0}}`, patchLimits},
	{"GET tenants", "tenants and apps, without secrets", func(s *Sandbox, _ *http.Request, _ []string) (any, error) { return s.redacted(), nil }},
	{"PUT tenants/*", "add a tenant or replace its apps", putTenant},
	{"GET tenants/*/indicators", "every live row", func(s *Sandbox, _ *http.Request, a []string) (any, error) { return s.Rows(a[0]) }},
	{"POST tenants/*/indicators", `seed {"by":{"app":"…"},"indicators":[…]} or {"generate":14900}`, postSeed},
	{"PATCH tenants/*/indicators/*", `edit in the portal, {"action":"Audit"}`, patchRow},
	{"DELETE tenants/*/indicators/*", "delete in the portal", func(s *Sandbox, _ *http.Request, a []string) (any, error) { return nil, s.DeleteRow(a[0], a[1]) }},
	{"GET workspaces", "workspaces of Sentinel", func(s *Sandbox, _ *http.Request, _ []string) (any, error) { return s.Workspaces(), nil }},
	{"PUT workspaces/*", "add a workspace", putWorkspace},
	{"GET workspaces/*/objects", "every object, of both stores", func(s *Sandbox, _ *http.Request, a []string) (any, error) { return s.Objects(a[0]) }},
	{"POST workspaces/*/objects", `seed {"source":"Other","objects":[…]} or {"source":"Other","generate":500}`, postObjects},
	{"PATCH workspaces/*/objects/*", `edit in the portal, {"confidence":10}`, patchObject},
	{"DELETE workspaces/*/objects/*", "delete in the portal", func(s *Sandbox, _ *http.Request, a []string) (any, error) { return nil, s.DeleteObject(a[0], a[1]) }},
	{"GET workspaces/*/table", "rows of the tables; ?name=", func(s *Sandbox, r *http.Request, a []string) (any, error) {
		return s.TableRows(a[0], r.URL.Query().Get("name"))
	}},
	{"GET workspaces/*/bill", "exact numbers of rows written", func(s *Sandbox, _ *http.Request, a []string) (any, error) { return s.Bill(a[0]) }},
	{"GET tenants/*/ti-indicators", "every live row at Graph", func(s *Sandbox, _ *http.Request, a []string) (any, error) { return s.TiRows(a[0]) }},
	{"POST tenants/*/ti-indicators", `seed {"app":"…","indicators":[{…}]} or {"generate":500}`, postSeedTi},
	{"PATCH tenants/*/ti-indicators/*", `edit from outside, {"severity":5}`, patchTi},
	{"DELETE tenants/*/ti-indicators/*", "delete from outside", func(s *Sandbox, _ *http.Request, a []string) (any, error) { return nil, s.DeleteTi(a[0], a[1]) }},
	{"GET threatconnect/indicators/*", "an indicator of ThreatConnect by id", getThreatConnect},
	{"POST threatconnect/indicators", `seed {"indicators":[{"type":"Host","summary":"bad.example"}]}`, postThreatConnect},
	{"PATCH threatconnect/indicators/*", `edit as an analyst, {"tags":["x"]}, {"inactive":true}`, patchThreatConnect},
	{"DELETE threatconnect/indicators/*", "delete as an analyst", deleteThreatConnect},
	{"GET feeds", "names of the feeds", func(s *Sandbox, _ *http.Request, _ []string) (any, error) { return s.feeds.Names(), nil }},
	{"PUT feeds/*", "set a feed and start its script", putFeed},
	{"DELETE feeds/*", "take a feed away", deleteFeed},
	{"POST reset", "forget rows, windows, calls, faults, feeds", func(s *Sandbox, _ *http.Request, _ []string) (any, error) { s.Reset(); return nil, nil }},
}

// control answers the control API. It is for this machine only: a request that
// comes by another host name, or from a web page, is refused.
func (s *Sandbox) control(w http.ResponseWriter, r *http.Request) {
	if !localHost(r.Host) || r.Header.Get("Origin") != "" {
		http.Error(w, "the control API answers to 127.0.0.1 and localhost only, and not to web pages", http.StatusForbidden)
		return
	}
	r.Body = http.MaxBytesReader(w, r.Body, s.opts.MaxBody)
	path := strings.TrimSuffix(strings.TrimPrefix(r.URL.EscapedPath(), controlPath), "/")
	switch {
	case path == "" && r.Method == http.MethodGet:
		s.index(w)
		return
	case path == "ca.pem" && r.Method == http.MethodGet:
		w.Header().Set("Content-Type", "application/x-pem-file")
		_, _ = w.Write(s.CAPEM())
		return
	}
	for _, v := range verbs {
		method, pattern, _ := strings.Cut(v.pattern, " ")
		if args, ok := match(pattern, path); ok && method == r.Method {
			out, err := v.do(s, r, args)
			answer(w, out, err)
			return
		}
	}
	http.Error(w, "no such control call; GET "+controlPath+" lists them", http.StatusNotFound)
}

// hostName is the host of a Host header, in lower case, without its port.
func hostName(hostport string) string {
	host, _, err := net.SplitHostPort(hostport)
	if err != nil {
		host = hostport
	}
	return strings.ToLower(strings.Trim(host, "[]"))
}

func localHost(hostport string) bool {
	host := hostName(hostport)
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

func match(pattern, path string) ([]string, bool) {
	want, have := strings.Split(pattern, "/"), strings.Split(path, "/")
	if len(want) != len(have) {
		return nil, false
	}
	var args []string
	for i, p := range want {
		if p != "*" {
			if p != have[i] {
				return nil, false
			}
			continue
		}
		a, err := url.PathUnescape(have[i])
		if err != nil || a == "" {
			return nil, false
		}
		args = append(args, a)
	}
	return args, true
}

func answer(w http.ResponseWriter, out any, err error) {
	status := http.StatusOK
	switch {
	case err != nil:
		status, out = http.StatusBadRequest, map[string]string{"error": err.Error()}
	case out == nil:
		w.WriteHeader(http.StatusNoContent)
		return
	}
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(status)
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	_ = e.Encode(out) // the client has gone away
}

// index is the page for people.
func (s *Sandbox) index(w http.ResponseWriter) {
	var b strings.Builder
	b.WriteString("Remeld sandbox: a local twin of Entra ID, of the Defender indicator API, of Sentinel's threat intelligence, of tiIndicators at Graph and of ThreatConnect\n\n")
	for _, l := range s.Lines() {
		b.WriteString(l + "\n")
	}
	b.WriteString("\ncontrol API under " + controlPath + "\n")
	for _, v := range verbs {
		method, path, _ := strings.Cut(v.pattern, " ")
		fmt.Fprintf(&b, "%-7s %-30s %s\n", method, path, v.help)
	}
	fmt.Fprintf(&b, "%-7s %-30s %s\n", "GET", "ca.pem", "the CA's certificate")
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	_, _ = io.WriteString(w, b.String())
}

// decode reads a JSON body strictly: a misspelt key is an error.
func decode(r *http.Request, v any) error {
	b, err := io.ReadAll(r.Body)
	if err != nil {
		return fmt.Errorf("read body: %w", err)
	}
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		return fmt.Errorf("read body: %w", err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return errors.New("read body: more than one JSON value")
	}
	return nil
}

func getJournal(s *Sandbox, r *http.Request, _ []string) (any, error) {
	q := r.URL.Query()
	out := Query{Op: q.Get("op"), Tenant: q.Get("tenant"), App: q.Get("app"), Effect: q.Get("effect")}
	var errs []error
	number := func(name string) int {
		if !q.Has(name) {
			return 0
		}
		n, err := strconv.Atoi(q.Get(name))
		if err != nil || n < 0 {
			errs = append(errs, fmt.Errorf("%s=%q is not a number", name, q.Get(name)))
			n = 0
		}
		return n
	}
	out.Status, out.Limit, out.After = number("status"), number("limit"), uint64(number("after")) //nolint:gosec // not negative
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return map[string]any{"dropped": s.log.Dropped(), "last": s.log.Seq(), "entries": s.Journal(out)}, nil
}

type clockState struct {
	Now  time.Time `json:"now"`
	Rate float64   `json:"rate"`
}

func (s *Sandbox) clockState() clockState { return clockState{s.clock.Now(), s.clock.Rate()} }

func postClock(s *Sandbox, r *http.Request, _ []string) (any, error) {
	var in struct {
		Advance *string    `json:"advance"`
		Set     *time.Time `json:"set"`
		Rate    *float64   `json:"rate"`
	}
	if err := decode(r, &in); err != nil {
		return nil, err
	}
	if in.Advance == nil && in.Set == nil && in.Rate == nil {
		return nil, errors.New("give advance, set or rate")
	}
	if in.Rate != nil {
		if err := s.clock.SetRate(*in.Rate); err != nil {
			return nil, err
		}
	}
	if in.Set != nil {
		s.clock.Set(*in.Set)
	}
	if in.Advance != nil {
		d, err := time.ParseDuration(*in.Advance)
		if err != nil {
			return nil, fmt.Errorf("advance: %w", err)
		}
		s.clock.Advance(d)
	}
	return s.clockState(), nil
}
