package cli

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/remeld/remeld/internal/sandbox"
)

func (c *cli) sandboxCommand() *cobra.Command {
	var opts sandbox.Options
	var switches []string
	var at string
	cmd := &cobra.Command{
		Use:   "sandbox",
		Short: "Run a local twin of Entra ID, Defender, Sentinel, Graph and ThreatConnect to rehearse against",
		Long: `Runs a strict local twin of Entra ID's token service, of Defender for Endpoint's
indicators API, of Sentinel's threat intelligence, of Graph's tiIndicators and of
ThreatConnect on the loopback interface, until Ctrl-C. It prints its addresses, the demo
app's credentials, the workspaces, its switches, and the connections to put into a
configuration.

Its clock can be moved, faults injected and every call read back under /_sandbox/
(see docs/sandbox.md).`,
		Example: `  remeld sandbox --dir ./sandbox
  remeld sandbox --switch capacity=500 --switch past_expiry=fail_item`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if at != "" {
				start, err := time.Parse(time.RFC3339, at)
				if err != nil {
					return fmt.Errorf("--at: %q is not a time such as 2026-12-24T18:00:00Z", at)
				}
				opts.Start = start
			}
			var err error
			if opts.Dir, err = madeFolder(opts.Dir); err != nil {
				return err
			}
			sb, err := sandbox.Start(cmd.Context(), opts)
			if err != nil {
				return err
			}
			defer sb.Close()
			if err := setSwitches(sb, switches); err != nil {
				return err
			}
			for _, l := range sb.Lines() {
				fmt.Fprintln(c.out, l)
			}
			fmt.Fprintf(c.out, "\nconnections:\n  sandbox: {type: entra, tenant_id: %s, client_id: %s, client_secret: %q, authority: %[4]q, defender: %[4]q, graph: %[4]q, sentinel: %[4]q, management: %[4]q, ca: %[5]q}\n",
				sandbox.DemoTenant, sandbox.DemoApp, sandbox.DemoSecret, sb.URL(), sb.CAFile())
			fmt.Fprintf(c.out, "  sandbox_tc: {type: threatconnect, url: %q, access_id: %q, secret_key: %q, ca: %q}\n",
				sb.ThreatConnectURL(), sandbox.DemoAccessID, sandbox.DemoSecretKey, sb.CAFile())
			<-cmd.Context().Done()
			return nil
		},
	}
	f := cmd.Flags()
	f.StringVar(&opts.Addr, "listen", "127.0.0.1:8443", "loopback address of the TLS listener")
	f.StringVar(&opts.PlainAddr, "plain", "", "loopback address of a plain HTTP listener as well")
	f.StringVar(&opts.Dir, "dir", ".", "folder that ca.pem is written to")
	f.StringVar(&at, "at", "", "what the clock shows at first (RFC 3339); now if not given")
	f.IntVar(&opts.ThreatConnect.Size, "threatconnect", sandbox.TCSize, "indicators that ThreatConnect starts with; -1 for none")
	f.BoolVar(&opts.Frozen, "frozen", false, "the clock stands still until it is moved")
	f.StringArrayVar(&switches, "switch", nil, "NAME=VALUE of a switch (repeatable)")
	return cmd
}

// madeFolder makes a folder, if one is named, and returns its whole path: what is printed
// can then be copied into a configuration that lies elsewhere.
func madeFolder(dir string) (string, error) {
	if dir == "" {
		return "", nil
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	return filepath.Abs(dir)
}

func setSwitches(sb *sandbox.Sandbox, pairs []string) error {
	for _, pair := range pairs {
		name, value, ok := strings.Cut(pair, "=")
		if !ok {
			return fmt.Errorf("--switch %s: write NAME=VALUE", pair)
		}
		if err := sb.SetSwitch(name, value); err != nil {
			return fmt.Errorf("--switch %s: %w", pair, err)
		}
	}
	return nil
}
