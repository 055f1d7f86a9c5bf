package sandbox

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"
)

// instance is a ThreatConnect twin under test with its one API user. Its data set is
// empty unless a test asks for one.
type instance struct{ *twin }

func newInstance(t *testing.T, edit ...func(*Options)) *instance {
	t.Helper()
	return &instance{newTwin(t, append([]func(*Options){func(o *Options) { o.ThreatConnect.Size = -1 }}, edit...)...)}
}

// signature is written anew here: the twin's own would prove nothing.
func signature(key, target, method string, unix int64) string {
	mac := hmac.New(sha256.New, []byte(key))
	mac.Write([]byte(target + ":" + method + ":" + strconv.FormatInt(unix, 10)))
	return base64.StdEncoding.EncodeToString(mac.Sum(nil))
}

// signed makes a call to a target under the base URL.
func (in *instance) signed(method, target string, body any) *http.Request {
	in.t.Helper()
	req := in.request(method, target, body)
	in.signAt(req, in.Now())
	return req
}

func (in *instance) signAt(req *http.Request, at time.Time) {
	req.Header.Set("Timestamp", strconv.FormatInt(at.Unix(), 10))
	req.Header.Set("Authorization", "TC "+DemoAccessID+":"+signature(DemoSecretKey, req.URL.RequestURI(), req.Method, at.Unix()))
}

func (in *instance) tc(method, target string, body any) reply {
	in.t.Helper()
	return in.send(in.signed(method, target, body))
}

// page is an answer of a listing.
type page struct {
	Next, Prev, Status string
	Data               []map[string]any
	Count              *int
}

// ask lists indicators by a query string and demands success.
func (in *instance) ask(query string) page {
	in.t.Helper()
	r := in.tc("GET", "/api/v3/indicators?"+query, nil)
	if r.status != 200 {
		in.t.Fatalf("%s: %d %s", query, r.status, r.body)
	}
	return readPage(in.t, r)
}

func readPage(t *testing.T, r reply) page {
	t.Helper()
	var p page
	d := json.NewDecoder(bytes.NewReader(r.body))
	if err := d.Decode(&p); err != nil {
		t.Fatalf("%s: %v", r.body, err)
	}
	return p
}

// summaries are the texts that a query finds, in its order.
func (in *instance) summaries(tql string, more ...string) string {
	in.t.Helper()
	var out []string
	for _, d := range in.ask(strings.Join(append(more, "tql="+url.QueryEscape(tql)), "&")).Data {
		out = append(out, d["summary"].(string))
	}
	return strings.Join(out, " ")
}

func (in *instance) seed(rows ...TCIndicator) []int64 {
	in.t.Helper()
	ids, err := in.SeedThreatConnect(rows...)
	if err != nil {
		in.t.Fatal(err)
	}
	return ids
}

func host(name string, tags ...string) TCIndicator {
	return TCIndicator{Type: "Host", Summary: name, Tags: tags}
}
