package cli

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/remeld/remeld/internal/app"
)

// teach makes a command and those under it say how they are written where the number of
// arguments is wrong, and offer names of the configuration where the shell completes.
func (c *cli) teach(cmd *cobra.Command) {
	if args := cmd.Args; args != nil {
		cmd.Args = func(cmd *cobra.Command, given []string) error {
			err := args(cmd, given)
			if err == nil || !strings.Contains(err.Error(), "arg(s)") {
				return err
			}
			return fmt.Errorf("this command is written: %s; %s --help tells more", cmd.UseLine(), cmd.CommandPath())
		}
	}
	if len(cmd.ValidArgs) == 0 && cmd.ValidArgsFunction == nil {
		cmd.ValidArgsFunction = c.completions(cmd)
	}
	for _, sub := range cmd.Commands() {
		c.teach(sub)
	}
}

// completions are what a command's first argument may be, by its usage; nil leaves it to
// the shell, which offers files.
func (c *cli) completions(cmd *cobra.Command) cobra.CompletionFunc {
	use := strings.Fields(cmd.Use)
	if len(use) < 2 {
		return nil
	}
	var names func(*app.Names) []string
	switch words := strings.Split(strings.Trim(use[1], "[]."), "|"); {
	case slices.Contains(words, "CONNECTION"):
		names = func(n *app.Names) []string { return slices.Concat(n.Connections, n.Nodes, n.Routes) }
	case slices.Contains(words, "DESTINATION"):
		names = func(n *app.Names) []string { return n.Destinations }
	case slices.Contains(words, "NODE"):
		names = func(n *app.Names) []string { return n.Sources }
	case slices.Contains(words, "NAME"):
		names = func(n *app.Names) []string { return n.Jobs }
	case slices.ContainsFunc(words, func(w string) bool { return slices.Contains([]string{"FILE", "PATTERN"}, w) }):
		return nil
	default:
		return cobra.NoFileCompletions
	}
	return func(_ *cobra.Command, given []string, _ string) ([]string, cobra.ShellCompDirective) {
		if len(given) > 0 {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		return names(app.NamesOf(c.config, c.state)), cobra.ShellCompDirectiveNoFileComp
	}
}
