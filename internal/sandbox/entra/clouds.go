package entra

import (
	"net"
	"slices"
	"strings"
)

// national is one of Microsoft's clouds as its token service shows it: the names of
// the service, preferred one first, and what its discovery documents say.
type national struct {
	aliases                        []string
	cache, instance, region, graph string
	own                            []string // ends of the hosts whose tokens it issues
}

var nationalClouds = []national{
	{
		aliases: []string{"login.microsoftonline.com", "login.windows.net", "login.microsoft.com", "sts.windows.net"},
		cache:   "login.windows.net", instance: "microsoftonline.com", region: "NA", graph: "graph.microsoft.com",
		// GCC is the public cloud with a Defender API of its own.
		own: []string{".microsoft.com", ".windows.com", ".azure.com", "api-gcc.securitycenter.microsoft.us"},
	},
	{
		aliases: []string{"login.microsoftonline.us", "login.usgovcloudapi.net"},
		cache:   "login.microsoftonline.us", instance: "microsoftonline.us", region: "USGov", graph: "graph.microsoft.us",
		own: []string{"graph.microsoft.us", "api-gov.securitycenter.microsoft.us", ".usgovcloudapi.net"},
	},
	{
		aliases: []string{"login.partner.microsoftonline.cn", "login.chinacloudapi.cn"},
		cache:   "login.partner.microsoftonline.cn", instance: "partner.microsoftonline.cn", region: "AS", graph: "microsoftgraph.chinacloudapi.cn",
		own: []string{".chinacloudapi.cn"},
	},
}

// cloudOf is the cloud whose token service the host is; the public one for the
// sandbox's own address.
func cloudOf(host string) national {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	for _, c := range nationalClouds {
		if slices.Contains(c.aliases, strings.ToLower(host)) {
			return c
		}
	}
	return nationalClouds[0]
}

// inCloud tells whether a resource belongs to the cloud of a token service. The
// sandbox's own address is the token service of every cloud, and names that are no
// host of Microsoft's belong everywhere.
func inCloud(host, resource string) bool {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	asked := cloudOf(host)
	if !slices.Contains(asked.aliases, strings.ToLower(host)) {
		return true
	}
	for _, c := range nationalClouds {
		if slices.ContainsFunc(c.own, func(end string) bool {
			return strings.HasSuffix(strings.ToLower(strings.TrimSuffix(resource, "/")), end)
		}) {
			return c.instance == asked.instance
		}
	}
	return true
}
