package sandbox

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/remeld/remeld/internal/sandbox/switches"
)

// TestDocsNameEverything: docs/sandbox.md lists every switch with its values and
// every control call.
func TestDocsNameEverything(t *testing.T) {
	raw, err := os.ReadFile(filepath.Join("..", "..", "docs", "sandbox.md"))
	if err != nil {
		t.Fatal(err)
	}
	doc := string(raw)
	for _, line := range switches.Defaults().Lines() {
		name, rest, _ := strings.Cut(line, " ")
		row := doc[max(strings.Index(doc, "| `"+name+"` |"), 0):]
		row, _, _ = strings.Cut(row, "\n")
		choices := rest[strings.LastIndex(rest, "(")+1 : len(rest)-1]
		for v := range strings.SplitSeq(strings.TrimPrefix(choices, "default "), " | ") {
			if !strings.Contains(row, v) {
				t.Errorf("docs/sandbox.md: switch %s lacks value %s", name, v)
			}
		}
	}
	for _, v := range verbs {
		call := v.pattern
		for from, to := range map[string]string{"tenants/*": "tenants/T", "indicators/*": "indicators/ID", "faults/*": "faults/ID", "feeds/*": "feeds/NAME", "workspaces/*": "workspaces/W", "objects/*": "objects/ID"} {
			call = strings.ReplaceAll(call, from, to)
		}
		if !strings.Contains(doc, "`"+call+"`") {
			t.Errorf("docs/sandbox.md lacks the call %s", call)
		}
	}
}
