package tql

import (
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func push(tb testing.TB, query string, server *Server) Split {
	tb.Helper()
	s, err := v3Compile(tb, query).Push(server)
	if err != nil {
		tb.Fatalf("%s: %v", query, err)
	}
	return s
}

func without(names ...string) *Server {
	return ServerOf(slices.DeleteFunc(V3Indicators.Keywords(), func(k Keyword) bool { return slices.Contains(names, k.Keyword) }))
}

func TestPush(t *testing.T) {
	no := without("rating", "hasGroup", "threatAssessScore")
	for _, c := range []struct {
		query, server, local string
		of                   *Server
	}{
		{`typeName = "email address" and confidence >= 50`, `typeName = "EmailAddress" AND confidence >= 50`, ``, AnyServer},
		{`rating >= 3 and tlp <= "amber"`, `rating >= 3`, `tlp <= "amber"`, AnyServer},
		{`tlp <= "amber"`, ``, `tlp <= "amber"`, AnyServer},
		{`rating >= 3 and confidence >= 50`, `confidence >= 50`, `rating >= 3`, no},
		{`rating >= 3 or confidence >= 50`, ``, `rating >= 3 OR confidence >= 50`, no},
		{`(rating >= 3 and id > 1) or confidence >= 50`, `id > 1 OR confidence >= 50`, `(rating >= 3 AND id > 1) OR confidence >= 50`, no},
		{`not (rating >= 3 or confidence >= 50)`, `NOT confidence >= 50`, `NOT (rating >= 3 OR confidence >= 50)`, no},
		{`not (rating >= 3 and confidence >= 50)`, ``, `NOT (rating >= 3 AND confidence >= 50)`, no},
		{`not not rating = 3 and id = 1`, `id = 1`, `NOT NOT rating = 3`, no},
		{`hasTag(name = "a") and hasGroup(id = 2)`, `hasTag(name = "a")`, `hasGroup(id = 2)`, no},
		{`hasIndicator(kind = "ip" and id > 5)`, `hasIndicator(id > 5)`, `hasIndicator(kind = "ip" AND id > 5)`, AnyServer},
		{`not hasTag(name = "a")`, `NOT hasTag(name = "a")`, ``, AnyServer},
		// what servers may read otherwise stays here
		{`tag != "a" and id = 1`, `id = 1`, `tag != "a"`, AnyServer},
		{`not tag = "a" and tag = "b"`, `tag = "b"`, `NOT tag = "a"`, AnyServer},
		{`not addressCidr = "10.0.0.0/8"`, ``, `NOT addressCidr = "10.0.0.0/8"`, AnyServer},
		{`addressCidr not in "10.0.0.0/8"`, `addressCidr NOT IN "10.0.0.0/8"`, ``, AnyServer},
		{`description contains "Bob"`, `description CONTAINS "Bob"`, `description CONTAINS "Bob"`, AnyServer},
		{`not description contains "Bob"`, ``, `NOT description CONTAINS "Bob"`, AnyServer},
		{`dateAdded != "2026-01-01" and dateAdded > "2025-01-01"`, `dateAdded > "2025-01-01"`, `dateAdded != "2026-01-01"`, AnyServer},
		{`attributeX = "y" and id = 1`, `id = 1`, `attributeX = "y"`, AnyServer},
		// the server must not imply active where the query speaks of it
		{`indicatorActive = false`, `indicatorActive = false`, ``, AnyServer},
		{`(indicatorActive = false or tlp = "red") and id = 1`, `id = 1 AND (indicatorActive = true OR indicatorActive = false)`,
			`indicatorActive = false OR tlp = "red"`, AnyServer},
	} {
		s := push(t, c.query, c.of)
		local := ""
		if s.Local != nil {
			local = s.Local.String()
		}
		if s.Server != c.server || local != c.local {
			t.Errorf("%s\nasks %s\nwant %s\nkeeps %s\nwant  %s", c.query, s.Server, c.server, local, c.local)
		}
	}
}

func TestPush_SaysWhatGoesWhere(t *testing.T) {
	s := push(t, `id = 1 and (tlp = "red" or tag != "x") and (id > 2 and tlp = "red" or id < 1)`, AnyServer)
	if len(s.Pushed) != 1 || len(s.Kept) != 2 || len(s.Helped) != 1 || !strings.HasPrefix(s.Helped[0], "(id > 2") {
		t.Errorf("%q %q %q", s.Pushed, s.Kept, s.Helped)
	}
}

func TestPush_OfOurRecordsKeepsAll(t *testing.T) {
	f, err := Compile(`confidence >= 70`, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if s, err := f.Push(AnyServer); err != nil || s.Server != "" || s.Local != f {
		t.Errorf("%+v, %v", s, err)
	}
}

func TestPush_ParametersThatOnlyTheServerHas(t *testing.T) {
	server, err := ParseServer([]byte(`{"data":[{"keyword":"id","name":"ID","type":"Integer"},{"keyword":"customRisk","name":"Risk","type":"Integer"},{"keyword":"watched","name":"W","type":"Boolean"}],"count":3,"status":"Success"}`))
	if err != nil {
		t.Fatal(err)
	}
	f, err := Compile(`customRisk > 5 and id = 1 and tlp = "red"`, Options{Schema: V3Indicators, Server: server})
	if err != nil {
		t.Fatal(err)
	}
	s, err := f.Push(server)
	if err != nil || s.Server != `customRisk > 5 AND id = 1` || s.Local.String() != `tlp = "red"` {
		t.Errorf("%+v, %v", s, err)
	}
	f, err = Compile(`customRisk > 5 or tlp = "red"`, Options{Schema: V3Indicators, Server: server})
	if err != nil {
		t.Fatal(err)
	}
	if _, err = f.Push(server); err == nil || !strings.Contains(err.Error(), "customRisk") {
		t.Errorf("a condition nobody can answer: %v", err)
	}
	if _, err := Compile(`customRisk > "much"`, Options{Schema: V3Indicators, Server: server}); err == nil {
		t.Error("the server's type is not looked at")
	}
	if _, err := v3Compile(t, `indicatorActive is null or tlp = "red"`).Push(server); err == nil {
		t.Error("a server without indicatorActive is asked for what is not active")
	}
	for _, bad := range []string{``, `{}`, `{"data":[]}`, `[1]`} {
		if _, err := ParseServer([]byte(bad)); err == nil {
			t.Errorf("%q is taken for an answer", bad)
		}
	}
}

// v3Atoms are conditions of every type over testdata/v3.ndjson.
var v3Atoms = []string{
	`rating >= 3`, `rating != 4`, `rating is null`, `confidence < 20`, `typeName in ("Host", "Address")`, `typeName not like "Email%"`,
	`tag = "a"`, `tag != "c2"`, `tag is null`, `hasTag(name = "C2")`, `hasTag(summary = "c2" or techniqueId is not null)`, `hasTag = 2`,
	`hasAllTags(name in ("a", "b"))`, `securityLabel like "%RED"`, `tlp <= "amber"`, `kind = "ip"`, `addressCidr in "192.0.2.0/24"`,
	`addressCidr not in "192.0.2.0/24"`, `addressIsIpv6 = true`, `description contains "Bob"`, `dateAdded > "2024-01-01"`,
	`dateAdded = "2023-12-31"`, `lastModified >= "NOW() - 1 DAY"`, `indicatorActive = false`, `indicatorActive is null`,
	`attributeScore > 41`, `hasAttribute(typeName = "Score" and intVal > 5)`, `hasGroup(typeName = "Report" and not tag = "x")`,
	`hasIndicator(kind = "domain" and hasTag(name = "APT28"))`, `hasVictim(name = "x")`, `associatedGroup in (11, 12)`, `ownerName = "org a"`,
}

func drawV3Query(t *rapid.T, depth int) string {
	if depth == 0 || rapid.IntRange(0, 3).Draw(t, "leaf") == 0 {
		return rapid.SampledFrom(v3Atoms).Draw(t, "atom")
	}
	switch rapid.IntRange(0, 2).Draw(t, "op") {
	case 0:
		return "NOT (" + drawV3Query(t, depth-1) + ")"
	case 1:
		return "(" + drawV3Query(t, depth-1) + ") AND (" + drawV3Query(t, depth-1) + ")"
	default:
		return "(" + drawV3Query(t, depth-1) + ") OR (" + drawV3Query(t, depth-1) + ")"
	}
}

// TestProperty_PushIsASuperset: whatever a server lacks, all that the query is true
// for is among its answers, and the local part leaves exactly that of them.
func TestProperty_PushIsASuperset(t *testing.T) {
	// A server always knows whether an indicator is active.
	objects := slices.DeleteFunc(v3Objects(t), func(o *Object) bool { _, says := o.Text("active"); return !says })
	optional := []string{"rating", "confidence", "typeName", "tag", "hasTag", "hasAllTags", "securityLabel", "description", "dateAdded", "hasAttribute", "hasGroup", "hasIndicator"}
	env := &Env{Now: now}
	rapid.Check(t, func(t *rapid.T) {
		server := without(rapid.SliceOf(rapid.SampledFrom(optional)).Draw(t, "lacks")...)
		query := drawV3Query(t, 4)
		f, err := Compile(query, Options{Schema: V3Indicators})
		if err != nil {
			t.Fatal(err)
		}
		s, err := f.Push(server)
		if err != nil {
			t.Fatal(err)
		}
		asked := s.Server
		if asked == "" {
			asked = "indicatorActive = true or id > 0" // no filter at all, of which the server implies active
			if f.implied != nil {
				asked = "id > 0"
			}
		}
		remote, err := Compile(asked, Options{Schema: V3Indicators})
		if err != nil {
			t.Fatalf("%s asks %s: %v", query, asked, err)
		}
		for _, o := range objects {
			want := f.MatchAny(o, env) == True
			answered := remote.MatchAny(o, env) == True
			kept := answered && (s.Local == nil || s.Local.MatchAny(o, env) == True)
			if want && !answered || want != kept {
				id, _ := o.Text("id")
				t.Fatalf("%s of %s is %v; asked %s it is answered: %v; the rest %v leaves it: %v", query, id, want, asked, answered, s.Local, kept)
			}
		}
	})
}

func TestProperty_V3PrintedQueryIsEquivalent(t *testing.T) {
	objects := v3Objects(t)
	env := &Env{Now: now}
	rapid.Check(t, func(t *rapid.T) {
		f, err := Compile(drawV3Query(t, 4), Options{Schema: V3Indicators})
		if err != nil {
			t.Fatal(err)
		}
		again, err := Compile(f.String(), Options{Schema: V3Indicators})
		if err != nil || again.String() != f.String() {
			t.Fatalf("%s reads as %v, %v", f, again, err)
		}
		for _, o := range objects {
			if a, b := f.MatchAny(o, env), again.MatchAny(o, env); a != b {
				t.Fatalf("%s is %v, read again %v", f, a, b)
			}
			for i, c := range f.Explain(o, env) {
				if i == 0 && c.Truth != f.MatchAny(o, env) {
					t.Fatalf("%s is explained as %v", f, c.Truth)
				}
			}
		}
	})
}
