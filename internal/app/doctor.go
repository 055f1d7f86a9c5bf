package app

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/remeld/remeld/internal/app/control"
	"github.com/remeld/remeld/internal/config"
	"github.com/remeld/remeld/internal/diag"
	"github.com/remeld/remeld/sdk"
)

// DoctorArgs name what is examined; nothing is everything.
type DoctorArgs struct {
	Name string `json:"name"` // a connection, a node or a route
}

// DoctorView is what an examination saw.
type DoctorView struct {
	Patients []Patient `json:"patients"`
}

// Patient is one connection, source, destination at one connection, or route to people.
type Patient struct {
	Kind       string        `json:"kind"` // connection, route, or the node's role
	Name       string        `json:"name"`
	Class      string        `json:"class"` // or the connection's type
	Connection string        `json:"connection,omitempty"`
	Checks     []DoctorCheck `json:"checks"`

	examine func(ctx context.Context, report func(sdk.Check))
}

// DoctorCheck is a sdk.Check as it is handed out.
type DoctorCheck struct {
	Name   string         `json:"name"`
	State  sdk.CheckState `json:"state"`
	Detail string         `json:"detail,omitempty"`
	Fix    string         `json:"fix,omitempty"`
}

// Failed counts the checks that failed.
func (v DoctorView) Failed() int {
	n := 0
	for _, p := range v.Patients {
		for _, c := range p.Checks {
			if c.State == sdk.CheckFailed {
				n++
			}
		}
	}
	return n
}

// The bounds of an examination.
const (
	doctorAtOnce   = 8               // patients
	doctorPatience = 2 * time.Minute // for each
)

// Doctor examines logins, sources, destinations and routes beyond their configuration.
// It changes nothing.
func (a *App) Doctor(ctx context.Context, args DoctorArgs) (DoctorView, error) {
	all := a.patients()
	if args.Name != "" {
		names := map[string]bool{}
		for _, p := range all {
			names[p.Name] = true
		}
		if all = slices.DeleteFunc(all, func(p Patient) bool {
			return p.Name != args.Name && p.Connection != args.Name
		}); len(all) == 0 {
			return DoctorView{}, a.noPatient(args.Name, names)
		}
	}
	g := errgroup.Group{}
	g.SetLimit(doctorAtOnce)
	for i := range all {
		g.Go(func() error {
			control.Report(ctx, "examining %s", all[i].Name)
			all[i].run(ctx)
			return nil
		})
	}
	return DoctorView{Patients: all}, g.Wait()
}

func (p *Patient) run(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, doctorPatience)
	defer cancel()
	p.examine(ctx, func(c sdk.Check) { p.Checks = append(p.Checks, DoctorCheck(c)) })
	if len(p.Checks) == 0 {
		p.Checks = []DoctorCheck{{Name: "configuration", State: sdk.CheckOK, Detail: "nothing beyond it to look at"}}
	}
}

func (a *App) noPatient(name string, known map[string]bool) error {
	cfg, _ := a.inForce()
	if cfg.Nodes[name] != nil {
		return fmt.Errorf("node %s reaches nothing outside: there is nothing to examine", name)
	}
	var names []string
	for n := range known {
		names = append(names, n)
	}
	err := fmt.Sprintf("there is no connection, source, destination or route %q", name)
	if help := diag.DidYouMean(name, names); help != "" {
		err += "; " + help
	}
	return errors.New(err)
}

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
			out = append(out, Patient{Kind: string(sdk.RoleTarget), Name: t.node.Name, Class: t.node.Class, Connection: t.target.Info().Connection, examine: c.Check})
		}
	}
	for _, r := range cfg.Notify {
		out = append(out, a.wayOut(r))
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
