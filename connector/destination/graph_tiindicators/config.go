// Package graphti is the destination class "graph_tiindicators": it maps indicators
// to tiIndicators of Microsoft Graph and makes the calls that delivery decides on.
// Use it for what still reads them; Microsoft has deprecated them, and the classes
// sentinel and defender take their place.
package graphti

import (
	_ "embed"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/remeld/remeld/connector/mapping"
	"github.com/remeld/remeld/indicator"
	"github.com/remeld/remeld/sdk"

	"github.com/remeld/remeld/internal/microsoft/entra"
	api "github.com/remeld/remeld/internal/microsoft/graph"
)

//go:embed doc.md
var doc string

// Config is what a node of class graph_tiindicators takes under config:.
type Config struct {
	Product    string         `yaml:"target_product" doc:"Who uses the indicators: Azure Sentinel or Microsoft Defender ATP, in the API's words."`
	Action     string         `yaml:"action" enum:"alert,block,allow" doc:"What the product does on a match."`
	ThreatType string         `yaml:"threat_type" doc:"Graph's word for indicators that have none of them: WatchList, Malware, Phishing, C2, Botnet, …"`
	DefaultTLP string         `yaml:"default_tlp" enum:"clear,green,amber,amber+strict" doc:"Label of indicators without one; of several labels the strictest holds."`
	Expiration Expiration     `yaml:"expiration" doc:"How long an indicator lives at the product without renewal."`
	Describe   string         `yaml:"description" doc:"Description; {value}, {kind}, {type} (ThreatConnect's word for it) and any attribute are filled in, such as {owner}. Where absent, what is known in one line. Cut at 100 characters."`
	Capacity   int            `yaml:"capacity" doc:"Indicators the tenant can hold at Microsoft Defender ATP; Microsoft's limit is 15,000. Azure Sentinel has none."`
	Reserve    int            `yaml:"reserve" doc:"Slots of the capacity that are left free for ad hoc blocks; Microsoft Defender ATP only."`
	Hashes     mapping.Hashes `yaml:"hashes" doc:"Hashes of a file that are sent, each as an object of its own: md5, sha1, sha256. Where absent, the one that the indicator is about; a file with none of them is not sent."`
	Rules      []mapping.Rule `yaml:"rules" doc:"What is done differently with some indicators; the first rule that matches counts."`
}

// Expiration is the time to live by class of indicator.
type Expiration struct {
	Network time.Duration `yaml:"network" doc:"Addresses, CIDRs, domains, URLs and user agents."`
	File    time.Duration `yaml:"file" doc:"File hashes, names and paths, and mutexes."`
	Email   time.Duration `yaml:"email" doc:"E-mail addresses and subjects; Azure Sentinel only."`
}

func defaults() Config {
	const month = 30 * 24 * time.Hour
	return Config{
		Product: api.Sentinel, Action: string(api.Alert), ThreatType: "WatchList", DefaultTLP: "amber",
		Expiration: Expiration{Network: month, File: month, Email: month}, Capacity: api.Capacity,
	}
}

var actions = []string{string(api.Alert), string(api.Block), string(api.Allow)}

// takes is what a rule may change.
func takes() mapping.Takes {
	return mapping.Takes{Actions: actions, Severity: true, ThreatTypes: api.ThreatTypes(), LeastLife: mapping.MinLife}
}

// Validate reports everything that is wrong with the config.
func (c *Config) Validate() []error {
	var errs []error
	add := func(path, msg, help string) {
		errs = append(errs, &sdk.FieldError{Path: path, Msg: msg, Help: help})
	}
	if c.Product != api.Sentinel && c.Product != api.Defender {
		add("target_product", fmt.Sprintf("unknown product %q", c.Product), productHelp(c.Product))
	}
	if mapping.GraphThreat(c.ThreatType, "") == "" {
		add("threat_type", fmt.Sprintf("unknown threat type %q", c.ThreatType), "use "+strings.Join(api.ThreatTypes(), ", "))
	}
	if !slices.Contains(actions, c.Action) {
		add("action", fmt.Sprintf("unknown action %q", c.Action), "use "+strings.Join(actions, ", "))
	}
	if c.Capacity < 1 {
		add("capacity", "must be at least 1", "")
	}
	if c.Reserve < 0 || c.Reserve > c.Capacity {
		add("reserve", fmt.Sprintf("must be between 0 and the capacity of %d", c.Capacity), "0 keeps no slot free")
	}
	if c.Reserve > 0 && c.Product == api.Sentinel {
		add("reserve", "Azure Sentinel names no limit to keep slots of", "remove it")
	}
	errs = append(errs, mapping.CheckLives(map[string]time.Duration{"expiration.network": c.Expiration.Network, "expiration.file": c.Expiration.File, "expiration.email": c.Expiration.Email})...)
	errs = append(errs, mapping.CheckTexts(map[string]string{"description": c.Describe})...)
	errs = append(errs, c.Hashes.Check()...)
	errs = append(errs, takes().Check(c.Rules)...)
	slices.SortFunc(errs, func(a, b error) int { return strings.Compare(a.Error(), b.Error()) })
	return errs
}

// productHelp knows the newer names of the products, which the API does not.
func productHelp(name string) string {
	switch low := strings.ToLower(name); {
	case strings.Contains(low, "sentinel"):
		return "the API's name is " + api.Sentinel
	case strings.Contains(low, "defender"), strings.Contains(low, "mde"):
		return "the API's name is " + api.Defender
	}
	return "use " + api.Sentinel + " or " + api.Defender
}

// life is how long an object of a kind lives.
func (e Expiration) life() map[indicator.Kind]time.Duration {
	return map[indicator.Kind]time.Duration{
		indicator.IPv4: e.Network, indicator.IPv6: e.Network, indicator.Domain: e.Network, indicator.URL: e.Network, indicator.UserAgent: e.Network,
		indicator.MD5: e.File, indicator.SHA1: e.File, indicator.SHA256: e.File, indicator.SSDeep: e.File,
		indicator.FileName: e.File, indicator.FilePath: e.File, indicator.Mutex: e.File,
		indicator.Email: e.Email, indicator.EmailSubject: e.Email,
	}
}

func init() {
	sdk.RegisterTarget(sdk.Spec[Config, sdk.Target]{
		Name:        "graph_tiindicators",
		Summary:     "tiIndicators of Microsoft Graph, for Azure Sentinel or Microsoft Defender ATP (deprecated by Microsoft)",
		Doc:         doc,
		Connections: []string{entra.Type},
		Service:     entra.TIIndicators,
		Default:     defaults,
		New:         build,
	})
}
