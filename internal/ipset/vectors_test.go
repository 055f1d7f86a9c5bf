package ipset

import (
	"bufio"
	"encoding/json"
	"fmt"
	"maps"
	"net/netip"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/remeld/remeld/internal/sampledata"
)

// vector is one recorded case of MineMeld's aggregators: either steps with what
// each emitted, or a sequence of operations with the state at its end.
type vector struct {
	Suite  string         `json:"suite"`
	Case   string         `json:"case"`
	Config map[string]any `json:"config"`
	Inputs []string       `json:"inputs"`
	Steps  []vectorStep   `json:"steps"`

	Ops        []vectorOp `json:"ops"`
	FinalState finalState `json:"final_state"`
	Final      finalState `json:"final"`
}

// finalState is the live ranges at the end, each with its contributors; nil where
// a recording names none. It is written as an object, or as a list of ranges.
type finalState map[string][]string

func (f *finalState) UnmarshalJSON(raw []byte) error {
	var ranges []string
	if json.Unmarshal(raw, &ranges) == nil {
		if ranges != nil {
			*f = finalState{}
		}
		for _, r := range ranges {
			(*f)[r] = nil
		}
		return nil
	}
	var state map[string]json.RawMessage
	if err := json.Unmarshal(raw, &state); err != nil {
		return err
	}
	*f = finalState{}
	for r, contributors := range state {
		var names []string
		if json.Unmarshal(contributors, &names) == nil {
			slices.Sort(names)
		}
		(*f)[r] = names
	}
	return nil
}

// vectorOp is an operation: [op, source, indicator] or an object like a step.
type vectorOp vectorStep

func (o *vectorOp) UnmarshalJSON(raw []byte) error {
	var list []string
	if json.Unmarshal(raw, &list) == nil {
		if len(list) < 3 {
			return fmt.Errorf("an operation of %d parts", len(list))
		}
		*o = vectorOp{Op: list[0], Source: list[1], Indicator: list[2]}
		return nil
	}
	return json.Unmarshal(raw, (*vectorStep)(o))
}

type vectorStep struct {
	Op        string         `json:"op"`
	Action    string         `json:"action"`
	Source    string         `json:"source"`
	Indicator string         `json:"indicator"`
	Value     map[string]any `json:"value"`
	Emits     []vectorStep   `json:"emits"`
}

func (s vectorStep) op() string { return s.Op + s.Action }

// TestMineMeldVectors compares the set of live ranges after each step, or at the
// end where a case has only a final state, with recordings of MineMeld. Named
// exception: a CIDR with host bits set, which MineMeld begins at the host address
// and we at the network.
func TestMineMeldVectors(t *testing.T) {
	f, err := os.Open(sampledata.Given(t, "REMELD_VECTORS", "minemeld", "vectors.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 64<<20)
	ran, other := 0, map[string]int{}
	for n := 1; lines.Scan(); n++ {
		if len(strings.TrimSpace(lines.Text())) == 0 {
			continue
		}
		var v vector
		if err := json.Unmarshal(lines.Bytes(), &v); err != nil {
			t.Fatalf("line %d: %v", n, err)
		}
		if !strings.HasPrefix(v.Suite, "AggregateIP") {
			other[v.Suite]++
			continue
		}
		ran++
		t.Run(fmt.Sprintf("%d %s %s", n, v.Suite, v.Case), func(t *testing.T) { runVector(t, v) })
	}
	if lines.Err() != nil || ran == 0 {
		t.Fatalf("%d cases of range algebra, error %v", ran, lines.Err())
	}
	t.Logf("%d cases of range algebra; suites of other matters, not run here: %v", ran, other)
}

// vectorRun is our side of one case.
type vectorRun struct {
	t      *testing.T
	v      vector
	claims *Claims
	names  []string // contributor id → source/indicator
	live   map[string][]uint32
}

func runVector(t *testing.T, v vector) {
	t.Helper()
	r := &vectorRun{t: t, v: v, claims: NewClaims(), live: map[string][]uint32{}}
	for k := range v.Config {
		if k != "whitelist_prefixes" {
			t.Logf("config key %q says nothing about ranges", k)
		}
	}
	want, recorded := map[string]bool{}, slices.ContainsFunc(v.Steps, func(s vectorStep) bool { return s.Emits != nil })
	for i, s := range v.Steps {
		for _, e := range s.Emits {
			switch e.op() {
			case "update":
				want[e.Indicator] = true
			case "withdraw":
				delete(want, e.Indicator)
			default:
				t.Fatalf("step %d emits %q", i, e.op())
			}
		}
		r.apply(s)
		if d := cmp.Diff(slices.Sorted(maps.Keys(want)), slices.Sorted(maps.Keys(r.live))); recorded && d != "" {
			t.Fatalf("live ranges after step %d, %s %s %s (-MineMeld +ours):\n%s", i, s.op(), s.Source, s.Indicator, d)
		}
	}
	for _, op := range v.Ops {
		r.apply(vectorStep(op))
	}
	switch {
	case v.FinalState != nil:
		r.compareFinal(v.FinalState)
	case v.Final != nil:
		r.compareFinal(v.Final)
	case !recorded:
		t.Fatal("the case says neither what a step emits nor what is live at the end")
	}
}

func (r *vectorRun) compareFinal(want finalState) {
	r.t.Helper()
	got := finalState{}
	for k, ids := range r.live {
		got[k] = nil
		if want[k] != nil { // a state without contributors is compared by its ranges
			for _, id := range ids {
				got[k] = append(got[k], r.names[id])
			}
			slices.Sort(got[k])
		}
	}
	if d := cmp.Diff(want, got); d != "" {
		r.t.Fatalf("final state (-MineMeld +ours):\n%s", d)
	}
}

// apply does one operation by MineMeld's rules: a claim is known by its text and
// its source; values of another type are none of its business.
func (r *vectorRun) apply(s vectorStep) {
	if s.op() != "update" && s.op() != "withdraw" {
		r.t.Logf("%q changes no range", s.op())
		return
	}
	if s.Value != nil && s.Value["type"] != "IPv4" {
		return
	}
	from, to, ok := r.parse(s.Indicator)
	if !ok {
		r.t.Logf("%q is no IPv4 address, CIDR or range: ignored", s.Indicator)
		return
	}
	name := s.Source + "/" + s.Indicator
	id := slices.Index(r.names, name)
	if id < 0 {
		id = len(r.names)
		r.names = append(r.names, name)
	}
	ch := Change{Insert, Claim{From: from, To: to, ID: uint32(id), Allow: r.allow(s.Source)}}
	switch known := r.claims.Has(ch.Claim); {
	case s.op() == "withdraw":
		ch.Op = Remove
	case known:
		ch.Op = Touch
	}
	err := r.claims.Do(ch, func(p Piece) {
		if k := pieceKey(p.From, p.To); p.Gone {
			delete(r.live, k)
		} else {
			r.live[k] = slices.Clone(p.IDs)
		}
	})
	if err != nil {
		r.t.Fatal(err)
	}
}

func (r *vectorRun) allow(source string) bool {
	prefixes, _ := r.v.Config["whitelist_prefixes"].([]any)
	return slices.ContainsFunc(prefixes, func(p any) bool {
		prefix, ok := p.(string)
		return ok && strings.HasPrefix(source, prefix)
	})
}

// parse reads a range as the text parser does, except for CIDRs with host bits:
// there it checks that we mask them, and goes on with MineMeld's range, so that
// the algebra of the case is compared all the same.
func (r *vectorRun) parse(text string) (from, to netip.Addr, ok bool) {
	set, err := ReadText(strings.NewReader(text), nil)
	if err != nil {
		r.t.Fatal(err)
	}
	for f, l := range set.Ranges() {
		from, to = f, l
	}
	if !from.Is4() {
		return from, to, false
	}
	p, err := netip.ParsePrefix(text)
	if err != nil || p.Addr() == p.Masked().Addr() {
		return from, to, true
	}
	if from != p.Masked().Addr() {
		r.t.Fatalf("%s begins at %v, want the network", text, from)
	}
	r.t.Logf("exception: %s has host bits; ours is %v-%v, MineMeld's begins at the host", text, from, to)
	first, _ := number(p.Addr())
	last := u128{0, min(first.lo+1<<(32-p.Bits())-1, famV4.last.lo)}
	return famV4.addr(first), famV4.addr(last), true
}
