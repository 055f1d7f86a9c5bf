package app

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/remeld/remeld/internal/app/control"
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
	p.examine(ctx, func(c sdk.Check) {
		p.Checks = append(p.Checks, DoctorCheck{Name: c.Name, State: c.State, Detail: c.Detail, Fix: c.Fix})
	})
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
