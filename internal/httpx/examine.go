package httpx

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/remeld/remeld/sdk"
)

// The bounds of what Examine calls a warning and a failure.
const (
	certificateSoon = 14 * 24 * time.Hour // a server's certificate that ends so soon was not renewed in time
	skewWarn        = time.Minute
	skewFail        = 5 * time.Minute // Entra refuses signed assertions beyond
)

// Look makes one attempt of a GET and does not retry: for examining, where a person
// waits. Close the body.
func (c *Client) Look(ctx context.Context, rawURL string) (*Response, error) {
	u, err := c.parse(rawURL)
	if err != nil {
		return nil, err
	}
	return c.attempt(ctx, u, Validators{})
}

// Examine looks at the way to rawURL's server and reports it in the order of
// dependence: proxy, name, connection, TLS, clock. It makes one request for the
// server's root, without login and without following redirects, whose status does not
// matter. It tells whether the server answers.
func (c *Client) Examine(ctx context.Context, rawURL string, report func(sdk.Check)) bool {
	u, err := c.parse(rawURL)
	if err != nil {
		report(sdk.Check{Name: "address", State: sdk.CheckFailed, Detail: "this is no URL to fetch", Fix: "write https://host/path"})
		return false
	}
	c.CloseIdle() // a new connection shows every step
	root := &url.URL{Scheme: u.Scheme, Host: u.Host, Path: "/"}
	req, err := http.NewRequestWithContext(ctx, http.MethodHead, root.String(), nil)
	if err != nil {
		report(sdk.Check{Name: "address", State: sdk.CheckFailed, Detail: "this is no URL to fetch", Fix: "write https://host/path"})
		return false
	}
	e := &examination{client: c, url: root, report: report}
	e.proxy(req)
	resp, err := e.ask(req)
	if err != nil {
		e.failed(err)
		return false
	}
	_ = resp.Body.Close() // of a HEAD
	c.CloseIdle()
	e.reached(resp)
	return true
}

// examination gathers what the steps of one request were.
type examination struct {
	client *Client
	url    *url.URL
	report func(sdk.Check)
	via    *url.URL // proxy

	mu    sync.Mutex // addresses are tried in parallel
	addrs []string
	conn  string
}

func (e *examination) proxy(req *http.Request) {
	if e.client.o.Transport != nil {
		return
	}
	choose, err := proxyFunc(e.client.o.Proxy)
	if err == nil {
		e.via, err = choose(req)
	}
	switch {
	case err != nil:
		e.report(sdk.Check{Name: "proxy", State: sdk.CheckFailed, Detail: e.client.redact.text(err.Error()), Fix: "correct HTTPS_PROXY or the node's proxy"})
	case e.via != nil:
		e.report(sdk.Check{Name: "proxy", State: sdk.CheckOK, Detail: "through " + e.via.Scheme + "://" + e.via.Host})
	default:
		e.report(sdk.Check{Name: "proxy", State: sdk.CheckOK, Detail: "none"})
	}
}

func (e *examination) ask(req *http.Request) (*http.Response, error) {
	trace := &httptrace.ClientTrace{
		DNSDone: func(i httptrace.DNSDoneInfo) {
			e.mu.Lock()
			defer e.mu.Unlock()
			for _, a := range i.Addrs {
				e.addrs = append(e.addrs, a.String())
			}
		},
		ConnectDone: func(_, addr string, err error) {
			e.mu.Lock()
			defer e.mu.Unlock()
			if err == nil {
				e.conn = addr
			}
		},
	}
	ctx := context.WithValue(req.Context(), journeyKey{}, &journey{start: req.URL})
	return e.client.guard.RoundTrip(req.WithContext(httptrace.WithClientTrace(ctx, trace)))
}

// failed reports the steps that went well, then the one that did not.
func (e *examination) failed(err error) {
	_, why, todo := explain(e.url, err, e.client.o)
	why, todo = e.client.redact.text(why), e.client.redact.text(todo)
	e.mu.Lock()
	defer e.mu.Unlock()
	step := "name"
	if len(e.addrs) > 0 || e.via != nil || !strings.Contains(why, "does not resolve") {
		e.resolved()
		step = "connection"
	}
	if e.conn != "" {
		e.connected()
		step = "TLS"
		if e.url.Scheme != "https" {
			step = "answer"
		}
	}
	e.report(sdk.Check{Name: step, State: sdk.CheckFailed, Detail: why, Fix: todo})
}

func (e *examination) resolved() {
	if len(e.addrs) > 0 && e.via == nil {
		e.report(sdk.Check{Name: "name", State: sdk.CheckOK, Detail: e.url.Hostname() + " is " + strings.Join(e.addrs, ", ")})
	}
}

func (e *examination) connected() {
	e.report(sdk.Check{Name: "connection", State: sdk.CheckOK, Detail: "to " + e.conn})
}

func (e *examination) reached(resp *http.Response) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.resolved()
	e.connected()
	now := e.client.o.Clock.Now()
	if resp.TLS != nil {
		e.report(CheckCertificate(resp.TLS, now))
	}
	e.report(clock(resp.Header, now))
}

// CheckCertificate says what a server's certificate is, and warns ahead of its end.
func CheckCertificate(state *tls.ConnectionState, now time.Time) sdk.Check {
	if len(state.PeerCertificates) == 0 {
		return sdk.Check{Name: "TLS", State: sdk.CheckSkipped, Detail: "no certificate was shown"}
	}
	leaf := state.PeerCertificates[0]
	c := sdk.Check{Name: "TLS", State: sdk.CheckOK, Detail: fmt.Sprintf("%s, certificate of %s, ends %s", tls.VersionName(state.Version), authorityOf(leaf), leaf.NotAfter.UTC().Format(time.DateOnly))}
	if leaf.NotAfter.Sub(now) < certificateSoon {
		c.State, c.Fix = sdk.CheckWarning, "tell whoever runs the server that its certificate ends soon"
	}
	return c
}

// authorityOf names who issued a certificate, which tells an inspecting proxy from
// the service.
func authorityOf(c *x509.Certificate) string {
	switch name, orgs := c.Issuer.CommonName, c.Issuer.Organization; {
	case len(orgs) == 0 || orgs[0] == name:
		return name
	case name == "":
		return orgs[0]
	default:
		return name + " (" + orgs[0] + ")"
	}
}

func clock(h http.Header, now time.Time) sdk.Check {
	served, err := http.ParseTime(h.Get("Date"))
	if err != nil {
		return sdk.Check{Name: "clock", State: sdk.CheckSkipped, Detail: "the server does not tell its time"}
	}
	off := now.Sub(served).Round(time.Second)
	c := sdk.Check{Name: "clock", State: sdk.CheckOK, Detail: "this machine and the server agree"}
	if off.Abs() < skewWarn {
		return c
	}
	word := "ahead of"
	if off < 0 {
		word = "behind"
	}
	c.State, c.Detail, c.Fix = sdk.CheckWarning, fmt.Sprintf("this machine is %s %s the server", off.Abs(), word), "set this machine's clock (NTP)"
	if off.Abs() > skewFail {
		c.State = sdk.CheckFailed
	}
	return c
}
