package defender

import (
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"strconv"
	"time"

	"github.com/remeld/remeld/sdk"
)

// refusal sorts an HTTP error into what may be done about it.
func (c *Client) refusal(resp *http.Response, data []byte, fresh bool, served time.Time) error {
	var body struct {
		Error struct {
			Code    string `json:"code"`
			Message string `json:"message"`
		} `json:"error"`
	}
	_ = json.Unmarshal(data, &body) // an unreadable body leaves the status to speak
	e := &sdk.Error{Code: body.Error.Code, Message: body.Error.Message}
	if e.Message == "" {
		e.Message = fmt.Sprintf("Defender answered HTTP %d", resp.StatusCode)
	}
	switch code := resp.StatusCode; {
	case code == http.StatusUnauthorized:
		c.unauthorized(e, fresh)
	case code == http.StatusForbidden:
		e.Failure = sdk.Forbidden
		e.Message += "; the app needs the application permission Ti.ReadWrite.All of WindowsDefenderATP with admin consent"
	case code == http.StatusNotFound:
		e.Failure = sdk.Missing
	case code == http.StatusTooManyRequests:
		e.Failure, e.RetryAt = sdk.Throttled, retryAt(resp, e.Message, served)
	case code == http.StatusRequestTimeout || code >= 500:
		e.Failure, e.RetryAt = sdk.Unavailable, retryAt(resp, e.Message, served)
	default:
		e.Failure = sdk.Refused
	}
	return e
}

// unauthorized: a token handed out before may simply have aged, so it is dropped
// and the call counts as not made; a fresh one that is refused will not do better.
func (c *Client) unauthorized(e *sdk.Error, fresh bool) {
	c.tokens.Forget()
	if !fresh {
		e.Failure, e.Message = sdk.NotSent, "the token is no longer accepted; a new one will be used"
		return
	}
	e.Failure = sdk.Unauthorized
	e.Message += "; the token is not accepted by the Defender API: check that tenant and cloud of the connection belong to this API host"
}

var againIn = regexp.MustCompile(`again in (\d+) seconds?`)

// retryAt reads Retry-After (seconds or a date) or the seconds named in the
// message. The result is on the service's clock; zero if nothing is said.
func retryAt(resp *http.Response, message string, served time.Time) time.Time {
	if served.IsZero() {
		return time.Time{}
	}
	header := resp.Header.Get("Retry-After")
	if n, err := strconv.Atoi(header); err == nil && n >= 0 {
		return served.Add(time.Duration(n) * time.Second)
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
