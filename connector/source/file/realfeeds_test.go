package file

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/remeld/remeld/sdk"
	"github.com/remeld/remeld/sdk/sdktest"
)

// feeds finds the folder of real feeds beside the repository.
func feeds(t *testing.T) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			break
		}
		if dir == filepath.Dir(dir) {
			t.Fatal("no go.mod above the test")
		}
		dir = filepath.Dir(dir)
	}
	path := filepath.Join(dir, "..", "shared", "data", "feeds")
	if _, err := os.Stat(path); err != nil {
		t.Skip("the real feeds are not here: ", err)
	}
	return path
}

// Real feeds are read nearly whole: what is refused is what is no indicator.
func TestRealFeeds(t *testing.T) {
	dir := feeds(t)
	class := sdktest.Class(t, sdk.RoleSource, "file")
	for _, tc := range []struct {
		config          string
		atLeast, refuse int // refuse: at most
	}{
		{`{path: ` + dir + `/ipsum/ipsum.txt, kind: ipv4, line: '^(?P<indicator>\S+)\s+(?P<lists>\d+)'}`, 100_000, 0},
		{`{path: ` + dir + `/ipsum/level3.txt, kind: ipv4}`, 10_000, 0},
		{`{path: ` + dir + `/maltrail/*.txt, ignore: '^/'}`, 149_000, 80},
		{`{path: "` + dir + `/eset/*.{md5,sha1,sha256}", kind: hash}`, 300, 0},
		{`{path: ` + dir + `/citizenlab/**/iocs.csv, csv: {columns: [{name: value, kind_from: type}], fields: {description: comment}}}`, 200, 15},
	} {
		var out sdktest.RecordingSink
		src := sdktest.Build(t, class, tc.config, sdktest.Env(t))
		if _, err := src.Poll(t.Context(), nil, &out); err != nil {
			t.Error(err)
			continue
		}
		refused := out.Refused()
		t.Logf("%s: %d added, %d refused", tc.config, len(out.Added()), len(refused))
		if len(out.Added()) < tc.atLeast || len(refused) > tc.refuse {
			for _, r := range refused[:min(len(refused), 10)] {
				t.Logf("line %d: %q %s", r.Line, r.Why.Text, r.Why.Reason)
			}
			t.Errorf("%s: want %d or more added and %d or fewer refused", tc.config, tc.atLeast, tc.refuse)
		}
	}
}
