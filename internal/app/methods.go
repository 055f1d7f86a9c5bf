package app

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/remeld/remeld/indicator"
	"github.com/remeld/remeld/internal/app/control"
	"github.com/remeld/remeld/internal/condition"
	"github.com/remeld/remeld/internal/deliver"
	"github.com/remeld/remeld/internal/deliver/reason"
	"github.com/remeld/remeld/internal/engine"
)

// Methods are the calls of the command line, by name.
func (a *App) Methods() control.Methods {
	m := control.Methods{}
	control.Add(m, "status", a.Status)
	control.Add(m, "nodes", a.Nodes)
	control.Add(m, "conditions", a.Conditions)
	control.Add(m, "plan", a.Plan)
	control.Add(m, "apply", a.Apply)
	control.Add(m, "commit", a.Commit)
	control.Add(m, "approve", a.Approve)
	control.Add(m, "accept", a.Accept)
	control.Add(m, "poll", a.Poll)
	control.Add(m, "block", a.Block)
	control.Add(m, "held", a.Held)
	control.Add(m, "drift", a.Drift)
	control.Add(m, "adopt", a.Adopt)
	control.Add(m, "applies", a.Applies)
	control.Add(m, "rollback", a.Rollback)
	control.Add(m, "release", a.Release)
	control.Add(m, "mark", a.Mark)
	control.Add(m, "why", a.Why)
	control.Add(m, "report", a.Report)
	control.Add(m, "query", a.Query)
	control.Add(m, "doctor", a.Doctor)
	a.jobMethods(m)
	return m
}

// None are the arguments of a method that takes none.
type None struct{}

// StatusView is the installation at a glance.
type StatusView struct {
	Version      string              `json:"version"`
	Instance     string              `json:"instance"`
	Config       string              `json:"config"` // version in force
	Mark         string              `json:"mark"`   // owner mark on our rows
	Nodes        []engine.NodeStatus `json:"nodes"`
	Destinations []deliver.Status    `json:"destinations"`
	Stops        []deliver.Stop      `json:"stops,omitempty"`
	Conditions   int                 `json:"conditions"`
	Feeds        string              `json:"feeds,omitempty"` // address of the feed door
}

// Status tells how everything is.
func (a *App) Status(ctx context.Context, _ None) (StatusView, error) {
	cfg, _ := a.inForce()
	v := StatusView{Version: Version, Instance: cfg.Instance, Config: cfg.Version, Mark: a.keys.mark, Conditions: len(a.conditions.List())}
	var err error
	if v.Nodes, err = a.engine.Status(ctx); err != nil {
		return v, err
	}
	if v.Destinations, err = a.deliver.Status(ctx); err != nil {
		return v, err
	}
	a.noteUnlisted(v.Destinations)
	if v.Stops, err = a.deliver.Stops(ctx); err != nil {
		return v, err
	}
	if a.web != nil && a.web.Addr() != nil {
		v.Feeds = a.web.Addr().String()
	}
	return v, nil
}

// noteUnlisted says of destinations that they cannot be listed now, and why.
func (a *App) noteUnlisted(all []deliver.Status) {
	for _, c := range a.conditions.List() {
		for i := range all {
			if c.Kind == deliver.ListingFailing && c.ID == all[i].Domain {
				all[i].Unlisted = c.Message
			}
		}
	}
}

// Nodes tells how every node is.
func (a *App) Nodes(ctx context.Context, _ None) ([]engine.NodeStatus, error) {
	return a.engine.Status(ctx)
}

// Conditions lists what needs a person.
func (a *App) Conditions(context.Context, None) ([]condition.Condition, error) {
	return append([]condition.Condition{}, a.conditions.List()...), nil
}

// PlanArgs ask for a plan.
type PlanArgs struct {
	Destination string `json:"destination"` // empty: all
	Save        bool   `json:"save"`
	Items       int    `json:"items"` // most items to return
}

// PlanView is a plan with a part of its items.
type PlanView struct {
	*deliver.Plan
	Items []*deliver.Item `json:"items"`
	More  int             `json:"more,omitempty"` // items not shown
	Saved bool            `json:"saved,omitempty"`
}

// Plan makes a plan; it sends nothing.
func (a *App) Plan(ctx context.Context, args PlanArgs) (PlanView, error) {
	p, err := a.deliver.PlanAll(ctx, args.Destination, deliver.PlanOptions{Person: true, Waits: waits(ctx)})
	if err != nil {
		return PlanView{}, err
	}
	if args.Save {
		if err := a.deliver.SavePlan(ctx, p); err != nil {
			return PlanView{}, err
		}
	}
	return viewOf(p, args.Items, args.Save), nil
}

func viewOf(p *deliver.Plan, most int, saved bool) PlanView {
	items := p.Items[:min(most, len(p.Items))]
	return PlanView{Plan: p, Items: items, More: len(p.Items) - len(items), Saved: saved}
}

// destination resolves a name given on the command line: a node that is a target,
// or nothing where there is only one.
func (a *App) destination(name string) (string, error) {
	_, b := a.inForce()
	if name != "" {
		return name, nil
	}
	names := map[string]bool{}
	for _, t := range b.targets {
		names[t.node.Name] = true
		name = t.node.Name
	}
	switch len(names) {
	case 0:
		return "", errors.New("the configuration has no destination that is planned")
	case 1:
		return name, nil
	}
	return "", errors.New("there are several destinations: name one (remeld status lists them)")
}

// ApplyArgs name a plan by id, or a destination to plan and apply at once.
type ApplyArgs struct {
	Plan        string `json:"plan"`
	Destination string `json:"destination"`
	By          string `json:"by"`
}

// Apply makes a plan so.
func (a *App) Apply(ctx context.Context, args ApplyArgs) (*deliver.Result, error) {
	opts := deliver.ApplyOptions{By: args.By, Waits: waits(ctx), Progress: func(pr deliver.Progress) {
		control.Report(ctx, "applied %d of %d", pr.Done, pr.Total)
	}}
	if args.Plan == "" {
		return a.deliver.PlanAndApply(ctx, args.Destination, opts)
	}
	p, err := a.deliver.LoadPlan(ctx, args.Plan)
	if err != nil {
		return nil, err
	}
	return a.deliver.ApplyAll(ctx, p, opts)
}

// waits tells a person at a terminal what a command waits for.
func waits(ctx context.Context) func() {
	return func() { control.Report(ctx, "an apply is running; waiting for its end") }
}

// ApproveArgs are a person's word.
type ApproveArgs struct {
	ID     string    `json:"id"`
	Reason string    `json:"reason"`
	By     string    `json:"by"`
	Until  time.Time `json:"until"`
}

// Approve lets a stop, or a first plan, pass.
func (a *App) Approve(ctx context.Context, args ApproveArgs) (None, error) {
	if args.ID == "clock" {
		if err := a.engine.AcceptClock(ctx); err != nil {
			return None{}, err
		}
	}
	return None{}, a.deliver.Approve(ctx, args.ID, args.By, args.Reason, args.Until)
}

// AcceptArgs name the poll of a frozen source that is right after all.
type AcceptArgs struct {
	Node string `json:"node"`
	Poll string `json:"poll"`
}

// Accept ends a freeze for one body (SEMANTICS E7).
func (a *App) Accept(ctx context.Context, args AcceptArgs) (None, error) {
	return None{}, a.engine.Accept(ctx, args.Node, args.Poll)
}

// PollArgs name a source.
type PollArgs struct {
	Node string `json:"node"`
}

// Poll polls a source now.
func (a *App) Poll(ctx context.Context, args PollArgs) (engine.PollReport, error) {
	return a.engine.PollNow(ctx, args.Node)
}

// BlockArgs are an ad hoc block (SEMANTICS D8).
type BlockArgs struct {
	Destination string        `json:"destination"`
	Value       string        `json:"value"`
	TTL         time.Duration `json:"ttl"`
	Reason      string        `json:"reason"`
	By          string        `json:"by"`
}

// Block puts one value on a destination at once.
func (a *App) Block(ctx context.Context, args BlockArgs) (*deliver.Result, error) {
	name, err := a.destination(args.Destination)
	if err != nil {
		return nil, err
	}
	i, err := parseValue(args.Value)
	if err != nil {
		return nil, err
	}
	return a.deliver.Block(ctx, name, i, args.TTL, args.Reason, args.By)
}

// parseValue reads an indicator as a person types it, defanged or not.
func parseValue(text string) (indicator.Indicator, error) {
	i, err := indicator.Parse(indicator.Unknown, indicator.Refang(text))
	if err != nil {
		return i, fmt.Errorf("%q is no indicator: %w", text, err)
	}
	return i, nil
}

// HeldArgs select what is not sent.
type HeldArgs struct {
	Destination string `json:"destination"`
	Reason      string `json:"reason"`
	Most        int    `json:"most"`
}

// HeldView is what is not sent: counts of all, and rows up to the limit.
type HeldView struct {
	Counts map[reason.Code]int `json:"counts"`
	Rows   []deliver.Held      `json:"rows"`
}

// Held tells what is not sent and why.
func (a *App) Held(ctx context.Context, args HeldArgs) (HeldView, error) {
	v := HeldView{Counts: map[reason.Code]int{}, Rows: []deliver.Held{}}
	var only []reason.Code
	if args.Reason != "" {
		only = []reason.Code{reason.Code(args.Reason)}
	}
	err := a.deliver.Held(ctx, args.Destination, only, func(h deliver.Held) error {
		v.Counts[h.Reason]++
		if len(v.Rows) < args.Most {
			v.Rows = append(v.Rows, h)
		}
		return nil
	})
	return v, err
}

// DriftArgs ask for rows changed by hand, and whether to put them back.
type DriftArgs struct {
	Destination string   `json:"destination"`
	Restore     bool     `json:"restore"`
	Identities  []string `json:"identities"` // which to restore; none is all
}

// DriftView is what was changed by hand.
type DriftView struct {
	Rows     []deliver.Drifted `json:"rows"`
	Restored int               `json:"restored"` // marked to be put back with the next apply
	// Unlisted says, by domain, why nothing can be known of a tenant.
	Unlisted map[string]string `json:"unlisted,omitempty"`
}

// Drift lists rows changed by hand (SEMANTICS D18).
func (a *App) Drift(ctx context.Context, args DriftArgs) (DriftView, error) {
	v := DriftView{Rows: []deliver.Drifted{}}
	var err error
	if v.Unlisted, err = a.deliver.Unlisted(args.Destination); err != nil {
		return v, err
	}
	rows, err := a.deliver.Drift(ctx, args.Destination)
	if err != nil {
		return v, err
	}
	v.Rows = append(v.Rows, rows...)
	if args.Restore {
		v.Restored, err = a.deliver.Restore(ctx, args.Destination, args.Identities)
	}
	return v, err
}

// AdoptArgs name a destination and, to take a predecessor's rows over, its app id.
type AdoptArgs struct {
	Destination string `json:"destination"`
	CreatedBy   string `json:"created_by"`
}

// AdoptView is how many rows the ledger took in.
type AdoptView struct {
	Adopted int `json:"adopted"`
}

// Adopt takes rows of the tenant into the ledger: those with our mark that it does
// not know, and those of the app named (SEMANTICS D2).
func (a *App) Adopt(ctx context.Context, args AdoptArgs) (AdoptView, error) {
	name, err := a.destination(args.Destination)
	if err != nil {
		return AdoptView{}, err
	}
	n, err := a.deliver.Adopt(ctx, name, args.CreatedBy)
	return AdoptView{Adopted: n}, err
}

// WhyArgs ask about one value.
type WhyArgs struct {
	Value string `json:"value"`
}

// WhyView is everything known of a value.
type WhyView struct {
	Nodes        []engine.Finding `json:"nodes"`
	Kind         string           `json:"kind"`
	Value        string           `json:"value"`
	Destinations []deliver.Why    `json:"destinations"`
}

// Why answers from tables and ledger; it makes no calls.
func (a *App) Why(ctx context.Context, args WhyArgs) (WhyView, error) {
	i, err := parseValue(args.Value)
	if err != nil {
		return WhyView{}, err
	}
	v := WhyView{Kind: i.Kind.String(), Value: i.Value}
	if v.Nodes, err = a.engine.Explain(ctx, i); err != nil {
		return v, err
	}
	v.Destinations, err = a.deliver.Why(ctx, i)
	return v, err
}
