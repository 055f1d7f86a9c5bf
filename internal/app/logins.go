package app

import (
	"context"
	"fmt"
	"time"

	"github.com/remeld/remeld/internal/condition"
	"github.com/remeld/remeld/internal/config"
	"github.com/remeld/remeld/internal/diag"
	"github.com/remeld/remeld/sdk"
)

// warnAhead are the days before a secret or certificate ends at which a person is
// told (SEMANTICS, defaults: alerts).
var warnAhead = []int{1, 7, 30}

const renewHelp = "make a new one, put it where the connection reads it, and move expires: if it is set"

// endsEvery is how often files with credentials are read for when they end.
const endsEvery = time.Minute

// tellExpiring raises a condition for every connection whose credential is near its
// end or cannot be used, with a message that changes only from one step to the next.
func (a *App) tellExpiring(ctx context.Context) error {
	cfg, _ := a.inForce()
	now := a.clock.Now()
	if a.endsRead == cfg && now.Sub(a.endsAt).Abs() < endsEvery {
		return nil
	}
	a.endsRead, a.endsAt = cfg, now
	for name, c := range cfg.Connections {
		t, _ := connectionType(c.Type)
		end, err := endOf(c, t, cfg.BaseDir)
		if err := a.tell(ctx, name, "credential_unusable", err != nil, fmt.Sprint(err), "correct the connection, then look with remeld doctor "+name); err != nil {
			return err
		}
		days, near := within(now, end)
		message := fmt.Sprintf("the secret or certificate of connection %s ends on %s, %s", name, end.UTC().Format(time.DateOnly), days)
		if err := a.tell(ctx, name, "secret_expires", near, message, renewHelp); err != nil {
			return err
		}
	}
	return nil
}

// tell raises a condition, or clears it.
func (a *App) tell(ctx context.Context, node, kind string, stands bool, message, help string) error {
	if !stands {
		return a.conditions.Clear(ctx, node, kind)
	}
	return a.conditions.Raise(ctx, condition.Condition{Node: node, Kind: kind, Message: message, Help: help})
}

// endOf is when a login's credential ends: the earlier of expires: and what the
// credential itself says; zero if neither is known.
func endOf(c *config.Connection, t sdk.ConnectionType, baseDir string) (time.Time, error) {
	if t.Ends == nil {
		return c.Expires, nil
	}
	end, err := t.Ends(c.Config, baseDir)
	if err != nil || end.IsZero() || !c.Expires.IsZero() && c.Expires.Before(end) {
		return c.Expires, err
	}
	return end, nil
}

func connectionType(name string) (sdk.ConnectionType, bool) {
	for _, t := range sdk.ConnectionTypes() {
		if t.Name == name {
			return t, true
		}
	}
	return sdk.ConnectionType{}, false
}

// loginFiles are the files that make up a login.
func loginFiles(c *config.Connection, baseDir string) []string {
	t, _ := connectionType(c.Type)
	if t.Files == nil {
		return nil
	}
	return t.Files(c.Config, baseDir)
}

// loginFindings are what validate has to say of logins: a credential that cannot be
// used is an error, one that is near its end a warning.
func (b *builder) loginFindings() diag.List {
	var found diag.List
	for _, c := range b.cfg.Connections {
		t, _ := connectionType(c.Type)
		end, err := endOf(c, t, b.cfg.BaseDir)
		d := diag.Diagnostic{Severity: diag.Error, File: c.Pos.File, Line: c.Pos.Line, Col: c.Pos.Col}
		if err != nil {
			d.Msg = fmt.Sprintf("connection %s: %v", c.Name, err)
			found = append(found, d)
		}
		if days, near := within(b.clock.Now(), end); near {
			d.Severity, d.Help = diag.Warning, renewHelp
			d.Msg = fmt.Sprintf("the secret or certificate of connection %s ends on %s, %s", c.Name, end.UTC().Format(time.DateOnly), days)
			found = append(found, d)
		}
	}
	return found.Sort()
}

func within(now, end time.Time) (text string, near bool) {
	left := end.Sub(now)
	if end.IsZero() {
		return "", false
	}
	if left <= 0 {
		return "which is past", true
	}
	for _, days := range warnAhead {
		if left <= time.Duration(days)*24*time.Hour {
			return fmt.Sprintf("within %d days", days), true
		}
	}
	return "", false
}
