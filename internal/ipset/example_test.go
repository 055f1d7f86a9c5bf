package ipset_test

import (
	"fmt"
	"net/netip"
	"os"
	"strings"

	"github.com/remeld/remeld/internal/ipset"
)

// A step of a node delivers a change in as many commits as it likes: the cursor is
// the address that Diff returns. The claim itself is applied with the last commit,
// so that a restart in between finds the state from before the change and goes on.
func ExampleClaims_Diff() {
	addr := netip.MustParseAddr
	c := ipset.NewClaims()
	if err := c.Load([]ipset.Claim{
		{From: addr("10.0.0.0"), To: addr("10.0.0.255"), ID: 1},
		{From: addr("10.0.0.64"), To: addr("10.0.0.127"), ID: 2},
	}); err != nil {
		panic(err)
	}
	allow := ipset.Change{Op: ipset.Insert, Claim: ipset.Claim{From: addr("10.0.0.32"), To: addr("10.0.0.95"), ID: 3, Allow: true}}
	var cursor netip.Addr
	for {
		next, err := c.Diff(allow, cursor, func(p ipset.Piece) bool {
			fmt.Println(p.From, p.To, p.IDs, p.Gone)
			return false // enough for one commit
		})
		if err != nil {
			panic(err)
		}
		if !next.IsValid() {
			break
		}
		fmt.Println("commit, go on at", next)
		cursor = next
	}
	if _, err := c.Apply(allow); err != nil {
		panic(err)
	}
	fmt.Println(c.Pieces(), "pieces")
	// Output:
	// 10.0.0.0 10.0.0.31 [1] false
	// 10.0.0.0 10.0.0.63 [] true
	// commit, go on at 10.0.0.64
	// 10.0.0.96 10.0.0.127 [1 2] false
	// 10.0.0.64 10.0.0.127 [] true
	// 3 pieces
}

func ExampleExcept() {
	read := func(text string) *ipset.Set {
		s, err := ipset.ReadText(strings.NewReader(text), func(r ipset.Refused) { fmt.Println(r) })
		if err != nil {
			panic(err)
		}
		return s
	}
	blocked := read("192.0.2.0/29\n2001:db8::/126 # a comment\nnonsense\n")
	if err := ipset.Except(blocked, read("192.0.2.3\n2001:db8::-2001:db8::2\n")).WriteCIDRs(os.Stdout); err != nil {
		panic(err)
	}
	// Output:
	// line 3: not an address, CIDR or range: "nonsense"
	// 192.0.2.0/31
	// 192.0.2.2
	// 192.0.2.4/30
	// 2001:db8::3
}
