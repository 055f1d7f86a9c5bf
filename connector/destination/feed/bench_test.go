package feed

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/remeld/remeld/indicator"
	"github.com/remeld/remeld/sdk"
)

// million is a table of a million domains in key order, changed in a hundred
// batches.
type million struct {
	version uint64
	keys    [][]byte
	attrs   indicator.Attributes
}

func newMillion(b *testing.B) *million {
	b.Helper()
	m := &million{version: 1, attrs: indicator.Attributes{Confidence: indicator.Known(80), Sources: []string{"one", "two"}}}
	for i := range 1_000_000 {
		d := indicator.Indicator{Kind: indicator.Domain, Value: fmt.Sprintf("host-%07d.example%03d.com", i*7919%1_000_000, i/1000)}
		m.keys = append(m.keys, d.AppendKey(nil))
	}
	return m
}

func (m *million) Version() uint64 { return m.version }

func (m *million) Scan(_ context.Context, fn func(sdk.Row) error) error {
	base := time.UnixMilli(1_700_000_000_000)
	for i, k := range m.keys {
		if err := fn(sdk.Row{Key: k, Changed: base.Add(time.Duration(i%100) * time.Second), Attrs: &m.attrs}); err != nil {
			return err
		}
	}
	return nil
}

// BenchmarkFeed measures bodies of a million rows over real HTTP: the first one of
// a version, which is scanned, sorted and rendered, and repeated ones. The table
// is in memory; a store's scan comes on top.
func BenchmarkFeed(b *testing.B) {
	m := newMillion(b)
	h := newHandler(b, "edl", defaults(), tableSource{m})
	srv := httptest.NewServer(h)
	defer srv.Close()
	client := srv.Client()
	client.Transport.(*http.Transport).DisableCompression = true
	fetch := func(query string) int64 {
		resp, err := client.Get(srv.URL + "/feeds/edl" + query)
		if err != nil {
			b.Fatal(err)
		}
		defer resp.Body.Close()
		n, err := io.Copy(io.Discard, resp.Body)
		if err != nil || resp.StatusCode != http.StatusOK {
			b.Fatal(resp.Status, err)
		}
		return n
	}
	for _, q := range []string{"", "?v=json"} {
		b.Run("first"+q, func(b *testing.B) {
			for b.Loop() {
				m.version++
				b.SetBytes(fetch(q))
			}
		})
		b.Run("repeated"+q, func(b *testing.B) {
			fetch(q)
			for b.Loop() {
				b.SetBytes(fetch(q))
			}
		})
	}
}
