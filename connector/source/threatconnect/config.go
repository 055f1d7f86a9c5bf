// Package threatconnect is the source class threatconnect: indicators of a
// ThreatConnect instance, chosen by filters or by TQL, with what was deleted,
// deactivated or changed there withdrawn here.
//
// Use it for what analysts curate in ThreatConnect. It needs a connection of type
// threatconnect.
package threatconnect

import (
	_ "embed"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/remeld/remeld/internal/threatconnect"
	"github.com/remeld/remeld/internal/tql"
	"github.com/remeld/remeld/sdk"
)

//go:embed doc.md
var doc string

// Config is what stands under config: of a node of class threatconnect. Its filters
// are those of ThreatConnect's own app, under the same names.
type Config struct {
	Owners         []string `yaml:"owners" doc:"Names of the owners to read; all that the API user may read where absent."`
	Types          []string `yaml:"indicator_types" doc:"Indicator types to read: Address, CIDR, Email Address, Email Subject, Host, MD5, SHA1, SHA256, File, URL, User Agent, ASN, Mutex, Registry Key. All where absent."`
	Tags           []string `yaml:"tags_filter" doc:"Read what has at least one of these tags, whatever the letters' case."`
	MinThreat      int      `yaml:"minimum_threatassess_score" doc:"Least ThreatAssess score, 0–1000; 0 asks for nothing."`
	MinConfidence  int      `yaml:"minimum_confidence_rating" doc:"Least confidence, 0–100; 0 asks for nothing."`
	MinRating      float64  `yaml:"minimum_threat_rating" doc:"Least threat rating, 0–5; 0 asks for nothing."`
	FalsePositives *int     `yaml:"false_positive_threshold" doc:"Most false positives reported, that many included: 0 reads only what has none. Absent asks for nothing."`
	TQL            string   `yaml:"tql" doc:"A query in TQL. It takes the place of all filters above."`
	// ModifiedWithin is the guides' Last Run with Only Modified Since Last Run.
	ModifiedWithin time.Duration `yaml:"modified_within" doc:"At the first poll read only what was modified this long ago or later; later polls read what was modified since. Absent reads everything and reconciles."`
	ModifiedSince  time.Time     `yaml:"modified_since" doc:"As modified_within, from a time: 2026-01-05T00:00:00Z."`
	Window         time.Duration `yaml:"modified_window" doc:"Read only what was modified this long ago or later, counted back from each poll; what leaves the window by the clock alone is withdrawn by the next full read."`
	Overlap        time.Duration `yaml:"overlap" doc:"How far before the last poll's start a poll looks again."`
	Full           time.Duration `yaml:"full_every" doc:"How often everything is read: ThreatConnect does not say of every change of a tag, label or attribute that it was one."`
	API            string        `yaml:"api" doc:"Version of the API: v3, or v2 for an instance that is too old to have it. v2 reads everything at every poll."`
	Feedback       Feedback      `yaml:"feedback" doc:"What is told to ThreatConnect; nothing where absent."`
	Page           int           `yaml:"page_size" doc:"Indicators an answer, 1–10,000."`
}

// The versions of the API.
const (
	v2 = "v2"
	v3 = "v3"
)

func defaults() Config {
	return Config{Overlap: 5 * time.Minute, Full: 24 * time.Hour, Page: threatconnect.DefaultPage, API: v3}
}

// Validate returns everything wrong with the config as *sdk.FieldError.
func (c *Config) Validate() []error {
	var errs []error
	add := func(path, msg, help string) {
		errs = append(errs, &sdk.FieldError{Path: path, Msg: msg, Help: help})
	}
	for i, t := range c.Types {
		if _, ok := typeNames[plain(t)]; !ok {
			add(fmt.Sprintf("indicator_types.%d", i), fmt.Sprintf("no indicator type is called %q", t), "one of "+strings.Join(knownTypes(), ", "))
		}
	}
	for _, r := range []struct {
		path          string
		is, low, high float64
	}{
		{"minimum_threatassess_score", float64(c.MinThreat), 0, 1000},
		{"minimum_confidence_rating", float64(c.MinConfidence), 0, 100},
		{"minimum_threat_rating", c.MinRating, 0, 5},
		{"page_size", float64(c.Page), 1, threatconnect.MaxPage},
	} {
		if r.is < r.low || r.is > r.high {
			add(r.path, fmt.Sprintf("%g is out of range", r.is), fmt.Sprintf("%g to %g", r.low, r.high))
		}
	}
	if c.FalsePositives != nil && *c.FalsePositives < 0 {
		add("false_positive_threshold", "must not be negative", "0 reads only what nobody reported as a false positive")
	}
	for path, d := range map[string]time.Duration{"modified_within": c.ModifiedWithin, "modified_window": c.Window, "overlap": c.Overlap, "full_every": c.Full} {
		if d < 0 {
			add(path, "must not be negative", "")
		}
	}
	if c.ModifiedWithin > 0 && !c.ModifiedSince.IsZero() {
		add("modified_since", "is given beside modified_within", "give one of them")
	}
	if c.Window > 0 && (c.ModifiedWithin > 0 || !c.ModifiedSince.IsZero()) {
		add("modified_window", "is given beside modified_within or modified_since", "give one of them")
	}
	if in := c.circular(); in != "" {
		add("feedback.sent_tag", fmt.Sprintf("%q is also in %s: what is delivered would decide what is read", c.Feedback.SentTag, in), "take another tag")
	}
	if c.API != "" && c.API != v3 && c.API != v2 {
		add("api", fmt.Sprintf("there is no version %q", c.API), "v3, or v2 for an old instance")
	}
	if c.API == v2 && c.Feedback != (Feedback{}) {
		add("feedback", "needs version 3 of the API", "take feedback out, or api: v2")
	}
	if c.Full == 0 {
		add("full_every", "must not be 0", "give a time such as 24h: not every change is reported, and records of deletions are kept for a time only")
	}
	if c.TQL != "" {
		server := tql.Unasked
		if c.API == v2 {
			server = nil // nobody evaluates it but us
		}
		if _, err := tql.Compile(c.TQL, tql.Options{Schema: tql.V3Indicators, Server: server}); err != nil {
			add("tql", place(err), suggestion(err))
		}
	}
	slices.SortFunc(errs, func(a, b error) int { return strings.Compare(a.Error(), b.Error()) })
	return errs
}

// place and suggestion are the two halves of what the query language says of a
// mistake.
func place(err error) string {
	var e *tql.Error
	if errors.As(err, &e) {
		return fmt.Sprintf("line %d, column %d of the query: %s", e.Line, e.Col, e.Msg)
	}
	return err.Error()
}

func suggestion(err error) string {
	var e *tql.Error
	if errors.As(err, &e) {
		return e.Suggestion
	}
	return ""
}

// ignored names the filters that are set beside a TQL query, which takes their place.
func (c *Config) ignored() []string {
	var out []string
	for _, f := range []struct {
		name string
		set  bool
	}{
		{"owners", len(c.Owners) > 0}, {"indicator_types", len(c.Types) > 0}, {"tags_filter", len(c.Tags) > 0},
		{"minimum_threatassess_score", c.MinThreat > 0}, {"minimum_confidence_rating", c.MinConfidence > 0},
		{"minimum_threat_rating", c.MinRating > 0}, {"false_positive_threshold", c.FalsePositives != nil},
	} {
		if f.set && c.TQL != "" {
			out = append(out, f.name)
		}
	}
	return out
}

func init() {
	sdk.RegisterSource(sdk.Spec[Config, sdk.Source]{
		Name: "threatconnect", Summary: "indicators of a ThreatConnect instance", Doc: doc,
		Connections: []string{threatconnect.Type}, Default: defaults, New: build,
	})
}
