package sandbox

import (
	"encoding/json"
	"fmt"
	"net/http"
	"testing"
)

const (
	graphResource = "https://graph.microsoft.com"
	graphTiPath   = "/beta/security/tiIndicators"
)

// graphTwin is a twin with apps that Graph knows: "g" and "h" own indicators,
// "reader" reads all, "a" has roles of Defender only.
type graphTwin struct{ *twin }

func newGraphTwin(t *testing.T, edit ...func(*Options)) graphTwin {
	t.Helper()
	return graphTwin{newTwin(t, append([]func(*Options){func(o *Options) {
		s := []Secret{{Value: "s"}}
		own := []string{"ThreatIndicators.ReadWrite.OwnedBy"}
		o.Tenants[0].Apps = append(o.Tenants[0].Apps,
			App{ID: "g", Name: "Graph app", Secrets: s, Roles: own}, App{ID: "h", Name: "Other Graph app", Secrets: s, Roles: own},
			App{ID: "reader", Name: "Reader", Secrets: s, Roles: []string{"ThreatIndicators.Read.All"}})
		o.Tenants[1].Apps = append(o.Tenants[1].Apps, App{ID: "g", Secrets: s, Roles: own})
	}}, edit...)...)}
}

func observed(o *Options) { o.Switches.GraphProfile = "observed" }

// graphToken is a token for Graph.
func (w graphTwin) graphToken(tenant, app string) string {
	w.t.Helper()
	key := "graph/" + tenant + "/" + app
	if w.tokens[key] == "" {
		r := w.form("/"+tenant+"/oauth2/v2.0/token", "grant_type", "client_credentials", "client_id", app, "client_secret", "s", "scope", graphResource+"/.default")
		tok, _ := r.json(w.t)["access_token"].(string)
		if tok == "" {
			w.t.Fatalf("token: %d %s", r.status, r.body)
		}
		w.tokens[key] = tok
	}
	return w.tokens[key]
}

// by calls Graph as an app of the test tenant; kv are headers.
func (w graphTwin) by(app, method, path string, body any, kv ...string) reply {
	w.t.Helper()
	req := w.request(method, path, body)
	req.Header.Set("Authorization", "Bearer "+w.graphToken(testTenant, app))
	for i := 0; i < len(kv); i += 2 {
		req.Header.Set(kv[i], kv[i+1])
	}
	return w.send(req)
}

// ti calls tiIndicators as app g.
func (w graphTwin) ti(method, tail string, body any, kv ...string) reply {
	w.t.Helper()
	return w.by("g", method, graphTiPath+tail, body, kv...)
}

// graphCode returns "status code" of Graph's error envelope, whole or not at all.
func graphCode(r reply) string {
	var e struct {
		Error *struct {
			Code, Message string
			InnerError    struct {
				Date     string
				Request  string `json:"request-id"`
				ClientID string `json:"client-request-id"`
			}
		}
	}
	_ = json.Unmarshal(r.body, &e)
	switch {
	case e.Error == nil:
		return fmt.Sprint(r.status)
	case e.Error.InnerError.Date == "" || e.Error.InnerError.Request != r.header.Get("request-id") || e.Error.InnerError.ClientID != r.header.Get("client-request-id"):
		return fmt.Sprintf("%d incomplete envelope %s", r.status, r.body)
	}
	return fmt.Sprintf("%d %s", r.status, e.Error.Code)
}

// sentinelTi is a valid indicator for Sentinel with changes; nil takes one away.
func sentinelTi(value string, edit props) props {
	return change(props{
		"targetProduct": "Azure Sentinel", "action": "alert", "domainName": value, "description": "d", "threatType": "WatchList",
		"tlpLevel": "amber", "expirationDateTime": "2026-12-22T06:00:00Z", "externalId": "ext-" + value,
	}, edit)
}

// defenderTi is a valid indicator for Defender with changes.
func defenderTi(value string, edit props) props {
	return change(sentinelTi(value, props{"targetProduct": "Microsoft Defender ATP", "action": "block"}), edit)
}

func change(p, edit props) props {
	for k, v := range edit {
		p[k] = v
		if v == nil {
			delete(p, k)
		}
	}
	return p
}

// create posts one indicator and returns its id.
func (w graphTwin) create(p props) string {
	w.t.Helper()
	r := w.ti("POST", "", p)
	id, _ := r.json(w.t)["id"].(string)
	if r.status != http.StatusCreated || id == "" {
		w.t.Fatalf("create: %d %s", r.status, r.body)
	}
	return id
}

// bulk calls an action with the items and returns status and answer items.
func (w graphTwin) bulk(action string, items any) (int, []map[string]any) {
	w.t.Helper()
	r := w.ti("POST", "/"+action, props{"value": items})
	var out struct{ Value []map[string]any }
	if err := json.Unmarshal(r.body, &out); err != nil || r.status >= 300 {
		w.t.Fatalf("%s: %d %s", action, r.status, r.body)
	}
	return r.status, out.Value
}

func (w graphTwin) tis(query string) []map[string]any {
	w.t.Helper()
	r := w.ti("GET", query, nil)
	var out struct{ Value []map[string]any }
	if err := json.Unmarshal(r.body, &out); err != nil || r.status != 200 {
		w.t.Fatalf("list%s: %d %s", query, r.status, r.body)
	}
	return out.Value
}
