package file

import (
	"bytes"
	"compress/gzip"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/remeld/remeld/indicator"
	"github.com/remeld/remeld/sdk"
	"github.com/remeld/remeld/sdk/sdktest"
)

var update = flag.Bool("update", false, "rewrite the golden files")

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestGolden(t *testing.T) { sdktest.GoldenSource(t, "file", "testdata", *update) }

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestConformance(t *testing.T) {
	path := filepath.Join(t.TempDir(), "list.txt")
	write(t, path, "192.0.2.1\n192.0.2.2\n")
	sdktest.TestSource(t, "file", sdktest.SourceCase{Config: "path: " + path, Broken: "path: " + path + ".gone", Unchanged: true})
}

func build(t *testing.T, config string) (sdk.Source, *sdktest.Clock) {
	t.Helper()
	env := sdktest.Env(t)
	clock := sdktest.NewClock(time.Now().Add(time.Hour))
	env.Clock = clock
	return sdktest.Build(t, sdktest.Class(t, sdk.RoleSource, "file"), config, env), clock
}

func poll(t *testing.T, src sdk.Source, state []byte) (sdk.Poll, string) {
	t.Helper()
	var out sdktest.RecordingSink
	p, err := src.Poll(t.Context(), state, &out)
	if err != nil {
		t.Fatal(err)
	}
	return p, out.String()
}

func TestNotModifiedByStampThenByContent(t *testing.T) {
	path := filepath.Join(t.TempDir(), "list.txt")
	write(t, path, "192.0.2.1\n")
	src, _ := build(t, "path: "+path)
	first, _ := poll(t, src, nil)
	if p, got := poll(t, src, first.Next); !p.NotModified || got != "" {
		t.Errorf("same stamp: %+v %q", p, got)
	}
	later := time.Now().Add(10 * time.Minute)
	if err := os.Chtimes(path, later, later); err != nil {
		t.Fatal(err)
	}
	touched, got := poll(t, src, first.Next)
	if !touched.NotModified || got != "" || bytes.Equal(touched.Next, first.Next) {
		t.Errorf("touched: %+v %q", touched, got)
	}
	write(t, path, "192.0.2.2\n")
	if p, got := poll(t, src, touched.Next); p.NotModified || got != "+ ipv4 192.0.2.2\n" {
		t.Errorf("same size, other content: %+v %q", p, got)
	}
}

// A time of this very moment is not trusted: the next write may bear it too.
func TestFreshTimeIsNotTrusted(t *testing.T) {
	path := filepath.Join(t.TempDir(), "list.txt")
	at := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	set := func(text string) {
		write(t, path, text)
		if err := os.Chtimes(path, at, at); err != nil {
			t.Fatal(err)
		}
	}
	env := sdktest.Env(t)
	env.Clock = sdktest.NewClock(at.Add(time.Second))
	src := sdktest.Build(t, sdktest.Class(t, sdk.RoleSource, "file"), "path: "+path, env)
	set("192.0.2.1\n")
	first, _ := poll(t, src, nil)
	set("192.0.2.2\n")
	if p, got := poll(t, src, first.Next); p.NotModified || got != "+ ipv4 192.0.2.2\n" {
		t.Errorf("%+v %q", p, got)
	}
}

func TestPatterns(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "a.txt"), "192.0.2.1\n")
	write(t, filepath.Join(dir, "deep/er/b.txt"), "192.0.2.2\n")
	write(t, filepath.Join(dir, "deep/c.log"), "192.0.2.3\n")
	src, _ := build(t, "path: "+dir+"/**/*.txt")
	first, got := poll(t, src, nil)
	if got != "+ ipv4 192.0.2.1\n+ ipv4 192.0.2.2\n" {
		t.Error(got)
	}
	if err := os.Remove(filepath.Join(dir, "a.txt")); err != nil {
		t.Fatal(err)
	}
	if p, got := poll(t, src, first.Next); p.NotModified || got != "+ ipv4 192.0.2.2\n" {
		t.Errorf("one file less: %+v %q", p, got)
	}
}

func TestE4_MissingFilesAreFailuresNotEmptyLists(t *testing.T) {
	dir := t.TempDir()
	for config, says := range map[string]string{
		"path: " + dir + "/none.txt": "does not exist", "path: " + dir + "/*.txt": "no file matches", "path: " + dir: "is a folder",
	} {
		src, _ := build(t, config)
		_, err := src.Poll(t.Context(), nil, &sdktest.RecordingSink{})
		var e *sdk.Error
		if !errors.As(err, &e) || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v", config, err)
		}
	}
}

func TestE4_FileThatChangesWhileItIsReadIsIncomplete(t *testing.T) {
	path := filepath.Join(t.TempDir(), "list.txt")
	write(t, path, "192.0.2.1\n")
	src, _ := build(t, "path: "+path)
	out := &hookSink{hook: func() { write(t, path, "192.0.2.1\n192.0.2.2\n") }}
	_, err := src.Poll(t.Context(), nil, out)
	if err == nil || !strings.Contains(err.Error(), "changed while it was read") {
		t.Error(err)
	}
}

type hookSink struct {
	sdktest.RecordingSink
	hook func()
}

func (h *hookSink) Add(key []byte, attrs *indicator.Attributes) error {
	h.hook()
	return h.RecordingSink.Add(key, attrs)
}

func TestCompressedFiles(t *testing.T) {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, _ = io.WriteString(w, "192.0.2.1\n"+strings.Repeat("#\n", 1<<20))
	_ = w.Close()
	path := filepath.Join(t.TempDir(), "list.txt.gz")
	write(t, path, b.String())
	src, _ := build(t, "path: "+path)
	if _, got := poll(t, src, nil); got != "+ ipv4 192.0.2.1\n" {
		t.Error(got)
	}
	small, _ := build(t, fmt.Sprintf("{path: %s, max_size: 64KB}", path))
	if _, err := small.Poll(t.Context(), nil, &sdktest.RecordingSink{}); err == nil || !strings.Contains(err.Error(), "decompresses to more than 65536") {
		t.Error(err)
	}
}

func TestStandardInputIsReadOnce(t *testing.T) {
	src, _ := build(t, `path: "-"`)
	src.(*source).in = strings.NewReader("192.0.2.1\n")
	if p, got := poll(t, src, nil); p.NotModified || got != "+ ipv4 192.0.2.1\n" {
		t.Errorf("%+v %q", p, got)
	}
	if p, got := poll(t, src, nil); !p.NotModified || got != "" {
		t.Errorf("end of file looked like an empty list: %+v %q", p, got)
	}
}
