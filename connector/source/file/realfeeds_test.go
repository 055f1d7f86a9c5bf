package file

import (
	"testing"

	"github.com/remeld/remeld/internal/sampledata"
	"github.com/remeld/remeld/sdk"
	"github.com/remeld/remeld/sdk/sdktest"
)

// Real feeds are read nearly whole: what is refused is what is no indicator.
func TestRealFeeds(t *testing.T) {
	dir := sampledata.Path(t, "feeds")
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
