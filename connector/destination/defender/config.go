// Package defender is the destination class "defender": it maps indicators to
// Microsoft Defender for Endpoint's custom indicators and makes the calls that
// delivery decides on. Use it to alert on or block files, addresses, domains and
// URLs on every managed device of a tenant.
package defender

import (
	_ "embed"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/remeld/remeld/sdk"

	api "github.com/remeld/remeld/internal/microsoft/defender"
	"github.com/remeld/remeld/internal/microsoft/entra"
)

//go:embed doc.md
var doc string

// Config is what a node of class defender takes under config:.
type Config struct {
	Action     string     `yaml:"action" required:"true" doc:"What Defender does on a match: audit (alert only), warn (block with user bypass) or block."`
	Expiration Expiration `yaml:"expiration" doc:"How long an indicator lives at the tenant without renewal."`
	Reserve    int        `yaml:"reserve" doc:"Slots of the tenant's capacity that are left free for ad hoc blocks."`
	Capacity   int        `yaml:"capacity" doc:"Indicators the tenant can hold; Microsoft's limit is 15,000."`
	Title      string     `yaml:"title" doc:"Alert title; {value}, {kind} and {sources} are filled in."`
	Recommend  string     `yaml:"recommended_actions" doc:"Text shown to analysts with the alert."`
}

// Expiration is the time to live by class of indicator.
type Expiration struct {
	Network time.Duration `yaml:"network" doc:"Addresses, domains and URLs."`
	File    time.Duration `yaml:"file" doc:"File hashes and certificates."`
}

func defaults() Config {
	const month = 30 * 24 * time.Hour
	return Config{
		Expiration: Expiration{Network: month, File: month},
		Capacity:   api.Capacity,
		Title:      "Remeld: {value}",
	}
}

// actions maps the words of the configuration to those of the API. Alert and
// AlertAndBlock are retired there and never sent.
var actions = map[string]string{"audit": "Audit", "warn": "Warn", "block": "Block"}

// minLife keeps an expiration from lapsing between two applies.
const minLife = time.Hour

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
	for path, d := range map[string]time.Duration{"expiration.network": c.Expiration.Network, "expiration.file": c.Expiration.File} {
		if d < minLife {
			add(path, fmt.Sprintf("%s is too short", d), "at least 1h, so that a renewal can come in time")
		}
	}
	if strings.TrimSpace(c.Title) == "" {
		add("title", "must not be empty", "the service refuses an indicator without a title")
	}
	slices.SortFunc(errs, func(a, b error) int { return strings.Compare(a.Error(), b.Error()) })
	return errs
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
