// Package sentinel is the destination class "sentinel": it writes indicators as STIX
// to the threat intelligence of a Microsoft Sentinel workspace and makes the calls
// that delivery decides on. Use it to have analytics rules and hunting queries match
// logs against addresses, domains, URLs, e-mail senders and files.
package sentinel

import (
	_ "embed"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/remeld/remeld/connector/mapping"
	"github.com/remeld/remeld/indicator"
	"github.com/remeld/remeld/sdk"

	"github.com/remeld/remeld/internal/microsoft/entra"
	api "github.com/remeld/remeld/internal/microsoft/sentinel"
)

//go:embed doc.md
var doc string

// Config is what a node of class sentinel takes under config:.
type Config struct {
	Workspace     string `yaml:"workspace" required:"true" doc:"Workspace ID (a GUID) of the Log Analytics workspace with Sentinel, from its Overview page."`
	SourceSystem  string `yaml:"source_system" doc:"Who the indicators are from, as Sentinel shows it. Part of what makes an object the one it is: changing it makes all of them new."`
	API           string `yaml:"api" enum:"stix,legacy" doc:"Upload API: stix is the current one, legacy the deprecated upload-indicators."`
	Subscription  string `yaml:"subscription" doc:"Subscription ID of the workspace; with resource_group and workspace_name it lets Remeld see what the workspace holds."`
	ResourceGroup string `yaml:"resource_group" doc:"Resource group of the workspace."`
	WorkspaceName string `yaml:"workspace_name" doc:"Name (not ID) of the workspace."`

	Expiration Expiration     `yaml:"expiration" doc:"How long an indicator is valid at Sentinel without renewal."`
	Name       string         `yaml:"name" doc:"Name of the indicator; {value}, {kind} and attributes such as {sources} are filled in."`
	Describe   string         `yaml:"description" doc:"Description; filled in as name is. Where absent, all that is known in one line."`
	ThreatType string         `yaml:"threat_type" doc:"What kind of threat an indicator is said to be that does not say itself."`
	DefaultTLP string         `yaml:"default_tlp" enum:"clear,green,amber,amber+strict" doc:"Label of indicators without one; they are not marked where absent."`
	Hashes     mapping.Hashes `yaml:"hashes" doc:"Hashes of a file that are sent, each as an object of its own: md5, sha1, sha256. Where absent, the one that the indicator is about; a file with none of them is not sent."`
	Rules      []mapping.Rule `yaml:"rules" doc:"What is done differently with some indicators; the first rule that matches counts."`
}

// Expiration is the time to live by class of indicator.
type Expiration struct {
	Network time.Duration `yaml:"network" doc:"Addresses, domains and URLs."`
	File    time.Duration `yaml:"file" doc:"File hashes and certificates."`
	Email   time.Duration `yaml:"email" doc:"E-mail addresses."`
}

func defaults() Config {
	const month = 30 * 24 * time.Hour
	return Config{
		SourceSystem: "Remeld", API: string(api.STIX), Name: "{value}",
		Expiration: Expiration{Network: month, File: month, Email: month},
	}
}

// takes is what a rule may change: Sentinel has no actions and no severity.
func takes() mapping.Takes { return mapping.Takes{ThreatTypes: []string{}, LeastLife: mapping.MinLife} }

var guid = regexp.MustCompile(`^[0-9a-fA-F]{8}-([0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}$`)

// Validate reports everything that is wrong with the config.
func (c *Config) Validate() []error {
	var errs []error
	add := func(path, msg, help string) {
		errs = append(errs, &sdk.FieldError{Path: path, Msg: msg, Help: help})
	}
	if c.Workspace != "" && !guid.MatchString(c.Workspace) {
		add("workspace", fmt.Sprintf("%q is not a GUID", c.Workspace), "copy \"Workspace ID\" from the workspace's Overview page; the name goes to workspace_name")
	}
	c.checkSource(add)
	c.checkPlace(add)
	errs = append(errs, mapping.CheckLives(map[string]time.Duration{"expiration.network": c.Expiration.Network, "expiration.file": c.Expiration.File, "expiration.email": c.Expiration.Email})...)
	if strings.TrimSpace(c.Name) == "" {
		add("name", "must not be empty", "{value} names an indicator by its value")
	}
	errs = append(errs, mapping.CheckTexts(map[string]string{"name": c.Name, "description": c.Describe})...)
	errs = append(errs, c.Hashes.Check()...)
	errs = append(errs, takes().Check(c.Rules)...)
	slices.SortFunc(errs, func(a, b error) int { return strings.Compare(a.Error(), b.Error()) })
	return errs
}

func (c *Config) checkSource(add func(path, msg, help string)) {
	name := strings.TrimSpace(c.SourceSystem)
	switch {
	case name == "" || name != c.SourceSystem:
		add("source_system", "must not be empty, nor begin or end with a space", "")
	case strings.EqualFold(name, api.RestrictedSource):
		add("source_system", fmt.Sprintf("%q belongs to the service, which refuses it from others", name), "choose a name of your own")
	case utf8.RuneCountInString(name) > api.MaxSourceSystem:
		add("source_system", fmt.Sprintf("longer than the service's %d characters", api.MaxSourceSystem), "")
	case strings.ContainsFunc(name, func(r rune) bool { return r < ' ' }):
		add("source_system", "must not have control characters", "")
	}
}

// checkPlace: the management plane needs all three, or none.
func (c *Config) checkPlace(add func(path, msg, help string)) {
	given := map[string]string{"subscription": c.Subscription, "resource_group": c.ResourceGroup, "workspace_name": c.WorkspaceName}
	for path, value := range given {
		if value == "" && (c.Subscription != "" || c.ResourceGroup != "" || c.WorkspaceName != "") {
			add(path, "is needed with the other two of subscription, resource_group and workspace_name", "or give none: Remeld then works from its ledger alone")
		}
	}
	if c.Subscription != "" && !guid.MatchString(c.Subscription) {
		add("subscription", fmt.Sprintf("%q is not a GUID", c.Subscription), "copy \"Subscription ID\" from the workspace's Overview page")
	}
}

// place is the workspace in the management plane; ok is false where it is not known.
func (c *Config) place() (at api.Place, ok bool) {
	return api.Place{Subscription: c.Subscription, ResourceGroup: c.ResourceGroup, Workspace: c.WorkspaceName}, c.WorkspaceName != ""
}

// life is how long an object of a kind lives.
func (e Expiration) life() map[indicator.Kind]time.Duration {
	return map[indicator.Kind]time.Duration{
		indicator.IPv4: e.Network, indicator.IPv6: e.Network, indicator.Domain: e.Network, indicator.URL: e.Network,
		indicator.MD5: e.File, indicator.SHA1: e.File, indicator.SHA256: e.File, indicator.Certificate: e.File,
		indicator.Email: e.Email,
	}
}

func init() {
	sdk.RegisterTarget(sdk.Spec[Config, sdk.Target]{
		Name:        "sentinel",
		Summary:     "threat intelligence of a Microsoft Sentinel workspace",
		Doc:         doc,
		Connections: []string{entra.Type},
		Service:     entra.Sentinel,
		Default:     defaults,
		New:         build,
	})
}
