// Package httpx is the one HTTP client of the program: every connector and API
// client that speaks HTTP goes through it, so that timeouts, caps, retries,
// redirects, trust, pacing and redaction are decided once.
//
// Use Client.Fetch to spool a body to a file (feeds), Client.Get to stream one,
// and Client.Do for a call with its own method and body, which is sent exactly
// once. Every error is an *sdk.Error whose text says what was fetched, what went
// wrong and what to do; it never holds a secret, neither the configured ones nor
// the values of token-like query parameters.
//
// The address guard refuses link-local and cloud metadata addresses after name
// resolution, on the first hop and on every redirect. Private and loopback
// addresses are allowed, since feeds may be internal, but a redirect that leads
// from a public address to one of them is refused. Behind a proxy the names are
// resolved by the proxy: only literal addresses can be judged then.
package httpx
