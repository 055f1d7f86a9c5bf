package threatconnect

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/remeld/remeld/sdk"
)

func TestLastRunForms(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"30": "720h0m0s", "30 days ago": "720h0m0s", "1 day": "24h0m0s", "12 hours ago": "12h0m0s", "2 weeks ago": "336h0m0s",
		"2026-01-05": "2026-01-05T00:00:00Z", "2026-01-05T08:00:00+01:00": "2026-01-05T07:00:00Z", "2026-01-05 08:30": "2026-01-05T08:30:00Z",
		"": "no", "soon": "no", "0": "no", "-3": "no", "0 days ago": "no", "2026-13-05": "no",
	} {
		back, at, ok := readLastRun(text)
		got := back.String()
		switch {
		case !ok:
			got = "no"
		case back == 0:
			got = at.Format(time.RFC3339)
		}
		if got != want {
			t.Errorf("%q: %s, want %s", text, got, want)
		}
	}
}

func valid() Config {
	c := defaults()
	c.Connection, c.To, c.Action, c.Owners, c.Types = "tc", []string{"ms"}, "Alert", []string{"ACME"}, []string{"Host"}
	return c
}

// TestContradictions: what the guides' parameters may not say, and where that stands.
func TestContradictions(t *testing.T) {
	t.Parallel()
	none := -1
	for path, edit := range map[string]func(*Config){
		"":                             func(*Config) {},
		"action_to_take":               func(c *Config) { c.Action = "Allow" },
		"to":                           func(c *Config) { c.To = nil },
		"target_product":               func(c *Config) { c.Product = "Excel" },
		"targets":                      func(c *Config) { c.Targets = []Target{{To: []string{"ms"}}} },
		"workspace":                    func(c *Config) { c.Product, c.Workspace = defender, "x" },
		"expiration_days.email":        func(c *Config) { c.Expiration.Email = 0 },
		"expiration_days.network":      func(c *Config) { c.Expiration.Network = -1 },
		"indicator_types.0":            func(c *Config) { c.Types = []string{"CIDR"} },
		"minimum_threat_rating":        func(c *Config) { c.MinRating = 5.5 },
		"minimum_confidence_rating":    func(c *Config) { c.MinConfidence = 101 },
		"minimum_threatassess_score":   func(c *Config) { c.MinThreat = -1 },
		"false_positive_threshold":     func(c *Config) { c.FalsePositives = &none },
		"indicator_reserve_count":      func(c *Config) { c.Reserve = -1 },
		"last_run":                     func(c *Config) { c.LastRun = "whenever" },
		"only_modified_since_last_run": func(c *Config) { c.OnlyModified = true },
		"tql":                          func(c *Config) { c.TQL = "rating => 3" },
		"default_tlp_level":            func(c *Config) { c.DefaultTLP = "Red" },
		"feedback":                     func(c *Config) { c.API, c.Feedback.Reports = "v2", true },
		"feedback.sent_tag":            func(c *Config) { c.Feedback.SentTag, c.Tags = "Sent", Tags{"sent"} },
	} {
		c := valid()
		edit(&c)
		var got []string
		for _, err := range c.Validate() {
			var fe *sdk.FieldError
			if !errors.As(err, &fe) {
				t.Fatal(err)
			}
			got = append(got, fe.Path)
		}
		if strings.Join(got, " ") != path {
			t.Errorf("%q: %v", path, got)
		}
	}
}

// TestLastRunAndOnlyModified: the four cases in both versions.
func TestLastRunAndOnlyModified(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		mode, last string
		only       bool
		within     any
		window     any
		whole      bool // each run reads everything
	}{
		{"3.0", "", false, nil, nil, true}, {"2.0", "", false, nil, nil, true},
		{"3.0", "30", false, nil, 30 * day, true}, {"2.0", "30", false, nil, nil, true},
		{"3.0", "30", true, 30 * day, nil, false}, {"2.0", "30 days ago", true, 30 * day, nil, false},
	} {
		c := valid()
		c.Mode, c.LastRun, c.OnlyModified, c.Product = test.mode, test.last, test.only, defender
		cfg := expand("j", c).Nodes[0].Keys["config"].(map[string]any)
		if cfg["modified_within"] != test.within || cfg["modified_window"] != test.window || (cfg["full_every"] != nil) != test.whole {
			t.Errorf("%+v: %v", test, cfg)
		}
	}
}

// TestWhatIsNotOfTheApp is handed to the source as it stands.
func TestWhatIsNotOfTheApp(t *testing.T) {
	t.Parallel()
	source := func(edit func(*Config)) map[string]any {
		c := valid()
		edit(&c)
		return expand("j", c).Nodes[0].Keys["config"].(map[string]any)
	}
	if cfg := source(func(*Config) {}); cfg["api"] != nil || cfg["feedback"] != nil {
		t.Errorf("nothing was asked for: %v", cfg)
	}
	if cfg := source(func(c *Config) { c.API = "v2" }); cfg["api"] != "v2" {
		t.Errorf("%v", cfg)
	}
	cfg := source(func(c *Config) { c.Feedback = Feedback{SentTag: "Sent", Reports: true} })
	if told, _ := cfg["feedback"].(map[string]any); told["sent_tag"] != "Sent" || told["reports"] != true {
		t.Errorf("%v", cfg)
	}
}

// TestNothingIsSent: the settings with which the guides have a job send nothing.
func TestNothingIsSent(t *testing.T) {
	t.Parallel()
	for want, edit := range map[string]func(*Config){
		"no owner is chosen":               func(c *Config) { c.Owners = nil },
		"no indicator type is chosen":      func(c *Config) { c.Types = nil },
		"indicator_reserve_count is 15000": func(c *Config) { c.Reserve = 15000 },
		"indicator_reserve_count is 20000": func(c *Config) { c.Reserve = 20000 },
	} {
		c := valid()
		edit(&c)
		if got := expand("j", c).Idle; !strings.HasPrefix(got, want) {
			t.Errorf("%q, want %q", got, want)
		}
	}
	for name, edit := range map[string]func(*Config){
		"2.0 reads all owners":   func(c *Config) { c.Mode, c.Product, c.Owners = "2.0", defender, nil },
		"a query needs no owner": func(c *Config) { c.TQL, c.Owners, c.Types = "rating > 3", nil, nil },
		"14999 leave a slot":     func(c *Config) { c.Reserve = 14999 },
		"Sentinel has no limit":  func(c *Config) { c.Mode, c.Product, c.Reserve = "2.0", sentinel, 20000 },
	} {
		c := valid()
		edit(&c)
		if got := expand("j", c).Idle; got != "" {
			t.Errorf("%s: %s", name, got)
		}
	}
}

// TestFullReserveOfOneTarget: of several targets it stops the one it is about; nothing is
// reserved there, which would take the slots from what others have at the tenant.
func TestFullReserveOfOneTarget(t *testing.T) {
	t.Parallel()
	for _, reserve := range []int{15000, 20000} {
		c := valid()
		c.To, c.Reserve = nil, reserve
		c.Targets = []Target{{To: []string{"ms"}, Product: defender}, {To: []string{"ms"}, Place: Place{Workspace: "w"}}}
		e := expand("j", c)
		if e.Idle != "" || !strings.Contains(e.Nodes[1].Idle, "no slot is left") || e.Nodes[2].Idle != "" {
			t.Errorf("%d: the job %q, Defender %q, Sentinel %q", reserve, e.Idle, e.Nodes[1].Idle, e.Nodes[2].Idle)
		}
		if cfg := e.Nodes[1].Keys["config"].(map[string]any); cfg["reserve"] != nil {
			t.Errorf("%d: %v is reserved", reserve, cfg["reserve"])
		}
	}
}

// TestIgnoredParameters are named in a warning.
func TestIgnoredParameters(t *testing.T) {
	t.Parallel()
	c := valid()
	c.Mode, c.Product, c.Reserve, c.TQL, c.Tags = "2.0", sentinel, 5, "rating > 3", Tags{"x"}
	notes := expand("j", c).Notes
	if len(notes) != 2 || !strings.HasSuffix(notes[0], "owners, indicator_types, tags_filter") || !strings.HasPrefix(notes[1], "indicator_reserve_count is ignored") {
		t.Errorf("%q", notes)
	}
}

func FuzzLastRun(f *testing.F) {
	f.Add("30 days ago")
	f.Fuzz(func(t *testing.T, text string) {
		if back, at, ok := readLastRun(text); ok && (back < 0 || back == 0 && at.IsZero() && !strings.Contains(text, "0001")) {
			t.Errorf("%q: %v %v", text, back, at)
		}
		var tags Tags
		if err := tags.UnmarshalText([]byte(text)); err != nil || slices.Contains(tags, "") {
			t.Errorf("%q: %q %v", text, tags, err)
		}
	})
}
