package sandbox

import (
	"slices"

	"github.com/remeld/remeld/internal/sandbox/sentinel"
)

// loginHosts are the hosts of the token service in every cloud.
var loginHosts = []string{
	"login.microsoftonline.com", "login.windows.net", "login.microsoft.com", "sts.windows.net",
	"login.microsoftonline.us", "login.usgovcloudapi.net", "login.partner.microsoftonline.cn", "login.chinacloudapi.cn",
}

// defenderHosts are the hosts of the indicator API: current, previous,
// regional, and those of the government clouds.
var defenderHosts = []string{
	"api.security.microsoft.com",
	"api.securitycenter.microsoft.com",
	"api.securitycenter.windows.com",
	"us.api.security.microsoft.com", "eu.api.security.microsoft.com", "uk.api.security.microsoft.com",
	"au.api.security.microsoft.com", "swa.api.security.microsoft.com", "ina.api.security.microsoft.com",
	"us3.api.security.microsoft.com", "eu3.api.security.microsoft.com", "aea.api.security.microsoft.com",
	"api-us.securitycenter.microsoft.com", "api-eu.securitycenter.microsoft.com",
	"api-uk.securitycenter.microsoft.com", "api-au.securitycenter.microsoft.com",
	"api-gcc.securitycenter.microsoft.us", "api-gov.securitycenter.microsoft.us",
}

// graphHosts are the hosts of Microsoft Graph in its clouds; the first one alone
// has tiIndicators.
var graphHosts = []string{
	"graph.microsoft.com", "graph.microsoft.us", "dod-graph.microsoft.us", "microsoftgraph.chinacloudapi.cn",
}

// nationalHosts are Graph and the management plane in every cloud; tokens for them are
// issued (nationalResources), whoever serves them.
var nationalHosts = slices.Concat(graphHosts, sentinel.ManagementHosts())

// resources are the audiences that a token for the indicator API may have.
var resources = func() []string {
	out := []string{"https://securitycenter.onmicrosoft.com/windowsatpservice", "fc780465-2017-40d4-a0c5-307022471b92"}
	for _, h := range defenderHosts {
		out = append(out, "https://"+h)
	}
	return out
}()

// sentinelHosts are the hosts of the upload APIs and of the management planes.
var sentinelHosts = slices.Concat(sentinel.UploadHosts, sentinel.LegacyHosts, sentinel.ManagementHosts())

// nationalResources are audiences of tokens for the hosts beyond the indicator API.
var nationalResources = func() []string {
	var out []string
	for _, h := range nationalHosts {
		out = append(out, "https://"+h)
	}
	return out
}()
