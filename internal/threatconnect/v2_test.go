package threatconnect

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/remeld/remeld/sdk"
)

// oldInstance serves hosts by offset, as version 2 of the API does.
type oldInstance struct {
	ids    []int
	pages  int
	most   int                                      // rows a page at most, whatever is asked for; 0 is no such limit
	before func(page int) (status int, body string) // in place of a page, 0 for none
	after  func(page int)                           // changes the data behind a page
}

func (in *oldInstance) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	in.pages++
	if in.before != nil {
		if status, body := in.before(in.pages); status != 0 {
			w.WriteHeader(status)
			fmt.Fprint(w, body)
			return
		}
	}
	start, _ := strconv.Atoi(r.URL.Query().Get("resultStart"))
	limit, _ := strconv.Atoi(r.URL.Query().Get("resultLimit"))
	if in.most > 0 {
		limit = min(limit, in.most)
	}
	some := in.ids[min(start, len(in.ids)):min(start+limit, len(in.ids))]
	var rows []string
	for _, id := range some {
		rows = append(rows, fmt.Sprintf(`{"id":%d,"hostName":"h%d.example","dnsActive":"true","dateAdded":"2017-06-21T17:50:25-05:00","tag":[{"name":"x"}]}`, id, id))
	}
	fmt.Fprintf(w, `{"status":"Success","data":{"resultCount":%d,"host":[%s]}}`, len(in.ids), strings.Join(rows, ","))
	if in.after != nil {
		in.after(in.pages)
	}
}

func (in *oldInstance) read(t *testing.T, page int) ([]int, error) {
	t.Helper()
	srv := httptest.NewTLSServer(in)
	t.Cleanup(srv.Close)
	c := New(Options{Connection: Connection{URL: srv.URL + "/api", AccessID: "123", SecretKey: "fake-secret"}, HTTP: srv.Client(), Clock: &clock{now: time.Now()}})
	var out []int
	err := c.IndicatorsV2(t.Context(), QueryV2{Owner: "Demo", Branch: Branch{"Host", "hosts", "host"}, Page: page}, nil, func(i *Indicator) error {
		if i.Type != "Host" || i.Summary != i.HostName || i.OwnerName != "Demo" || len(i.Tags.Data) != 1 || i.DNSActive == nil {
			t.Errorf("read as %+v", i)
		}
		out = append(out, int(i.ID))
		return nil
	})
	return out, err
}

func upTo(n int) []int {
	out := make([]int, n)
	for i := range out {
		out[i] = i + 1
	}
	return out
}

// TestV2ShorterPagesThanAskedFor: an instance that gives no longer ones is read to the end
// by its own count; cut off there, most of it would look as if it were gone.
func TestV2ShorterPagesThanAskedFor(t *testing.T) {
	t.Parallel()
	for _, most := range []int{2, 7, 25} {
		in := &oldInstance{ids: upTo(25), most: most}
		if got, err := in.read(t, 1000); err != nil || !slices.Equal(got, upTo(25)) {
			t.Errorf("pages of %d: %v, %v", most, got, err)
		}
	}
	in := &oldInstance{ids: upTo(25), most: 7}
	in.after = func(page int) {
		if page == 2 {
			in.ids = in.ids[:20] // the count was another one
		}
	}
	if got, err := in.read(t, 1000); err != nil || !slices.Equal(got, upTo(20)) {
		t.Errorf("%v, %v", got, err)
	}
}

// TestV2PagingOnChangingData: rows that are taken out while others are read move the
// offsets; nothing that stood all the while is missed and nothing comes twice.
func TestV2PagingOnChangingData(t *testing.T) {
	t.Parallel()
	for n := range 25 {
		for _, at := range []int{1, 2, 3} {
			in := &oldInstance{ids: upTo(25)}
			in.after = func(page int) {
				if page == at {
					in.ids = append(slices.DeleteFunc(in.ids, func(id int) bool { return id == n+1 }), 100+page)
				}
			}
			got, err := in.read(t, 10)
			if err != nil {
				t.Fatal(err)
			}
			slices.Sort(got)
			if twice := len(got) - len(slices.Compact(slices.Clone(got))); twice > 0 {
				t.Errorf("%d without %d behind page %d: %d came twice", 25, n+1, at, twice)
			}
			for _, id := range upTo(25) {
				if id != n+1 && !slices.Contains(got, id) {
					t.Errorf("%d was missed when %d went behind page %d", id, n+1, at)
				}
			}
		}
	}
}

// TestV2Faults: what heals is tried again; what moves all the time is said to be not
// complete.
func TestV2Faults(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		status int
		body   string
		words  string
		kind   sdk.Failure
	}{
		"502":       {status: 502},
		"truncated": {status: 200, body: `{"status":"Success","data":{"host":[{"id":11,`},
		"no data":   {status: 200, body: `{"status":"Success"}`},
		"owner":     {status: 403, body: `{"status":"Failure","message":"no"}`, words: "owner", kind: sdk.Forbidden},
	} {
		in := &oldInstance{ids: upTo(25), before: func(page int) (int, string) {
			if page == 2 {
				return c.status, c.body
			}
			return 0, ""
		}}
		got, err := in.read(t, 10)
		if c.words == "" && (err != nil || len(got) != 25) || c.words != "" && (sdk.FailureOf(err) != c.kind || !strings.Contains(err.Error(), c.words)) {
			t.Errorf("%s: %d rows, %v", name, len(got), err)
		}
	}
	in := &oldInstance{ids: upTo(200)}
	in.after = func(int) { in.ids = in.ids[1:] }
	if _, err := in.read(t, 10); sdk.FailureOf(err) != sdk.Unavailable || !strings.Contains(err.Error(), "not complete") {
		t.Errorf("a listing that never stands still: %v", err)
	}
}
