package threatconnect

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/remeld/remeld/indicator"
	"github.com/remeld/remeld/internal/tql"
	"github.com/remeld/remeld/sdk"
)

// The products by the names of the guides.
const (
	sentinel = "Microsoft Sentinel"
	defender = "Microsoft Defender for Endpoint"
)

// The indicator types of the guides.
var (
	types20 = []string{"Address", "CIDR", "Email Address", "Email Subject", "MD5", "SHA1", "SHA256", "Host", "URL", "User Agent"}
	types30 = []string{"Address", "MD5", "SHA1", "SHA256", "Host", "URL"}
)

func (c *Config) types() []string {
	if c.Mode == "2.0" {
		return types20
	}
	return types30
}

type adder func(path, msg, help string)

// Validate returns everything wrong with the config as *sdk.FieldError.
func (c *Config) Validate() []error {
	var errs []error
	add := func(path, msg, help string) {
		errs = append(errs, &sdk.FieldError{Path: path, Msg: msg, Help: help})
	}
	c.checkTargets(add)
	c.checkTypes(add)
	c.checkRanges(add)
	c.checkLastRun(add)
	if c.Action == "" {
		add("action_to_take", "is missing", "Alert or Block")
	} else if !strings.EqualFold(c.Action, "alert") && !strings.EqualFold(c.Action, "block") {
		add("action_to_take", fmt.Sprintf("unknown action %q", c.Action), "Alert or Block")
	}
	switch tlp, ok := indicator.ParseTLP(strings.ToLower(c.DefaultTLP)); {
	case c.DefaultTLP == "":
	case !ok:
		add("default_tlp_level", fmt.Sprintf("unknown TLP level %q", c.DefaultTLP), "clear (white), green, amber or amber+strict")
	case tlp == indicator.Red:
		add("default_tlp_level", "cannot be red: what is red leaves nowhere, so nothing unlabelled would be sent", "clear (white), green, amber or amber+strict")
	}
	c.checkFeedback(add)
	if c.TQL != "" {
		var e *tql.Error
		server := tql.Unasked
		if c.API == v2 {
			server = nil // nobody evaluates it but us
		}
		if _, err := tql.Compile(c.TQL, tql.Options{Schema: tql.V3Indicators, Server: server}); errors.As(err, &e) {
			add("tql", fmt.Sprintf("line %d, column %d of the query: %s", e.Line, e.Col, e.Msg), e.Suggestion)
		}
	}
	slices.SortFunc(errs, func(a, b error) int { return strings.Compare(a.Error(), b.Error()) })
	return errs
}

func (c *Config) checkTargets(add adder) {
	one := len(c.To) > 0 || c.Product != "" || c.Through != "" || c.Place != (Place{})
	switch {
	case len(c.Targets) > 0 && one:
		add("targets", "stands beside to, target_product, through or workspace", "say all of them under targets")
	case len(c.Targets) == 0 && len(c.To) == 0:
		add("to", "is missing: nobody is sent to", "name one or several connections, as to: [contoso]")
	case len(c.Targets) == 0:
		c.checkTarget(c.one(), "", add)
	}
	for i, t := range c.Targets {
		c.checkTarget(t, fmt.Sprintf("targets.%d.", i), add)
	}
}

func (c *Config) checkTarget(t Target, path string, add adder) {
	switch product := c.product(t); {
	case product == "" && t.Product == "":
		add(path+"target_product", "is missing", sentinel+" or "+defender)
	case product == "":
		add(path+"target_product", fmt.Sprintf("unknown product %q", t.Product), sentinel+" or "+defender)
	case product == sentinel && c.Mode == "3.0" && len(c.Targets) == 0:
		add(path+"target_product", "version 3.0.0 of the app has no Sentinel", "mode: \"2.0\", or the target under targets:")
	case product == defender && t.Place != (Place{}):
		add(path+"workspace", "is for "+sentinel, "remove it")
	case t.Workspace == "" && t.Place != (Place{}):
		add(path+"workspace", "is missing", "give the ID of the workspace")
	case t.Workspace != "" && t.Through == "graph":
		add(path+"workspace", "is for Sentinel's own API", "remove it, or through: graph")
	case product == sentinel && t.Through == "direct" && t.Workspace == "":
		add(path+"through", "Sentinel's own API needs a workspace", "give workspace")
	}
}

// product is a target's product by its full name, "" for one that is not known. Two
// short names are understood.
func (c *Config) product(t Target) string {
	switch strings.ToLower(strings.TrimSpace(t.Product)) {
	case "":
		if t.Workspace != "" {
			return sentinel
		}
		if c.Mode != "2.0" {
			return defender
		}
	case "microsoft sentinel", "azure sentinel", "sentinel":
		return sentinel
	case "microsoft defender for endpoint", "microsoft defender atp", "defender":
		return defender
	}
	return ""
}

func (c *Config) checkTypes(add adder) {
	for i, t := range c.Types {
		if typeOf(t, c.types()) == "" {
			add(fmt.Sprintf("indicator_types.%d", i), fmt.Sprintf("version %s has no indicator type %q", c.Mode, t), "one of "+strings.Join(c.types(), ", "))
		}
	}
}

// typeOf is the guide's spelling of a type, whatever the letters' case and spaces.
func typeOf(name string, known []string) string {
	plain := func(s string) string { return strings.ToLower(strings.ReplaceAll(s, " ", "")) }
	i := slices.IndexFunc(known, func(k string) bool { return plain(k) == plain(name) })
	if i < 0 {
		return ""
	}
	return known[i]
}

func (c *Config) checkRanges(add adder) {
	for _, r := range []struct {
		path          string
		is, low, high float64
	}{
		{"minimum_threatassess_score", float64(c.MinThreat), 0, 1000},
		{"minimum_confidence_rating", float64(c.MinConfidence), 0, 100},
		{"minimum_threat_rating", c.MinRating, 0, 5},
	} {
		if r.is < r.low || r.is > r.high {
			add(r.path, fmt.Sprintf("%g is out of range", r.is), fmt.Sprintf("%g to %g", r.low, r.high))
		}
	}
	for path, n := range map[string]int{"email": c.Expiration.Email, "file": c.Expiration.File, "network": c.Expiration.Network} {
		if n < 1 {
			add("expiration_days."+path, fmt.Sprintf("%d days is no life", n), "1 or more")
		}
	}
	if c.FalsePositives != nil && *c.FalsePositives < 0 {
		add("false_positive_threshold", "must not be negative", "0 takes only what nobody reported as a false positive")
	}
	if c.Reserve < 0 {
		add("indicator_reserve_count", "must not be negative", "0 reserves nothing")
	}
}

// checkFeedback: the source would say the same, of a node that nobody wrote.
func (c *Config) checkFeedback(add adder) {
	if c.API == v2 && c.Feedback != (Feedback{}) {
		add("feedback", "needs version 3 of the API", "take feedback out, or api: v2")
	}
	if tag := c.Feedback.SentTag; tag != "" && c.TQL == "" && slices.ContainsFunc(c.Tags, func(t string) bool { return strings.EqualFold(t, tag) }) {
		add("feedback.sent_tag", fmt.Sprintf("%q is also in tags_filter: what is delivered would decide what is read", tag), "take another tag")
	}
}

func (c *Config) checkLastRun(add adder) {
	if c.LastRun == "" {
		if c.OnlyModified {
			add("only_modified_since_last_run", "needs last_run: where the first run begins", "last_run: 30 days ago")
		}
		return
	}
	if _, _, ok := readLastRun(c.LastRun); !ok {
		add("last_run", fmt.Sprintf("%q cannot be read", c.LastRun), "a number of days, as 30; '30 days ago', '12 hours ago'; or a time, as 2026-01-05 or 2026-01-05T08:00:00Z")
	}
}

var ago = regexp.MustCompile(`^(\d{1,5})\s*(hour|day|week|month)s?(\s+ago)?$`)

var units = map[string]time.Duration{"hour": time.Hour, "day": day, "week": 7 * day, "month": 30 * day}

// readLastRun reads the forms of Last Run: back from now, or a moment.
func readLastRun(text string) (back time.Duration, at time.Time, ok bool) {
	text = strings.ToLower(strings.TrimSpace(text))
	if n, err := strconv.Atoi(text); err == nil && n > 0 && n < 100_000 {
		return time.Duration(n) * day, time.Time{}, true
	}
	if m := ago.FindStringSubmatch(text); m != nil {
		n, _ := strconv.Atoi(m[1]) // five digits
		return time.Duration(n) * units[m[2]], time.Time{}, n > 0
	}
	for _, layout := range []string{time.RFC3339, "2006-01-02t15:04:05z07:00", "2006-01-02t15:04:05", "2006-01-02 15:04:05", "2006-01-02 15:04", "2006-01-02"} {
		if t, err := time.Parse(layout, strings.ToUpper(text)); err == nil {
			return 0, t.UTC(), true
		}
		if t, err := time.Parse(layout, text); err == nil {
			return 0, t.UTC(), true
		}
	}
	return 0, time.Time{}, false
}

// UnmarshalText reads one text with commas; empty parts are dropped.
func (t *Tags) UnmarshalText(text []byte) error {
	*t = nil
	for part := range strings.SplitSeq(string(text), ",") {
		if part = strings.TrimSpace(part); part != "" {
			*t = append(*t, part)
		}
	}
	return nil
}
