// Package defender is the destination class "defender": it maps indicators to
// Microsoft Defender for Endpoint's custom indicators and makes the calls that
// delivery decides on. Use it to alert on or block files, addresses, domains and
// URLs on every managed device of a tenant.
package defender

import (
	_ "embed"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/remeld/remeld/connector/mapping"
	"github.com/remeld/remeld/sdk"

	api "github.com/remeld/remeld/internal/microsoft/defender"
	"github.com/remeld/remeld/internal/microsoft/entra"
)

//go:embed doc.md
var doc string

// Config is what a node of class defender takes under config:.
type Config struct {
	Action     string     `yaml:"action" required:"true" doc:"What Defender does on a match: audit (alert only), warn (block with user bypass) or block."`
	FileBlock  string     `yaml:"file_block" enum:"block,block_and_remediate" doc:"What block means for a file: block keeps it from running, block_and_remediate quarantines it as well, which is hard to undo."`
	Alerts     bool       `yaml:"generate_alert" doc:"Raise an alert for what is warned of or blocked as well; audit always does."`
	Expiration Expiration `yaml:"expiration" doc:"How long an indicator lives at the tenant without renewal."`
	Reserve    int        `yaml:"reserve" doc:"Slots of the tenant's capacity that are left free for ad hoc blocks."`
	Capacity   int        `yaml:"capacity" doc:"Indicators the tenant can hold; Microsoft's limit is 15,000."`
	Title      string     `yaml:"title" doc:"Alert title; {value}, {kind} and attributes such as {sources} are filled in."`
	Describe   string     `yaml:"description" doc:"Description; {value}, {kind}, {type} (ThreatConnect's word for it) and any attribute are filled in, such as {owner}. Where absent, all that is known in one line."`
	Recommend  string     `yaml:"recommended_actions" doc:"Text shown to analysts with the alert."`
	EducateURL string     `yaml:"educate_url" doc:"Page that a user is sent to from the notice of a blocked or warned URL; it is shown to the user."`
	Groups     []string   `yaml:"device_groups" doc:"Names of the device groups that the indicators apply to; every device, if none is given. Needs the application permission Score.Read.All as well."`
	Techniques bool       `yaml:"mitre_techniques" doc:"Send ATT&CK techniques (T1566.002) found in kill_chain and tags. No page of the API names the field: whether the tenant keeps it is read back and told by the doctor."`
	Category   bool       `yaml:"alert_category" doc:"Send an alert category made from kill_chain. No page of the API names the field, and its answer cannot be compared."`

	Hashes mapping.Hashes `yaml:"hashes" doc:"Hashes of a file that are sent, each as an object of its own: md5, sha1, sha256. Where absent, the one that the indicator is about; a file with none of them is not sent."`
	Rules  []mapping.Rule `yaml:"rules" doc:"What is done differently with some indicators; the first rule that matches counts."`
}

// Expiration is the time to live by class of indicator.
type Expiration struct {
	Network time.Duration `yaml:"network" doc:"Addresses, domains and URLs."`
	File    time.Duration `yaml:"file" doc:"File hashes and certificates."`
}

func defaults() Config {
	const month = 30 * 24 * time.Hour
	return Config{
		FileBlock:  "block",
		Expiration: Expiration{Network: month, File: month},
		Capacity:   api.Capacity,
		Title:      "Remeld: {value}",
	}
}

// actions maps the words of the configuration to those of the API. Alert and
// AlertAndBlock are retired there and never sent.
var actions = map[string]string{"audit": "Audit", "warn": "Warn", "block": "Block"}

// takes is what a rule may change.
func takes() mapping.Takes {
	return mapping.Takes{Actions: slices.Sorted(maps.Keys(actions)), Severity: true, ThreatTypes: []string{}, LeastLife: mapping.MinLife}
}

// Validate reports everything that is wrong with the config.
func (c *Config) Validate() []error {
	var errs []error
	add := func(path, msg, help string) {
		errs = append(errs, &sdk.FieldError{Path: path, Msg: msg, Help: help})
	}
	if _, ok := actions[c.Action]; !ok && c.Action != "" {
		help := "use audit, warn or block"
		if strings.EqualFold(c.Action, "alert") {
			help = "Microsoft retired Alert; its successor is audit"
		}
		add("action", fmt.Sprintf("unknown action %q", c.Action), help)
	}
	if c.Capacity < 1 {
		add("capacity", "must be at least 1", "")
	}
	if c.Reserve < 0 || c.Reserve > c.Capacity {
		add("reserve", fmt.Sprintf("must be between 0 and the capacity of %d", c.Capacity), "0 keeps no slot free")
	}
	c.validateScope(add)
	errs = append(errs, mapping.CheckLives(map[string]time.Duration{"expiration.network": c.Expiration.Network, "expiration.file": c.Expiration.File})...)
	if strings.TrimSpace(c.Title) == "" {
		add("title", "must not be empty", "the service refuses an indicator without a title")
	}
	errs = append(errs, mapping.CheckTexts(map[string]string{"title": c.Title, "description": c.Describe})...)
	errs = append(errs, c.Hashes.Check()...)
	errs = append(errs, takes().Check(c.Rules)...)
	slices.SortFunc(errs, func(a, b error) int { return strings.Compare(a.Error(), b.Error()) })
	return errs
}

// validateScope checks what is said of who is affected and what they see.
func (c *Config) validateScope(add func(path, msg, help string)) {
	if c.FileBlock == "block_and_remediate" && c.Action != "" && c.Action != "block" {
		add("file_block", "has no meaning with action "+c.Action, "remove it, or set action: block")
	}
	u, err := url.Parse(c.EducateURL)
	switch {
	case c.EducateURL == "":
	case err != nil || u.Scheme != "https" || u.Host == "":
		add("educate_url", fmt.Sprintf("%q is not an https URL", c.EducateURL), "write https://intranet.example/why-blocked")
	case c.Action == "audit":
		add("educate_url", "nothing is shown to users with action audit", "remove it, or set action: warn or block")
	}
	for i, name := range c.Groups {
		switch path := fmt.Sprintf("device_groups.%d", i); {
		case strings.TrimSpace(name) == "":
			add(path, "a device group without a name", "write the name as Settings > Endpoints > Device groups shows it")
		case slices.Contains(c.Groups[:i], name):
			add(path, fmt.Sprintf("device group %q is named twice", name), "remove one of them")
		}
	}
}

func init() {
	sdk.RegisterTarget(sdk.Spec[Config, sdk.Target]{
		Name:        "defender",
		Summary:     "custom indicators of Microsoft Defender for Endpoint",
		Doc:         doc,
		Connections: []string{entra.Type},
		Service:     entra.Defender,
		Default:     defaults,
		New:         build,
	})
}
