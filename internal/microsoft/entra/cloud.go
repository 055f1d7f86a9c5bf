package entra

import (
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/remeld/remeld/sdk"
)

// The services that a class can call through a connection (sdk.Spec.Service).
const (
	Defender     = "defender"           // Defender for Endpoint's indicators
	Sentinel     = "sentinel-upload"    // Sentinel's upload API for STIX objects
	Management   = "management"         // the Azure management plane
	Graph        = "graph"              // Microsoft Graph
	TIIndicators = "graph-tiindicators" // Graph's retired tiIndicators
)

// serviceNames are the services in a person's words.
var serviceNames = map[string]string{
	Defender: "the Defender for Endpoint API", Sentinel: "Sentinel's upload API", Management: "the Azure management plane",
	Graph: "Microsoft Graph", TIIndicators: "Graph's tiIndicator API",
}

// cloud is one of Microsoft's clouds: its hosts, and "" where the cloud does not
// have the service. Sources: the pages on national clouds of Microsoft Graph, Defender
// for Endpoint (US government customers) and Sentinel (feature availability).
type cloud struct {
	title                                        string // in a person's words
	login, graph, defender, sentinel, management string
	logins                                       []string // other names of the token service
	tiIndicators                                 bool
	defenderAudience                             string // "" = the host's own
}

// clouds are the values of cloud:. GCC is the public cloud with a Defender API of its
// own; GCC High and DoD share login and Defender.
var clouds = map[string]cloud{
	"public": {
		title: "the public cloud", login: "login.microsoftonline.com", graph: "graph.microsoft.com", defender: "api.security.microsoft.com",
		sentinel: "api.ti.sentinel.azure.com", management: "management.azure.com", tiIndicators: true,
		logins: []string{"login.windows.net", "login.microsoft.com"},
		// Regional hosts are no resources of their own (Microsoft Learn, "Create an app to
		// access Microsoft Defender for Endpoint without a user").
		defenderAudience: "https://api.securitycenter.microsoft.com",
	},
	"gcc": {
		title: "the GCC cloud", login: "login.microsoftonline.com", graph: "graph.microsoft.com", defender: "api-gcc.securitycenter.microsoft.us",
		sentinel: "api.ti.sentinel.azure.com", management: "management.azure.com", tiIndicators: true,
	},
	"gcc_high": {
		title: "the GCC High cloud", login: "login.microsoftonline.us", graph: "graph.microsoft.us", defender: "api-gov.securitycenter.microsoft.us",
		management: "management.usgovcloudapi.net", logins: []string{"login.usgovcloudapi.net"},
	},
	"dod": {
		title: "the DoD cloud", login: "login.microsoftonline.us", graph: "dod-graph.microsoft.us", defender: "api-gov.securitycenter.microsoft.us",
		management: "management.usgovcloudapi.net", logins: []string{"login.usgovcloudapi.net"},
	},
	"china": {
		title: "the China cloud (21Vianet)", login: "login.partner.microsoftonline.cn", graph: "microsoftgraph.chinacloudapi.cn",
		management: "management.chinacloudapi.cn", logins: []string{"login.chinacloudapi.cn"},
	},
}

// cloudNames are the values of cloud: in the order of the documentation.
var cloudNames = []string{"public", "gcc", "gcc_high", "dod", "china"}

func (c *Connection) cloud() cloud {
	if k, known := clouds[c.Cloud]; known {
		return k
	}
	return clouds["public"]
}

// Offers tells why the connection cannot reach a service, nil if it can. A base URL
// that is given reaches it whatever the cloud: it may be a sandbox or a gateway.
func (c *Connection) Offers(service string) *sdk.FieldError {
	k := c.cloud()
	var host, given string
	help := "use a connection of another cloud"
	switch service {
	case Defender:
		host, given = k.defender, c.Defender
	case Sentinel:
		host, given = k.sentinel, c.Sentinel
		help = "workspaces of this cloud take indicators by their TAXII connector or a file import"
	case TIIndicators:
		if k.tiIndicators {
			host = k.graph
		}
		given = c.Graph
		help = "only the public cloud ever had it; send to Defender instead"
	default:
		return nil
	}
	if host != "" || given != "" {
		return nil
	}
	return &sdk.FieldError{Msg: fmt.Sprintf("%s does not exist in %s (cloud: %s)", serviceNames[service], k.title, c.Cloud), Help: help}
}

// address is what of a cloud an URL stands for: the key of the connection that takes
// it, and the host.
type address struct{ path, given string }

func (c *Connection) addresses() []address {
	return []address{{"authority", c.Authority}, {"defender", c.Defender}, {"graph", c.Graph}, {"sentinel", c.Sentinel}, {"management", c.Management}}
}

// homes returns the clouds a host is known to belong to, none for a host nobody knows.
func homes(host string) []string {
	var out []string
	for _, name := range cloudNames {
		k := clouds[name]
		own := append([]string{k.login, k.graph, k.defender, k.sentinel, k.management}, k.logins...)
		if slices.Contains(own, host) || name == "public" && publicDefender(host) {
			out = append(out, name)
		}
	}
	return out
}

// publicDefender tells the present, former and regional hosts of the public cloud's
// Defender API.
func publicDefender(host string) bool {
	return strings.HasSuffix(host, ".api.security.microsoft.com") || strings.HasSuffix(host, ".securitycenter.microsoft.com") ||
		strings.HasSuffix(host, ".securitycenter.windows.com")
}

// strays finds base URLs that belong to another cloud than the connection's: its
// tokens would be sent there, and refused.
func (c *Connection) strays(add func(path, msg, help string)) {
	name := c.Cloud
	if name == "" {
		name = "public"
	}
	for _, a := range c.addresses() {
		u, err := url.Parse(a.given)
		if a.given == "" || err != nil {
			continue
		}
		known := homes(strings.ToLower(u.Hostname()))
		if len(known) > 0 && !slices.Contains(known, name) {
			add(a.path, fmt.Sprintf("%s belongs to cloud: %s, but the connection is of cloud: %s", u.Hostname(), strings.Join(known, " or "), name),
				"set cloud: "+known[0]+" and leave the URL out, or remove the URL")
		}
	}
}
