package warninglist

import (
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"

	"go.uber.org/goleak"

	"github.com/remeld/remeld/sdk"
	"github.com/remeld/remeld/sdk/sdktest"
)

var update = flag.Bool("update", false, "rewrite the golden files")

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestGolden(t *testing.T) { sdktest.GoldenSource(t, "warninglist_list", "testdata", *update) }

const cidrs = `{"name":"Ranges","version":1,"type":"cidr","matching_attributes":["ip-src"],"list":["192.0.2.0/24","2001:db8::1"]}`

func TestConformance(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/stalled":
			_, _ = io.WriteString(w, cidrs[:20])
			_ = http.NewResponseController(w).Flush()
			<-r.Context().Done()
		case "/broken":
			_, _ = io.WriteString(w, cidrs[:20])
		default:
			_, _ = io.WriteString(w, cidrs)
		}
	}))
	t.Cleanup(s.Close)
	at := func(path string) string { return fmt.Sprintf("{url: '%s%s', proxy: direct}", s.URL, path) }
	sdktest.TestSource(t, "warninglist_list", sdktest.SourceCase{Config: at("/list"), Broken: at("/broken"), Stalled: at("/stalled"), Unchanged: true})
}

func TestBuiltInAndFiles(t *testing.T) {
	class := sdktest.Class(t, sdk.RoleSource, "warninglist_list")
	env := sdktest.Env(t)
	if err := os.WriteFile(filepath.Join(env.BaseDir, "l.json"), []byte(cidrs), 0o600); err != nil {
		t.Fatal(err)
	}
	for config, rows := range map[string]int{"{list: public-dns}": 100, "{list: microsoft}": 80, "{path: l.json}": 2} {
		var out sdktest.RecordingSink
		src := sdktest.Build(t, class, config, env)
		if _, err := src.Poll(t.Context(), nil, &out); err != nil || len(out.Added()) < rows || len(out.Refused()) > 0 {
			t.Errorf("%s: %d rows, refused %v, %v", config, len(out.Added()), out.Refused(), err)
		}
	}
	for _, config := range []string{"{path: none.json}", "{path: l.json, max_size: 10}"} {
		if _, err := sdktest.Build(t, class, config, env).Poll(t.Context(), nil, &sdktest.RecordingSink{}); err == nil {
			t.Errorf("%s: no error", config)
		}
	}
}

func TestValidate(t *testing.T) {
	for c, n := range map[Config]int{
		{MaxSize: 1}: 1, {MaxSize: 1, List: "public-dns"}: 0, {MaxSize: 1, List: "nope"}: 1, {MaxSize: 1, Path: "a", URL: "https://x"}: 1,
		{MaxSize: 1, URL: "x"}: 1, {Path: "a"}: 1,
	} {
		if errs := c.Validate(); len(errs) != n {
			t.Errorf("%+v: %v", c, errs)
		}
	}
}
