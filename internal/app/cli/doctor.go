package cli

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/remeld/remeld/internal/app"
	"github.com/remeld/remeld/sdk"
)

func (c *cli) doctorCommand() *cobra.Command {
	return &cobra.Command{
		Use: "doctor [CONNECTION|NODE|ROUTE]", Short: "Examine logins, sources, destinations and routes, and say what to do",
		Long: `Looks at each login, source, destination and route to people from here to the other
side, in the order of dependence: proxy, name, connection, certificate, clock, token or
login, permissions, reading, writing, free slots, when the credential ends. A line that
failed says what to do, in the portal's words. Nothing is changed anywhere: the probe of
writing sends an empty list, a mail server is spoken with up to the login and gets no
mail, a webhook gets no message. Works beside a running process and without one.

A connection's name examines it and the nodes that use it. Exit code 1 if
anything failed.`,
		Example: "  remeld doctor\n  remeld doctor contoso --json",
		Args:    cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, names []string) error {
			var v app.DoctorView
			if err := c.call(cmd.Context(), "doctor", app.DoctorArgs{Name: first(names)}, &v); err != nil {
				return err
			}
			if err := c.show(v, func(w io.Writer) { printDoctor(w, v, interactive(w)) }); err != nil {
				return err
			}
			if v.Failed() > 0 {
				return &exitError{code: exitFailed}
			}
			return nil
		},
	}
}

// signs are the verdicts on a terminal and elsewhere.
var signs = map[sdk.CheckState][2]string{
	sdk.CheckOK: {"✓", "ok"}, sdk.CheckWarning: {"!", "warning"}, sdk.CheckFailed: {"✗", "FAILED"}, sdk.CheckSkipped: {"-", "skipped"},
}

func printDoctor(w io.Writer, v app.DoctorView, terminal bool) {
	form, width := 1, len("skipped")
	if terminal {
		form, width = 0, 1
	}
	names := 0
	for _, p := range v.Patients {
		for _, c := range p.Checks {
			names = max(names, len(c.Name))
		}
	}
	for i, p := range v.Patients {
		if i > 0 {
			fmt.Fprintln(w)
		}
		fmt.Fprintln(w, patient(p))
		for _, c := range p.Checks {
			fmt.Fprintf(w, "  %-*s  %-*s  %s\n", width, signs[c.State][form], names, c.Name, c.Detail)
			if c.Fix != "" {
				fmt.Fprintf(w, "  %s  %s  to do: %s\n", strings.Repeat(" ", width), strings.Repeat(" ", names), c.Fix)
			}
		}
	}
	switch n := v.Failed(); {
	case len(v.Patients) == 0:
		fmt.Fprintln(w, "there is nothing to examine: no login, source, destination or route reaches outside")
	case n == 1:
		fmt.Fprintln(w, "\n1 check failed")
	case n > 0:
		fmt.Fprintf(w, "\n%d checks failed\n", n)
	default:
		fmt.Fprintln(w, "\nnothing failed")
	}
}

func patient(p app.Patient) string {
	word := map[string]string{string(sdk.RoleTarget): "destination"}[p.Kind]
	if word == "" {
		word = p.Kind
	}
	text := fmt.Sprintf("%s %s (%s)", word, p.Name, p.Class)
	if p.Connection != "" {
		text += " to " + p.Connection
	}
	return text
}
