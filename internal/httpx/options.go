package httpx

import (
	"log/slog"
	"net/http"
	"time"

	"github.com/remeld/remeld/sdk"
)

// The defaults of Options, as documented in SEMANTICS section F.
const (
	DefaultMaxBody      = 256 << 20 // bytes, as sent and as decoded
	DefaultTimeout      = 30 * time.Second
	DefaultIdle         = 60 * time.Second
	DefaultMaxWait      = 2 * time.Minute
	DefaultMaxRedirects = 10
	DefaultRetries      = 2
	DefaultPerSecond    = 5.0
)

// Options says how a Client behaves. The zero value of every field but Clock is
// its default.
type Options struct {
	// Clock is asked for the time and waits between attempts. Required.
	Clock sdk.Clock
	// Log gets a line for each attempt that is repeated; nil logs nothing.
	Log *slog.Logger
	// UserAgent is sent with every request.
	UserAgent string
	// Timeout bounds connecting, the TLS handshake and the wait for the answer's
	// header, each on its own.
	Timeout time.Duration
	// Idle bounds the time between two pieces of a body.
	Idle time.Duration
	// MaxBody caps a body in bytes, both as sent and as decoded.
	MaxBody int64
	// MaxRedirects caps the redirects followed.
	MaxRedirects int
	// Retries is how often a failed GET is repeated; negative = never.
	Retries int
	// MaxWait caps one wait between attempts. A Retry-After beyond it ends the
	// call with a Throttled error that carries the time.
	MaxWait time.Duration
	// Proxy is the proxy's URL; empty takes it from the environment
	// (HTTPS_PROXY, HTTP_PROXY, NO_PROXY), "direct" uses none.
	Proxy string
	// CAFile is a PEM file of authorities trusted beside the system's.
	CAFile string
	// CertFile and KeyFile are PEM files of a client certificate. They are read
	// at each handshake, so that a rotated certificate is used at once.
	CertFile, KeyFile string
	// Auth is the login; it goes to the origin of the requested URL only.
	Auth Auth
	// Header is sent to the origin of the requested URL only.
	Header map[string]sdk.Secret
	// Params are added to the query of the requested URL.
	Params map[string]sdk.Secret
	// PerSecond is the pace of requests to one host, shared by all clients of
	// the process; the first to name a host decides. Negative is none: the caller
	// keeps the service's own limits, and a second pace below it could only delay
	// a call whose moment was chosen.
	PerSecond float64
	// Transport replaces the network, for tests and fault injection. Name
	// resolution is then not guarded.
	Transport http.RoundTripper
}

// Auth is a login: a user with a password, or a bearer token.
type Auth struct {
	Username string
	Password sdk.Secret
	Bearer   sdk.Secret
}

func (o Options) withDefaults() Options {
	setDefault(&o.UserAgent, "remeld")
	setDefault(&o.Timeout, DefaultTimeout)
	setDefault(&o.Idle, DefaultIdle)
	setDefault(&o.MaxBody, DefaultMaxBody)
	setDefault(&o.MaxRedirects, DefaultMaxRedirects)
	setDefault(&o.Retries, DefaultRetries)
	setDefault(&o.MaxWait, DefaultMaxWait)
	setDefault(&o.PerSecond, DefaultPerSecond)
	return o
}

func setDefault[T comparable](v *T, d T) {
	var zero T
	if *v == zero {
		*v = d
	}
}

// secrets lists every configured text that must not be printed.
func (o Options) secrets() []string {
	out := []string{o.Auth.Password.Reveal(), o.Auth.Bearer.Reveal()}
	for _, v := range o.Header {
		out = append(out, v.Reveal())
	}
	for _, v := range o.Params {
		out = append(out, v.Reveal())
	}
	return out
}
