package engine

import (
	"bufio"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/remeld/remeld/indicator"
	"github.com/remeld/remeld/internal/sampledata"
	"github.com/remeld/remeld/sdk"
)

// recording is one case of MineMeld's range aggregator.
type recording struct {
	Suite  string
	Case   string
	Config struct {
		Whitelist []string `json:"whitelist_prefixes"`
	}
	Inputs []string
	Steps  []recordedStep
	Ops    [][3]string
	Final  map[string][]string `json:"final_state"`
}

type recordedStep struct {
	Op, Source, Indicator string
	Value                 map[string]any
	Emits                 []recordedStep
}

func recordings(t *testing.T) []recording {
	t.Helper()
	f, err := os.Open(sampledata.Path(t, "minemeld", "vectors.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var all []recording
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 64<<20)
	for lines.Scan() {
		var head struct{ Suite string }
		if err := json.Unmarshal(lines.Bytes(), &head); err != nil {
			t.Fatal(err)
		}
		if !strings.HasPrefix(head.Suite, "AggregateIP") {
			continue
		}
		var r recording
		if err := json.Unmarshal(lines.Bytes(), &r); err != nil {
			t.Fatal(err)
		}
		all = append(all, r)
	}
	if lines.Err() != nil || len(all) == 0 {
		t.Fatalf("%d cases, %v", len(all), lines.Err())
	}
	return all
}

// playback drives a recording through sources, a node over address space and a
// destination.
type playback struct {
	w     *world
	feeds map[string]*feed
	texts map[string]map[string]bool // by source: what its body says, as it is written
}

func (r *recording) specs(p *playback) []NodeSpec {
	ips := reader("ips", sdk.RoleProcessor)
	ips.Build = func() (any, error) { return ranges{}, nil }
	var specs []NodeSpec
	for _, name := range r.Inputs {
		f := list()
		p.feeds[name], p.texts[name] = f, map[string]bool{}
		s := source(name, f)
		s.Source.WithdrawAfter = 1
		s.Source.Freeze = FreezeLimits{Share: 2, Count: 1 << 30, MinRows: 1 << 30}
		s.Source.EmptyOK = true
		// An allow-list freezes at once; here each change is meant.
		s.Source.Agree = 1
		specs = append(specs, s)
		if slices.ContainsFunc(r.Config.Whitelist, func(prefix string) bool { return strings.HasPrefix(name, prefix) }) {
			ips.Allow = append(ips.Allow, name)
		} else {
			ips.Inputs = append(ips.Inputs, name)
		}
	}
	return append(specs, ips, reader("edl", sdk.RoleFeed, "ips"))
}

func (p *playback) apply(s recordedStep) {
	if kind := s.Value["type"]; kind != nil && kind != "IPv4" || p.feeds[s.Source] == nil {
		return // of another matter, or of nobody that is read
	}
	f, texts := p.feeds[s.Source], p.texts[s.Source]
	if texts[s.Indicator] = true; s.Op != "update" {
		delete(texts, s.Indicator)
	}
	f.set()
	for text := range texts {
		if i, err := indicator.Parse(indicator.Unknown, text); err == nil && i.Kind == indicator.IPv4 {
			f.items[i.Value] = indicator.Attributes{}
		}
	}
	p.w.poll(s.Source)
	p.w.settle()
}

// live returns what the destination has, as ranges.
func (p *playback) live() []string {
	var got []string
	for _, v := range p.w.has("edl") {
		i, err := indicator.Parse(indicator.Unknown, v)
		if err != nil {
			p.w.t.Fatal(err)
		}
		from, to, _ := i.Addrs()
		got = append(got, fmt.Sprintf("%s-%s", from, to))
	}
	slices.Sort(got)
	return got
}

// TestE13_MineMeldRecordings compares the live ranges after each step, or at the
// end, with recordings of MineMeld. Named exception: a CIDR with host bits set
// begins at the network here. Every other case is restarted between its steps.
func TestE13_MineMeldRecordings(t *testing.T) {
	t.Parallel()
	for n, r := range recordings(t) {
		if strings.HasPrefix(r.Case, "CIDR with host bits") {
			continue
		}
		onStores(t, func(w *world) {
			if w.slow && n%20 != 0 {
				w.t.Skip("this case runs on memory alone")
			}
			p := &playback{w: w, feeds: map[string]*feed{}, texts: map[string]map[string]bool{}}
			specs := r.specs(p)
			w.apply(specs...)
			for _, name := range r.Inputs {
				w.poll(name)
			}
			want := map[string]bool{}
			for i, s := range r.Steps {
				for _, e := range s.Emits {
					if want[e.Indicator] = true; e.Op == "withdraw" {
						delete(want, e.Indicator)
					}
				}
				p.apply(s)
				if n%2 == 0 {
					w.restart(specs...)
					w.settle()
				}
				if diff := cmp.Diff(slices.Sorted(maps.Keys(want)), p.live()); diff != "" {
					w.t.Fatalf("%s %q, step %d, %s %s %s (-MineMeld +ours)\n%s", r.Suite, r.Case, i, s.Op, s.Source, s.Indicator, diff)
				}
			}
			for _, op := range r.Ops {
				p.apply(recordedStep{Op: op[0], Source: op[1], Indicator: op[2]})
			}
			if r.Final != nil {
				if diff := cmp.Diff(slices.Sorted(maps.Keys(r.Final)), p.live()); diff != "" {
					w.t.Fatalf("%s %q at the end (-MineMeld +ours)\n%s", r.Suite, r.Case, diff)
				}
			}
		})
	}
}
