package docgen_test

import (
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"github.com/remeld/remeld/internal/docgen"
)

func TestFill(t *testing.T) {
	page := "before\n<!-- generated: keys -->\nold\n<!-- end: keys -->\nafter\n"
	got, err := docgen.Fill(page, map[string]string{"keys": "new\n"})
	if want := "before\n<!-- generated: keys -->\n\nnew\n\n<!-- end: keys -->\nafter\n"; err != nil || got != want {
		t.Errorf("got %q, %v; want %q", got, err, want)
	}
	if again, err := docgen.Fill(got, map[string]string{"keys": "new\n"}); err != nil || again != got {
		t.Errorf("filling twice is not filling once: %q, %v", again, err)
	}
	for name, blocks := range map[string]map[string]string{
		"a block without markers": {"keys": "", "more": ""},
		"markers without a block": {},
	} {
		if _, err := docgen.Fill(page, blocks); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	if _, err := docgen.Fill("<!-- generated: keys -->\n", map[string]string{"keys": ""}); err == nil {
		t.Error("a block that does not end: no error")
	}
}

// Every command that is not hidden is on the page, with its flags and examples.
func TestCLI(t *testing.T) {
	root := &cobra.Command{Use: "tool"}
	root.PersistentFlags().String("state", "/var/lib/tool", "state directory")
	root.AddGroup(&cobra.Group{ID: "work", Title: "Work:"})
	plan := &cobra.Command{Use: "plan [NAME]", Short: "Show the plan", GroupID: "work", Example: "  tool plan x", Run: func(*cobra.Command, []string) {}}
	plan.Flags().String("save", "", "keep it under `id`")
	plan.Flags().Bool("old", false, "gone")
	_ = plan.Flags().MarkHidden("old")
	sub := &cobra.Command{Use: "show A|B", Long: "Shows <both>.", Run: func(*cobra.Command, []string) {}}
	plan.AddCommand(sub)
	secret := &cobra.Command{Use: "secret", Hidden: true, Run: func(*cobra.Command, []string) {}}
	root.AddCommand(plan, secret)

	blocks := docgen.CLI(root)
	for _, want := range []string{"## Work\n", "### plan\n", "tool plan [NAME]\n", "Show the plan.\n", "| `--save ID` | – | keep it under id |", "```sh\ntool plan x\n```", "#### plan show\n", "Shows &lt;both>."} {
		if !strings.Contains(blocks["commands"], want) {
			t.Errorf("%q is missing in\n%s", want, blocks["commands"])
		}
	}
	for _, not := range []string{"secret", "--old", "--help"} {
		if strings.Contains(blocks["commands"], not) {
			t.Errorf("%q is shown", not)
		}
	}
	if want := "| `--state VALUE` | `/var/lib/tool` | state directory |"; !strings.Contains(blocks["global"], want) {
		t.Errorf("%q is missing in\n%s", want, blocks["global"])
	}
}
