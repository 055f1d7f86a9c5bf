package scenario

import (
	"strings"
	"testing"

	"github.com/remeld/remeld/internal/sandbox"
)

// A hash that was taken out of a File at ThreatConnect is withdrawn with the next poll of
// changes: the table recalls under which it stood.
func TestE4_HashTakenOutOfAFile(t *testing.T) {
	w := newWorld(t)
	md5, sha256 := strings.Repeat("A1", 16), strings.Repeat("C3", 32)
	sure, rating := 90, 4.0
	ids, err := w.sb.SeedThreatConnect(sandbox.TCIndicator{Type: "File", Summary: md5 + " : " + sha256, Rating: &rating, Confidence: &sure})
	if err != nil {
		t.Fatal(err)
	}
	s := w.prepare(`
  tc: {class: threatconnect, connection: tc, interval: 10m, jitter: 0, config: {full_every: 1000h}}
  defender: {class: defender, inputs: [tc], to: [contoso], mode: auto, settle: 2s, config: {action: block}}
`, w.threatConnect())
	s.file("tckey", sandbox.DemoSecretKey)
	s.start()
	sent := func(hash string) bool {
		_, there := w.rows()[strings.ToLower(hash)+" Block"]
		return there
	}
	w.until("the file is sent", func() bool { return sent(sha256) })
	w.edit(ids[0], func(i *sandbox.TCIndicator) { i.Summary = md5 })
	w.until("it stands under its other hash alone", func() bool { return sent(md5) && !sent(sha256) })
}
