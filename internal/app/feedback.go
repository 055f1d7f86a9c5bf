package app

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/remeld/remeld/indicator"
	"github.com/remeld/remeld/sdk"
)

// markers are the sources in force that can be told what was delivered.
func (a *App) markers() map[string]sdk.Marker {
	out := map[string]sdk.Marker{}
	for _, name := range a.sources() {
		if m, ok := a.engine.Source(name).(sdk.Marker); ok {
			out[name] = m
		}
	}
	return out
}

// sources are the names of the sources in force, in their order.
func (a *App) sources() []string {
	cfg, _ := a.inForce()
	if cfg == nil {
		return nil
	}
	return slices.DeleteFunc(slices.Clone(cfg.Order), func(name string) bool { return cfg.Nodes[name].ClassInfo.Role != sdk.RoleSource })
}

// ReportArgs are what a person found of a value.
type ReportArgs struct {
	Value         string `json:"value"`
	Node          string `json:"node"` // the source to tell; "" is every one that has the value
	FalsePositive bool   `json:"false_positive"`
	Seen          int    `json:"seen"`
}

// ReportView is who was told, by node, and of how many objects there.
type ReportView struct {
	Told map[string]int `json:"told"`
}

// Report passes on to the sources what a person found of a value they gave. It is said
// once: what a service counts must not be said again by itself.
func (a *App) Report(ctx context.Context, args ReportArgs) (ReportView, error) {
	v := ReportView{Told: map[string]int{}}
	if !args.FalsePositive && args.Seen <= 0 {
		return v, errors.New("nothing to report: say that it is a false positive, or how often it was seen")
	}
	i, err := parseValue(args.Value)
	if err != nil {
		return v, err
	}
	var errs []error
	asked := false
	for _, name := range a.sources() {
		r, ok := a.engine.Source(name).(sdk.Reporter)
		if !ok || !r.Reports() || args.Node != "" && args.Node != name {
			continue
		}
		asked = true
		n, err := a.report(ctx, name, r, args, i)
		if n > 0 {
			v.Told[name] = n
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", name, err))
		}
	}
	switch {
	case len(errs) > 0:
		return v, errors.Join(errs...)
	case !asked:
		return v, errors.New("no source takes reports: set feedback: {reports: true} at a ThreatConnect source")
	case len(v.Told) == 0:
		return v, fmt.Errorf("no source that takes reports gives %s", i.Value)
	}
	return v, nil
}

func (a *App) report(ctx context.Context, node string, r sdk.Reporter, args ReportArgs, i indicator.Indicator) (int, error) {
	rec, err := a.engine.Lookup(ctx, node, i)
	if err != nil || rec == nil {
		return 0, err
	}
	return r.Report(ctx, sdk.Report{FalsePositive: args.FalsePositive, Seen: args.Seen}, &rec.Attrs)
}
