package threatconnect

import (
	"context"
	"fmt"
	"io"
	"net/url"
	"strconv"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/remeld/remeld/sdk"
)

// The page sizes of the API ("resultLimit", ThreatConnect v3 documentation).
const (
	MaxPage     = 10_000
	DefaultPage = 1_000
)

// Fields are the nested parts of an indicator a listing may ask for.
var Fields = []string{"tags", "securityLabels", "attributes", "threatAssess", "falsePositives", "sightings", "observations", "externalDates"}

// Query says which indicators are listed.
type Query struct {
	// TQL is the condition, "" for everything active the API user may read.
	TQL string
	// Fields are names of Fields; nil asks for none of them.
	Fields []string
	// Match is asked of every indicator as the instance wrote it; those it is false for
	// are passed over. nil is true of all.
	Match func(raw []byte) (bool, error)
	// Page is the number of indicators an answer, 1 to MaxPage; 0 is DefaultPage.
	Page int
}

// Progress is told after each page how many indicators have been read.
type Progress func(read int)

// Indicators calls fn for every indicator that matches, in the order of their ids.
// The pages are cut by id ("id > the last one read"), not by offset: what is added
// or deleted meanwhile moves no page, so nothing is read twice and nothing that
// stood all the while is missed. The indicator is valid until fn returns; fn's error
// ends the listing. A listing that ended with nil was complete.
func (c *Client) Indicators(ctx context.Context, q Query, progress Progress, fn func(*Indicator) error) error {
	size := q.Page
	if size <= 0 {
		size = DefaultPage
	}
	for last, read := int64(0), 0; ; {
		page := page{client: c, last: last, match: q.Match, fn: fn}
		err := c.get(ctx, "/v3/indicators", q.values(last, size), page.read)
		if err != nil {
			return err
		}
		read += page.count
		if progress != nil {
			progress(read)
		}
		if page.count < size && !page.more {
			return nil
		}
		if page.last == last { // a page that says there is more and holds nothing new
			return &sdk.Error{Failure: sdk.Unavailable, Message: fmt.Sprintf(
				"ThreatConnect says more indicators follow id %d and does not send them; the listing is not complete", last)}
		}
		last = page.last
	}
}

// Count returns how many indicators match a condition in TQL, "" for everything active
// the API user may read.
func (c *Client) Count(ctx context.Context, tql string) (int, error) {
	v := url.Values{"resultLimit": {"1"}, "resultStart": {"0"}, "count": {"true"}}
	if tql != "" {
		v.Set("tql", tql)
	}
	count := -1
	err := c.get(ctx, "/v3/indicators", v, func(r io.Reader) error {
		return envelope(r, func(name string, dec *jsontext.Decoder) error {
			if name == "count" {
				return json.UnmarshalDecode(dec, &count)
			}
			return dec.SkipValue()
		})
	})
	if err == nil && count < 0 {
		err = &sdk.Error{Failure: sdk.Unavailable, Message: "ThreatConnect did not say how many indicators there are"}
	}
	return count, err
}

func (q Query) values(last int64, size int) url.Values {
	after := "id > " + strconv.FormatInt(last, 10)
	tql := after
	if q.TQL != "" {
		tql = "(" + q.TQL + ") AND " + after
	}
	v := url.Values{"tql": {tql}, "sorting": {"id ASC"}, "resultLimit": {strconv.Itoa(size)}, "resultStart": {"0"}}
	for _, f := range q.Fields {
		v.Add("fields", f)
	}
	return v
}

// page reads one answer of a listing. A second attempt at it goes on after what was
// handed on already.
type page struct {
	client *Client
	match  func(raw []byte) (bool, error)
	fn     func(*Indicator) error
	last   int64 // greatest id handed on
	count  int
	more   bool
}

func (p *page) read(r io.Reader) error {
	p.count, p.more = 0, false
	return envelope(r, func(name string, dec *jsontext.Decoder) error {
		switch name {
		case "data":
			return p.data(dec)
		case "next":
			var next string
			err := json.UnmarshalDecode(dec, &next)
			p.more = next != ""
			return err
		}
		return dec.SkipValue()
	})
}

func (p *page) data(dec *jsontext.Decoder) error {
	var ind Indicator
	before := int64(0)
	return elements(dec, func() error {
		ind = Indicator{}
		matches, err := p.decode(dec, &ind)
		if err != nil {
			return fmt.Errorf("after indicator %d: %w", p.last, err)
		}
		p.count++
		if ind.ID <= before {
			return &sdk.Error{Failure: sdk.Permanent, Message: fmt.Sprintf(
				"ThreatConnect does not sort by id (%d after %d), so its pages cannot be told apart", ind.ID, before)}
		}
		before = ind.ID
		if ind.ID <= p.last {
			return nil // handed on before the answer was cut off, or filter ignored: seen
		}
		if p.last = ind.ID; !matches {
			return nil
		}
		return caller(p.fn(&ind))
	})
}

// decode reads one indicator and asks whether it matches.
func (p *page) decode(dec *jsontext.Decoder, ind *Indicator) (matches bool, err error) {
	if p.match == nil {
		return true, json.UnmarshalDecode(dec, ind, lenient)
	}
	raw, err := dec.ReadValue()
	if err != nil {
		return false, err
	}
	if matches, err = p.match(raw); err != nil {
		return false, caller(err)
	}
	return matches, json.Unmarshal(raw, ind, lenient)
}

// lenient reads what instances of several ages write.
var lenient = json.JoinOptions(jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true), json.MatchCaseInsensitiveNames(false))

// Deleted calls fn for every record of a deletion in an owner since a time. How long
// an instance keeps them is its setting indicatorDeleteRetentionTime.
func (c *Client) Deleted(ctx context.Context, owner string, since time.Time, fn func(*Deleted) error) error {
	v := url.Values{"deletedSince": {since.UTC().Format(time.RFC3339)}, "resultLimit": {strconv.Itoa(MaxPage)}}
	if owner != "" {
		v.Set("owner", owner)
	}
	return pages(ctx, c, "/v3/indicators/deleted", v, func(d *Deleted) Deleted { return *d }, fn)
}

// Owners lists the owners the API user may read.
func (c *Client) Owners(ctx context.Context) ([]Owner, error) {
	var out []Owner
	v := url.Values{"resultLimit": {strconv.Itoa(DefaultPage)}}
	err := pages(ctx, c, "/v3/security/owners", v, func(o *Owner) int64 { return o.ID }, func(o *Owner) error {
		out = append(out, *o)
		return nil
	})
	return out, err
}

// pages goes through a listing by offset, for small ones that are not changed in the
// middle, and calls fn once for each element, told apart by key.
func pages[T any, K comparable](ctx context.Context, c *Client, path string, v url.Values, key func(*T) K, fn func(*T) error) error {
	seen := map[K]bool{}
	for start := 0; ; {
		v.Set("resultStart", strconv.Itoa(start))
		var page []T
		more := false
		err := c.get(ctx, path, v, func(r io.Reader) (err error) {
			page = page[:0] // of an attempt that was cut off
			_, more, err = list(r, func(e *T) error { page = append(page, *e); return nil })
			return err
		})
		if err != nil {
			return err
		}
		before := len(seen)
		for i := range page {
			if k := key(&page[i]); !seen[k] {
				seen[k] = true
				if err := fn(&page[i]); err != nil {
					return err
				}
			}
		}
		if !more {
			return nil
		}
		if len(seen) == before {
			return &sdk.Error{Failure: sdk.Unavailable, Message: fmt.Sprintf(
				"ThreatConnect says that more of %s follows its entry %d and does not send it; the listing is not complete", path, start)}
		}
		start += len(page)
	}
}

// Options returns the instance's own word on what a kind of object has: "fields" or
// "tql". The answer is the API's JSON.
func (c *Client) Options(ctx context.Context, what string) ([]byte, error) {
	var out []byte
	err := c.once(ctx, "OPTIONS", "/v3/indicators/"+what, nil, nil, func(r io.Reader) (err error) {
		out, err = io.ReadAll(r)
		return err
	})
	return out, err
}
