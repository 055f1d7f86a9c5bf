package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"

	source "github.com/remeld/remeld/connector/source/threatconnect"
	"github.com/remeld/remeld/indicator"
	"github.com/remeld/remeld/internal/app"
	"github.com/remeld/remeld/internal/sandbox"
	"github.com/remeld/remeld/internal/threatconnect"
	"github.com/remeld/remeld/internal/tql"
	"github.com/remeld/remeld/sdk"
)

// bulkOwners and bulkTypes are what the job reads, bulkTypes as the API calls them.
var (
	bulkOwners = []string{"Demo Organization", "Common Community", "Technical Blogs and Reports"}
	bulkTypes  = []string{"Address", "Host", "URL", "File"}
)

// childPages reads the pages of the job three times: decoded by encoding/json, thrown
// away, and by the source class, whose items go nowhere.
func childPages(ctx context.Context, j job, m *watch) error {
	c, err := newPlain(j)
	if err != nil {
		return err
	}
	var ends []int64
	if _, err := m.time(func() (err error) { ends, err = c.decoded(ctx, m); return err }); err != nil {
		return err
	}
	m.sample.Values["plain"], m.sample.Values["pages"] = cpu(m.sample), float64(len(ends))
	if m.sample.Values["bare"], err = m.time(func() error { return c.bare(ctx, ends) }); err != nil {
		return err
	}
	src, err := c.source()
	if err != nil {
		return err
	}
	if _, err := m.time(func() error { _, err := src.Poll(ctx, nil, nowhere{}); return err }); err != nil {
		return err
	}
	m.sample.Values["source"] = cpu(m.sample)
	return nil
}

// plain is a client of ThreatConnect that does nothing beside asking.
type plain struct {
	base, ca string
	http     http.Client
}

func newPlain(j job) (*plain, error) {
	pem, err := os.ReadFile(j.Body)
	if err != nil {
		return nil, fmt.Errorf("read the sandbox's CA: %w", err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(pem)
	return &plain{base: j.Other, ca: j.Body, http: http.Client{Transport: &http.Transport{
		TLSClientConfig: &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12},
	}}}, nil
}

// page asks for the page behind an id and hands its body to read.
func (c *plain) page(ctx context.Context, last int64, read func(io.Reader) error) error {
	query := fmt.Sprintf("(ownerName IN %s AND typeName IN %s) AND id > %d", tql.QuoteList(bulkOwners), tql.QuoteList(bulkTypes), last)
	v := url.Values{"tql": {query}, "sorting": {"id ASC"}, "resultLimit": {strconv.Itoa(threatconnect.DefaultPage)}, "fields": threatconnect.Fields}
	target := "/api/v3/indicators?" + strings.ReplaceAll(v.Encode(), "+", "%20")
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, c.base+target, nil)
	if err != nil {
		return err
	}
	now := time.Now().Unix()
	req.Header.Set("Timestamp", strconv.FormatInt(now, 10))
	req.Header.Set("Authorization", "TC "+sandbox.DemoAccessID+":"+threatconnect.Sign(sandbox.DemoSecretKey, target, http.MethodGet, now))
	resp, err := c.http.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("the twin answers %s", resp.Status)
	}
	return read(resp.Body)
}

// decoded reads every page with encoding/json and returns the last id of each.
func (c *plain) decoded(ctx context.Context, m *watch) (ends []int64, err error) {
	for last := int64(0); ; {
		var answer struct{ Data []threatconnect.Indicator }
		if err := c.page(ctx, last, func(r io.Reader) error { return json.NewDecoder(r).Decode(&answer) }); err != nil {
			return nil, err
		}
		m.sample.Values["read"] += float64(len(answer.Data))
		if len(answer.Data) == 0 {
			return ends, nil
		}
		last = answer.Data[len(answer.Data)-1].ID
		ends = append(ends, last)
	}
}

// bare reads the same pages and throws them away.
func (c *plain) bare(ctx context.Context, ends []int64) error {
	last := int64(0)
	for _, end := range ends {
		err := c.page(ctx, last, func(r io.Reader) error { _, err := io.Copy(io.Discard, r); return err })
		if err != nil {
			return err
		}
		last = end
	}
	return nil
}

// source is the class that the job reads with.
func (c *plain) source() (sdk.Source, error) {
	cl, err := class("threatconnect")
	if err != nil {
		return nil, err
	}
	cfg := cl.NewConfig().(*source.Config)
	cfg.Owners, cfg.Types = bulkOwners, bulkTypes
	env := (&world{clock: app.SystemClock{}}).env("tc")
	env.Connection = &sdk.Connection{Name: "tc", Type: threatconnect.Type, Config: &threatconnect.Connection{
		URL: c.base + "/api", AccessID: sandbox.DemoAccessID, SecretKey: sandbox.DemoSecretKey, CA: c.ca,
	}}
	made, err := cl.New(cfg, env)
	if err != nil {
		return nil, err
	}
	return made.(sdk.Source), nil
}

// nowhere is a sink that keeps nothing.
type nowhere struct{}

func (nowhere) Add([]byte, *indicator.Attributes) error { return nil }
func (nowhere) Remove([]byte) error                     { return nil }
func (nowhere) Refuse(int, *indicator.Refusal)          {}
func (nowhere) Fork() sdk.Sink                          { return nowhere{} }
