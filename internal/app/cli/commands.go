package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/remeld/remeld/internal/app"
	"github.com/remeld/remeld/internal/app/control"
	"github.com/remeld/remeld/internal/store"
)

// commands are all verbs by group.
func (c *cli) commands() map[string][]*cobra.Command {
	return map[string][]*cobra.Command{
		groupWork: {c.runCommand(), c.validateCommand(), c.planCommand(), c.applyCommand(), c.commitCommand(),
			c.approveCommand(), c.acceptCommand(), c.rollbackCommand(), c.adoptCommand(), c.markCommand(), c.blockCommand(), c.reportCommand(), c.pollCommand(), c.jobCommand()},
		groupLook: {c.statusCommand(), c.nodesCommand(), c.conditionsCommand(), c.heldCommand(), c.driftCommand(),
			c.whyCommand(), c.queryCommand(), c.doctorCommand()},
		groupTools: {c.demoCommand(), c.sandboxCommand(), c.explainCommand(), c.extractCommand(), c.ipCommand(), c.stixCommand(), c.versionCommand()},
	}
}

// caller runs a method in the running process, or in this one where none runs.
type caller interface {
	Call(ctx context.Context, name string, args, out any) error
}

// call runs one method and shows its progress: on a terminal in one line that changes,
// elsewhere as a line now and then.
func (c *cli) call(ctx context.Context, name string, args, out any) error {
	to, done, err := c.connect(ctx)
	if err != nil {
		return err
	}
	defer done()
	tell := c.sparse(nowAndThen)
	if interactive(c.err) {
		tell = func(text string) { fmt.Fprintf(c.err, "\r\x1b[K%s", text) }
		defer fmt.Fprint(c.err, "\r\x1b[K")
	}
	return to.Call(control.WithProgress(ctx, tell), name, args, out)
}

// connect finds the running process, or opens the store for this command.
func (c *cli) connect(ctx context.Context) (caller, func(), error) {
	client, err := control.Dial(ctx, c.state)
	if err == nil {
		return client, client.Close, nil
	}
	if !errors.Is(err, control.ErrNoProcess) {
		return nil, nil, err
	}
	a, client, err := c.openApp(ctx, true)
	if client != nil {
		return client, client.Close, nil
	}
	if err != nil {
		return nil, nil, err
	}
	return local{a.Methods()}, func() { _ = a.Close() }, nil // the command's own answer counts
}

// A store that is open elsewhere while no process answers belongs to another
// command, or to a process that starts or ends: both are over soon.
const (
	lockedFor   = 10 * time.Second
	lockedEvery = 50 * time.Millisecond
)

// openApp opens the store, waiting for a moment where another command has it, so
// that looking at a store never keeps run from starting (SEMANTICS E15). Where a
// process answers it returns a client of that, with the error of the store.
func (c *cli) openApp(ctx context.Context, offline bool) (*app.App, *control.Client, error) {
	var locked *store.LockedError
	for end := time.Now().Add(lockedFor); ; {
		a, err := app.Open(ctx, c.options(offline))
		if !errors.As(err, &locked) {
			return a, nil, err
		}
		if client, dialErr := control.Dial(ctx, c.state); dialErr == nil {
			return nil, client, err
		}
		if time.Now().After(end) {
			return nil, nil, err
		}
		if err := (app.SystemClock{}).Sleep(ctx, lockedEvery); err != nil {
			return nil, nil, err
		}
	}
}

// local calls methods in this process.
type local struct{ methods control.Methods }

// Call implements caller.
func (l local) Call(ctx context.Context, name string, args, out any) error {
	return l.methods.Call(ctx, name, args, out)
}

func (c *cli) options(offline bool) app.Options {
	return app.Options{Config: c.config, State: c.state, Clock: app.SystemClock{}, Log: c.logger(), NoWeb: offline, Offline: offline, Replaces: c.replaces}
}

func (c *cli) versionCommand() *cobra.Command {
	return &cobra.Command{
		Use: "version", Short: "Print the version", Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			return c.show(map[string]string{"version": app.Version}, func(w io.Writer) { fmt.Fprintln(w, "remeld", app.Version) })
		},
	}
}

func (c *cli) runCommand() *cobra.Command {
	return &cobra.Command{
		Use: "run", Short: "Run the graph: poll, meld, deliver, serve feeds",
		Long: `Runs until Ctrl-C or SIGTERM: polls sources, melds, keeps destinations in step and
serves feeds. Edited configuration files are committed as they change; one that is
wrong changes nothing, and one that would take live rows away waits for a person
(remeld commit --preview). Other commands talk to it over a socket in the state
directory.`,
		Example: "  remeld run -c remeld.yaml --state ./state",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			a, other, err := c.openApp(cmd.Context(), false)
			if other != nil {
				other.Close()
			}
			if err != nil {
				return app.Ended(cmd.Context(), err) // it was stopped before it ran
			}
			return errors.Join(a.Run(cmd.Context()), a.Close())
		},
	}
}

func (c *cli) validateCommand() *cobra.Command {
	return &cobra.Command{
		Use: "validate", Short: "Check the configuration without running anything",
		Long: `Reads the configuration and prints everything that is wrong with it at once, each
with file:line:col and what to do. Opens no store and makes no call.`,
		Example: "  remeld validate -c remeld.yaml",
		Args:    cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			found, nodes, err := app.Validate(c.options(true))
			if err != nil {
				return err
			}
			if c.json {
				err = found.JSON(c.out)
			} else {
				err = found.Print(c.err, interactive(c.err))
			}
			if err != nil {
				return err
			}
			if found.HasErrors() {
				return &exitError{code: exitFailed}
			}
			if !c.json {
				fmt.Fprintf(c.out, "the configuration is good: %d nodes\n", nodes)
			}
			return nil
		},
	}
}

// until reads --until: a duration from now or a time.
func until(text string, now time.Time) (time.Time, error) {
	if at, err := time.Parse(time.RFC3339, text); err == nil {
		return at, nil
	}
	d, err := app.ParseDuration(text)
	if err != nil {
		return time.Time{}, fmt.Errorf("--until %s: write a time such as 2026-12-24T18:00:00Z or a duration such as 24h", text)
	}
	return now.Add(d), nil
}
