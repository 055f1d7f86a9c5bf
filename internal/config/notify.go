package config

import (
	"path/filepath"
	"reflect"
	"slices"
	"strings"

	"github.com/remeld/remeld/internal/diag"
	"github.com/remeld/remeld/sdk"
)

// Route is one way to people.
type Route struct {
	Name string
	// Shape is webhook, slack or teams, and URL where it goes; with Mail neither is
	// given.
	Shape string
	URL   sdk.Secret
	CA    string // PEM file with authorities trusted beside the system's
	Mail  *Mail
	Runs  string
	Nodes []string
}

// routeKeys are the keys of a route as they stand in a file.
type routeKeys struct {
	Webhook sdk.Secret `yaml:"webhook" doc:"URL that messages are posted to as JSON."`
	Slack   sdk.Secret `yaml:"slack" doc:"URL of an incoming webhook of Slack, Mattermost or what speaks like them."`
	Teams   sdk.Secret `yaml:"teams" doc:"URL of a Teams workflow."`
	CA      string     `yaml:"ca" doc:"PEM file with authorities that are trusted for the URL beside the system's."`
	Mail    *Mail      `yaml:"mail" doc:"Mail server and who is written to."`
	Runs    string     `yaml:"runs" enum:"failed,all,none" doc:"Ends of runs of jobs that are told: failed is all but done."`
	Nodes   []string   `yaml:"nodes" doc:"Nodes, connections and jobs the route is for; all, if not given."`
}

// Mail says how mail is sent.
type Mail struct {
	Host     string     `yaml:"host" required:"true" doc:"Mail server."`
	Port     int        `yaml:"port" min:"1" max:"65535" doc:"587 with STARTTLS, 465 with TLS from the start; 587, if not given."`
	Username string     `yaml:"username" doc:"Login at the server."`
	Password sdk.Secret `yaml:"password" doc:"Password of the login."`
	From     string     `yaml:"from" required:"true" doc:"Address of the sender."`
	To       []string   `yaml:"to" required:"true" doc:"Addresses of the readers."`
	CA       string     `yaml:"ca" doc:"PEM file with authorities that are trusted beside the system's."`
	Plain    bool       `yaml:"plain" doc:"No TLS: for a relay on this machine."`
}

// notify decodes the routes.
func (l *loader) notify(v *value) {
	if !l.isMapping(v, "notify") {
		return
	}
	for _, e := range v.keys {
		l.route(e)
	}
}

func (l *loader) route(e entry) {
	where := "route " + e.name
	if !nodeName.MatchString(e.name) {
		l.report.fail(e.pos, nameHelp, "%q cannot be the name of a route", e.name)
	}
	keys := routeKeys{Runs: "failed"}
	before := l.report.errors()
	if l.decode.wants(e.val, mapping, where) {
		l.decode.structure(e.val, reflect.ValueOf(&keys).Elem(), where)
	}
	if l.report.errors() > before || e.val.anyBroken() {
		return
	}
	r := Route{Name: e.name, Mail: keys.Mail, CA: l.besides(keys.CA), Runs: keys.Runs, Nodes: keys.Nodes}
	given := 0
	for _, u := range []struct {
		shape string
		url   sdk.Secret
	}{{"webhook", keys.Webhook}, {"slack", keys.Slack}, {"teams", keys.Teams}} {
		if u.url.Reveal() == "" {
			continue
		}
		given++
		r.Shape, r.URL = u.shape, u.url
		if !strings.HasPrefix(u.url.Reveal(), "https://") && !strings.HasPrefix(u.url.Reveal(), "http://") {
			l.report.fail(e.val.keyPos(u.shape), "as https://…", "%s of route %s is no URL", u.shape, e.name)
		}
	}
	if r.Mail != nil {
		given++
		r.Mail.CA = l.besides(r.Mail.CA)
		if r.Mail.Port == 0 {
			r.Mail.Port = 587
		}
	}
	if given != 1 {
		l.report.fail(e.pos, "give one of webhook, slack, teams and mail", "route %s has %d ways to people", e.name, given)
	}
	l.cfg.Notify = append(l.cfg.Notify, r)
}

// besides makes a path that is relative to the configuration's folder.
func (l *loader) besides(path string) string {
	if path == "" || filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(l.cfg.BaseDir, path)
}

// toldOf checks the names that routes are for.
func (l *loader) toldOf(v *value) {
	if v == nil {
		return
	}
	var known []string
	for name := range l.cfg.Nodes {
		known = append(known, name)
	}
	for name := range l.cfg.Connections {
		known = append(known, name)
	}
	known = append(known, l.cfg.JobOrder...)
	for _, r := range l.cfg.Notify {
		for i, name := range r.Nodes {
			if !slices.Contains(known, name) {
				slices.Sort(known)
				l.report.fail(itemPos(v.get(r.Name).get("nodes"), i), diag.DidYouMean(name, known), "there is no node, connection or job %q", name)
			}
		}
	}
}
