package config

import (
	"net"
	"net/netip"
	"path/filepath"
	"reflect"

	"github.com/remeld/remeld/internal/diag"
)

// web decodes the web section and reads its users file.
func (l *loader) web(v *value) {
	w := &l.cfg.Web
	if !l.isMapping(v, "web") {
		return
	}
	before := l.report.errors()
	l.decode.structure(v, reflect.ValueOf(w).Elem(), "web")
	if l.report.errors() > before {
		return
	}
	l.listen(v)
	if w.UsersFile != "" {
		l.usersFile(v.get("users_file"))
	}
	seen := map[string]bool{}
	for _, u := range w.Users {
		if seen[u.Name] {
			l.report.fail(v.keyPos("users"), "remove one of them", "feed user %q is given twice", u.Name)
		}
		seen[u.Name] = true
	}
}

// listen keeps the door on this machine until TLS or a proxy is declared.
func (l *loader) listen(v *value) {
	w := &l.cfg.Web
	at := v.keyPos("listen")
	if item := v.get("listen"); item != nil {
		at = item.pos
	}
	if (w.TLS.Cert == "") != (w.TLS.Key == "") {
		l.report.fail(v.keyPos("tls"), "", "tls needs both cert and key")
	}
	host, _, err := net.SplitHostPort(w.Listen)
	if err != nil {
		l.report.fail(at, "as 127.0.0.1:8088", "listen is no address with a port")
		return
	}
	if w.TLS.Cert == "" && !w.BehindProxy && !isLoopback(host) {
		l.report.fail(at, "give tls: {cert, key}, or behind_proxy: true if a proxy in front does it", "listening beyond this machine without TLS")
	}
}

func isLoopback(host string) bool {
	if host == "localhost" {
		return true
	}
	a, err := netip.ParseAddr(host)
	return err == nil && a.IsLoopback()
}

// usersFile adds the users of a file of their own: a YAML list.
func (l *loader) usersFile(at *value) {
	path := l.cfg.Web.UsersFile
	if !filepath.IsAbs(path) {
		path = filepath.Join(filepath.Dir(at.pos.File), path)
	}
	data, err := readFile(path)
	if err != nil {
		l.report.fail(at.pos, "it is a YAML list of {name, password, tags}", "cannot read the users file: %v", plainPath(err))
		return
	}
	for _, doc := range l.parse(path, data) {
		var users []User
		l.decode.field(doc, reflect.ValueOf(&users).Elem(), "the users file", "")
		l.cfg.Web.Users = append(l.cfg.Web.Users, users...)
	}
	if len(l.cfg.Web.Users) == 0 {
		l.report.add(diag.Warning, at.pos, "", "the users file names nobody")
	}
}
