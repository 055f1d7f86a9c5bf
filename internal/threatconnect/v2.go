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

// Branch is one kind of indicators in version 2 of the API, which lists each apart.
type Branch struct {
	Type   string `json:"name"`      // as version 3 calls it
	Path   string `json:"apiBranch"` // addresses
	Entity string `json:"apiEntity"` // address
}

// oldBranches are those of an instance that cannot be asked for its types.
var oldBranches = []Branch{
	{"Address", "addresses", "address"}, {"EmailAddress", "emailAddresses", "emailAddress"}, {"File", "files", "file"},
	{"Host", "hosts", "host"}, {"URL", "urls", "url"},
}

// QueryV2 says which indicators are listed.
type QueryV2 struct {
	Owner  string // name
	Branch Branch
	Since  time.Time // modified since then, zero for ever
	Page   int       // indicators an answer, as Query.Page
	// Match is that of Query; it sees an indicator as version 3 would write it.
	Match func(raw []byte) (bool, error)
}

// BranchesV2 lists the kinds of indicators the instance has.
func (c *Client) BranchesV2(ctx context.Context) ([]Branch, error) {
	var out []Branch
	_, err := c.pageV2(ctx, "/v2/types/indicatorTypes", all(), "indicatorType", &out)
	if err != nil && sdk.FailureOf(err) == sdk.Missing {
		out, err = oldBranches, nil
	}
	return out, err
}

// OwnersV2 lists the owners the API user may read.
func (c *Client) OwnersV2(ctx context.Context) ([]Owner, error) {
	var out []Owner
	total, err := c.pageV2(ctx, "/v2/owners", all(), "owner", &out)
	if err == nil && len(out) < total {
		err = &sdk.Error{Failure: sdk.Permanent, Message: fmt.Sprintf("ThreatConnect lists %d of %d owners; the others would look as if they were empty", len(out), total)}
	}
	return out, err
}

// all asks for a listing that is not paged in one answer.
func all() url.Values { return url.Values{"resultLimit": {strconv.Itoa(MaxPage)}} }

// readings is how often a listing that changed under the reader is begun anew.
const readings = 4

// IndicatorsV2 calls fn once for every active indicator of one owner and kind that
// matches. Version 2 pages by offset only, so each page begins with the last indicator
// of the one before: if another stands there, rows were taken out before it, and the
// listing is read anew. A listing that ended with nil missed nothing that stood all the
// while. The indicator is valid until fn returns; fn's error ends the listing. After each
// page that brought something new progress is told, if it is not nil.
func (c *Client) IndicatorsV2(ctx context.Context, q QueryV2, progress Progress, fn func(*Indicator) error) error {
	l := listingV2{client: c, q: q, progress: progress, fn: fn, seen: map[int64]bool{}}
	for range readings {
		if whole, err := l.read(ctx); whole || err != nil {
			return err
		}
	}
	return &sdk.Error{Failure: sdk.Unavailable, Message: fmt.Sprintf(
		"the indicators of type %s in %s change while they are read, %d times in a row; the listing is not complete", q.Branch.Type, q.Owner, readings)}
}

type listingV2 struct {
	client   *Client
	q        QueryV2
	progress Progress
	fn       func(*Indicator) error
	seen     map[int64]bool // handed on
}

// read goes through the pages once; whole is false where rows moved meanwhile.
func (l *listingV2) read(ctx context.Context) (whole bool, err error) {
	size := max(l.q.Page, 2) // one of which is the last page's
	if l.q.Page == 0 {
		size = DefaultPage
	}
	v := url.Values{"owner": {l.q.Owner}, "resultLimit": {strconv.Itoa(size)}, "includes": {"additional", "attributes", "labels", "tags"}}
	if !l.q.Since.IsZero() {
		v.Set("modifiedSince", l.q.Since.UTC().Format(time.RFC3339))
	}
	for start, last, total := 0, int64(0), 0; ; {
		v.Set("resultStart", strconv.Itoa(start))
		var page []map[string]any
		n, err := l.client.pageV2(ctx, "/v2/indicators/"+l.q.Branch.Path, v, l.q.Branch.Entity, &page)
		if err != nil {
			return false, err
		}
		total = max(total, n) // the first page alone says it
		if start > 0 && (len(page) == 0 || idOf(page[0]) != last) {
			return false, nil
		}
		before := len(l.seen)
		for _, object := range page {
			if last = idOf(object); l.seen[last] {
				continue
			}
			if err := l.hand(object); err != nil {
				return false, err
			}
			l.seen[last] = true
		}
		if l.progress != nil && len(l.seen) > before {
			l.progress(len(l.seen))
		}
		// A page that is shorter than asked for is the last one, unless the instance gives
		// no longer ones and says that there is more.
		if len(page) < size && (start+len(page) >= total || len(page) < 2) {
			return true, nil
		}
		start += len(page) - 1
	}
}

func idOf(object map[string]any) int64 {
	id, _ := object["id"].(float64)
	return int64(id)
}

// hand hands an object on as version 3 would write it.
func (l *listingV2) hand(object map[string]any) error {
	raw, err := json.Marshal(asV3(object, l.q))
	if err != nil {
		return fmt.Errorf("read an indicator of version 2: %w", err)
	}
	if l.q.Match != nil {
		if matches, err := l.q.Match(raw); err != nil || !matches {
			return err
		}
	}
	var i Indicator
	if err := json.Unmarshal(raw, &i, lenient); err != nil {
		return &sdk.Error{Failure: sdk.Permanent, Message: fmt.Sprintf("indicator %d of %s is not as version 2 of the API writes one", idOf(object), l.q.Owner), Err: err}
	}
	return l.fn(&i)
}

// pageV2 reads one answer of version 2: {"data": {"resultCount": n, ENTITY: …}}. total is
// how many there are on all pages, 0 where the answer does not say.
func (c *Client) pageV2(ctx context.Context, path string, v url.Values, entity string, out any) (total int, err error) {
	err = c.get(ctx, path, v, func(r io.Reader) error {
		return envelope(r, func(name string, dec *jsontext.Decoder) error {
			if name != "data" || dec.PeekKind() != '{' {
				return dec.SkipValue()
			}
			var data map[string]jsontext.Value
			if err := json.UnmarshalDecode(dec, &data, lenient); err != nil {
				return err
			}
			if n := data["resultCount"]; n.Kind() == '0' {
				if err := json.Unmarshal(n, &total); err != nil {
					return err
				}
			}
			list := data[entity]
			if len(list) == 0 || list.Kind() == 'n' {
				return nil // no row
			}
			if list.Kind() == '{' {
				list = jsontext.Value("[" + string(list) + "]") // one row
			}
			return json.Unmarshal(list, out, lenient)
		})
	})
	return total, err
}
