package threatconnect

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/remeld/remeld/sdk"
)

// login puts the credential on a request.
type login interface {
	// authorize signs or marks req; it may call the API to renew a token.
	authorize(ctx context.Context, c *Client, req *http.Request) error
	// recover is told of the first 401 of a call and reports whether trying once more
	// may help.
	recover(ctx context.Context, c *Client, resp *http.Response) bool
}

func newLogin(conn *Connection) login {
	if conn.Token != "" {
		return &tokenLogin{token: conn.Token.Reveal()}
	}
	return &signingLogin{id: conn.AccessID, key: conn.SecretKey.Reveal()}
}

// signingLogin signs each request with the API user's key.
type signingLogin struct {
	id, key string

	mu     sync.Mutex
	offset time.Duration // how far the instance's clock is ahead of ours
}

// clockWindow is how far a Timestamp may be from the instance's clock.
const clockWindow = 5 * time.Minute

func (l *signingLogin) authorize(_ context.Context, c *Client, req *http.Request) error {
	l.mu.Lock()
	at := c.o.Clock.Now().Add(l.offset).Unix()
	l.mu.Unlock()
	req.Header.Set("Timestamp", strconv.FormatInt(at, 10))
	req.Header.Set("Authorization", "TC "+l.id+":"+Sign(l.key, req.URL.RequestURI(), req.Method, at))
	return nil
}

// recover has the call signed once more: one 401 may be a node of the instance that is
// not up to date, a second is the answer. Where our clock is outside the instance's
// window, its clock is followed: a wrong clock here must not stop a read, but a person
// is told. The Date came over the same verified TLS as everything else.
func (l *signingLogin) recover(_ context.Context, c *Client, resp *http.Response) bool {
	offset, known := c.offset(resp)
	l.mu.Lock()
	defer l.mu.Unlock()
	if known && (offset-l.offset).Abs() >= clockWindow-time.Minute {
		c.o.Log.Warn("ThreatConnect refuses requests this far from its clock; they are signed with its time from now on. Set this machine's clock right", "clock", off(offset))
		l.offset = offset
	}
	return true
}

// tokenLogin carries an API token. "API:…" and "SVC:…" tokens live for hours and
// are renewed; "APIV2:…" ones live as long as a person lets them.
type tokenLogin struct {
	mu    sync.Mutex
	token string
}

// renewBefore is how long before its end a token is renewed.
const renewBefore = 10 * time.Minute

func (l *tokenLogin) authorize(ctx context.Context, c *Client, req *http.Request) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if end, known := expiry(l.token); known && end.Sub(c.o.Clock.Now()) < renewBefore {
		if err := l.renew(ctx, c); err != nil && !end.After(c.o.Clock.Now()) {
			return err // a token that still works is used; the next call tries again
		}
	}
	req.Header.Set("Authorization", "TC-Token "+l.token)
	return nil
}

// recover changes a temporary token for a new one, where that is granted; the call is
// made once more in any case, as one 401 alone may be the instance's. Of several calls
// that were refused with one token the first changes it: the others would change the
// new one, and take it from whoever sends it just then.
func (l *tokenLogin) recover(ctx context.Context, c *Client, resp *http.Response) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if resp.Request != nil && resp.Request.Header.Get("Authorization") != "TC-Token "+l.token {
		return true
	}
	if _, known := expiry(l.token); known {
		if err := l.renew(ctx, c); err != nil {
			c.o.Log.Debug("the token was refused and not renewed; the call is made once more", "err", err)
		}
	}
	return true
}

// expiry reads the end that is written in a temporary token
// (API:<user>:<random>:<milliseconds>:<signature>).
func expiry(token string) (time.Time, bool) {
	parts := strings.Split(token, ":")
	if len(parts) < 5 || parts[0] == "APIV2" {
		return time.Time{}, false
	}
	ms, err := strconv.ParseInt(parts[3], 10, 64)
	return time.UnixMilli(ms), err == nil
}

// renew changes the token for a new one. l.mu is held.
func (l *tokenLogin) renew(ctx context.Context, c *Client) error {
	target := c.base + "/appAuth?" + encode(url.Values{"expiredToken": {l.token}})
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, target, nil)
	if err != nil {
		return errRenewal
	}
	resp, err := c.o.HTTP.Do(req)
	if err != nil {
		return c.unreached(ctx, errRenewal) // the transport's words hold the URL, and the URL the token
	}
	defer resp.Body.Close()
	var answer struct {
		Token string `json:"apiToken"`
	}
	data, err := io.ReadAll(resp.Body)
	if err == nil {
		err = json.Unmarshal(data, &answer)
	}
	if resp.StatusCode/100 != 2 || err != nil || answer.Token == "" {
		return &sdk.Error{Failure: sdk.Unauthorized, Code: strconv.Itoa(resp.StatusCode),
			Message: "ThreatConnect did not renew the token: make a new one and put it where the connection reads it, or use access_id and secret_key"}
	}
	l.token = answer.Token
	return nil
}

var errRenewal = errors.New("the token could not be renewed")
