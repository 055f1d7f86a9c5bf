package threatconnect

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/remeld/remeld/sdk"
)

// clock stands still but for sleeps.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) Sleep(ctx context.Context, d time.Duration) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
	return ctx.Err()
}

// instance is an API that checks signatures and serves indicators 1 to n.
type instance struct {
	t      *testing.T
	clock  *clock
	ahead  time.Duration // its clock
	n      int
	served []string // queries
	fault  func(call int, w http.ResponseWriter, r *http.Request) bool
	// onPage changes the data behind a page.
	onPage func(call int)
	gone   map[int]bool
}

var after = regexp.MustCompile(`id > (\d+)$`)

func (in *instance) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	call := len(in.served)
	in.served = append(in.served, r.URL.Query().Get("tql"))
	now := in.clock.Now().Add(in.ahead)
	w.Header().Set("Date", now.UTC().Format(http.TimeFormat))
	at, _ := strconv.ParseInt(r.Header.Get("Timestamp"), 10, 64)
	if now.Sub(time.Unix(at, 0)).Abs() > clockWindow {
		w.WriteHeader(http.StatusUnauthorized)
		fmt.Fprint(w, `{"message":"Timestamp Out of Acceptable Time Range","status":"Error"}`)
		return
	}
	if r.Header.Get("Authorization") != "TC 123:"+Sign("fake-secret", r.RequestURI, r.Method, at) {
		w.WriteHeader(http.StatusUnauthorized)
		fmt.Fprint(w, `{"message":"Signature Data Did Not Match Expected Result","status":"Error"}`)
		return
	}
	if in.fault != nil && in.fault(call, w, r) {
		return
	}
	q := r.URL.Query()
	last, _ := strconv.Atoi(after.FindStringSubmatch(q.Get("tql"))[1])
	limit, _ := strconv.Atoi(q.Get("resultLimit"))
	var items []string
	more := false
	for id := last + 1; id <= in.n; id++ {
		if in.gone[id] {
			continue
		}
		if len(items) == limit {
			more = true
			break
		}
		items = append(items, fmt.Sprintf(`{"id":%d,"type":"Host","hostName":"h%d.example","rating":3.00,"tags":{}}`, id, id))
	}
	next := ""
	if more {
		next = `"next":"https://` + r.Host + `/x",`
	}
	body := `{` + next + `"data":[` + strings.Join(items, ",") + `],"status":"Success"}`
	if in.fault != nil && q.Get("cut") != "" {
		body = body[:len(body)/2]
	}
	fmt.Fprint(w, body)
	if in.onPage != nil {
		in.onPage(call)
	}
}

func start(t *testing.T, in *instance) *Client {
	t.Helper()
	in.t, in.clock = t, &clock{now: time.Date(2026, 1, 10, 0, 0, 0, 0, time.UTC)}
	srv := httptest.NewTLSServer(in)
	t.Cleanup(srv.Close)
	return New(Options{Connection: Connection{URL: srv.URL + "/api", AccessID: "123", SecretKey: "fake-secret"}, HTTP: srv.Client(), Clock: in.clock})
}

func ids(t *testing.T, c *Client, q Query) ([]int64, error) {
	t.Helper()
	var out []int64
	err := c.Indicators(t.Context(), q, nil, func(i *Indicator) error { out = append(out, i.ID); return nil })
	return out, err
}

// TestSign: the vectors of the reference, recomputed with an independent tool.
func TestSign(t *testing.T) {
	t.Parallel()
	for _, v := range []struct {
		secret, target string
		at             int64
		want           string
	}{
		{"test", "test", 1587340800, "p5a/YiTRs7sNMp/PEDgZxky8lJDRLbza1pi8erjURrU="},
		{"12345", "/api/v2/indicators/hosts/example.com?Owner=Common%20Community", 1513703787, "T8FVVLXJNVF4nhv6FZkipi0uMvBzg9d+xwSy4NMAvWk="},
		{"secret", "/api/v3/indicators?tql=typeName%20in%20(%22Address%22%2C%20%22Host%22)&resultLimit=100", 1700000000, "w69Juo2KLAV53doX5N6bZMl7kLtmPy1V+Lkn+5iGslQ="},
	} {
		if got := Sign(v.secret, v.target, "GET", v.at); got != v.want {
			t.Errorf("%s: %s, want %s", v.target, got, v.want)
		}
	}
}

// TestPagingOnChangingData: what is deleted and added between pages moves none.
func TestPagingOnChangingData(t *testing.T) {
	t.Parallel()
	in := &instance{n: 25, gone: map[int]bool{}}
	in.onPage = func(call int) {
		in.gone[call*10+3] = true // one that was read
		in.n++                    // one at the end
	}
	got, err := ids(t, start(t, in), Query{TQL: `typeName = "Host" or rating > 1`, Page: 10})
	if err != nil {
		t.Fatal(err)
	}
	seen := map[int64]bool{}
	for _, id := range got {
		if seen[id] {
			t.Errorf("%d came twice", id)
		}
		seen[id] = true
	}
	for id := int64(1); id <= 25; id++ {
		if !seen[id] && !in.gone[int(id)] {
			t.Errorf("%d was missed", id)
		}
	}
	if want := `(typeName = "Host" or rating > 1) AND id > 0`; in.served[0] != want {
		t.Errorf("asked %q, want %q", in.served[0], want)
	}
}

// TestFaultsOfAListing: what heals is tried again and loses and repeats nothing;
// what does not is said clearly.
func TestFaultsOfAListing(t *testing.T) {
	t.Parallel()
	status := func(code int, body string) func(int, http.ResponseWriter, *http.Request) bool {
		return func(call int, w http.ResponseWriter, _ *http.Request) bool {
			if call != 1 {
				return false
			}
			w.WriteHeader(code)
			fmt.Fprint(w, body)
			return true
		}
	}
	for name, test := range map[string]struct {
		fault func(int, http.ResponseWriter, *http.Request) bool
		words string // "" = heals
		kind  sdk.Failure
	}{
		"502":       {fault: status(502, "<html>bad gateway</html>")},
		"504":       {fault: status(504, "")},
		"truncated": {fault: status(200, `{"data":[{"id":11,"type":"Host"},{"id":12,"ty`)},
		"no data":   {fault: status(200, `{"status":"Success"}`)},
		"bad query": {fault: status(400, `{"message":"Invalid TQL: x","status":"Error"}`), words: "Invalid TQL", kind: sdk.Refused},
		"owner":     {fault: status(403, `{"message":"no","status":"Error"}`), words: "owners", kind: sdk.Forbidden},
		"loop":      {fault: status(200, `{"next":"https://x/","data":[],"status":"Success"}`), words: "not complete", kind: sdk.Unavailable},
		"unsorted":  {fault: status(200, `{"data":[{"id":19},{"id":12}]}`), words: "sort", kind: sdk.Permanent},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := ids(t, start(t, &instance{n: 25, fault: test.fault}), Query{Page: 10})
			if test.words == "" {
				if err != nil || len(got) != 25 {
					t.Errorf("%d indicators, %v", len(got), err)
				}
				return
			}
			if sdk.FailureOf(err) != test.kind || !strings.Contains(fmt.Sprint(err), test.words) {
				t.Errorf("%s: %v", sdk.FailureOf(err), err)
			}
		})
	}
}

// TestSmallListings: pages by offset lose and repeat nothing where an answer is cut off,
// and one that says "next" for ever is found out.
func TestSmallListings(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		page  func(call, start int) string
		want  int
		words string
	}{
		"two pages": {page: func(_, start int) string {
			if start == 0 {
				return `{"next":"https://x/","data":[{"id":1,"summary":"a"},{"id":2,"summary":"b"}]}`
			}
			return `{"data":[{"id":3,"summary":"c"}]}`
		}, want: 3},
		"cut off": {page: func(call, _ int) string {
			if call == 1 {
				return `{"data":[{"id":1,"summary":"a"},{"id":2,"sum`
			}
			return `{"data":[{"id":1,"summary":"a"},{"id":2,"summary":"b"}]}`
		}, want: 2},
		"loop":       {page: func(int, int) string { return `{"next":"https://x/","data":[{"id":1,"summary":"a"}]}` }, words: "not complete"},
		"hollow":     {page: func(int, int) string { return `{"next":"https://x/","data":[]}` }, words: "not complete"},
		"cut always": {page: func(int, int) string { return `{"data":[{"id":1,` }, words: "cut off"},
	} {
		calls := 0
		srv := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			calls++
			start, _ := strconv.Atoi(r.URL.Query().Get("resultStart"))
			fmt.Fprint(w, c.page(calls, start))
		}))
		t.Cleanup(srv.Close)
		open := func() *Client {
			calls = 0
			return New(Options{Connection: Connection{URL: srv.URL + "/api", AccessID: "123", SecretKey: "fake-secret"}, HTTP: srv.Client(), Clock: &clock{now: time.Now()}})
		}
		owners, err := open().Owners(t.Context())
		deleted := 0
		err2 := open().Deleted(t.Context(), "Demo", time.Time{}, func(*Deleted) error { deleted++; return nil })
		if c.words == "" && (err != nil || err2 != nil || len(owners) != c.want || deleted != c.want) {
			t.Errorf("%s: %d owners, %v; %d deletions, %v", name, len(owners), err, deleted, err2)
		}
		for _, err := range []error{err, err2} {
			if c.words != "" && (sdk.FailureOf(err) != sdk.Unavailable || !strings.Contains(fmt.Sprint(err), c.words)) {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
}

// TestClockOffByTenMinutes: the instance's clock is followed, and its refusal read.
func TestClockOffByTenMinutes(t *testing.T) {
	t.Parallel()
	got, err := ids(t, start(t, &instance{n: 3, ahead: 10 * time.Minute}), Query{})
	if err != nil || len(got) != 3 {
		t.Errorf("%v, %v", got, err)
	}
}

func TestWrongKeyIsSaid(t *testing.T) {
	t.Parallel()
	c := start(t, &instance{n: 3})
	c.login = &signingLogin{id: "123", key: "fake-wrong"}
	_, err := ids(t, c, Query{})
	if sdk.FailureOf(err) != sdk.Unauthorized || !strings.Contains(err.Error(), "secret_key") || strings.Contains(err.Error(), "fake-wrong") {
		t.Error(err)
	}
}

// TestRefusedOnce: one 401 costs one more call and nobody hears of it; a second is
// the answer.
func TestRefusedOnce(t *testing.T) {
	t.Parallel()
	for name, refusals := range map[string]int{"once": 1, "always": 100} {
		left := refusals
		in := &instance{n: 3}
		in.fault = func(_ int, w http.ResponseWriter, _ *http.Request) bool {
			if left--; left < 0 {
				return false
			}
			w.WriteHeader(http.StatusUnauthorized)
			fmt.Fprint(w, `{"message":"Unauthorized","status":"Error"}`)
			return true
		}
		c := start(t, in)
		got, err := ids(t, c, Query{})
		if refusals == 1 && (err != nil || len(got) != 3) {
			t.Errorf("%s: %v, %v", name, got, err)
		}
		if refusals > 1 && sdk.FailureOf(err) != sdk.Unauthorized {
			t.Errorf("%s: %v", name, err)
		}
		if len(in.served) != 2 {
			t.Errorf("%s: %d calls, want 2", name, len(in.served))
		}
	}
}

// TestClockIsSaidWithItsOffset: where following the instance's clock does not help, the
// refusal says how far off ours is.
func TestClockIsSaidWithItsOffset(t *testing.T) {
	t.Parallel()
	refuse := func(_ int, w http.ResponseWriter, _ *http.Request) bool {
		w.WriteHeader(http.StatusUnauthorized)
		fmt.Fprint(w, `{"message":"Timestamp Out of Acceptable Time Range","status":"Error"}`)
		return true
	}
	for ahead, want := range map[time.Duration]string{10 * time.Minute: "10m0s behind ThreatConnect's", -10 * time.Minute: "10m0s ahead of ThreatConnect's"} {
		c := start(t, &instance{n: 3, ahead: ahead, fault: refuse})
		if _, err := ids(t, c, Query{}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want it to say %q", err, want)
		}
		if c.ClockOff() == "" {
			t.Error("the offset is not known afterwards")
		}
	}
}

// TestCallersErrorEndsTheListing: it is handed back as it is, after one call.
func TestCallersErrorEndsTheListing(t *testing.T) {
	t.Parallel()
	in := &instance{n: 3}
	c := start(t, in)
	stop := errors.New("enough")
	err := c.Indicators(t.Context(), Query{}, nil, func(*Indicator) error { return stop })
	if !errors.Is(err, stop) || len(in.served) != 1 {
		t.Errorf("%v after %d calls", err, len(in.served))
	}
}

// TestTokenRenewal: a token near its end is changed for a new one, one that was
// refused as well, and no token shows in an error.
func TestTokenRenewal(t *testing.T) {
	t.Parallel()
	ck := &clock{now: time.Date(2026, 1, 10, 0, 0, 0, 0, time.UTC)}
	token := func(rand string, left time.Duration) string {
		return fmt.Sprintf("API:7:%s:%d:sig", rand, ck.now.Add(left).UnixMilli())
	}
	valid := token("new", 4*time.Hour)
	renew := true
	srv := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.URL.Path == "/api/appAuth" && renew && r.URL.Query().Get("expiredToken") != "":
			fmt.Fprintf(w, `{"apiToken":%q,"apiTokenExpires":%d}`, valid, ck.now.Add(4*time.Hour).Unix())
		case r.Header.Get("Authorization") == "TC-Token "+valid:
			fmt.Fprint(w, `{"data":[],"status":"Success"}`)
		default:
			w.WriteHeader(http.StatusUnauthorized)
			fmt.Fprint(w, `{"message":"Unauthorized","status":"Error"}`)
		}
	}))
	t.Cleanup(srv.Close)
	open := func(tok string) *Client {
		return New(Options{Connection: Connection{URL: srv.URL + "/api", Token: sdk.Secret(tok)}, HTTP: srv.Client(), Clock: ck})
	}
	for name, tok := range map[string]string{"near its end": token("old", time.Minute), "refused": token("revoked", 3*time.Hour)} {
		if _, err := ids(t, open(tok), Query{}); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	renew = false
	_, err := ids(t, open(token("old", -time.Minute)), Query{})
	if sdk.FailureOf(err) != sdk.Unauthorized || strings.Contains(err.Error(), "API:7") {
		t.Errorf("%v", err)
	}
	if _, err := ids(t, open("APIV2:1:x:0:y"), Query{}); sdk.FailureOf(err) != sdk.Unauthorized {
		t.Errorf("%v", err)
	}
}

// TestNoLoginInTheURL: the base URL stands in errors and in what the doctor says.
func TestNoLoginInTheURL(t *testing.T) {
	t.Parallel()
	c := Connection{URL: "https://jane:hunter2@app.threatconnect.example/api", AccessID: "1", SecretKey: "x"}
	errs := c.Validate()
	if len(errs) != 1 || !strings.Contains(errs[0].Error(), "url: holds a user name") || strings.Contains(errs[0].Error(), "hunter2") {
		t.Errorf("%v", errs)
	}
}

// TestTokenIsRenewedOnce: calls that were refused with one token at the same time change
// it once; an instance that lets a token end with its renewal would refuse them else.
func TestTokenIsRenewedOnce(t *testing.T) {
	t.Parallel()
	ck := &clock{now: time.Date(2026, 1, 10, 0, 0, 0, 0, time.UTC)}
	token := func(n int) string { return fmt.Sprintf("API:7:%d:%d:sig", n, ck.now.Add(3*time.Hour).UnixMilli()) }
	const calls = 4
	var mu sync.Mutex
	var all sync.WaitGroup // until every call was refused once
	all.Add(calls)
	renewals := 0
	srv := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") == "TC-Token "+token(0) {
			all.Done()
			all.Wait()
		}
		mu.Lock()
		defer mu.Unlock()
		switch {
		case r.URL.Path == "/api/appAuth" && r.URL.Query().Get("expiredToken") == token(renewals):
			renewals++
			fmt.Fprintf(w, `{"apiToken":%q}`, token(renewals))
		case renewals > 0 && r.Header.Get("Authorization") == "TC-Token "+token(renewals):
			fmt.Fprint(w, `{"data":[],"status":"Success"}`)
		default:
			w.WriteHeader(http.StatusUnauthorized)
			fmt.Fprint(w, `{"message":"Unauthorized","status":"Error"}`)
		}
	}))
	t.Cleanup(srv.Close)
	c := New(Options{Connection: Connection{URL: srv.URL + "/api", Token: sdk.Secret(token(0))}, HTTP: srv.Client(), Clock: ck})
	errs := make(chan error, calls)
	for range calls {
		go func() { errs <- c.Indicators(t.Context(), Query{}, nil, func(*Indicator) error { return nil }) }()
	}
	for range calls {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
	if renewals != 1 {
		t.Errorf("renewed %d times", renewals)
	}
}

// TestLongQueryGoesAsBody: from 2,000 characters on.
func TestLongQueryGoesAsBody(t *testing.T) {
	t.Parallel()
	c := New(Options{Connection: Connection{URL: "https://tc.example/api/"}})
	req, err := c.request(t.Context(), http.MethodGet, "/v3/indicators", url.Values{"tql": {strings.Repeat("x", 2000)}}, nil)
	if err != nil || req.URL.RawQuery != "" || req.Body == nil || req.URL.Path != "/api/v3/indicators" {
		t.Errorf("%v %v", req.URL, err)
	}
}
