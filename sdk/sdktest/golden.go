package sdktest

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/remeld/remeld/sdk"
)

// GoldenSource runs each folder of dir as a case of a source class:
//
//	config.yaml   what stands under config:; $SERVER is a loopback server, $DIR
//	              the folder of the files of the current poll
//	1.http        the raw response of the server during poll 1, or
//	1/            the files of poll 1
//	2.http, 2/    the same of poll 2, and so on
//	want.txt      what the polls gave; written when update is set
//
// A poll gets the state that the last one without an error returned.
func GoldenSource(t *testing.T, name, dir string, update bool) {
	t.Helper()
	class := Class(t, sdk.RoleSource, name)
	cases, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range cases {
		if c.IsDir() {
			t.Run(c.Name(), func(t *testing.T) {
				g := &golden{dir: filepath.Join(dir, c.Name()), files: t.TempDir()}
				g.compare(t, g.run(t, class), update)
			})
		}
	}
}

type golden struct {
	dir, files string
	response   atomic.Pointer[[]byte]
}

func (g *golden) run(t *testing.T, class sdk.Class) string {
	t.Helper()
	config, err := os.ReadFile(filepath.Join(g.dir, "config.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(http.HandlerFunc(g.serve))
	t.Cleanup(server.Close)
	names := strings.NewReplacer(server.URL, "$SERVER", g.files, "$DIR")
	env := Env(t)
	env.BaseDir = g.files
	src := Build(t, class, strings.NewReplacer("$SERVER", server.URL, "$DIR", g.files).Replace(string(config)), env)
	var b strings.Builder
	var state []byte
	for n := 1; g.prepare(t, n); n++ {
		var out RecordingSink
		p, err := src.Poll(t.Context(), state, &out)
		verdict := "complete"
		switch {
		case err != nil:
			verdict = "failed: " + err.Error()
		case p.NotModified:
			verdict = "not modified"
		}
		if err == nil {
			state = p.Next
		}
		fmt.Fprintf(&b, "# poll %d: %s\n%s", n, names.Replace(verdict), out.String())
	}
	return b.String()
}

// prepare puts the far end into the state of poll n; false if there is none.
func (g *golden) prepare(t *testing.T, n int) bool {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(g.dir, fmt.Sprintf("%d.http", n)))
	if err == nil {
		g.response.Store(&raw)
		return true
	}
	from := os.DirFS(filepath.Join(g.dir, fmt.Sprint(n)))
	if _, err := os.Stat(filepath.Join(g.dir, fmt.Sprint(n))); errors.Is(err, os.ErrNotExist) {
		return false
	}
	entries, err := os.ReadDir(g.files)
	for _, e := range entries {
		err = errors.Join(err, os.RemoveAll(filepath.Join(g.files, e.Name())))
	}
	if err := errors.Join(err, os.CopyFS(g.files, from)); err != nil {
		t.Fatal(err)
	}
	return true
}

// serve replays the stored response to any request, but answers 304 where the
// request's validator is the response's.
func (g *golden) serve(w http.ResponseWriter, r *http.Request) {
	raw := *g.response.Load()
	resp, err := http.ReadResponse(bufio.NewReader(bytes.NewReader(raw)), r)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	defer func() { _ = resp.Body.Close() }() // in memory
	for k, v := range resp.Header {
		w.Header()[k] = v
	}
	if tag := resp.Header.Get("ETag"); tag != "" && tag == r.Header.Get("If-None-Match") {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	if resp.ContentLength >= 0 {
		w.Header().Set("Content-Length", fmt.Sprint(resp.ContentLength))
	}
	w.WriteHeader(resp.StatusCode)
	_, _ = io.Copy(w, resp.Body) // a short body is what the case is about
}

func (g *golden) compare(t *testing.T, got string, update bool) {
	t.Helper()
	file := filepath.Join(g.dir, "want.txt")
	if update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil { //nolint:gosec // a test file for all to read
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatalf("%v (run the test with -update to write it)", err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("differs from %s (-want +got):\n%s", file, diff)
	}
}
