package app

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/remeld/remeld/internal/config"
	"github.com/remeld/remeld/sdk"
)

// patients are what can be examined, logins first, for what uses them depends on them.
func (a *App) patients() []Patient {
	cfg, b := a.inForce()
	var out []Patient
	for _, name := range slices.Sorted(maps.Keys(cfg.Connections)) {
		out = append(out, a.login(cfg.Connections[name], cfg.BaseDir))
	}
	build := a.builder(cfg)
	for _, name := range cfg.Order {
		if n := cfg.Nodes[name]; n.ClassInfo.Role == sdk.RoleSource {
			if p, ok := source(build, n); ok {
				out = append(out, p)
			}
		}
	}
	for _, t := range b.targets {
		if c, ok := t.target.(sdk.Checker); ok {
			p := Patient{Kind: string(sdk.RoleTarget), Name: t.node.Name, Class: t.node.Class, Connection: t.target.Info().Connection}
			p.examine = func(ctx context.Context, report func(sdk.Check)) {
				c.Check(ctx, func(found sdk.Check) {
					if report(found); found.Marks != nil {
						report(a.remembered(ctx, t, found))
					}
				})
			}
			out = append(out, p)
		}
	}
	for _, r := range cfg.Notify {
		out = append(out, a.wayOut(r))
	}
	return out
}

// remembered compares what a listing found of ours with the ledger: a store that was
// lost or is new knows nothing of rows that are there.
func (a *App) remembered(ctx context.Context, t target, found sdk.Check) sdk.Check {
	out := sdk.Check{Name: "ledger", State: sdk.CheckOK}
	all, err := a.deliver.Status(ctx)
	if err != nil {
		return sdk.FailedCheck(out.Name, err)
	}
	known, ours := 0, found.Marks[a.keys.mark]
	for _, st := range all {
		if st.Domain == t.target.Info().Domain {
			known = st.Live
		}
	}
	out.Detail = fmt.Sprintf("knows %d rows; %d there carry this store's mark", known, ours)
	if known > 0 {
		return out
	}
	for _, mark := range slices.Sorted(maps.Keys(found.Marks)) {
		if mark != a.keys.mark {
			out.State = sdk.CheckWarning
			out.Detail = fmt.Sprintf("is empty, but %d rows there carry the mark of another store, %s", found.Marks[mark], mark)
			out.Fix = "if that store was lost: remeld mark --restore " + mark + ", then remeld adopt " + t.node.Name + "; else they are left alone"
		}
	}
	if ours > 0 {
		out.State = sdk.CheckFailed
		out.Detail = fmt.Sprintf("is empty, but %d rows there carry this store's mark", ours)
		out.Fix = "the state directory was lost or is another: run remeld adopt " + t.node.Name + " before the first apply"
	}
	return out
}

// wayOut is a route to people as a patient.
func (a *App) wayOut(r config.Route) Patient {
	p := Patient{Kind: "route", Name: r.Name, Class: r.Shape}
	if r.Mail != nil {
		p.Class = "mail"
	}
	sender, err := a.sender(r)
	p.examine = func(ctx context.Context, report func(sdk.Check)) {
		if c, ok := sender.(sdk.Checker); ok {
			c.Check(ctx, report)
			return
		}
		report(sdk.FailedCheck("configuration", err))
	}
	return p
}

// source builds a source of its own: the one that runs may be in a poll. One that
// cannot be built is a patient with that to say.
func source(b *builder, n *config.Node) (Patient, bool) {
	p := Patient{Kind: string(sdk.RoleSource), Name: n.Name, Class: n.Class, Connection: n.Connection}
	spec, err := b.spec(n)
	var made any
	if err == nil {
		made, err = spec.Build()
	}
	if err != nil {
		p.examine = func(_ context.Context, report func(sdk.Check)) {
			report(sdk.Check{Name: "configuration", State: sdk.CheckFailed, Detail: err.Error()})
		}
		return p, true
	}
	c, ok := made.(sdk.Checker)
	if ok {
		p.examine = c.Check
	}
	return p, ok
}

// login is a connection as a patient: its type's own checks, and when its credential
// ends.
func (a *App) login(c *config.Connection, baseDir string) Patient {
	t, _ := connectionType(c.Type)
	p := Patient{Kind: "connection", Name: c.Name, Class: c.Type}
	p.examine = func(ctx context.Context, report func(sdk.Check)) {
		report(ending(c, t, baseDir, a.clock.Now()))
		if t.Check != nil {
			env := sdk.Env{Node: c.Name, Log: a.log.With("connection", c.Name), Clock: a.clock, BaseDir: baseDir, Connection: c.SDK(), Owner: a.keys.mark}
			t.Check(ctx, c.Config, env, report)
		}
	}
	return p
}

// ending says when a login's credential ends: by what lies here, or by expires:.
func ending(c *config.Connection, t sdk.ConnectionType, baseDir string, now time.Time) sdk.Check {
	out := sdk.Check{Name: "credential", State: sdk.CheckOK}
	end, err := endOf(c, t, baseDir)
	switch days, near := within(now, end); {
	case err != nil:
		out = sdk.FailedCheck(out.Name, err)
	case end.IsZero():
		out.State, out.Detail = sdk.CheckSkipped, "its end is not known (if it has one, as a client secret does, write expires: with the date the portal shows)"
	case near:
		out.State, out.Detail, out.Fix = sdk.CheckWarning, fmt.Sprintf("ends on %s, %s", end.UTC().Format(time.DateOnly), days), renewHelp
		if !end.After(now) {
			out.State = sdk.CheckFailed
		}
	default:
		out.Detail = "ends on " + end.UTC().Format(time.DateOnly)
	}
	return out
}
