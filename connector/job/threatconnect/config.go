// Package threatconnect is the form of jobs threatconnect_job: the parameters of
// ThreatConnect's app "Microsoft Graph Security Threat Indicators" in versions 2.0.x
// and 3.0.0, which stand for a source and its targets.
//
// Use it to move a job of that app here without thinking anew: each parameter has the
// name of the app's guide in snake case and its label in the doc tag.
package threatconnect

import (
	_ "embed"
	"time"

	"github.com/remeld/remeld/sdk"
)

//go:embed doc.md
var doc string

// Form is the name as in form:.
const Form = "threatconnect_job"

// Config is what stands under config: of a job of this form. The label in each doc tag
// is that of the parameter in Table 1 of the app's guides.
type Config struct {
	Connection string `yaml:"connection" required:"true" doc:"Api User: connection of type threatconnect."`
	Mode       string `yaml:"mode" enum:"2.0,3.0" doc:"Run Program: version of the app whose rules hold where the two differ."`

	To      []string `yaml:"to" doc:"Microsoft Graph Client ID, Microsoft Graph Client Secret, Microsoft Graph Tenant ID: connections of type entra, one for each tenant."`
	Product string   `yaml:"target_product" doc:"Target Product (2.0): Microsoft Sentinel or Microsoft Defender for Endpoint; 3.0 has the latter alone."`
	Through string   `yaml:"through" enum:"graph,direct" doc:"Not of the app: graph is the tiIndicators that the app 2.0 used and Microsoft retires, direct the product's own. direct in 3.0, and with a workspace; else graph, if not given."`
	Place   `yaml:",inline"`
	Targets []Target `yaml:"targets" doc:"Not of the app: several targets at once, in place of to, target_product, through and workspace."`

	DefaultTLP string `yaml:"default_tlp_level" doc:"Default TLP Level (2.0): TLP of indicators without such a label; of several labels the highest holds. amber, if not given."`
	Action     string `yaml:"action_to_take" doc:"Action to Take: Alert or Block."`
	Expiration Days   `yaml:"expiration_days" doc:"Expiration Days: how long an indicator lives at the target."`

	Owners         []string `yaml:"owners" doc:"Owners: without any, 3.0 sends nothing (unless there is a tql) and 2.0 reads all."`
	Types          []string `yaml:"indicator_types" doc:"Indicator Types: without any, 3.0 sends nothing (unless there is a tql) and 2.0 reads all ten."`
	LastRun        string   `yaml:"last_run" doc:"Last Run: 30 (days), '30 days ago', '12 hours ago', or a time. With only_modified_since_last_run where the first run begins; later runs go on from the cursor. Without it, in 3.0, each run reads what was modified that long ago or later."`
	OnlyModified   bool     `yaml:"only_modified_since_last_run" doc:"Only Send Indicators Modified Since Last Run: later runs read what was modified since the one before; needs last_run."`
	TQL            string   `yaml:"tql" doc:"TQL: a query in place of all filters."`
	Tags           Tags     `yaml:"tags_filter" doc:"Tags Filter (2.0), Tag Filter (3.0): at least one of them, whatever the letters' case; a list, or one text with commas."`
	MinThreat      int      `yaml:"minimum_threatassess_score" doc:"Minimum ThreatAssess Score: 0–1000; 0 asks for nothing."`
	MinRating      float64  `yaml:"minimum_threat_rating" doc:"Minimum Threat Rating: 0–5; 0 asks for nothing."`
	MinConfidence  int      `yaml:"minimum_confidence_rating" doc:"Minimum Confidence Rating: 0–100; 0 asks for nothing."`
	FalsePositives *int     `yaml:"false_positive_threshold" doc:"False Positive Threshold: most false positives, that many included; 0 takes only what has none, absent asks for nothing."`
	Level          string   `yaml:"logging_level" enum:"trace,debug,info,warning,error,critical" doc:"Logging Level: of a run's record."`
	Reserve        int      `yaml:"indicator_reserve_count" doc:"Indicator Reserve Count: slots of Defender's 15,000 that are not used; from 15,000 on nothing is sent."`

	API      string   `yaml:"api" enum:"v3,v2" doc:"Not of the app: version of ThreatConnect's API; v2 for an instance that is too old to have v3. v2 reads everything in each run. v3, if not given."`
	Feedback Feedback `yaml:"feedback" doc:"Not of the app: what is told to ThreatConnect; nothing where absent."`

	Renew    string `yaml:"renew" enum:"while_wanted,on_change" doc:"Not of the app: while_wanted renews an indicator before it ends for as long as it is wanted; on_change lets it end, as the app does."`
	Approval string `yaml:"first_plan" enum:"person,none" doc:"Not of the app: with person the first run must be started by a person (remeld job run), with none any run sends."`
}

// Target is one of several targets.
type Target struct {
	To      []string `yaml:"to" required:"true" doc:"Connections of type entra, one for each tenant."`
	Product string   `yaml:"target_product" doc:"Microsoft Sentinel or Microsoft Defender for Endpoint."`
	Through string   `yaml:"through" enum:"graph,direct" doc:"API: graph or direct."`
	Place   `yaml:",inline"`
}

// Place is a workspace of Microsoft Sentinel.
type Place struct {
	Workspace     string `yaml:"workspace" doc:"Not of the app: workspace ID for Microsoft Sentinel's own API."`
	Subscription  string `yaml:"subscription" doc:"Not of the app: subscription ID of the workspace; with resource_group and workspace_name its content can be seen."`
	ResourceGroup string `yaml:"resource_group" doc:"Not of the app: resource group of the workspace."`
	WorkspaceName string `yaml:"workspace_name" doc:"Not of the app: name (not ID) of the workspace."`
}

// one is the target that the parameters themselves name.
func (c *Config) one() Target {
	return Target{To: c.To, Product: c.Product, Through: c.Through, Place: c.Place}
}

// Days are the app's expiration days by class of indicator.
type Days struct {
	Email   int `yaml:"email" doc:"Expiration Days - Email (2.0): days."`
	File    int `yaml:"file" doc:"Expiration Days - File: days."`
	Network int `yaml:"network" doc:"Expiration Days - Network: days, for Address, CIDR, Host, URL, User Agent."`
}

// Feedback is what is told to ThreatConnect, as at class threatconnect.
type Feedback struct {
	SentTag string `yaml:"sent_tag" doc:"Not of the app: tag to put on an indicator once an object made of it stands at a target, and to take off again when the last one was withdrawn."`
	Reports bool   `yaml:"reports" doc:"Not of the app: pass on what a person says with remeld report: false positives and observations."`
}

// Tags are a list, or one text with commas as in the app.
type Tags []string

func defaults() Config {
	return Config{
		Mode: "3.0", Expiration: Days{Email: 30, File: 30, Network: 30}, Level: "info", Renew: "while_wanted", Approval: "person",
	}
}

const (
	onChange = "on_change" // of renew
	v2       = "v2"        // of api

	day      = 24 * time.Hour
	capacity = 15_000 // of Microsoft Defender for Endpoint
)

func init() {
	sdk.RegisterForm(sdk.FormSpec[Config]{
		Name: Form, Summary: "a job of ThreatConnect's Microsoft Graph Security Threat Indicators app", Doc: doc,
		Default: defaults, Expand: expand,
	})
}
