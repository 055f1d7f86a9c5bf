package docgen

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// CLI returns the generated part of docs/cli.md: the flags of every command, and
// one section a command in the groups of the program's own help.
func CLI(root *cobra.Command) map[string]string {
	root.InitDefaultHelpFlag()
	var b strings.Builder
	for _, g := range root.Groups() {
		fmt.Fprintf(&b, "## %s\n\n", strings.TrimSuffix(g.Title, ":"))
		for _, c := range root.Commands() {
			if c.GroupID == g.ID {
				command(&b, c, 3)
			}
		}
	}
	for _, c := range root.Commands() {
		if c.GroupID == "" {
			command(&b, c, 2)
		}
	}
	return map[string]string{"commands": b.String(), "global": flags(root.PersistentFlags())}
}

func command(b *strings.Builder, c *cobra.Command, level int) {
	if c.Hidden || c.Name() == "help" || c.Name() == "completion" {
		return
	}
	use := strings.TrimSuffix(c.UseLine(), " [flags]")
	fmt.Fprintf(b, "%s %s\n\n", strings.Repeat("#", level), strings.TrimPrefix(c.CommandPath(), c.Root().Name()+" "))
	text := c.Long
	if text == "" {
		text = capital(c.Short) + "."
	}
	fmt.Fprintf(b, "```\n%s\n```\n\n%s\n\n", use, paragraphs(text))
	if t := flags(c.LocalNonPersistentFlags()); t != "" {
		b.WriteString(t + "\n")
	}
	if c.HasPersistentFlags() {
		b.WriteString(flags(c.PersistentFlags()) + "\n")
	}
	if c.Example != "" {
		fmt.Fprintf(b, "```sh\n%s\n```\n\n", undent(c.Example))
	}
	for _, sub := range c.Commands() {
		command(b, sub, level+1)
	}
}

// paragraphs keeps help text from being read as HTML.
func paragraphs(text string) string {
	return strings.NewReplacer("<", "&lt;", "*", `\*`).Replace(strings.TrimSpace(text))
}

func undent(text string) string {
	lines := strings.Split(strings.Trim(text, "\n"), "\n")
	for i := range lines {
		lines[i] = strings.TrimPrefix(lines[i], "  ")
	}
	return strings.Join(lines, "\n")
}

func flags(set *pflag.FlagSet) string {
	var rows [][]string
	set.VisitAll(func(f *pflag.Flag) {
		if f.Hidden || f.Name == "help" {
			return
		}
		placeholder, usage := valueOf(f)
		name := "`--" + f.Name + placeholder + "`"
		if f.Shorthand != "" {
			name = "`-" + f.Shorthand + "`, " + name
		}
		rows = append(rows, []string{name, flagDefault(f), usage})
	})
	if len(rows) == 0 {
		return ""
	}
	return table([]string{"flag", "default", "meaning"}, rows)
}

// valueOf returns the word for a flag's value and its meaning; a word in back
// quotes in the meaning is the one.
func valueOf(f *pflag.Flag) (placeholder, usage string) {
	word, usage := pflag.UnquoteUsage(f)
	switch {
	case f.Value.Type() == "bool":
		return "", usage
	case usage == f.Usage && f.Value.Type() == "int":
		word = "N"
	case usage == f.Usage:
		word = "VALUE"
	}
	return " " + strings.ToUpper(word), usage
}

func flagDefault(f *pflag.Flag) string {
	switch f.DefValue {
	case "", "[]", "false", "0", "0s":
		return ""
	}
	return code(strings.TrimSuffix(strings.TrimPrefix(f.DefValue, "["), "]"))
}
