package sentinel

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// Clouds a workspace can be in.
const (
	Public = "public"
	USGov  = "usgov"
	China  = "china"
)

// Azure roles that open a workspace's threat intelligence.
const (
	// RoleContributor reads and writes, by upload and by the management plane.
	RoleContributor = "Microsoft Sentinel Contributor"
	// RoleReader reads the management plane.
	RoleReader = "Microsoft Sentinel Reader"
)

// UploadHosts are the hosts of the upload API, LegacyHosts those of its two
// predecessors. Both exist in the public cloud only.
var (
	UploadHosts = []string{"api.ti.sentinel.azure.com"}
	LegacyHosts = []string{"sentinelus.azure-api.net"}
)

// cloud is where the management plane of a cloud is and the audiences it takes.
type cloud struct {
	host      string
	audiences []string
}

var clouds = map[string]cloud{
	Public: {"management.azure.com", []string{"https://management.azure.com", "https://management.core.windows.net"}},
	USGov:  {"management.usgovcloudapi.net", []string{"https://management.usgovcloudapi.net", "https://management.core.usgovcloudapi.net"}},
	China:  {"management.chinacloudapi.cn", []string{"https://management.chinacloudapi.cn", "https://management.core.chinacloudapi.cn"}},
}

// ManagementHosts are the hosts of the management plane of every cloud.
func ManagementHosts() []string {
	return []string{clouds[Public].host, clouds[USGov].host, clouds[China].host}
}

// Audiences are the resources a token may be asked for, of every cloud. The
// service takes them with and without a slash at the end.
func Audiences() []string {
	return slices.Concat(clouds[Public].audiences, clouds[USGov].audiences, clouds[China].audiences)
}

// Workspace is a Log Analytics workspace with Sentinel.
type Workspace struct {
	// Tenant is the id of the tenant it belongs to.
	Tenant string `json:"tenant"`
	// ID is the workspace id, a GUID: what the upload API has in its path.
	ID string `json:"id"`
	// Subscription, Group and Name are its place in the management plane.
	Subscription string `json:"subscription"`
	Group        string `json:"resource_group"`
	Name         string `json:"name"`
	// Cloud is "public" (default), "usgov" or "china"; the latter two have no
	// upload API.
	Cloud string `json:"cloud,omitempty"`
}

// Path is the workspace's resource id in the management plane.
func (w *Workspace) Path() string {
	return "/subscriptions/" + w.Subscription + "/resourceGroups/" + w.Group + "/providers/Microsoft.OperationalInsights/workspaces/" + w.Name
}

var guid = regexp.MustCompile(`^[{]?[0-9a-fA-F]{8}-([0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}[}]?$`)

func (w *Workspace) check() error {
	if w.Cloud == "" {
		w.Cloud = Public
	}
	switch {
	case !guid.MatchString(w.ID) || strings.ContainsAny(w.ID, "{}"):
		return fmt.Errorf("workspace %q: the id is not a GUID", w.ID)
	case w.Tenant == "" || w.Subscription == "" || w.Group == "" || w.Name == "":
		return fmt.Errorf("workspace %s: give tenant, subscription, resource_group and name", w.ID)
	case strings.Contains(w.Subscription+w.Group+w.Name, "/"):
		return fmt.Errorf("workspace %s: subscription, resource_group and name cannot have a slash", w.ID)
	case clouds[w.Cloud].host == "":
		return fmt.Errorf("workspace %s: cloud %q is none of public, usgov, china", w.ID, w.Cloud)
	}
	return nil
}

// covers reports whether an assignment at the scope reaches the workspace: the
// workspace's id, its path, or the path of its group or subscription.
func (w *Workspace) covers(scope string) bool {
	scope = strings.TrimSuffix(scope, "/")
	group := "/subscriptions/" + w.Subscription + "/resourceGroups/" + w.Group
	return slices.ContainsFunc([]string{w.ID, w.Path(), group, "/subscriptions/" + w.Subscription}, func(s string) bool { return strings.EqualFold(s, scope) })
}
