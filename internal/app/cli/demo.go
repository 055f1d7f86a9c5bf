package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"github.com/remeld/remeld/internal/app"
	"github.com/remeld/remeld/internal/app/demo"
	"github.com/remeld/remeld/internal/deliver"
	"github.com/remeld/remeld/internal/sandbox"
	"github.com/remeld/remeld/sdk"
)

func (c *cli) demoCommand() *cobra.Command {
	var once bool
	var listen, dir string
	cmd := &cobra.Command{
		Use: "demo", Short: "Run the whole thing against a sandbox tenant, on this machine alone",
		Long: `Starts a sandbox tenant and a feed server in this process, runs a graph of four feeds,
an aggregate with an allow-list, a Defender destination and a block list, and shows it
working. The feeds change: after 20 s new indicators come, after 60 s one feed loses a
third of its rows and a guard stops the withdrawals, after 90 s another loses most and
freezes. Ctrl-C ends it; nothing is left behind.`,
		Example: "  remeld demo\n  remeld demo --once   # ends after the first full pass",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if dir == "" {
				tmp, err := os.MkdirTemp("", "remeld-demo-")
				if err != nil {
					return err
				}
				defer os.RemoveAll(tmp)
				dir = tmp
			}
			return c.runDemo(cmd.Context(), dir, listen, once)
		},
	}
	cmd.Flags().BoolVar(&once, "once", false, "end after the first full pass")
	cmd.Flags().StringVar(&listen, "listen", "127.0.0.1:8088", "address of the block list")
	cmd.Flags().StringVar(&dir, "dir", "", "folder for configuration and state, kept; a temporary one if not given")
	return cmd
}

// demoInterval is the time between the demo's polls.
const demoInterval = "5s"

func (c *cli) runDemo(ctx context.Context, dir, listen string, once bool) error {
	sb, err := sandbox.Start(ctx, sandbox.Options{Dir: dir, PlainAddr: "127.0.0.1:0"})
	if err != nil {
		return err
	}
	defer sb.Close()
	for _, f := range demo.Feeds() {
		if err := sb.SetFeed(f); err != nil {
			return err
		}
	}
	if err := writeDemo(dir, sb, listen); err != nil {
		return err
	}
	if err := os.Setenv(demo.SecretVar, sandbox.DemoSecret); err != nil {
		return err
	}
	c.config, c.state = []string{filepath.Join(dir, "remeld.yaml")}, filepath.Join(dir, "state")
	opts := c.options(false)
	if interactive(c.out) {
		opts.Log = discard()
	}
	a, err := app.Open(ctx, opts)
	if err != nil {
		return err
	}
	err = c.showDemo(ctx, a, sb, once)
	return errors.Join(err, a.Close())
}

func writeDemo(dir string, sb *sandbox.Sandbox, listen string) error {
	text, err := demo.Config(demo.Params{
		Tenant: sandbox.DemoTenant, App: sandbox.DemoApp,
		URL: sb.URL(), CA: sb.CAFile(), Feeds: sb.PlainURL() + "/feeds-src/", Listen: listen, Interval: demoInterval,
	})
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, "remeld.yaml"), text, 0o600); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, "own-assets.yaml"), demo.OwnAssets(), 0o600)
}

// showDemo runs the app and shows it until ctx ends, or with once until the first
// full pass is through.
func (c *cli) showDemo(ctx context.Context, a *app.App, sb *sandbox.Sandbox, once bool) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return a.Run(ctx) })
	g.Go(func() error {
		defer cancel()
		return c.followDemo(ctx, a, sb, once)
	})
	return g.Wait()
}

// demoPass is how long the first full pass may take.
const demoPass = 2 * time.Minute

func (c *cli) followDemo(ctx context.Context, a *app.App, sb *sandbox.Sandbox, once bool) error {
	screen := newScreen(c.out, interactive(c.out))
	deadline := time.Now().Add(demoPass)
	summed := false
	for ctx.Err() == nil {
		v, err := a.Status(ctx, app.None{})
		if err != nil {
			return err
		}
		if err := c.approveDemo(ctx, a, v, screen); err != nil {
			return err
		}
		through := firstPass(v)
		screen.draw(func(w io.Writer) { printStatus(w, v); printDemoConditions(ctx, w, a) })
		if through && !summed {
			summed = true
			screen.keep()
			if err := c.demoSummary(ctx, a, sb, v); err != nil || once {
				return err
			}
		}
		if once && time.Now().After(deadline) {
			return fmt.Errorf("the first pass was not through after %s: %s", demoPass, waiting(v))
		}
		if err := (app.SystemClock{}).Sleep(ctx, time.Second); err != nil {
			return nil //nolint:nilerr // Ctrl-C is how a demo ends
		}
	}
	return nil
}

// approveDemo is the person at the demo: it looks at the first plan and applies it.
func (c *cli) approveDemo(ctx context.Context, a *app.App, v app.StatusView, on *screen) error {
	if !settled(v) || len(v.Destinations) == 0 || v.Destinations[0].Approved {
		return nil
	}
	p, err := a.Plan(ctx, app.PlanArgs{Items: 5})
	if err != nil {
		return err
	}
	on.keep()
	fmt.Fprintln(c.out, "The first plan of a destination waits for a person. This is it; the demo applies it for you.")
	printPlan(c.out, p)
	r, err := a.Apply(ctx, app.ApplyArgs{Plan: p.ID, By: "demo"})
	if err != nil {
		return err
	}
	fmt.Fprintf(c.out, "\napplied: %s objects in %s calls\n\n", count(r.Counts[deliver.Create]), count(r.Calls))
	return nil
}

// settled: every source was read and every reader has caught up.
func settled(v app.StatusView) bool {
	for _, n := range v.Nodes {
		if n.Role == sdk.RoleSource && n.Seen.IsZero() || n.Lag != 0 {
			return false
		}
	}
	return true
}

// firstPass: every source was read, and what is wanted is at the tenant.
func firstPass(v app.StatusView) bool {
	for _, d := range v.Destinations {
		if d.Live == 0 || d.Applying || d.InDoubt > 0 {
			return false
		}
	}
	return settled(v)
}

func waiting(v app.StatusView) string {
	for _, n := range v.Nodes {
		if n.State != "ok" {
			return n.Name + " is " + n.State + " " + n.Detail
		}
	}
	return "the destination has no live rows"
}

func (c *cli) demoSummary(ctx context.Context, a *app.App, sb *sandbox.Sandbox, v app.StatusView) error {
	rows, err := sb.Rows(sandbox.DemoTenant)
	if err != nil {
		return err
	}
	held, err := a.Held(ctx, app.HeldArgs{})
	if err != nil {
		return err
	}
	fmt.Fprintf(c.out, "\nThe first pass is through: %s indicators are at the sandbox tenant.\n", count(len(rows)))
	printCounts(c.out, "NOT SENT BECAUSE,RECORDS", held.Counts)
	fmt.Fprintf(c.out, "\nblock list:     http://%s/feeds/edl\nsandbox tenant: %s/_sandbox/\ntry:            remeld why login-0001.phish-01.example -c %s --state %s\n",
		v.Feeds, sb.URL(), c.config[0], c.state)
	return nil
}

func printDemoConditions(ctx context.Context, w io.Writer, a *app.App) {
	all, err := a.Conditions(ctx, app.None{})
	if err != nil {
		return
	}
	for _, x := range all {
		fmt.Fprintf(w, "\n! %s %s: %s\n  %s\n", x.Node, x.Kind, x.Message, x.Help)
	}
}
