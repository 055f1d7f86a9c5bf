package threatconnect

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/remeld/remeld/sdk"
)

// unreached is a call without an answer. Reads and feedback may both be repeated.
func (c *Client) unreached(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return &sdk.Error{Failure: sdk.NotSent, Message: "no answer from " + c.base, Err: err}
}

// maxRefusal caps how much of a refusal is read.
const maxRefusal = 64 << 10

// refusal sorts an HTTP error into what may be done about it, with words for the
// person who has to.
func (c *Client) refusal(resp *http.Response) error {
	data, _ := io.ReadAll(io.LimitReader(resp.Body, maxRefusal)) // the status speaks where the body cannot be read
	var body struct {
		Message     string `json:"message"`
		Description string `json:"description"`
	}
	_ = json.Unmarshal(data, &body)
	said := strings.TrimSpace(body.Message + body.Description)
	if said == "" {
		said = fmt.Sprintf("ThreatConnect answered HTTP %d", resp.StatusCode)
	}
	e := &sdk.Error{Code: strconv.Itoa(resp.StatusCode), Message: said}
	switch code := resp.StatusCode; {
	case code == http.StatusUnauthorized:
		e.Failure, e.Message = sdk.Unauthorized, said+"; "+c.remedy(said, resp)
	case code == http.StatusForbidden:
		e.Failure, e.Message = sdk.Forbidden, said+"; the owner does not exist or the API user may not read it: check owners, and the user's owner roles under Org Settings > Membership"
	case code == http.StatusNotFound:
		e.Failure, e.Message = sdk.Missing, said+"; check the base path of "+c.base+" (it usually ends in /api)"
		if resp.Request != nil && strings.Contains(resp.Request.URL.Path, "/v3/") {
			e.Message += "; an instance that has no version 3 of the API is read with api: v2"
		}
	case code == http.StatusTooManyRequests:
		e.Failure, e.RetryAt = sdk.Throttled, c.retryAt(resp)
	case code == http.StatusServiceUnavailable:
		e.Failure, e.RetryAt = sdk.Unavailable, c.retryAt(resp)
		e.Message += "; the API may not be licensed or switched on at this instance"
	case code >= 500 || code == http.StatusRequestTimeout:
		e.Failure = sdk.Unavailable
	case code/100 == 3:
		e.Failure, e.Message = sdk.Permanent, said+"; the instance redirects: give the address it redirects to as the connection's url"
	default:
		e.Failure = sdk.Refused
	}
	return e
}

// remedy says what a 401 means by its message.
func (c *Client) remedy(said string, resp *http.Response) string {
	offset, known := c.offset(resp)
	switch {
	case known && offset.Abs() >= clockWindow:
		return off(offset) + ", and requests may be five minutes off at most: set it right"
	case strings.Contains(said, "Timestamp"):
		return "this machine's clock is off by more than five minutes: set it right"
	case strings.Contains(said, "Signature"):
		return "the secret key is wrong, or a proxy rewrites the path: check secret_key and the base path of " + c.base
	case c.o.Connection.Token != "":
		return "the token is expired or was made anew: check token"
	}
	return "check access_id and secret_key, and that the API user is enabled"
}

func (c *Client) retryAt(resp *http.Response) time.Time {
	if n, err := strconv.Atoi(resp.Header.Get("Retry-After")); err == nil && n >= 0 {
		return c.o.Clock.Now().Add(time.Duration(n) * time.Second)
	}
	return time.Time{}
}
