package entra

import (
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/remeld/remeld/internal/sandbox/wire"
)

// failure is one refusal of the token service.
type failure struct {
	status int
	code   int    // the number after AADSTS
	kind   string // OAuth error
	text   string
}

func fail(status, code int, kind, format string, args ...any) *failure {
	return &failure{status: status, code: code, kind: kind, text: fmt.Sprintf(format, args...)}
}

func missing(name string) *failure {
	return fail(400, 900144, "invalid_request", "The request body must contain the following parameter: '%s'.", name)
}

type errorBody struct {
	Error         string `json:"error"`
	Description   string `json:"error_description"`
	Codes         []int  `json:"error_codes"`
	Timestamp     string `json:"timestamp"`
	TraceID       string `json:"trace_id"`
	CorrelationID string `json:"correlation_id"`
	URI           string `json:"error_uri"`
}

// reply renders the failure as the service does.
func (f *failure) reply(now time.Time, correlation, host string) wire.Reply {
	stamp, trace := now.Format("2006-01-02 15:04:05Z"), uuid.NewString()
	return wire.JSON(f.status, errorBody{
		Error: f.kind,
		Description: fmt.Sprintf("AADSTS%d: %s\r\nTrace ID: %s\r\nCorrelation ID: %s\r\nTimestamp: %s",
			f.code, f.text, trace, correlation, stamp),
		Codes: []int{f.code}, Timestamp: stamp, TraceID: trace, CorrelationID: correlation,
		URI: fmt.Sprintf("%s/error?code=%d", host, f.code),
	})
}
