// Package demo is the content of `remeld demo`: four feeds that change over time,
// an allow-list and the configuration that melds them into a sandbox tenant and a
// block list. All values are from documentation ranges and reserved names.
package demo

import (
	"bytes"
	_ "embed"
	"fmt"
	"text/template"
	"time"

	"github.com/remeld/remeld/internal/sandbox"
)

//go:embed remeld.yaml.tmpl
var configText string

//go:embed own-assets.yaml
var ownAssets []byte

// OwnAssets is the demo's allow-list.
func OwnAssets() []byte { return ownAssets }

// SecretVar is the environment variable the configuration takes the sandbox app's
// secret from.
const SecretVar = "REMELD_SANDBOX_SECRET"

// Params fill the configuration's template.
type Params struct {
	Tenant, App string
	URL, CA     string // of the sandbox
	Feeds       string // base URL of the feeds
	Listen      string // of the feed door
	Interval    string // between polls
}

// Config returns the demo's configuration.
func Config(p Params) ([]byte, error) {
	t, err := template.New("remeld.yaml").Parse(configText)
	if err != nil {
		return nil, fmt.Errorf("read the demo's configuration: %w", err)
	}
	var out bytes.Buffer
	if err := t.Execute(&out, p); err != nil {
		return nil, fmt.Errorf("fill in the demo's configuration: %w", err)
	}
	return out.Bytes(), nil
}

// The moments of the demo, counted from its start.
const (
	grow   = 20 * time.Second // new indicators, a few go
	rescan = 40 * time.Second // scores change
	guard  = 60 * time.Second // a feed loses a third: the mass-change guard stops
	freeze = 90 * time.Second // another loses most of it: the source freezes
	mend   = 3 * time.Minute  // both come back
)

// Feeds returns the demo's feeds with their scripts.
func Feeds() []sandbox.Feed {
	return []sandbox.Feed{addresses(), domains(), hashes(), urls()}
}

func addresses() sandbox.Feed {
	nets := []string{"192.0.2", "198.51.100", "203.0.113"}
	line := func(i, score int) string { return fmt.Sprintf("%s.%d\t%d", nets[i%3], 1+i/3, score) }
	var first, later, scored []string
	for i := range 540 {
		first = append(first, line(i, 1+i%9))
		if i >= 12 {
			later = append(later, line(i, 1+i%9))
			scored = append(scored, line(i, 1+(i+i/40)%9))
		}
	}
	for i := 540; i < 600; i++ {
		later = append(later, line(i, 9))
		scored = append(scored, line(i, 9))
	}
	return sandbox.Feed{Name: "addresses.txt", Steps: []sandbox.Step{{Lines: first}, {After: grow, Lines: later}, {After: rescan, Lines: scored}}}
}

func domains() sandbox.Feed {
	lines := []string{"domain,confidence,campaign"}
	for i := range 2400 {
		lines = append(lines, fmt.Sprintf("login-%04d.phish-%02d.example,%d,campaign-%d", i, i%40, 60+i%40, i%7))
	}
	lines = append(lines, "portal.corp.example,95,campaign-1", "vpn.corp.example,90,campaign-1") // ours, by mistake of the feed
	return sandbox.Feed{Name: "domains.csv", ContentType: "text/csv", Steps: []sandbox.Step{
		{Lines: lines}, {After: guard, Lines: lines[:1700]}, {After: mend, Lines: lines},
	}}
}

func hashes() sandbox.Feed {
	object := func(i int) string {
		return fmt.Sprintf(`{"sha256":"%08x%056x","family":"family-%d","score":%d}`, i*2654435761&0xffffffff, i+1, i%5, 70+i%30)
	}
	var first, more []string
	for i := range 1800 {
		first = append(first, object(i))
	}
	for i := 1800; i < 1900; i++ {
		more = append(more, object(i))
	}
	return sandbox.Feed{Name: "hashes.ndjson", ContentType: "application/x-ndjson", Steps: []sandbox.Step{{Lines: first}, {After: grow, Add: more}}}
}

func urls() sandbox.Feed {
	var lines []string
	for i := range 900 {
		lines = append(lines, fmt.Sprintf("https://drop-%03d.files.example/stage/%d.bin", i%300, i))
	}
	return sandbox.Feed{Name: "urls.txt", Steps: []sandbox.Step{{Lines: lines}, {After: freeze, Lines: lines[:200]}, {After: mend, Lines: lines}}}
}
