package app

import (
	"context"

	"github.com/remeld/remeld/internal/alert"
	"github.com/remeld/remeld/internal/config"
	"github.com/remeld/remeld/internal/httpx"
	"github.com/remeld/remeld/internal/schedule"
)

// route hands the alerter the routes of a configuration.
func (a *App) route(cfg *config.Config) error {
	routes := make([]alert.Route, 0, len(cfg.Notify))
	for _, r := range cfg.Notify {
		sender, err := a.sender(r)
		if err != nil {
			return err
		}
		routes = append(routes, alert.Route{Name: r.Name, Sender: sender, Runs: alert.Runs(r.Runs), Nodes: r.Nodes})
	}
	a.alerter.Configure(routes)
	return nil
}

// sender is the way of a route to people.
func (a *App) sender(r config.Route) (alert.Sender, error) {
	if r.Mail != nil {
		return &alert.Mail{Host: r.Mail.Host, Port: r.Mail.Port, Username: r.Mail.Username, Password: r.Mail.Password,
			From: r.Mail.From, To: r.Mail.To, CA: r.Mail.CA, Plain: r.Mail.Plain, Clock: a.clock}, nil
	}
	// One attempt: the alerter tries again itself.
	client, err := httpx.New(httpx.Options{Clock: a.clock, Log: a.log, CAFile: r.CA, Retries: -1, UserAgent: "Remeld"})
	if err != nil {
		return nil, err
	}
	return &alert.Webhook{URL: r.URL, Shape: alert.Shape(r.Shape), HTTP: client}, nil
}

// tellRun posts the end of a run.
func (a *App) tellRun(ctx context.Context, rec schedule.Record) {
	if err := a.alerter.Ended(ctx, rec); err != nil {
		a.log.Error("the end of a run could not be told", "run", rec.ID, "err", err)
	}
}
