package threatconnect

import (
	"bytes"
	"crypto/tls"
	"encoding/json"
	"io"
	"net/http"
	"testing"

	"github.com/remeld/remeld/indicator"
	"github.com/remeld/remeld/internal/sandbox"
	"github.com/remeld/remeld/internal/threatconnect"
	"github.com/remeld/remeld/sdk"
	"github.com/remeld/remeld/sdk/sdktest"
)

// BenchmarkReading compares what we spend on an indicator, from the bytes of a page to
// a key and attributes, with plain decoding of the same pages by encoding/json into the
// same structs; the wanted ratio is at most 1.5.
func BenchmarkReading(b *testing.B) {
	pages := capturePages(b, 10, 1_000)
	const n = 10 * 1_000
	b.Run("source", func(b *testing.B) {
		client := threatconnect.New(threatconnect.Options{
			Connection: threatconnect.Connection{URL: "https://tc.example/api", AccessID: "1", SecretKey: "fake"},
			HTTP:       &replay{pages: pages}, Clock: sdktest.NewClock(begin),
		})
		p := &poll{source: &source{c: defaults(), client: client}, out: discard{}}
		b.ReportAllocs()
		for b.Loop() {
			p.read = 0
			if err := p.list(b.Context(), ""); err != nil || p.read < n*9/10 { // what has no kind here is not counted
				b.Fatal(p.read, err)
			}
		}
		b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/n, "ns/indicator")
	})
	b.Run("encoding-json", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			for _, page := range pages {
				var answer struct{ Data []threatconnect.Indicator }
				if err := json.NewDecoder(bytes.NewReader(page)).Decode(&answer); err != nil || len(answer.Data) == 0 {
					b.Fatal(err)
				}
			}
		}
		b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/n, "ns/indicator")
	})
}

// capturePages are answers of the twin with all fields a poll asks for.
func capturePages(b *testing.B, n, size int) [][]byte {
	b.Helper()
	sb, err := sandbox.Start(b.Context(), sandbox.Options{Start: begin, Frozen: true, Dir: b.TempDir(), ThreatConnect: sandbox.ThreatConnect{Size: 2 * n * size}})
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = sb.Close() }()
	keep := &recorder{twin: (&http.Transport{TLSClientConfig: &tls.Config{RootCAs: sb.CertPool(), MinVersion: tls.VersionTLS12}, DisableCompression: true})}
	defer keep.twin.CloseIdleConnections()
	client := threatconnect.New(threatconnect.Options{
		Connection: threatconnect.Connection{URL: sb.ThreatConnectURL(), AccessID: sandbox.DemoAccessID, SecretKey: sdk.Secret(sandbox.DemoSecretKey)},
		HTTP:       keep, Clock: sdktest.NewClock(begin),
	})
	err = client.Indicators(b.Context(), threatconnect.Query{Fields: threatconnect.Fields, Page: size}, nil, func(*threatconnect.Indicator) error { return nil })
	if err != nil || len(keep.pages) < n {
		b.Fatal(len(keep.pages), err)
	}
	return keep.pages[:n]
}

// recorder keeps the bodies of answers.
type recorder struct {
	twin  *http.Transport
	pages [][]byte
}

func (r *recorder) Do(req *http.Request) (*http.Response, error) {
	resp, err := r.twin.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	r.pages = append(r.pages, body)
	resp.Body = io.NopCloser(bytes.NewReader(body))
	return resp, err
}

// replay answers with recorded pages in turn, and with an empty one behind the last.
type replay struct {
	pages [][]byte
	at    int
}

func (r *replay) Do(*http.Request) (*http.Response, error) {
	body := []byte(`{"data":[],"status":"Success"}`)
	if r.at < len(r.pages) {
		body = r.pages[r.at]
		r.at++
	} else {
		r.at = 0
	}
	return &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Body: io.NopCloser(bytes.NewReader(body))}, nil
}

// discard is a sink that keeps nothing.
type discard struct{}

func (discard) Add([]byte, *indicator.Attributes) error { return nil }
func (discard) Remove([]byte) error                     { return nil }
func (discard) Refuse(int, *indicator.Refusal)          {}
func (discard) Fork() sdk.Sink                          { return discard{} }
