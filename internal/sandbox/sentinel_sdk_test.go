package sandbox

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestAzureSDK drives the management plane with Microsoft's client for
// JavaScript. It needs node, and REMELD_NODE_MODULES naming the node_modules
// folder of: npm install @azure/arm-securityinsight@1.0.0-beta.6 @azure/identity.
func TestAzureSDK(t *testing.T) {
	node, err := exec.LookPath("node")
	if err != nil {
		t.Skip("node is absent: Microsoft's client not run")
	}
	modules := os.Getenv("REMELD_NODE_MODULES")
	for _, name := range []string{"arm-securityinsight", "identity"} {
		if _, err := os.Stat(filepath.Join(modules, "@azure", name)); err != nil || modules == "" {
			t.Skipf("REMELD_NODE_MODULES has no @azure/%s: Microsoft's client not run", name)
		}
	}
	w := newSentinel(t, func(o *Options) {
		o.Dir = t.TempDir()
		o.Start, o.Frozen = start, false // the client's token cache follows the wall
		o.Workspaces = append(o.Workspaces, Workspace{Tenant: testTenant, ID: otherTenant, Subscription: "sub", Group: "rg", Name: "soc-closed"})
	})
	cmd := exec.CommandContext(t.Context(), node, filepath.Join("testdata", "sentinel-sdk.cjs"), w.URL(), testTenant, "a", "s", "sub", "rg", "soc")
	cmd.Env = append(os.Environ(), "NODE_PATH="+modules, "NODE_EXTRA_CA_CERTS="+w.CAFile())
	out, err := cmd.CombinedOutput()
	want := `create indicator made by the SDK 78 https://a.example/
get true true one
put changed true
appendTags one,two
replaceTags three
list 5
queryIndicators 5
metrics 5
delete 404 NotFound
role 403 AuthorizationFailed
`
	if diff := cmp.Diff(want, string(out)); err != nil || diff != "" {
		t.Errorf("%v\n%s", err, diff)
	}
}
