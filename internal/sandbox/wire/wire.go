// Package wire holds the two shapes that the services of the sandbox exchange
// with its server: a request that was read completely, and a reply that was
// built completely. Use it when adding a service; because both are values, the
// server can journal them and put faults between them and the network.
package wire

import (
	"encoding/json"
	"net/http"
	"net/url"
	"time"
)

// Request is a request read to its end.
type Request struct {
	Method string
	Scheme string // "https" or "http"
	Host   string // as the client sent it, with port
	Path   string
	// Target is the request target as it came: path and query, still encoded.
	Target string
	Query  url.Values
	// QueryErr is set when the query could not be decoded.
	QueryErr error
	Header   http.Header
	Body     []byte
	Now      time.Time // sandbox clock
}

// Base is scheme and host as the client used them.
func (r *Request) Base() string { return r.Scheme + "://" + r.Host }

// Reply is a complete answer.
type Reply struct {
	Status int
	Header http.Header
	Body   []byte
}

// JSON returns a reply with v as its body.
func JSON(status int, v any) Reply {
	body, err := json.Marshal(v)
	if err != nil {
		// Only values of this module are passed; none of them can fail.
		panic("sandbox: encode reply: " + err.Error())
	}
	return Reply{Status: status, Header: http.Header{"Content-Type": {"application/json; charset=utf-8"}}, Body: body}
}

// Empty returns a reply without a body.
func Empty(status int) Reply { return Reply{Status: status, Header: http.Header{}} }

// With returns r with the header set.
func (r Reply) With(name, value string) Reply {
	if r.Header == nil {
		r.Header = http.Header{}
	}
	r.Header.Set(name, value)
	return r
}

// Duration is a time.Duration written as text ("1.5s") in JSON.
type Duration time.Duration

// MarshalText implements encoding.TextMarshaler.
func (d Duration) MarshalText() ([]byte, error) { return []byte(time.Duration(d).String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (d *Duration) UnmarshalText(b []byte) error {
	v, err := time.ParseDuration(string(b))
	*d = Duration(v)
	return err
}
