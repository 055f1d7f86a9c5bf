package feed

import (
	"bytes"
	"context"
	"encoding/base64"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/remeld/remeld/indicator"
	"github.com/remeld/remeld/internal/ipset"
	"github.com/remeld/remeld/internal/sampledata"
	"github.com/remeld/remeld/sdk"
	"github.com/remeld/remeld/sdk/sdktest"
)

// TestMineMeldFeedCases asks for every recorded query (the file's name) on a feed
// of the list it was recorded from, and compares the bytes. XHC is the high
// confidence feed of X.lst. Not compared: first_seen, last_seen and carbonblack's
// timestamp. The icons of carbonblack are configuration; they are taken from the
// recording.
func TestMineMeldFeedCases(t *testing.T) {
	dir := sampledata.Given(t, "REMELD_FEED_CASES", "minemeld", "feeds")
	results, err := filepath.Glob(filepath.Join(dir, "*.result"))
	if err != nil || len(results) == 0 {
		t.Fatalf("no .result file in %s (%v)", dir, err)
	}
	for _, path := range results {
		name, err := url.PathUnescape(strings.TrimSuffix(filepath.Base(path), ".result"))
		if err != nil {
			t.Fatal(err)
		}
		t.Run(name, func(t *testing.T) {
			want, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			compareCase(t, dir, name, want)
		})
	}
}

func compareCase(t *testing.T, dir, name string, want []byte) {
	t.Helper()
	node, query, _ := strings.Cut(name, "?")
	src := readList(t, dir, node)
	cfg := defaults()
	cfg.Values = !bytes.Contains(want, []byte(`"value":null}`)) // a feed recorded without store_value
	cfg.Icon, cfg.IconSmall = recordedIcon(t, want, "icon"), recordedIcon(t, want, "icon_small")
	h := newHandler(t, node, cfg, src)
	w := httptest.NewRecorder()
	r := httptest.NewRequest(http.MethodGet, "/feeds/feed", nil)
	r.URL.RawQuery = query
	h.ServeHTTP(w, r)
	if w.Code != http.StatusOK {
		t.Fatalf("status %d: %s", w.Code, w.Body)
	}
	q, err := url.ParseQuery(query)
	if err != nil {
		t.Fatal(err)
	}
	got, wanted := timeless(w.Body.Bytes(), q), timeless(want, q)
	if !bytes.Equal(got, wanted) {
		t.Errorf("body (-MineMeld +ours):\n%s", cmp.Diff(strings.SplitAfter(string(wanted), "\n"), strings.SplitAfter(string(got), "\n")))
	}
}

var (
	seenTimes  = regexp.MustCompile(`("(?:first|last)_seen": ?)\d+`)
	reportTime = regexp.MustCompile(`("timestamp": )\d+`)
	csvTime    = regexp.MustCompile(`\b\d{13}\b`)
)

// timeless replaces what depends on when the feed was made.
func timeless(b []byte, q url.Values) []byte {
	b = seenTimes.ReplaceAll(b, []byte("${1}0"))
	b = reportTime.ReplaceAll(b, []byte("${1}0"))
	if strings.Contains(strings.Join(q["f"], " "), "_seen") {
		b = csvTime.ReplaceAll(b, []byte("0"))
	}
	return b
}

// recordedIcon writes the icon of a recorded carbonblack feed to a file.
func recordedIcon(t *testing.T, recorded []byte, name string) string {
	t.Helper()
	m := regexp.MustCompile(`"` + name + `": "([^"]*)"`).FindSubmatch(recorded)
	if m == nil {
		return ""
	}
	raw, err := base64.StdEncoding.DecodeString(string(m[1]))
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), name+".png")
	if err := os.WriteFile(path, raw, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// listSource is a feed of a text list. It stands where a table does, because the
// recorded lists hold wildcards and spellings that no canonical key has.
type listSource struct {
	kind  indicator.Kind
	lines []string
}

// readList finds the list that a feed's name begins with, the longest that does:
// IPv4HC, ipv4-low and IPv4 are all feeds of IPv4.lst. A folder with one list has
// the feeds of that.
func readList(t *testing.T, dir, node string) listSource {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*.lst"))
	if err != nil {
		t.Fatal(err)
	}
	base, path := "", ""
	for _, f := range files {
		name := strings.TrimSuffix(filepath.Base(f), ".lst")
		if len(node) >= len(name) && strings.EqualFold(node[:len(name)], name) && len(name) > len(base) {
			base, path = name, f
		}
	}
	if path == "" && len(files) == 1 {
		base, path = strings.TrimSuffix(filepath.Base(files[0]), ".lst"), files[0]
	}
	if path == "" {
		t.Fatalf("no .lst in %s for feed %s", dir, node)
	}
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	lines := slices.DeleteFunc(strings.Split(strings.TrimPrefix(string(raw), "\ufeff"), "\n"), func(l string) bool {
		l = strings.TrimSpace(l)
		return l == "" || l[0] == '#'
	})
	return listSource{listKind(base, lines), lines}
}

// listKind is the kind that a list is named for, or else that of most of its lines.
func listKind(name string, lines []string) indicator.Kind {
	for end := len(name); end > 1; end-- {
		if kind, ok := indicator.ParseKind(name[:end]); ok && kind != indicator.IP && kind != indicator.Hash {
			return kind
		}
	}
	count, most := map[indicator.Kind]int{}, indicator.Unknown
	for _, l := range lines {
		if i, err := indicator.Parse(indicator.Unknown, l); err == nil {
			if count[i.Kind]++; count[i.Kind] > count[most] {
				most = i.Kind
			}
		}
	}
	return most
}

// pieces cuts IPv4 lines as MineMeld's aggregator does: where two overlap, each
// part is an entry of its own.
func (s listSource) pieces() ([]string, error) {
	live, claims := map[string]bool{}, ipset.NewClaims()
	for n, line := range s.lines {
		i, err := indicator.Parse(indicator.IPv4, line)
		if err != nil {
			return nil, err
		}
		from, to, _ := i.Addrs()
		err = claims.Do(ipset.Change{Op: ipset.Insert, Claim: ipset.Claim{From: from, To: to, ID: uint32(n)}}, func(p ipset.Piece) {
			live[p.From.String()+"-"+p.To.String()] = !p.Gone
		})
		if err != nil {
			return nil, err
		}
	}
	maps.DeleteFunc(live, func(_ string, is bool) bool { return !is })
	return slices.Collect(maps.Keys(live)), nil
}

func (listSource) Version() uint64 { return 1 }

func (s listSource) list(_ context.Context, payload payloadFunc) (*snapshot, error) {
	at := time.UnixMilli(1550570114477).UTC()
	a := &indicator.Attributes{
		Confidence: indicator.Known(100), TLP: indicator.Red, Sources: []string{"localdb"}, FirstSeen: at, LastSeen: at,
	}
	out, seen, lines := &snapshot{}, map[string]bool{}, s.lines
	if s.kind == indicator.IPv4 {
		var err error
		if lines, err = s.pieces(); err != nil {
			return nil, err
		}
	}
	for _, line := range lines {
		line = strings.TrimSpace(line)
		if seen[line] {
			continue
		}
		seen[line] = true
		var extra []byte
		if payload != nil {
			extra = payload(nil, s.kind, a)
		}
		out.add([]byte(line), extra, s.kind, at.UnixMilli())
	}
	out.sort()
	return out, nil
}

// patient is a clock whose waits never end by themselves.
type patient struct{ *sdktest.Clock }

func (patient) Sleep(ctx context.Context, _ time.Duration) error {
	<-ctx.Done()
	return ctx.Err()
}

func newHandler(tb testing.TB, name string, cfg Config, src source) *handler {
	tb.Helper()
	env := sdk.Env{Node: name, Dir: tb.TempDir(), Clock: patient{sdktest.NewClock(time.Time{})}, Log: slog.New(slog.DiscardHandler)}
	f, err := build(cfg, env)
	if err != nil {
		tb.Fatal(err)
	}
	return f.(*node).handler(src)
}
