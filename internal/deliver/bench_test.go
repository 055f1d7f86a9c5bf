package deliver

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/remeld/remeld/indicator"
	"github.com/remeld/remeld/indicator/warninglist"
	"github.com/remeld/remeld/internal/deliver/protect"
	"github.com/remeld/remeld/internal/store/memstore"
	"github.com/remeld/remeld/internal/tql"
	"github.com/remeld/remeld/sdk/sdktest"
)

// table is an Upstream of encoded rows, decoded one by one as an engine's table
// is.
type table struct {
	keys, attrs [][]byte
	byKey       map[string]int
}

func newTable(n int) *table {
	t := &table{byKey: map[string]int{}}
	type row struct{ key, attrs []byte }
	rows := make([]row, n)
	for i := range n {
		a := indicator.Attributes{Confidence: indicator.Known(i * 7919 % 101), Severity: indicator.Known(i * 31 % 6), TLP: indicator.Green,
			Tags: []string{"c2", "botnet"}, Sources: []string{fmt.Sprintf("feed%d", i%4)}, FirstSeen: time.Unix(1767000000+int64(i), 0)}
		rows[i] = row{benchIndicator(i).AppendKey(nil), a.AppendBinary(nil)}
	}
	slices.SortFunc(rows, func(a, b row) int { return slices.Compare(a.key, b.key) })
	for i, r := range rows {
		t.keys, t.attrs = append(t.keys, r.key), append(t.attrs, r.attrs)
		t.byKey[string(r.key)] = i
	}
	return t
}

// benchIndicator is 70 % domains, 20 % addresses, 10 % hashes.
func benchIndicator(i int) indicator.Indicator {
	switch {
	case i%10 < 7:
		return indicator.Indicator{Kind: indicator.Domain, Value: fmt.Sprintf("host%d.zone%d.net", i, i%5000)}
	case i%10 < 9:
		return ind(fmt.Sprintf("%d.%d.%d.%d", 11+i%80, i>>16&255, i>>8&255, i&255))
	}
	sum := sha256.Sum256([]byte(fmt.Sprint(i)))
	return indicator.Indicator{Kind: indicator.SHA256, Value: hex.EncodeToString(sum[:])}
}

func (t *table) Watermark(context.Context, string) (Watermark, error) {
	return Watermark{Settled: true, AllowReady: true}, nil
}

func (t *table) Desired(_ context.Context, _ string, fn func(*indicator.Record) error) error {
	var rec indicator.Record
	for i := range t.keys {
		if err := t.decode(i, &rec); err != nil {
			return err
		}
		if err := fn(&rec); err != nil {
			return err
		}
	}
	return nil
}

func (t *table) decode(i int, rec *indicator.Record) error {
	var err error
	if rec.Indicator, err = indicator.FromKey(t.keys[i]); err != nil {
		return err
	}
	rec.Attrs = indicator.Attributes{}
	return rec.Attrs.UnmarshalBinary(t.attrs[i])
}

func (t *table) Lookup(_ context.Context, _ string, i indicator.Indicator) (*indicator.Record, error) {
	k, ok := t.byKey[string(i.AppendKey(nil))]
	if !ok {
		return nil, nil
	}
	var rec indicator.Record
	return &rec, t.decode(k, &rec)
}

// fitting is a door that says cheaply what it cannot express.
type fitting struct{ *door }

func (f fitting) Fit(rec *indicator.Record) string {
	if rec.Kind == indicator.SHA256 {
		return "unsupported_kind"
	}
	return ""
}

func benchRules(b *testing.B) *protect.Rules {
	b.Helper()
	list := func(kind string, n int, entry func(int) string) *warninglist.List {
		entries := make([]string, n)
		for i := range entries {
			entries[i] = fmt.Sprintf("%q", entry(i))
		}
		l, err := warninglist.Parse(strings.NewReader(`{"name":"` + kind + `","type":"` + kind + `","list":[` + strings.Join(entries, ",") + `]}`))
		if err != nil {
			b.Fatal(err)
		}
		return l
	}
	own := make([]indicator.Indicator, 2000)
	for i := range own {
		own[i] = ind(fmt.Sprintf("asset%d.corp.com", i))
	}
	return &protect.Rules{Own: []protect.Own{protect.NewOwn("assets", own)}, Warninglists: []protect.Warninglist{
		{Name: "cidrs", List: list("cidr", 2000, func(i int) string { return fmt.Sprintf("150.%d.%d.0/24", i/250, i%250) })},
		{Name: "hosts", List: list("hostname", 10000, func(i int) string { return fmt.Sprintf("cdn%d.example.org", i) })},
	}}
}

// BenchmarkPlanWarm1M plans over a million desired records with two conditions and
// warninglists, when the tenant is in step already (goal: at most 3 s).
func BenchmarkPlanWarm1M(b *testing.B) {
	clock := sdktest.NewClock(time.Time{})
	tenant := newTenant(clock, 15000)
	f, err := tql.Compile(`confidence >= 40 and not hasTag(name = "internal")`, tql.Options{})
	if err != nil {
		b.Fatal(err)
	}
	s := memstore.New()
	defer s.Close()
	m, err := Open(b.Context(), Deps{Store: s, Clock: clock, Upstream: newTable(1_000_000), Owner: "mark"})
	if err != nil {
		b.Fatal(err)
	}
	err = m.Configure(b.Context(), []Destination{{Node: "def", Target: fitting{tenant.door("app", "Block")}, Mode: ModeAuto, Guards: looseGuards,
		Keep: []Keep{{"sure", f}}, Protect: benchRules(b)}})
	if err != nil {
		b.Fatal(err)
	}
	p, err := m.Plan(b.Context(), "def", PlanOptions{})
	if err != nil {
		b.Fatal(err)
	}
	if _, err := m.Apply(b.Context(), p, ApplyOptions{}); err != nil {
		b.Fatal(err)
	}
	if n := len(tenant.live()); n != 15000 {
		b.Fatalf("%d live", n)
	}
	b.ReportAllocs()
	for b.Loop() {
		if p, err = m.Plan(b.Context(), "def", PlanOptions{}); err != nil {
			b.Fatal(err)
		}
		if p.Changes() != 0 || p.Desired != 1_000_000 {
			b.Fatalf("warm plan has %v of %d", p.Actions, p.Desired)
		}
	}
	b.ReportMetric(float64(len(p.Items)), "items")
}
