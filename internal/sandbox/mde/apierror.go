package mde

import (
	"fmt"
	"net/http"

	"github.com/google/uuid"

	"github.com/remeld/remeld/internal/sandbox/wire"
)

// apiError is a refusal in the API's envelope.
type apiError struct {
	status  int
	code    string
	message string
}

func refuse(status int, code, format string, args ...any) *apiError {
	return &apiError{status: status, code: code, message: fmt.Sprintf(format, args...)}
}

func bodyError() *apiError { return refuse(400, "InvalidRequestBody", "Request body is incorrect") }

func missing(name string) *apiError {
	return refuse(400, "MissingRequiredParameter", "Parameter %s is missing.", name)
}

// reply renders the envelope; target is the correlation id.
func (e *apiError) reply() wire.Reply {
	type inner struct {
		Code    string `json:"code"`
		Message string `json:"message"`
		Target  string `json:"target"`
	}
	return wire.JSON(e.status, map[string]inner{"error": {e.code, e.message, uuid.NewString()}})
}

// entity renders a success in the API's media type.
func entity(body []byte) wire.Reply {
	return wire.Reply{Status: 200, Body: body, Header: http.Header{
		"Content-Type":  {"application/json; odata.metadata=minimal; odata.streaming=true; charset=utf-8"},
		"Odata-Version": {"4.0"},
	}}
}
