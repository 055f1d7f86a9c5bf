package sentinel

import (
	"fmt"
	"strconv"

	"github.com/google/uuid"

	"github.com/remeld/remeld/internal/sandbox/rate"
	"github.com/remeld/remeld/internal/sandbox/switches"
	"github.com/remeld/remeld/internal/sandbox/wire"
)

// apiError is a refusal; each plane has its own envelope for it.
type apiError struct {
	status  int
	code    string
	message string
}

func refuse(status int, code, format string, args ...any) *apiError {
	return &apiError{status: status, code: code, message: fmt.Sprintf(format, args...)}
}

func badBody() *apiError {
	return refuse(400, "InvalidRequestBodyProperty(RequestBody)", "Body of the request is not in valid JSON format.")
}

// cloudError is the management plane's envelope, and what the upload API
// answers where no other shape is published.
func (e *apiError) cloudError() wire.Reply {
	type inner struct {
		Code    string `json:"code"`
		Message string `json:"message"`
	}
	r := wire.JSON(e.status, map[string]inner{"error": {e.code, e.message}}).With("x-ms-error-code", e.code)
	if e.status == 401 {
		r = r.With("WWW-Authenticate", `Bearer authorization_uri="https://login.windows.net/common", error="invalid_token", error_description="The authentication failed."`)
	}
	return r
}

// gateway is the envelope of the gateway before the upload API.
func gateway(status int, message string) wire.Reply {
	return wire.JSON(status, struct {
		Status  int    `json:"statusCode"`
		Message string `json:"message"`
	}{status, message})
}

// upload renders the refusal as the upload API does.
func (e *apiError) upload() wire.Reply {
	switch e.status {
	case 400:
		type inner struct {
			Code    string   `json:"code"`
			Message string   `json:"message"`
			Details []string `json:"details"`
			Target  *string  `json:"target"`
			Info    *string  `json:"additionalInfo"`
		}
		return wire.JSON(400, map[string]inner{"error": {Code: e.code, Message: e.message, Details: []string{}}})
	case 401:
		return gateway(401, "Unauthorized. Access token is missing or invalid.")
	}
	return e.cloudError()
}

func throttled(x *rate.Exceeded, sw *switches.Set) wire.Reply {
	r := gateway(429, fmt.Sprintf("Rate limit is exceeded. Try again in %d seconds.", x.Seconds()))
	if sw.SentinelRetryAfter == "header" {
		r = r.With("Retry-After", strconv.Itoa(x.Seconds()))
	}
	return r
}

// traced adds the ids that every answer of Azure has.
func traced(r wire.Reply) wire.Reply {
	return r.With("x-ms-request-id", uuid.NewString()).With("x-ms-correlation-request-id", uuid.NewString())
}
