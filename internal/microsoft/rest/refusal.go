package rest

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/remeld/remeld/sdk"
)

// address keeps a bearer token from leaving for another host than the API's: a next
// link is the service's word, and a forged one must not get the token.
func (c *Client) address(path string) (string, error) {
	if strings.HasPrefix(path, "/") {
		return c.o.Base + path, nil
	}
	next, err := url.Parse(path)
	base, berr := url.Parse(c.o.Base)
	if err != nil || berr != nil || next.Scheme != base.Scheme || !strings.EqualFold(next.Host, base.Host) {
		return "", &sdk.Error{Failure: sdk.Permanent, Message: fmt.Sprintf(
			"%s names a next page at another host than %s, which does not get the token", c.o.Service, c.o.Base)}
	}
	return path, nil
}

// refusal sorts an HTTP error into what may be done about it.
func (c *Client) refusal(r *Reply, fresh bool) error {
	e := said(r.Body)
	if e.Message == "" {
		e.Message = fmt.Sprintf("%s answered HTTP %d", c.o.Service, r.Status)
	}
	switch code := r.Status; {
	case code == http.StatusUnauthorized:
		c.unauthorized(e, fresh)
	case code == http.StatusForbidden:
		c.o.Tokens.Forget() // what a person grants now is in a new token only
		e.Failure = sdk.Forbidden
		e.Message += "; " + c.o.Role
	case code == http.StatusNotFound:
		e.Failure = sdk.Missing
	case code == http.StatusTooManyRequests:
		e.Failure, e.RetryAt = sdk.Throttled, retryAt(r.Header, e.Message, r.Served)
	case code == http.StatusRequestTimeout || code >= 500:
		e.Failure, e.RetryAt = sdk.Unavailable, retryAt(r.Header, e.Message, r.Served)
	case code/100 == 3:
		e.Failure = sdk.Unavailable
		e.Message += "; an API call is never redirected: look for a proxy or gateway that wants a login" + elsewhere(r.Header)
	default:
		e.Failure = sdk.Refused
	}
	if c.o.Refine != nil {
		c.o.Refine(e, r.Status, r.Body)
	}
	return e
}

// elsewhere names the host that a redirect leads to; the rest of its URL may hold what is
// nobody's business.
func elsewhere(h http.Header) string {
	if u, err := url.Parse(h.Get("Location")); err == nil && u.Host != "" {
		return " (it leads to " + u.Host + ")"
	}
	return ""
}

// maxMessage bounds how much of a service's words is kept, in bytes: they go to the
// ledger, to logs and to people.
const maxMessage = 2000

// said reads the two error bodies Microsoft's services write: {"error":{…}} and, of
// its API gateways, {"statusCode":…,"message":…}.
func said(data []byte) *sdk.Error {
	var body struct {
		Error struct {
			Code    string `json:"code"`
			Message string `json:"message"`
		} `json:"error"`
		Message string `json:"message"`
	}
	_ = json.Unmarshal(data, &body) // an unreadable body leaves the status to speak
	if body.Error.Message == "" {
		body.Error.Message = body.Message
	}
	return &sdk.Error{Code: cut(body.Error.Code), Message: cut(body.Error.Message)}
}

func cut(text string) string {
	if len(text) <= maxMessage {
		return text
	}
	return strings.ToValidUTF8(text[:maxMessage], "") + "…"
}

// unauthorized: a token handed out before may simply have aged, so it is dropped
// and the call counts as not made; a fresh one that is refused will not do better.
func (c *Client) unauthorized(e *sdk.Error, fresh bool) {
	c.o.Tokens.Forget()
	if !fresh {
		e.Failure, e.Message = sdk.NotSent, "the token is no longer accepted; a new one will be used"
		return
	}
	e.Failure = sdk.Unauthorized
	e.Message += fmt.Sprintf("; the token is not accepted by the %s API: check that tenant and cloud of the connection belong to this API host", c.o.Service)
}

var againIn = regexp.MustCompile(`again in (\d{1,6}) seconds?`)

// retryAt reads Retry-After (seconds, whole or not, or a date) or the seconds named
// in the message. The result is on the service's clock; zero if nothing is said.
func retryAt(h http.Header, message string, served time.Time) time.Time {
	if served.IsZero() {
		return time.Time{}
	}
	header := h.Get("Retry-After")
	if n, err := strconv.ParseFloat(header, 64); err == nil && n >= 0 && n < 1e6 {
		return served.Add(time.Duration(n * float64(time.Second)))
	}
	if at, err := http.ParseTime(header); err == nil {
		return at
	}
	if m := againIn.FindStringSubmatch(message); m != nil {
		n, _ := strconv.Atoi(m[1])
		return served.Add(time.Duration(n) * time.Second)
	}
	return time.Time{}
}
