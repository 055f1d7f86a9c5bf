package threatconnect

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/remeld/remeld/internal/sandbox/wire"
)

// Refusals of a login (developer documentation, "Common errors").
const (
	badSignature = "Signature Data Did Not Match Expected Result"
	badTime      = "Timestamp Out of Acceptable Time Range"
	denied       = "Access Denied"
	unauthorized = "Unauthorized"
)

// window is how far a request's time may be from ours.
const window = 5 * time.Minute

// tokenLife is that of a temporary token.
const tokenLife = 4 * time.Hour

// login checks who calls and says why not, "" if all is well.
func (s *Service) login(req *wire.Request) string {
	header := req.Header.Get("Authorization")
	if token, ok := strings.CutPrefix(header, "TC-Token "); ok {
		if end, ok := s.tokenEnd(strings.TrimSpace(token)); ok && req.Now.Before(end) {
			return ""
		}
		return unauthorized
	}
	signed, ok := strings.CutPrefix(header, "TC ")
	if !ok {
		return unauthorized
	}
	id, signature, _ := strings.Cut(signed, ":")
	unix, err := strconv.ParseInt(req.Header.Get("Timestamp"), 10, 64)
	switch {
	case id != s.c.AccessID:
		return denied
	case err != nil || req.Now.Sub(time.Unix(unix, 0)).Abs() > window:
		return badTime
	case !hmac.Equal([]byte(signature), []byte(sign(s.c.Secret, req.Target, req.Method, req.Header.Get("Timestamp")))):
		return badSignature
	}
	return ""
}

// sign is the signature of a request target as it came over the wire.
func sign(secret, target, method, at string) string {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(target + ":" + method + ":" + at))
	return base64.StdEncoding.EncodeToString(mac.Sum(nil))
}

// Token makes a token of a kind, APIV2, API or SVC, that ends at a time.
func (s *Service) Token(kind string, end time.Time) string {
	var random [8]byte
	_, _ = rand.Read(random[:]) // does not fail
	head := fmt.Sprintf("%s:3:%s:%d", kind, hex.EncodeToString(random[:]), end.UnixMilli())
	return head + ":" + s.seal(head)
}

func (s *Service) seal(head string) string {
	mac := hmac.New(sha256.New, s.key)
	mac.Write([]byte(head))
	return base64.StdEncoding.EncodeToString(mac.Sum(nil))
}

// tokenEnd is when a token of ours ends.
func (s *Service) tokenEnd(token string) (time.Time, bool) {
	i := strings.LastIndex(token, ":")
	if i < 0 || !hmac.Equal([]byte(token[i+1:]), []byte(s.seal(token[:i]))) {
		return time.Time{}, false
	}
	parts := strings.Split(token, ":")
	ms, err := strconv.ParseInt(parts[3], 10, 64)
	return time.UnixMilli(ms), err == nil
}

// renew answers GET /appAuth, with which apps change their token; it asks for no
// login besides. A token that ended is taken too, as the parameter's name has it.
func (s *Service) renew(req *wire.Request) wire.Reply {
	token := req.Query.Get("expiredToken")
	kind, _, _ := strings.Cut(token, ":")
	if _, ok := s.tokenEnd(token); !ok || kind == "APIV2" {
		return wire.JSON(401, map[string]any{"success": false, "message": "Invalid token"})
	}
	end := req.Now.Add(tokenLife)
	return wire.JSON(200, map[string]any{"success": true, "apiToken": s.Token(kind, end), "apiTokenExpires": end.Unix()})
}

// mint answers POST /v3/token/api and /v3/token/svc.
func (r *request) mint() wire.Reply {
	kind := strings.ToUpper(r.Route.ID)
	if kind != "API" && kind != "SVC" {
		return r.notFound()
	}
	return wire.JSON(201, map[string]string{"status": "Success", "data": r.Token(kind, r.now.Add(tokenLife))})
}

func (r *request) notFound() wire.Reply {
	return r.fail(404, "The requested resource was not found")
}
