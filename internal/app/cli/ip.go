package cli

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"slices"

	"github.com/spf13/cobra"

	"github.com/remeld/remeld/internal/ipset"
)

// setOp is one of the set operations on lists of addresses.
type setOp struct {
	use, short string
	args       cobra.PositionalArgs
	run        func(sets []*ipset.Set) *ipset.Set
}

var setOps = []setOp{
	{"collapse [FILE…]", "the union of all lists as the fewest CIDRs", cobra.ArbitraryArgs,
		func(s []*ipset.Set) *ipset.Set { return ipset.Union(s...) }},
	{"common FILE FILE…", "what is in every list", cobra.MinimumNArgs(2),
		func(s []*ipset.Set) *ipset.Set { return ipset.Common(s...) }},
	{"except FILE FILE…", "what is in the first list and in none of the others", cobra.MinimumNArgs(2),
		func(s []*ipset.Set) *ipset.Set { return ipset.Except(s[0], s[1:]...) }},
	{"diff FILE FILE", "what is in exactly one of two lists", cobra.ExactArgs(2),
		func(s []*ipset.Set) *ipset.Set { return ipset.Diff(s[0], s[1]) }},
}

func (c *cli) ipCommand() *cobra.Command {
	root := &cobra.Command{
		Use:   "ip",
		Short: "Set algebra on lists of addresses, CIDRs and ranges",
		Long: `Set algebra on lists of IPv4 and IPv6 addresses, CIDRs and ranges (a-b), one a line,
comments after # or ;. FILE - is standard input, which can be named once. Lines that are none of these are
counted on standard error and otherwise passed over.`,
		Example: `  remeld ip collapse drop.txt edrop.txt
  remeld ip except all.txt ours.txt --ranges
  curl -s https://feeds.example/list.txt | remeld ip collapse`,
		Args: cobra.NoArgs, // a misspelt operation is an error
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	ranges := root.PersistentFlags().Bool("ranges", false, "print first-last instead of CIDRs")
	for _, op := range setOps {
		root.AddCommand(&cobra.Command{
			Use: op.use, Short: op.short, Args: op.args,
			RunE: func(_ *cobra.Command, files []string) error { return c.runSetOp(op, files, *ranges) },
		})
	}
	return root
}

func (c *cli) runSetOp(op setOp, files []string, ranges bool) error {
	if len(files) == 0 {
		files = []string{"-"}
	}
	if err := stdinOnce(files); err != nil {
		return err
	}
	sets := make([]*ipset.Set, len(files))
	for i, name := range files {
		var err error
		if sets[i], err = c.readSet(name); err != nil {
			return err
		}
	}
	return c.printSet(op.run(sets), ranges)
}

func (c *cli) readSet(name string) (*ipset.Set, error) {
	r, err := c.open(name)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	refused := 0
	var first ipset.Refused
	set, err := ipset.ReadText(r, func(l ipset.Refused) {
		if refused == 0 {
			first = l
		}
		refused++
	})
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", name, err)
	}
	if refused > 0 {
		fmt.Fprintf(c.err, "remeld: %s: %s lines are no addresses, the first is %s\n", name, count(refused), first.Error())
	}
	return set, nil
}

func (c *cli) printSet(set *ipset.Set, ranges bool) error {
	if c.json {
		return c.show(setLines(set, ranges), nil)
	}
	w := bufio.NewWriterSize(c.out, 1<<16)
	write := set.WriteCIDRs
	if ranges {
		write = set.WriteRanges
	}
	return errors.Join(write(w), w.Flush())
}

func setLines(set *ipset.Set, ranges bool) []string {
	lines := []string{}
	if ranges {
		for from, to := range set.Ranges() {
			lines = append(lines, rangeText(from, to))
		}
		return lines
	}
	for p := range set.Prefixes() {
		text := p.String()
		if p.IsSingleIP() {
			text = p.Addr().String()
		}
		lines = append(lines, text)
	}
	return lines
}

func rangeText(from, to netip.Addr) string {
	if from == to {
		return from.String()
	}
	return from.String() + "-" + to.String()
}

// stdinOnce refuses a second -: it would read nothing, and an empty list is an answer.
func stdinOnce(files []string) error {
	first := slices.Index(files, "-")
	if first >= 0 && slices.Contains(files[first+1:], "-") {
		return errors.New("standard input (-) is named twice, and can be read once: save it to a file first")
	}
	return nil
}

// open opens a file named on the command line; - is standard input.
func (c *cli) open(name string) (io.ReadCloser, error) {
	if name == "-" {
		return io.NopCloser(c.in), nil
	}
	f, err := os.Open(name)
	if err != nil {
		return nil, err // names the file and the reason
	}
	return f, nil
}
