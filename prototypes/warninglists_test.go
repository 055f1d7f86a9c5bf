package prototypes_test

import (
	"bytes"
	"testing"

	"github.com/remeld/remeld/indicator"
	"github.com/remeld/remeld/indicator/warninglist"
	"github.com/remeld/remeld/prototypes"
)

func load(t *testing.T, name string) *warninglist.List {
	t.Helper()
	raw, ok := prototypes.Warninglist(name)
	if !ok {
		t.Fatalf("no list %q", name)
	}
	l, err := warninglist.Parse(bytes.NewReader(raw))
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func TestEveryListParses(t *testing.T) {
	for _, name := range prototypes.Names() {
		if l := load(t, name); l.Len() == 0 || l.Description == "" {
			t.Errorf("%s: %d entries, description %q", name, l.Len(), l.Description)
		}
	}
	if _, ok := prototypes.Warninglist("../warninglists/microsoft"); ok {
		t.Error("a path passed for a name")
	}
	if got := prototypes.Expand("public-dns"); len(got) != 2 || prototypes.Expand("nope") != nil {
		t.Errorf("expand: %v", got)
	}
}

func TestWhatTheListsName(t *testing.T) {
	for _, tc := range []struct {
		list, value string
		want        bool
	}{
		{"microsoft", "login.microsoftonline.com", true}, {"microsoft", "https://graph.microsoft.com/v1.0", true},
		{"microsoft", "evil.blob.core.windows.net", false}, {"microsoft", "microsoft.com.evil.example", false},
		{"microsoft", "evil.azurewebsites.net", false}, {"microsoft", "evil.trafficmanager.net", false},
		{"microsoft", "evil.eastus.cloudapp.azure.com", false}, {"microsoft", "portal.azure.com", true}, {"microsoft", "evil.sharepoint.com", false},
		{"microsoft-platforms", "blob.core.windows.net", true}, {"microsoft-platforms", "evil.blob.core.windows.net", false},
		{"special-purpose", "10.1.2.3", true}, {"special-purpose", "169.254.169.254", true}, {"special-purpose", "fe80::1", true},
		{"special-purpose", "8.8.8.8", false}, {"special-purpose", "2606:4700::1", false}, {"special-purpose", "http://192.168.1.1/x", true},
		{"public-dns", "8.8.8.8", true}, {"public-dns", "2620:fe::fe", true}, {"public-dns", "8.8.8.9", false},
		{"public-dns-names", "dns.google", true}, {"public-dns-names", "google", false}, {"public-dns-names", "https://cloudflare-dns.com/dns-query", true},
	} {
		i, err := indicator.Parse(indicator.Unknown, tc.value)
		if err != nil {
			if tc.want {
				t.Errorf("%s: %v", tc.value, err)
			}
			continue
		}
		if entry, ok := load(t, tc.list).Match(i); ok != tc.want {
			t.Errorf("%s names %s: %v (%s), want %v", tc.list, tc.value, ok, entry, tc.want)
		}
	}
}
