package feed

import (
	"bytes"
	"context"
	"encoding/base64"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/remeld/remeld/indicator"
	"github.com/remeld/remeld/sdk"
	"github.com/remeld/remeld/sdk/sdktest"
)

func casesDir(t *testing.T) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			break
		}
		dir = filepath.Dir(dir)
	}
	if given := os.Getenv("REMELD_FEED_CASES"); filepath.IsAbs(given) {
		return given
	} else if given != "" {
		return filepath.Join(dir, given)
	}
	cases := filepath.Join(dir, "..", "shared", "data", "minemeld", "feeds")
	if _, err := os.Stat(cases); err != nil {
		t.Skip("no recorded feeds here: set REMELD_FEED_CASES to a folder of them")
	}
	return cases
}

// TestMineMeldFeedCases asks for every recorded query (the file's name) on a feed
// of the list it was recorded from, and compares the bytes. XHC is the high
// confidence feed of X.lst. Not compared: first_seen, last_seen and carbonblack's
// timestamp. The icons of carbonblack are configuration; they are taken from the
// recording.
func TestMineMeldFeedCases(t *testing.T) {
	dir := casesDir(t)
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

func readList(t *testing.T, dir, node string) listSource {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*.lst"))
	if err != nil {
		t.Fatal(err)
	}
	for _, base := range []string{node, strings.TrimSuffix(strings.TrimSuffix(strings.TrimSuffix(node, "HC"), "MC"), "LC")} {
		for _, f := range files {
			if !strings.EqualFold(strings.TrimSuffix(filepath.Base(f), ".lst"), base) {
				continue
			}
			kind, ok := indicator.ParseKind(base)
			if !ok {
				t.Fatalf("%s names no kind", f)
			}
			raw, err := os.ReadFile(f)
			if err != nil {
				t.Fatal(err)
			}
			return listSource{kind, strings.Split(strings.TrimSpace(string(raw)), "\n")}
		}
	}
	t.Fatalf("no .lst in %s for feed %s", dir, node)
	return listSource{}
}

func (listSource) Version() uint64 { return 1 }

func (s listSource) list(_ context.Context, payload payloadFunc) (*snapshot, error) {
	at := time.UnixMilli(1550570114477).UTC()
	a := &indicator.Attributes{
		Confidence: indicator.Known(100), TLP: indicator.Red, Sources: []string{"localdb"}, FirstSeen: at, LastSeen: at,
	}
	out, seen := &snapshot{}, map[string]bool{}
	for _, line := range s.lines {
		line = strings.TrimSpace(line)
		if i, err := indicator.Parse(s.kind, line); err == nil && (i.Value == line || s.kind.In(indicator.IP)) {
			text, err := appendText(nil, i.AppendKey(nil))
			if err != nil {
				return nil, err
			}
			line = string(text)
		}
		if line == "" || seen[line] {
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
