// Package cli is the command line of Remeld: it parses flags, calls the running
// process (or opens the store itself when none runs) and prints what comes back
// for people, or as JSON with --json. It decides nothing.
package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/remeld/remeld/internal/app"
)

// The exit codes, as documented in docs/cli.md.
const (
	exitOK      = 0
	exitFailed  = 1
	exitChanges = 2 // plan: changes are pending
	exitPartial = 3 // something could not be finished and goes on later
)

// exitError ends a command with a code other than 1. text may be empty when the
// command has printed what there is to say.
type exitError struct {
	code int
	text string
}

func (e *exitError) Error() string { return e.text }

// cli is what every command shares.
type cli struct {
	in       io.Reader
	out, err io.Writer

	config []string // files or folders
	state  string
	json   bool
	debug  bool
	// replaces: this command puts what is on disk in force also where it cannot say what
	// that changes.
	replaces bool
}

// Main runs the command line args (without the program's name) and returns the
// exit code. Ctrl-C cancels the command's context once; a second one kills.
func Main(args []string, in io.Reader, out, errOut io.Writer) int {
	app.SaveMemory()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop)
	c := &cli{in: in, out: out, err: errOut}
	root := c.root()
	root.SetArgs(args)
	root.SetIn(in)
	root.SetOut(out)
	root.SetErr(errOut)
	return c.exit(root.ExecuteContext(ctx))
}

func (c *cli) exit(err error) int {
	if err == nil {
		return exitOK
	}
	code := exitFailed
	var e *exitError
	if errors.As(err, &e) {
		code = e.code
	}
	if text := err.Error(); text != "" {
		fmt.Fprintln(c.err, "remeld: "+text)
	}
	return code
}

const (
	groupWork  = "work"
	groupLook  = "look"
	groupTools = "tools"
)

func (c *cli) root() *cobra.Command {
	root := &cobra.Command{
		Use:   "remeld",
		Short: "Meld threat indicators from anywhere and keep tenants in exact step with them",
		Long: `Remeld pulls threat indicators (addresses, domains, URLs, hashes…) from feeds, melds
them into one trusted set and keeps Microsoft Defender, Sentinel, Graph and firewalls
in exact step with it: it plans, guards, applies, keeps a ledger, and can say why.

Begin with "remeld demo" (no tenant needed), then write a configuration, check it
with "remeld validate", start "remeld run", look at "remeld plan" and approve it
with "remeld apply".

Exit codes: 0 done, 1 failed, 2 changes are pending (plan), 3 partly done, the
rest goes on later.`,
		SilenceUsage: true, SilenceErrors: true,
		CompletionOptions: cobra.CompletionOptions{HiddenDefaultCmd: false},
	}
	flags := root.PersistentFlags()
	flags.StringArrayVarP(&c.config, "config", "c", []string{envOr("REMELD_CONFIG", "/etc/remeld")}, "configuration file or folder (repeatable; $REMELD_CONFIG)")
	flags.StringVar(&c.state, "state", envOr("REMELD_STATE", "/var/lib/remeld"), "state directory ($REMELD_STATE)")
	flags.BoolVar(&c.json, "json", false, "print data as JSON")
	flags.BoolVar(&c.debug, "debug", false, "log more")
	root.AddGroup(
		&cobra.Group{ID: groupWork, Title: "Work:"},
		&cobra.Group{ID: groupLook, Title: "Look:"},
		&cobra.Group{ID: groupTools, Title: "Tools:"},
	)
	for id, commands := range c.commands() {
		for _, cmd := range commands {
			cmd.GroupID = id
			root.AddCommand(cmd)
		}
	}
	c.teach(root)
	root.SetHelpCommandGroupID(groupTools)
	root.SetCompletionCommandGroupID(groupTools)
	return root
}

func envOr(name, otherwise string) string {
	if v := os.Getenv(name); v != "" {
		return v
	}
	return otherwise
}

// logger writes to stderr: text for a person, JSON when --json.
func (c *cli) logger() *slog.Logger {
	opts := &slog.HandlerOptions{Level: slog.LevelInfo}
	if c.debug {
		opts.Level = slog.LevelDebug
	}
	if c.json {
		return slog.New(slog.NewJSONHandler(c.err, opts))
	}
	return slog.New(slog.NewTextHandler(c.err, opts))
}

// Root returns the command tree, for the generator of the reference.
func Root() *cobra.Command { return (&cli{in: os.Stdin, out: io.Discard, err: io.Discard}).root() }
