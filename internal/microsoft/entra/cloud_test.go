package entra

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/remeld/remeld/sdk"
)

func TestCloudSetsHostsAndAudiences(t *testing.T) {
	got := map[string][]string{}
	for _, name := range append([]string{""}, cloudNames...) {
		c := &Connection{Cloud: name}
		got[name] = []string{c.AuthorityURL(), c.DefenderURL(), c.DefenderScope(), c.GraphURL(), c.GraphScope(), c.ManagementURL(), c.ManagementScope(), c.SentinelURL()}
	}
	public := []string{
		"https://login.microsoftonline.com", "https://api.security.microsoft.com", "https://api.securitycenter.microsoft.com/.default",
		"https://graph.microsoft.com", "https://graph.microsoft.com/.default", "https://management.azure.com", "https://management.azure.com/.default",
		"https://api.ti.sentinel.azure.com",
	}
	gcc := slices.Clone(public)
	gcc[1], gcc[2] = "https://api-gcc.securitycenter.microsoft.us", "https://api-gcc.securitycenter.microsoft.us/.default"
	gov := []string{
		"https://login.microsoftonline.us", "https://api-gov.securitycenter.microsoft.us", "https://api-gov.securitycenter.microsoft.us/.default",
		"https://graph.microsoft.us", "https://graph.microsoft.us/.default", "https://management.usgovcloudapi.net", "https://management.usgovcloudapi.net/.default", "",
	}
	dod := slices.Clone(gov)
	dod[3], dod[4] = "https://dod-graph.microsoft.us", "https://dod-graph.microsoft.us/.default"
	china := []string{
		"https://login.partner.microsoftonline.cn", "", "", "https://microsoftgraph.chinacloudapi.cn", "https://microsoftgraph.chinacloudapi.cn/.default",
		"https://management.chinacloudapi.cn", "https://management.chinacloudapi.cn/.default", "",
	}
	want := map[string][]string{"": public, "public": public, "gcc": gcc, "gcc_high": gov, "dod": dod, "china": china}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestRegionsAndGivenURLs(t *testing.T) {
	c := &Connection{Region: "eu3"}
	if c.DefenderURL() != "https://eu3.api.security.microsoft.com" || c.DefenderScope() != "https://api.securitycenter.microsoft.com/.default" {
		t.Error(c.DefenderURL(), c.DefenderScope())
	}
	c = &Connection{Cloud: "gcc_high", Defender: "https://gateway.example/", Graph: "https://g.example", DefenderAudience: "https://a.example/"}
	if c.DefenderURL() != "https://gateway.example" || c.DefenderScope() != "https://a.example/.default" || c.GraphScope() != "https://graph.microsoft.us/.default" {
		t.Error(c.DefenderURL(), c.DefenderScope(), c.GraphScope())
	}
}

func TestOffersKnowsWhatACloudLacks(t *testing.T) {
	lacks := map[string]string{}
	for _, name := range cloudNames {
		for _, service := range []string{Defender, Sentinel, Management, Graph, TIIndicators} {
			if (&Connection{Cloud: name}).Offers(service) != nil {
				lacks[name] += service + " "
			}
		}
	}
	want := map[string]string{
		"gcc_high": "sentinel-upload graph-tiindicators ", "dod": "sentinel-upload graph-tiindicators ", "china": "defender sentinel-upload graph-tiindicators ",
	}
	if diff := cmp.Diff(want, lacks); diff != "" {
		t.Error(diff)
	}
	if why := (&Connection{Cloud: "dod", Sentinel: "https://127.0.0.1:8443"}).Offers(Sentinel); why != nil {
		t.Errorf("a given URL is taken at its word: %v", why)
	}
}

func TestValidateConnection(t *testing.T) {
	const id = "5a4db0c5-0000-4000-8000-00000000d340"
	ok := Connection{TenantID: id, ClientID: id, Cloud: "public", ClientSecret: "fake"}
	tests := []struct {
		change func(*Connection)
		want   string // path: words; "" if all is well
	}{
		{func(*Connection) {}, ""},
		{func(c *Connection) { c.ClientSecret, c.Certificate, c.CertificatePassword = "", "app.pfx", "fake" }, ""},
		{func(c *Connection) { c.ClientSecret, c.FederatedTokenFile = "", "token" }, ""},
		{func(c *Connection) { c.ClientSecret, c.ManagedIdentity = "", "system" }, ""},
		{func(c *Connection) { c.ClientSecret, c.AzureCLI = "", true }, ""},
		{func(c *Connection) { c.Defender = "https://sandbox.example:8443" }, ""},
		{func(c *Connection) { c.ClientSecret = "" }, ": no credential is given"},
		{func(c *Connection) { c.AzureCLI = true }, "azure_cli: more than one credential: client_secret and azure_cli"},
		{func(c *Connection) { c.ManagedIdentity, c.Certificate = "user", "a" }, "certificate: more than one credential: client_secret and certificate and managed_identity"},
		{func(c *Connection) { c.CertificatePassword = "fake" }, "certificate_password: a password without"},
		{func(c *Connection) { c.TenantID = "contoso" }, "tenant_id: "},
		{func(c *Connection) { c.ClientID = "remeld" }, "client_id: "},
		{func(c *Connection) { c.Cloud, c.Region = "dod", "eu" }, "region: regional hosts"},
		{func(c *Connection) { c.Region, c.Defender = "eu", "https://us.api.security.microsoft.com" }, "region: both"},
		{func(c *Connection) { c.Graph = "http://graph.microsoft.com" }, "graph: \"http://graph.microsoft.com\" is not an https URL"},
		{func(c *Connection) { c.DefenderAudience = "audience" }, "defender_audience: "},
		{func(c *Connection) { c.Defender = "https://api-gov.securitycenter.microsoft.us" }, "defender: api-gov.securitycenter.microsoft.us belongs to cloud: gcc_high or dod"},
		{func(c *Connection) { c.Cloud, c.Authority = "gcc_high", "https://login.microsoftonline.com" }, "authority: login.microsoftonline.com belongs to cloud: public or gcc"},
		{func(c *Connection) { c.Cloud, c.Defender = "gcc", "https://eu.api.security.microsoft.com" }, "defender: eu.api.security.microsoft.com belongs to cloud: public"},
	}
	for _, test := range tests {
		c := ok
		test.change(&c)
		errs := c.Validate()
		if test.want == "" {
			if len(errs) > 0 {
				t.Errorf("%+v: %v", c, errs)
			}
			continue
		}
		var fe *sdk.FieldError
		if len(errs) != 1 || !strings.HasPrefix(errs[0].Error(), test.want) || !errors.As(errs[0], &fe) || fe.Help == "" {
			t.Errorf("got %v, want %s with help", errs, test.want)
		}
	}
}

// TestMisplacedTenant: the token service says in which cloud a tenant lives.
func TestMisplacedTenant(t *testing.T) {
	for _, test := range []struct{ cloud, instance, sub, want string }{
		{"public", "microsoftonline.com", "", ""},
		{"", "microsoftonline.com", "", ""},
		{"gcc", "microsoftonline.com", "", ""},
		{"public", "microsoftonline.com", "GCC", "gcc"},
		{"public", "microsoftonline.us", "DODCON", "gcc_high"},
		{"gcc_high", "microsoftonline.us", "DODCON", ""},
		{"gcc_high", "microsoftonline.us", "DOD", "dod"},
		{"dod", "microsoftonline.us", "", ""},
		{"gcc_high", "microsoftonline.com", "", "public"},
		{"public", "partner.microsoftonline.cn", "", "china"},
		{"public", "", "", ""},
	} {
		c := &Connection{Cloud: test.cloud}
		if got := c.misplaced(tenant{Instance: test.instance, SubScope: test.sub}); got != test.want {
			t.Errorf("%+v: %q", test, got)
		}
	}
	if got := (&Connection{Cloud: "dod", Authority: "https://sandbox.example"}).misplaced(tenant{Instance: "microsoftonline.com"}); got != "" {
		t.Errorf("a given token service is taken at its word: %q", got)
	}
}
