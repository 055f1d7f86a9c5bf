package httpx

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/remeld/remeld/sdk"
)

// failure turns what went wrong below HTTP into an *sdk.Error that says what was
// fetched, why it failed and what to do.
func (c *Client) failure(u *url.URL, err error) error {
	var done *sdk.Error
	if errors.As(err, &done) {
		return err
	}
	var wrapped *url.Error
	if errors.As(err, &wrapped) {
		err = wrapped.Err // its text repeats the URL with its query
	}
	kind, why, todo := explain(u, err, c.o)
	return &sdk.Error{Failure: kind, Message: c.redact.text(fmt.Sprintf("fetch %s: %s: %s", c.redact.url(u), why, todo)), Err: cause(err)}
}

// cause keeps only what callers test for; the rest of the chain is in the
// message, redacted.
func cause(err error) error {
	for _, known := range []error{context.Canceled, context.DeadlineExceeded} {
		if errors.Is(err, known) {
			return known
		}
	}
	return nil
}

func explain(u *url.URL, err error, o Options) (kind sdk.Failure, why, todo string) {
	if kind, why, todo = explainBody(err); why != "" {
		return kind, why, todo
	}
	if kind, why, todo = explainTLS(u, err); why != "" {
		return kind, why, todo
	}
	var (
		dns   *net.DNSError
		guard *guardError
		op    *net.OpError
		slow  net.Error
	)
	switch {
	case errors.As(err, &guard):
		return sdk.Permanent, guard.what, "correct the URL, or ask the feed's owner where it went"
	case errors.As(err, &dns):
		return sdk.NotSent, fmt.Sprintf("the host name %s does not resolve (%s)", dns.Name, dns.Err), "check its spelling and this machine's DNS"
	case errors.Is(err, syscall.ECONNREFUSED):
		return sdk.NotSent, "connection refused", "nothing listens there; check host and port, or wait until the service is back"
	case errors.Is(err, context.Canceled):
		return sdk.Unavailable, "cancelled", "it was stopped from this side"
	case errors.As(err, &op) && op.Op == "dial":
		return sdk.NotSent, "cannot connect (" + op.Err.Error() + ")", "check route, firewall and proxy"
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &slow) && slow.Timeout():
		return sdk.Unavailable, fmt.Sprintf("no answer within %s", o.Timeout), "the server is slow or a firewall drops packets; it is tried again later"
	case errors.Is(err, io.EOF), errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		return sdk.Unavailable, "the server closed the connection without an answer", "it is tried again later"
	}
	return sdk.Unavailable, err.Error(), "it is tried again later"
}

func explainBody(err error) (kind sdk.Failure, why, todo string) {
	var large *tooLargeError
	switch {
	case errors.As(err, &large):
		todo = "raise max_size if the feed really is that large"
		if large.decoded {
			todo = "this may be a decompression bomb; " + todo
		}
		return sdk.Permanent, large.Error(), todo
	case errors.Is(err, errArchive):
		return sdk.Permanent, errArchive.Error(), "use a plain, gzip or zstd file"
	case errors.Is(err, errCut), errors.Is(err, io.ErrUnexpectedEOF):
		return sdk.Unavailable, errCut.Error(), "the read is incomplete and withdraws nothing; it is tried again later"
	case errors.Is(err, errIdle):
		return sdk.Unavailable, errIdle.Error(), "the read is incomplete and withdraws nothing; it is tried again later"
	}
	return "", "", ""
}

func explainTLS(u *url.URL, err error) (kind sdk.Failure, why, todo string) {
	var (
		unknown x509.UnknownAuthorityError
		host    x509.HostnameError
		invalid x509.CertificateInvalidError
		record  tls.RecordHeaderError
		alert   tls.AlertError
	)
	switch {
	case errors.As(err, &unknown):
		return sdk.Permanent, "the server's certificate is signed by an authority this machine does not trust", "give that authority's PEM file as ca_file (of a connection or a route: ca)"
	case errors.As(err, &host):
		return sdk.Permanent, "the server's certificate is not for " + u.Hostname(), "use the name it was issued for"
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		return sdk.Permanent, "the server's certificate has expired or is not valid yet", "tell whoever runs the server; check this machine's clock"
	case errors.As(err, &invalid):
		return sdk.Permanent, "the server's certificate is not valid (" + invalid.Error() + ")", "tell whoever runs the server"
	case errors.As(err, &record):
		return sdk.Permanent, "the server does not speak TLS there", "use http:// or the right port"
	case errors.As(err, &alert):
		return sdk.Permanent, "the server refused the TLS handshake (" + alert.Error() + ")", "it may want a client certificate: cert_file and key_file"
	case strings.Contains(err.Error(), "server gave HTTP response to HTTPS client"): // net/http has no type for it
		return sdk.Permanent, "the server does not speak TLS there", "use http:// or the right port"
	}
	return "", "", ""
}

// statusFailure turns an answer that is no success into an error.
func (c *Client) statusFailure(u *url.URL, resp *http.Response) error {
	e := &sdk.Error{Code: "HTTP " + strconv.Itoa(resp.StatusCode)}
	var why string
	e.Failure, why = explainStatus(resp.StatusCode)
	if after, ok := retryAfter(resp.Header, c.o.Clock.Now()); ok {
		e.RetryAt = after
		if e.Failure == sdk.Throttled || e.Failure == sdk.Unavailable {
			why += fmt.Sprintf(" (the server names %s)", after.UTC().Format(time.RFC3339))
		}
	}
	e.Message = c.redact.text(fmt.Sprintf("fetch %s: %s", c.redact.url(u), why))
	return e
}

func explainStatus(code int) (sdk.Failure, string) {
	switch {
	case code == http.StatusUnauthorized:
		return sdk.Unauthorized, "the server refused the login: check username, password, token or header, and whether they expired"
	case code == http.StatusForbidden:
		return sdk.Forbidden, "the server understood the login but does not allow this: ask the feed's owner for access, or check that this machine's address is on their list"
	case code == http.StatusNotFound, code == http.StatusGone:
		return sdk.Missing, "nothing is there: check the URL; the feed may have moved or ended"
	case code == http.StatusProxyAuthRequired:
		return sdk.Unauthorized, "the proxy wants a login: put it into the proxy's URL"
	case code == http.StatusTooManyRequests:
		return sdk.Throttled, "the server says this is too often: poll less often; it is tried again later"
	case code >= 500:
		return sdk.Unavailable, "the server failed: it is tried again later"
	case code == http.StatusPartialContent:
		return sdk.Unavailable, "the server sent a part without being asked for one: the read is incomplete and withdraws nothing"
	case code >= 300 && code < 400:
		return sdk.Permanent, "the server redirects without saying where: check the URL"
	case code >= 400:
		return sdk.Refused, "the server refused the request: check the URL and its parameters"
	}
	return sdk.Unavailable, "the server sent an answer that is not 200: it is tried again later"
}
