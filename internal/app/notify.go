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
		route := alert.Route{Name: r.Name, Runs: alert.Runs(r.Runs), Nodes: r.Nodes}
		if r.Mail != nil {
			route.Sender = &alert.Mail{Host: r.Mail.Host, Port: r.Mail.Port, Username: r.Mail.Username, Password: r.Mail.Password,
				From: r.Mail.From, To: r.Mail.To, CA: r.Mail.CA, Plain: r.Mail.Plain}
		} else {
			// One attempt: the alerter tries again itself.
			client, err := httpx.New(httpx.Options{Clock: a.clock, Log: a.log, CAFile: r.CA, Retries: -1, UserAgent: "Remeld"})
			if err != nil {
				return err
			}
			route.Sender = &alert.Webhook{URL: r.URL, Shape: alert.Shape(r.Shape), HTTP: client}
		}
		routes = append(routes, route)
	}
	a.alerter.Configure(routes)
	return nil
}

// tellRun posts the end of a run.
func (a *App) tellRun(ctx context.Context, rec schedule.Record) {
	if err := a.alerter.Ended(ctx, rec); err != nil {
		a.log.Error("the end of a run could not be told", "run", rec.ID, "err", err)
	}
}
