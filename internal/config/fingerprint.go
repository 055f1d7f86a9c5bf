package config

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"slices"

	"github.com/remeld/remeld/sdk"
)

// fingerprints fills the hashes. They are keyed, because configs hold secrets:
// without the store's key nobody can try candidates against them.
func (l *loader) fingerprints() {
	x := exporter{}
	for _, n := range l.cfg.Nodes {
		// The order of conditions is theirs; that of computed attributes counts.
		n.Fingerprint = l.hash("node", x.node(n), computeOrder(n), keepOrder(n))
	}
	for _, c := range l.cfg.Connections {
		c.Fingerprint = l.hash("connection", x.connection(c))
	}
	// Rotating a login is no change of configuration.
	all := x.config(l.cfg)
	logins := map[string]any{}
	for name, c := range l.cfg.Connections {
		login := exporter{drop: true}.connection(c)
		delete(login, "expires")
		logins[name] = login
	}
	all["connections"] = logins
	l.cfg.Version = l.hash("config", all)
}

func computeOrder(n *Node) (out []string) {
	for _, c := range n.Compute {
		out = append(out, c.Attr)
	}
	return out
}

func keepOrder(n *Node) (out []string) {
	for _, k := range n.Keep {
		out = append(out, k.Name)
	}
	return out
}

func (l *loader) hash(parts ...any) string {
	mac := hmac.New(sha256.New, l.opts.Key)
	for _, p := range parts {
		data, err := json.Marshal(p) // maps are written in key order
		if err != nil {
			// Nothing that cannot be written as JSON comes out of an exporter; if it
			// does, no two configs may look equal.
			data = []byte(err.Error())
		}
		mac.Write(data)
		mac.Write([]byte{0})
	}
	return hex.EncodeToString(mac.Sum(nil)[:16])
}

// forRole tells whether a key has a meaning for the role.
func (f structField) forRole(r sdk.Role) bool {
	allowed := f.tag.Get("roles")
	return allowed == "" || slices.Contains(splitList(allowed), string(r))
}
