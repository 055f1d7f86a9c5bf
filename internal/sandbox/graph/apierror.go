package graph

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"

	"github.com/google/uuid"

	"github.com/remeld/remeld/internal/sandbox/entra"
	"github.com/remeld/remeld/internal/sandbox/wire"
)

// apiError is a refusal: of a call in Graph's envelope, of an item in the
// provider's.
type apiError struct {
	status  int
	code    string
	message string
	header  http.Header
}

func refuse(status int, code, format string, args ...any) *apiError {
	return &apiError{status: status, code: code, message: fmt.Sprintf(format, args...)}
}

// invalid is the provider's refusal of one indicator.
func invalid(format string, args ...any) *apiError {
	return refuse(400, "InvalidInput", format, args...)
}

func unreadable() *apiError {
	return refuse(400, "BadRequest", "Unable to read JSON request payload. Please ensure Content-Type header is set and payload is of valid JSON format.")
}

// unknownError is what the service says when it has choked; the message is empty.
func unknownError() *apiError { return refuse(500, "UnknownError", "") }

func notFound() *apiError { return refuse(404, "ResourceNotFound", "The object was not found.") }

// clip bounds what of a request is repeated in an answer.
func clip(s string) string {
	if len(s) > 200 {
		return s[:200] + "…"
	}
	return s
}

// Reasons, besides those of entra, why there is no caller.
var (
	ErrNoToken        = errors.New("no access token")
	ErrMalformedToken = errors.New("access token is no JWT")
)

// unauthenticated words why a token was refused.
func unauthenticated(err error) *apiError {
	text := "Access token validation failure. Invalid signature."
	switch {
	case errors.Is(err, ErrNoToken):
		text = "Access token is empty."
	case errors.Is(err, entra.ErrExpiredToken):
		text = "Lifetime validation failed, the token is expired."
	case errors.Is(err, ErrMalformedToken):
		text = "JWT is not well formed, there are no dots (.)."
	}
	return refuse(401, "InvalidAuthenticationToken", "%s", text)
}

// challenge is the WWW-Authenticate header of a 401.
const challenge = `Bearer realm="", authorization_uri="https://login.microsoftonline.com/common/oauth2/authorize", client_id="` + AppID + `"`

// refusal renders the error in Graph's envelope.
func (c *call) refusal(e *apiError) wire.Reply {
	inner := map[string]string{"date": c.now.Format("2006-01-02T15:04:05"), "request-id": c.request, "client-request-id": c.client}
	if e.status == 429 {
		inner["code"], inner["status"], inner["message"] = "429", "429", "Please retry after"
	}
	r := wire.JSON(e.status, map[string]any{"error": map[string]any{"code": e.code, "message": e.message, "innerError": inner}})
	for name, v := range e.header {
		r = r.With(name, v[0])
	}
	if e.status == 401 {
		r = r.With("WWW-Authenticate", challenge)
	}
	return r
}

// provider is the text that the Error element of a refused item carries.
func (e *apiError) provider() string {
	type body struct {
		Code    string `json:"code"`
		Message string `json:"message"`
		Target  string `json:"target"`
	}
	b, err := json.Marshal(map[string]body{"error": {e.code, e.message, "|" + uuid.NewString() + "_"}})
	if err != nil {
		panic("sandbox: encode provider error: " + err.Error())
	}
	return string(b)
}

// diagnostic names a made-up server.
const diagnostic = `{"ServerInfo":{"DataCenter":"Sandbox","Slice":"E","Ring":"1","ScaleUnit":"000","RoleInstance":"SB000000"}}`

// stamp puts the headers of every answer on.
func (c *call) stamp(r wire.Reply) wire.Reply {
	r = r.With("request-id", c.request).With("client-request-id", c.client).With("x-ms-ags-diagnostic", diagnostic).
		With("Strict-Transport-Security", "max-age=31536000")
	if len(r.Body) == 0 {
		return r
	}
	return r.With("OData-Version", "4.0").
		With("Content-Type", "application/json;odata.metadata=minimal;odata.streaming=true;IEEE754Compatible=false;charset=utf-8")
}
